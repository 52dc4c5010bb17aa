"""What an operator can get wrong, as a tree of exceptions.

A student's fault is a record (an outcome, a flag); only what the person at the keyboard, or labmark
itself, must mend is an exception. Commands print the message in one line and leave with exit code 2.

    LabmarkError
    ├── UsageError            the command line or a folder named on it
    ├── LabError              lab.toml or the reference folder: file, key, remedy
    ├── StaleTemplateError    student_template/ differs from what reference/ gives
    ├── DataError             a data file is missing or not what its checksum says
    ├── EvidenceError         a file of evidence is missing, malformed or contradicts itself
    ├── HarnessError          labmark's own fault: never costs a student a point
    └── Interrupted           the person at the keyboard called the work off

Every class takes its whole message as its only argument, so all of them pickle.
"""


class LabmarkError(Exception):
    """Base of everything that labmark raises on purpose."""


class UsageError(LabmarkError):
    """The command line asks for something that is not there or makes no sense."""


class LabError(LabmarkError):
    """The lab's own description is wrong."""

    @classmethod
    def at(cls, file: object, key: str, problem: str, remedy: str) -> "LabError":
        """Build the message that names file, key, problem and remedy."""
        return cls(f"{file}: {key}: {problem}. {remedy}")


class StaleTemplateError(LabmarkError):
    """The committed student template is not what the reference gives today."""


class DataError(LabmarkError):
    """A data file is missing or damaged."""


class EvidenceError(LabmarkError):
    """A file of evidence is missing, malformed or contradicts another."""


class HarnessError(LabmarkError):
    """labmark itself failed; the check is repeated, the student loses nothing."""


class Interrupted(LabmarkError):  # noqa: N818 - not an error, the wish of the person at the keyboard
    """The work was called off; nothing unfinished is kept."""
