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


def test_the_root_in_another_task_of_the_check_fails_it(grade: Grade, evidence: EvidenceFolder) -> None:
    """Where the cell to blame answers a task of the same check, the check has failed and is not blocked."""
    book = evidence["a.ipynb"]
    book.cell("class Net(Module)\n  pass", task="first", error="SyntaxError: expected ':'")
    book.cell("Net()", task="second", error="NameError: name 'Net' is not defined")
    check = first_of(grade(two=MISSING), "a/two")
    assert (check.outcome, check.code) == (Outcome.FAILED, "CELL_ERROR")
    assert "cell [1]" in check.message


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


def test_an_untouched_task_of_the_check_itself_is_not_attempted(grade: Grade, evidence: EvidenceFolder) -> None:
    """What is missing because one of the check's own tasks was left was not attempted."""
    evidence["a.ipynb"].answers["first"]["touched"] = False
    check = first_of(grade(two=MISSING), "a/two")
    assert check.outcome is Outcome.NOT_ATTEMPTED
    assert check.message.endswith("nothing was handed in for: Task first.")


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
