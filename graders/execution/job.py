"""What the parent hands to the runner of one notebook, and what it gets back."""

from pathlib import Path

from pydantic import Field

from graders.evidence import Journal
from graders.records import Record

MODULE = "labmark_runtime"

START_SECONDS = 120.0
FINISH_SECONDS = 120.0
# What a runner needs beyond the notebook's time: to start a kernel, to finish, and to be late.
GRACE_SECONDS = START_SECONDS + FINISH_SECONDS + 60
LOG_CHARACTERS = 1500

# Codes of a journal that say what ended a run early.
INCOMPLETE = "INCOMPLETE"
CRASHED = "CRASHED"
TIME_LIMIT = "TIME_LIMIT"
OUTPUT_LIMIT = "OUTPUT_LIMIT"


class ProbeInput(Record):
    """A function of the student's and the pictures that it is called on."""

    function: str
    pictures: tuple[Path, ...]


class Job(Record):
    """One notebook to run. Every path is absolute.

    Attributes:
        notebook: Its name, for the journal.
        source: The notebook to run, as a file.
        room: The runner's own folder: sockets, connection file, the kernel's log. Short, for the sockets' sake.
        work: The kernel's working folder.
        executed: Where the executed notebook goes.
        report: Where the runner's `RunReport` goes.
        python: The interpreter of the kernel.
        environment: The kernel's whole environment.
        cell_seconds: Limit of one cell.
        notebook_seconds: Limit of all cells together; starting the kernel does not count.
        output_bytes: Of output that the executed notebook may hold.
        file_bytes: Largest file that the kernel may write.
        tasks: Index of a cell -> the task that it answers.
        probes: Handed over after the last cell, and not before.
    """

    notebook: str
    source: Path
    room: Path
    work: Path
    executed: Path
    report: Path
    python: str
    environment: dict[str, str]
    cell_seconds: float
    notebook_seconds: float
    output_bytes: int
    file_bytes: int
    tasks: dict[int, str] = Field(default_factory=dict)
    probes: tuple[ProbeInput, ...] = ()


class RunReport(Record):
    """What the runner says of a run.

    Attributes:
        journal: What it saw.
        unfinished: Why what the notebook left could not all be recorded at the end; empty if it was.
        fault: Why the notebook could not be run at all, our fault; empty if it was run.
    """

    journal: Journal
    unfinished: str = ""
    fault: str = ""


class CellDone(Record):
    """A line that the runner prints as each code cell ends."""

    cell: int
    cells: int
    seconds: float
