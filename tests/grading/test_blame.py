"""Who is to blame for what is missing: the first faulty cell that explains it."""

from collections.abc import Callable

import pytest

from graders.grading import Graded
from graders.records import Check, Outcome
from tests.grading.building import EvidenceFolder

Grade = Callable[..., Graded]
MISSING = 'raise MissingError("a trained Net", ("Net",), "Train one.")'


def first_of(graded: Graded, id_: str = "a/one") -> Check:
    """One check of a result."""
    return next(check for check in graded.checks if check.id == id_)


def test_the_checks_own_cell_raised(grade: Grade, evidence: EvidenceFolder) -> None:
    """An error in the task's own cell fails the check and names cell, error and line."""
    evidence["a.ipynb"].cell("fit()", task="first", error="ValueError: no data")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.FAILED, "CELL_ERROR")
    assert check.message == "Expected a trained Net, but cell [1] stopped with ValueError: no data (line 1)."
    assert check.cell is not None
    assert (check.cell.number, check.cell.task) == (1, "first")


def test_an_undefined_name_blames_the_cell_that_would_define_it(grade: Grade, evidence: EvidenceFolder) -> None:
    """A syntax error in the cell of the class explains all NameErrors below it."""
    book = evidence["a.ipynb"]
    book.cell("class Net(Module)\n  pass", error="SyntaxError: expected ':'")
    book.cell("net = Net()\nother = 1", error="NameError: name 'Net' is not defined")
    book.cell("net.fit()", task="first", error="NameError: name 'net' is not defined")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.BLOCKED, "BLOCKED")
    assert "cell [1] stopped with SyntaxError" in check.message


def test_an_undefined_name_that_nobody_would_define_is_ones_own(grade: Grade, evidence: EvidenceFolder) -> None:
    """A faulty cell above that has nothing to do with the name is not blamed."""
    book = evidence["a.ipynb"]
    book.cell("upload()", error="OSError: no network")
    book.cell("nett.fit()", task="first", error="NameError: name 'nett' is not defined")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.FAILED, "CELL_ERROR")
    assert "cell [2]" in check.message


def test_the_root_in_an_earlier_task_of_the_check_blocks_it(grade: Grade, evidence: EvidenceFolder) -> None:
    """A check's own work is its last task: the cell of an earlier one is a prerequisite, as for any other check."""
    book = evidence["a.ipynb"]
    book.cell("class Net(Module)\n  pass", task="first", error="SyntaxError: expected ':'")
    book.cell("Net()", task="second", error="NameError: name 'Net' is not defined")
    graded = grade(one=MISSING, two=MISSING)
    check = first_of(graded, "a/two")
    assert (check.outcome, check.code) == (Outcome.BLOCKED, "BLOCKED")
    assert check.cell is not None
    assert (check.cell.number, check.cell.task) == (1, "first")
    assert first_of(graded).outcome is Outcome.FAILED


def test_ones_own_error_counts_before_an_earlier_tasks(grade: Grade, evidence: EvidenceFolder) -> None:
    """Where the cells of both tasks stopped for reasons of their own, the last task's is named."""
    book = evidence["a.ipynb"]
    book.cell("class Net: ...\nprint(x)", task="first", error="NameError: name 'x' is not defined")
    book.cell("Net().fit()", task="second", error="ValueError: no data")
    check = first_of(grade(two=MISSING), "a/two")
    assert (check.outcome, check.code) == (Outcome.FAILED, "CELL_ERROR")
    assert "cell [2]" in check.message


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("SyntaxError: '(' was never closed (3483332297.py, line 1)", "SyntaxError: '(' was never closed (line 1)."),
        ("SyntaxError: invalid syntax (<string>, line 1)", "SyntaxError: invalid syntax (line 1)."),
        ("ValueError: see the manual (page 3).", "ValueError: see the manual (page 3) (line 1)."),
        (f"ValueError: {'x' * 300}", f"ValueError: {'x' * 200}... (line 1)."),
    ],
)
def test_an_error_names_its_line_once(grade: Grade, evidence: EvidenceFolder, error: str, said: str) -> None:
    """The kernel's own name for a cell means nothing to a student, and the line is told once."""
    evidence["a.ipynb"].cell("fit()", task="first", error=error)
    assert first_of(grade(MISSING)).message == f"Expected a trained Net, but cell [1] stopped with {said}"


def test_a_run_that_was_ended_says_how(grade: Grade, evidence: EvidenceFolder) -> None:
    """Who called exit reads that it was called, and where."""
    book = evidence["a.ipynb"]
    book.cell("pass")
    book.journal |= {"stop": "INCOMPLETE", "stop_cell": book.cell("exit()", status="exit")}
    book.cell("fit()", task="first", status="not-run")
    assert first_of(grade(MISSING)).message == (
        "Expected a trained Net, but cell [2] ended the notebook's run (SystemExit: sys.exit or exit was called)."
    )


def test_an_untouched_stub_blocks_what_runs_into_it(grade: Grade, evidence: EvidenceFolder) -> None:
    """Training a network whose forward was left as in the template is blocked by that task, which is named."""
    book = evidence["a.ipynb"]
    book.answers["second"]["touched"] = False
    book.cell("class Net: ...", task="second")
    book.cell("fit(Net())", task="first", error="NotImplementedError: ")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.BLOCKED, "BLOCKED")
    assert "Task second, was left as in the template" in check.message
    assert check.cell is not None
    assert check.cell.task == "second"


def test_the_checks_own_task_left_alone_is_not_attempted(grade: Grade, evidence: EvidenceFolder) -> None:
    """What is missing because the check's last task was left was not attempted."""
    evidence["a.ipynb"].answers["second"]["touched"] = False
    check = first_of(grade(two=MISSING), "a/two")
    assert check.outcome is Outcome.NOT_ATTEMPTED
    assert check.message.endswith("nothing was handed in for: Task second.")


def test_an_earlier_task_left_alone_blocks_the_check(grade: Grade, evidence: EvidenceFolder) -> None:
    """What is missing because an earlier task was left is blocked by it."""
    evidence["a.ipynb"].answers["first"]["touched"] = False
    check = first_of(grade(two=MISSING), "a/two")
    assert check.outcome is Outcome.BLOCKED
    assert "the task before it, Task first, was left as in the template" in check.message
    assert check.cell is not None
    assert check.cell.task == "first"


@pytest.mark.parametrize(
    ("status", "stop"),
    [("timeout", "TIME_LIMIT"), ("exit", "INCOMPLETE"), ("crashed", "CRASHED"), ("output-limit", "OUTPUT_LIMIT")],
)
def test_an_ended_run_blocks_what_comes_after(grade: Grade, evidence: EvidenceFolder, status: str, stop: str) -> None:
    """The cell that ended the run is named, with the code of how it did."""
    book = evidence["a.ipynb"]
    number = book.cell("while True: pass", status=status)
    book.journal |= {"stop": stop, "stop_cell": number}
    book.cell("fit()", task="first", status="not-run")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.BLOCKED, stop)
    assert check.cell is not None
    assert check.cell.number == number


def test_ones_own_endless_cell_fails_the_check(grade: Grade, evidence: EvidenceFolder) -> None:
    """The check whose own cell ran into the time limit has failed with TIME_LIMIT."""
    evidence["a.ipynb"].cell("while True: pass", task="first", status="timeout")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.FAILED, "TIME_LIMIT")
    assert "cell [1] ran past the time limit" in check.message


def test_nobody_is_to_blame(grade: Grade, evidence: EvidenceFolder) -> None:
    """Where every cell ran, the evidence is missing and the hint says how to make it appear."""
    evidence["a.ipynb"].cell("pass", task="first")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.FAILED, "EVIDENCE_MISSING")
    assert check.message.endswith("the run of a.ipynb left none. Train one.")


def test_a_check_without_tasks_blames_the_cell_that_names_the_thing(grade: Grade, evidence: EvidenceFolder) -> None:
    """Of several faulty given cells the one that mentions what is missing is named."""
    book = evidence["b.ipynb"]
    book.cell("upload()", error="OSError: no network")
    book.cell("Net().fit()", error="ValueError: no data")
    check = first_of(grade(none=MISSING), "b/none")
    assert (check.outcome, check.code) == (Outcome.BLOCKED, "BLOCKED")
    assert "cell [2]" in check.message


def test_an_unfound_cell_counts_as_not_attempted(grade: Grade, evidence: EvidenceFolder) -> None:
    """A code task without a cell goes to its grader; only if that finds nothing was it not attempted."""
    evidence["a.ipynb"].answers["first"] |= {"found": False, "touched": False}
    assert first_of(grade(MISSING)).outcome is Outcome.NOT_ATTEMPTED


def test_a_later_cell_is_no_culprit(grade: Grade, evidence: EvidenceFolder) -> None:
    """A cell below the check's own that misses the same thing is a victim: what is missing was never made."""
    book = evidence["a.ipynb"]
    book.cell("print('forgot')", task="first")
    book.cell("show(Net)", error="NameError: name 'Net' is not defined")
    check = first_of(grade(MISSING))
    assert (check.outcome, check.code) == (Outcome.FAILED, "EVIDENCE_MISSING")
    assert check.message.endswith("Train one.")
