"""How a notebook's run ended, in one word and one plain sentence."""

import signal

from graders.evidence import Journal, JournalCell
from graders.evidence.schema import NotebookStatus
from graders.execution.job import CRASHED, INCOMPLETE, OUTPUT_LIMIT, TIME_LIMIT
from graders.lab import Limits, Profile

SHOWN = 3
WORDS = 160

STATUS: dict[str, NotebookStatus] = {
    INCOMPLETE: "incomplete",
    CRASHED: "crashed",
    TIME_LIMIT: "time-limit",
    OUTPUT_LIMIT: "output-limit",
}


def describe(journal: Journal, profile: Profile, limits: Limits, seconds: float) -> tuple[NotebookStatus, str]:
    """Say how the run of a notebook ended.

    Args:
        journal: What was seen of it.
        profile: For the limit of a cell.
        limits: For the limit of output.
        seconds: What the notebook had in all.
    """
    if journal.stop is None:
        return _ran_to_the_end(journal, profile)
    after = _after(journal)
    return STATUS[journal.stop], f"{_stopped(journal, profile, limits, seconds)}{after}."


def _ran_to_the_end(journal: Journal, profile: Profile) -> tuple[NotebookStatus, str]:
    bad = [cell for cell in journal.cells if cell.status != "ok"]
    if not bad:
        return "complete", _all_well(len(journal.cells))
    more = f"; {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return "errors", f"{'; '.join(_fault(cell, profile) for cell in bad[:SHOWN])}{more}. All other cells were run."


def _all_well(cells: int) -> str:
    if not cells:
        return "It has no code cells."
    return "Its one code cell ran without an error." if cells == 1 else f"All {cells} code cells ran without an error."


def _fault(cell: JournalCell, profile: Profile) -> str:
    if cell.status == "timeout" or cell.error is None:
        return f"cell [{cell.number}] ran longer than {profile.cell_seconds} s and was stopped"
    line = f" in line {cell.error.line}" if cell.error.line is not None else ""
    words = " ".join(cell.error.value.split())
    said = f": {words[:WORDS]}{'…' if len(words) > WORDS else ''}" if words else ""
    return f"cell [{cell.number}] raised {cell.error.name}{line}{said}"


def _stopped(journal: Journal, profile: Profile, limits: Limits, seconds: float) -> str:
    number = journal.stop_cell
    cell = next((one for one in journal.cells if one.number == number), None)
    if journal.stop == INCOMPLETE:
        return f"cell [{number}] ended the run with SystemExit"
    if journal.stop == CRASHED:
        return f"the kernel ended in cell [{number}] ({_exit(journal.kernel_exit)})"
    if journal.stop == OUTPUT_LIMIT:
        return f"with cell [{number}] the notebook printed more than {limits.output_mb} MiB, and was stopped"
    if cell is not None and cell.status == "timeout" and cell.seconds >= profile.cell_seconds:
        return (
            f"cell [{number}] ran longer than {profile.cell_seconds} s and could only be stopped by ending the kernel"
        )
    return f"the notebook took longer than the {seconds:g} s it had, and was stopped in cell [{number}]"


def _exit(status: int | None) -> str:
    if status is None:
        return "it did not say why"
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, often a sign of too little memory" if name == "SIGKILL" else name


def _after(journal: Journal) -> str:
    left = sum(cell.status == "not-run" and cell.number != journal.stop_cell for cell in journal.cells)
    if not left:
        return ""
    return "; the cell after it was not run" if left == 1 else f"; the {left} cells after it were not run"
