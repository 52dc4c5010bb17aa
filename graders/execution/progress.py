"""What the caller is told while notebooks run."""

from graders.records import Record


class Progress(Record):
    """How far a student's run has come.

    Attributes:
        cell: Number of the code cell that was finished last, from 1; 0 at the start of a notebook.
        cells: Code cells of the notebook in all.
        seconds: Used by this notebook so far.
        limit: Seconds that this notebook may take.
    """

    student: str
    notebook: str
    cell: int
    cells: int
    seconds: float
    limit: float
