"""Sentences about how a run ended."""

from typing import Any

import pytest

from graders.evidence import CellError, Journal, JournalCell
from graders.execution.verdicts import describe
from graders.lab import Lab


def cells(*status: str, seconds: float = 1) -> tuple[JournalCell, ...]:
    """Code cells with these statuses; those that failed have an error."""
    error = CellError(name="NameError", value="name 'x'\n is not defined", line=3)
    return tuple(
        JournalCell.model_validate(
            {
                "index": n,
                "number": n,
                "status": one,
                "seconds": seconds,
                "error": error if one == "error" else None,
            }
        )
        for n, one in enumerate(status, 1)
    )


def say(lab: Lab, seconds: float = 60, **journal: Any) -> tuple[str, str]:
    """Describe a journal."""
    made = Journal(notebook="one.ipynb", **journal)
    return describe(made, lab.profiles["quick"], lab.limits, seconds)


def test_complete(lab: Lab) -> None:
    """Nothing went wrong."""
    assert say(lab, cells=cells("ok", "ok")) == ("complete", "All 2 code cells ran without an error.")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "It has no code cells."), (1, "Its one code cell ran without an error.")]
)
def test_few_cells_are_counted_in_words(lab: Lab, count: int, words: str) -> None:
    """No sentence says that all 0 cells ran."""
    assert say(lab, cells=cells(*["ok"] * count)) == ("complete", words)


def test_errors_are_named(lab: Lab) -> None:
    """The first three are named with their cells, the rest counted."""
    status, message = say(lab, cells=cells("error", "timeout", "error", "ok", "error"))
    assert status == "errors"
    assert message == (
        "cell [1] raised NameError in line 3: name 'x' is not defined; "
        "cell [2] ran longer than 20 s and was stopped; "
        "cell [3] raised NameError in line 3: name 'x' is not defined; 1 more. All other cells were run."
    )


@pytest.mark.parametrize(
    ("stop", "kernel_exit", "seconds", "status", "words"),
    [
        ("INCOMPLETE", None, 1, "incomplete", "cell [2] ended the run with SystemExit"),
        ("CRASHED", 3, 1, "crashed", "the kernel ended in cell [2] (exit status 3)"),
        ("CRASHED", -9, 1, "crashed", "(SIGKILL, often a sign of too little memory)"),
        ("CRASHED", -63, 1, "crashed", "(signal 63)"),
        ("CRASHED", None, 1, "crashed", "(it did not say why)"),
        ("OUTPUT_LIMIT", None, 1, "output-limit", "printed more than 1 MiB"),
        ("TIME_LIMIT", None, 25, "time-limit", "cell [2] ran longer than 20 s"),
        ("TIME_LIMIT", None, 5, "time-limit", "longer than the 60 s it had, and was stopped in cell [2]"),
    ],
)
def test_what_stopped_a_run(
    lab: Lab, stop: str, kernel_exit: int | None, seconds: float, status: str, words: str
) -> None:
    """The cell, the reason and what was not run are told."""
    made = cells("ok", "timeout", "not-run", "not-run", seconds=seconds)
    found, message = say(lab, cells=made, stop=stop, stop_cell=2, kernel_exit=kernel_exit)
    assert found == status
    assert words in message
    assert message.endswith("; the 2 cells after it were not run.")
