"""The engine: graders are collected and run, every outcome is reached, nothing of the user's interferes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from graders.errors import HarnessError, LabError, UsageError
from graders.grading import Graded, grade_evidence
from graders.lab import Lab
from graders.records import Check, Outcome
from tests.grading.building import EvidenceFolder

Grade = Callable[..., Graded]


def check_of(graded: Graded, id_: str = "a/one") -> Check:
    """One check of a result."""
    return next(check for check in graded.checks if check.id == id_)


def test_every_check_comes_once_in_the_labs_order(grade: Grade, lab: Lab) -> None:
    """The result holds all checks of the lab in its order, with its titles, points and visibility."""
    graded = grade()
    assert [check.id for check in graded.checks] == [spec.id for spec in lab.checks]
    assert [check.max_points for check in graded.checks] == [2, 3, 1, 1]
    assert check_of(graded, "a/two").visibility == "hidden"
    assert graded.score == 6  # the essay is left


def test_a_partial_share_earns_quarters(grade: Grade) -> None:
    """A share of a third of two points is the nearest quarter, three of them."""
    check = check_of(grade('return Verdict.partial(1 / 3, "LESS", "A third.", figure=1)'))
    assert (check.outcome, check.points, check.code, check.details) == (Outcome.PARTIAL, 0.75, "LESS", {"figure": 1})


def test_an_assertion_with_a_message_fails_the_check(grade: Grade) -> None:
    """The message of an assert reaches the student as it stands."""
    check = check_of(grade('assert 1 == 2, "expected two"'))
    assert (check.outcome, check.code, check.message) == (Outcome.FAILED, "CHECK_FAILED", "expected two")


@pytest.mark.parametrize("body", ["assert 1 == 2", "raise ValueError('ours')", "return 1", "1 / 0", "lab.nothing"])
def test_a_broken_grader_is_our_fault(grade: Grade, body: str) -> None:
    """Anything else that a grader raises is a harness error; the traceback is kept from the student's message."""
    check = check_of(grade(body))
    assert (check.outcome, check.points) == (Outcome.HARNESS_ERROR, 0)
    assert "Traceback" in check.details["harness"]
    assert "Traceback" not in check.message


def test_a_broken_grader_spoils_no_other(grade: Grade) -> None:
    """The other checks are graded all the same."""
    assert check_of(grade("1 / 0"), "a/two").outcome is Outcome.PASSED


def test_malformed_evidence_is_rejected(grade: Grade) -> None:
    """Evidence that is not what it claims to be earns nothing."""
    check = check_of(grade('raise EvidenceError("graph.json: not JSON")'))
    assert (check.outcome, check.code) == (Outcome.REJECTED, "MALFORMED_EVIDENCE")
    assert "graph.json: not JSON" in check.message


def test_a_network_without_a_graph_goes_to_a_person(grade: Grade) -> None:
    """NOT_EXPORTABLE names the op and never scores 0 silently."""
    check = check_of(grade('raise NotExportable.because("aten.strange")'))
    assert (check.outcome, check.code) == (Outcome.REVIEW, "NOT_EXPORTABLE")
    assert "aten.strange" in check.message


def test_a_network_that_does_not_run_has_failed(grade: Grade, evidence: EvidenceFolder) -> None:
    """Where a cell stopped with the very error that kept the graph from being made, the student's code is at fault."""
    evidence["a.ipynb"].cell("model(x)", task="first", error="RuntimeError: shapes cannot be multiplied")
    check = check_of(grade('raise NotExportable.because("RuntimeError: shapes cannot be multiplied at `x`")'))
    assert (check.outcome, check.code) == (Outcome.FAILED, "FORWARD_RAISES")
    assert check.cell is not None
    assert check.cell.number == 1


def test_flags_are_kept_once(grade: Grade) -> None:
    """A flag raised by two graders is one lead; the score does not change."""
    flag = 'flags.add("ODD", "look here"); return Verdict.passed("fine")'
    graded = grade(flag, flag)
    assert [(flag.code, flag.message) for flag in graded.flags] == [("ODD", "look here")]
    assert graded.score == 6


def test_the_threshold_comes_from_the_profile(
    lab: Lab, evidence: EvidenceFolder, tmp_path: Path, graders: Callable[..., Path]
) -> None:
    """The fixture `threshold` gives the profile's figure for the check; without one the grader cannot run."""
    extra = '\n@check("b/none")\ndef test_b(threshold): return Verdict.passed("x")\n'
    folder = graders()
    path = next((folder / "public").glob("test_*.py"))
    text = path.read_text().replace("test_a_one(notebook, flags, lab, profile, evidence)", "test_a_one(threshold)")
    text = text.split('\n@check("b/none")')[0].replace('passed("fine")', 'passed(f"{threshold} {__name__}")') + extra
    path.write_text(text)
    graded = grade_evidence(evidence.write(), lab, profile="quick", folder=folder)
    assert check_of(graded).message.startswith("0.5 ")
    assert "no threshold for b/none" in check_of(graded, "b/none").message
    assert check_of(graded, "b/none").outcome is Outcome.HARNESS_ERROR


def test_a_check_without_a_grader_is_named(lab: Lab, evidence: EvidenceFolder, graders: Callable[..., Path]) -> None:
    """Graders and checks must belong together one to one: a missing one is named."""
    folder = graders()
    next((folder / "hidden").glob("*.py")).unlink()
    with pytest.raises(LabError, match="a/two has no grader"):
        grade_evidence(evidence.write(), lab, profile="quick", folder=folder)


@pytest.mark.parametrize(
    ("id_", "problem"),
    [
        ("c/strange", "test_extra marks no check of the lab"),
        ("a/one", "a/one has more than one grader"),
        ("a/two", "a/two is hidden but its grader is not in hidden/"),
    ],
)
def test_a_grader_too_many_is_named(
    lab: Lab, evidence: EvidenceFolder, graders: Callable[..., Path], id_: str, problem: str
) -> None:
    """A grader of an unknown check, a second grader of one, and one in the wrong folder are refused."""
    extra = f'\n@check("{id_}")\ndef test_extra(): pass\n'
    folder = graders(public=extra)
    with pytest.raises(LabError, match=problem):
        grade_evidence(evidence.write(), lab, profile="quick", folder=folder)


def test_graders_that_cannot_be_imported_are_our_fault(
    lab: Lab, evidence: EvidenceFolder, graders: Callable[..., Path]
) -> None:
    """A syntax error in a module of graders stops the marking; nobody gets 0 for it."""
    folder = graders(public="\nthis is no Python\n")
    with pytest.raises(HarnessError, match="test_small_public"):
        grade_evidence(evidence.write(), lab, profile="quick", folder=folder)


def test_an_interruption_goes_through(grade: Grade) -> None:
    """Ctrl+C in a grader stops the marking; pytest does not swallow it."""
    with pytest.raises(KeyboardInterrupt):
        grade("raise KeyboardInterrupt")


def test_lost_evidence_costs_nothing(lab: Lab, tmp_path: Path) -> None:
    """Without evidence.json, which is ours, every check is a harness error."""
    graded = grade_evidence(tmp_path, lab, profile="quick")
    assert {check.outcome for check in graded.checks} == {Outcome.HARNESS_ERROR}


def test_an_unknown_profile_is_a_usage_error(lab: Lab, tmp_path: Path) -> None:
    """The profile decides the thresholds, so it must be one of the lab's."""
    with pytest.raises(UsageError, match="fast"):
        grade_evidence(tmp_path, lab, profile="fast")


def test_pytests_own_settings_do_not_interfere(
    grade: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Options in the environment, a conftest and an ini beside the graders are not read, and nothing is printed."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('read')\n")
    monkeypatch.chdir(tmp_path)
    assert check_of(grade()).outcome is Outcome.PASSED
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"
    assert capfd.readouterr() == ("", "")


def test_students_are_graded_one_after_the_other(
    lab: Lab, evidence: EvidenceFolder, graders: Callable[..., Path]
) -> None:
    """One process grades many students, each with its own evidence."""
    folder = graders('return Verdict.passed(str(notebook.notebook.variables["x"].value))')
    for value in range(3):
        evidence["a.ipynb"].variables["x"] = value
        graded = grade_evidence(evidence.write(), lab, profile="quick", folder=folder)
        assert check_of(graded).message == str(value)


def test_notes_of_the_run_reach_the_mark(grade: Grade, evidence: EvidenceFolder) -> None:
    """What the run says to everybody, whose weights were used for instance, comes first among the notes."""
    evidence.notes = ["b.ipynb was run on the lab's own w.bin."]
    assert grade().notes == ("b.ipynb was run on the lab's own w.bin.",)


def test_details_can_always_be_written_as_json(grade: Grade) -> None:
    """A student's NaN becomes a word; everything else stays what it is."""
    check = check_of(grade('return Verdict.passed("x", a=[float("nan"), 1.5], b={"c": (float("-inf"), 2)})'))
    assert check.details == {"a": ["nan", 1.5], "b": {"c": ["-inf", 2]}}
