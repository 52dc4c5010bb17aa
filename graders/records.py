"""What passes between the parts and what lies on disk: frozen, versioned records.

Ground floor: imports nothing of labmark. Records of what a run left behind are in `evidence.py`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NO_SANDBOX = "none"
"""In `sandbox` of the records below: student code ran in processes of its own, and nothing more."""


class Record(BaseModel):
    """Base of all records: frozen, and closed to fields that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    BLOCKED = "blocked"
    """An earlier cell's error took away what the check needs."""
    NOT_ATTEMPTED = "not-attempted"
    REVIEW = "review"
    """A person must look; the points are provisional."""
    REJECTED = "rejected"
    """The evidence is not what it claims to be."""
    HARNESS_ERROR = "harness-error"
    """Ours: no penalty, grade again."""


class Visibility(StrEnum):
    """Whether a student may read what a check says."""

    PUBLIC = "public"
    HIDDEN = "hidden"


class Submission(Record):
    """One student's files as they came in.

    Attributes:
        student: The student's id, the name of the folder.
        folder: Where the files lie (read only).
        notebooks: Lab notebook name -> file found for it; a notebook that is not there is left out.
        extras: Other regular files of the submission by name (for instance a weights file).
        notes: What intake noticed, in sentences for the instructor.
    """

    student: str
    folder: Path
    notebooks: dict[str, Path]
    extras: dict[str, Path] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class CellRef(Record):
    """A cell that a message speaks of.

    Attributes:
        notebook: File name of the notebook.
        number: The n-th code cell of the notebook, from 1, as Jupyter shows it after "Run all"; None for text.
        task: Id of the task that the cell answers, if any.
        line: Line inside the cell, from 1, if known.
    """

    notebook: str
    number: int | None = None
    task: str | None = None
    line: int | None = None


class Verdict(Record):
    """What a grader says of one check; the engine adds title, maximum and visibility from the lab.

    Attributes:
        outcome: What became of the check.
        share: Part of the check's points that is earned, 0 to 1 (provisional for `review`).
        code: Stable upper-case word.
        message: What was expected, what was found, where. One or two plain sentences for the student.
        details: JSON data behind the message (figures, tables, advice), for the reports.
        cell: Where to look.
    """

    outcome: Outcome
    share: float = Field(ge=0, le=1)
    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    message: str
    details: dict[str, Any] = Field(default_factory=dict)
    cell: CellRef | None = None

    @classmethod
    def passed(cls, message: str, **details: Any) -> "Verdict":
        """All points."""
        return cls(outcome=Outcome.PASSED, share=1, code="OK", message=message, details=details)

    @classmethod
    def partial(cls, share: float, code: str, message: str, **details: Any) -> "Verdict":
        """Part of the points; a share of 0 or 1 becomes `failed` or `passed`."""
        outcome = Outcome.PARTIAL if 0 < share < 1 else (Outcome.PASSED if share else Outcome.FAILED)
        return cls(outcome=outcome, share=share, code=code, message=message, details=details)

    @classmethod
    def failed(cls, code: str, message: str, *, cell: CellRef | None = None, **details: Any) -> "Verdict":
        """No points."""
        return cls(outcome=Outcome.FAILED, share=0, code=code, message=message, details=details, cell=cell)

    @classmethod
    def blocked(cls, code: str, message: str, *, cell: CellRef | None = None, **details: Any) -> "Verdict":
        """No points, because of the cell named."""
        return cls(outcome=Outcome.BLOCKED, share=0, code=code, message=message, details=details, cell=cell)

    @classmethod
    def not_attempted(cls, message: str, *, code: str = "NOT_ATTEMPTED") -> "Verdict":
        """Nothing was handed in for the task."""
        return cls(outcome=Outcome.NOT_ATTEMPTED, share=0, code=code, message=message)

    @classmethod
    def review(cls, code: str, message: str, *, share: float = 0, **details: Any) -> "Verdict":
        """A person must look; `share` is provisional."""
        return cls(outcome=Outcome.REVIEW, share=share, code=code, message=message, details=details)

    @classmethod
    def rejected(cls, code: str, message: str, **details: Any) -> "Verdict":
        """The evidence is not what it claims."""
        return cls(outcome=Outcome.REJECTED, share=0, code=code, message=message, details=details)

    @classmethod
    def harness_error(cls, message: str, **details: Any) -> "Verdict":
        """Our own fault."""
        return cls(outcome=Outcome.HARNESS_ERROR, share=0, code="HARNESS_ERROR", message=message, details=details)


class Check(Record):
    """One line of a result (see design: records on disk). Points have at most two decimals."""

    id: str
    title: str
    category: str
    outcome: Outcome
    points: float
    max_points: float
    visibility: Visibility
    code: str
    message: str
    details: dict[str, Any] = Field(default_factory=dict)
    cell: CellRef | None = None


class Flag(Record):
    """A lead for a person; never changes a score."""

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    message: str
    cell: CellRef | None = None


class NotebookTiming(Record):
    """What one notebook cost: wall-clock seconds and peak resident memory of its kernel in MiB."""

    seconds: float
    peak_mb: float | None = None


class Timing(Record):
    """Everything in a result that differs from run to run. Times are ISO 8601, UTC."""

    started: str
    finished: str
    notebooks: dict[str, NotebookTiming] = Field(default_factory=dict)


class NotebookSummary(Record):
    """How the run of one notebook ended, in words for the report."""

    name: str
    status: str
    message: str


class Provenance(Record):
    """What a mark rests on: two results with the same provenance are the same.

    Attributes:
        lab_hash: Of lab.toml as read.
        labmark: Version of labmark.
        sandbox: How student code was kept apart.
        environment: Versions of what the kernel ran on.
        evidence_key: Of everything that the run depended on: files, lab, data, environment, our own code.
        graders_hash: Of the code and data that turned evidence into marks.
        held_out_seed: How the held-out images were moved; 0 for not at all.
        notes: Sentences that every reader must see: caps, shims, which weights later parts ran on.
    """

    lab: str
    lab_version: str
    lab_hash: str
    labmark: str
    profile: str
    sandbox: str
    environment: dict[str, str]
    evidence_key: str
    graders_hash: str
    held_out_seed: int = 0
    notes: tuple[str, ...] = ()


class Result(Record):
    """`students/<id>/result.json`: the mark of one student, explained."""

    schema_: Literal["labmark/result/1"] = Field(default="labmark/result/1", alias="schema")
    student: str
    score: float
    max_score: float
    checks: tuple[Check, ...]
    notebooks: tuple[NotebookSummary, ...]
    flags: tuple[Flag, ...] = ()
    provenance: Provenance
    timing: Timing


class StudentLine(Record):
    """One student in `run.json`; paths are relative to the run's folder."""

    id: str
    status: Literal["graded", "review", "unreadable", "harness-error"]
    score: float
    max_score: float
    result: str
    report: str


class Run(Record):
    """`run.json`: one marking of a class. `held_out_seed` as in `Provenance`."""

    schema_: Literal["labmark/run/1"] = Field(default="labmark/run/1", alias="schema")
    lab: str
    lab_version: str
    lab_hash: str
    profile: str
    sandbox: str
    environment: dict[str, str]
    held_out_seed: int = 0
    started: str
    finished: str
    students: tuple[StudentLine, ...]
