"""What is decided before a grader runs."""

from collections.abc import Callable

import pytest

from graders.grading import Graded
from graders.records import Check, Outcome
from tests.grading.building import EvidenceFolder

Grade = Callable[..., Graded]


def first_of(graded: Graded, id_: str = "a/one") -> Check:
    """One check of a result."""
    return next(check for check in graded.checks if check.id == id_)


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ("missing", Outcome.NOT_ATTEMPTED, "NOTEBOOK_MISSING"),
        ("unreadable", Outcome.FAILED, "NOTEBOOK_UNREADABLE"),
        ("harness-error", Outcome.HARNESS_ERROR, "HARNESS_ERROR"),
    ],
)
def test_a_notebook_that_did_not_run(
    grade: Grade, evidence: EvidenceFolder, status: str, outcome: Outcome, code: str
) -> None:
    """All checks of the notebook get the verdict of the notebook; those of others are graded."""
    evidence["a.ipynb"].run |= {"status": status, "message": "it is not JSON", "folder": ""}
    graded = grade()
    assert [(first_of(graded, one).outcome, first_of(graded, one).code) for one in ("a/one", "a/two", "a/essay")] == [
        (outcome, code)
    ] * 3
    assert first_of(graded, "b/none").outcome is Outcome.PASSED
    assert ("it is not JSON" in first_of(graded).message) == (status != "missing")


def test_a_notebook_that_the_evidence_does_not_name_is_our_fault(grade: Grade, evidence: EvidenceFolder) -> None:
    """A run that says nothing about a notebook of the lab must be repeated."""
    del evidence.notebooks["b.ipynb"]
    assert first_of(grade(), "b/none").outcome is Outcome.HARNESS_ERROR


def test_untouched_tasks_are_not_attempted(grade: Grade, evidence: EvidenceFolder) -> None:
    """A check is not attempted where all of its tasks are untouched; where one was touched it is graded."""
    evidence["a.ipynb"].answers["first"]["touched"] = False
    graded = grade()
    assert first_of(graded).outcome is Outcome.NOT_ATTEMPTED
    assert "Task first" in first_of(graded).message
    assert first_of(graded, "a/two").outcome is Outcome.PASSED


def test_given_code_alone_earns_nothing(grade: Grade, evidence: EvidenceFolder) -> None:
    """A check without tasks marks given code: it is not attempted where the whole notebook is as it was given out."""
    evidence["b.ipynb"].answers["other"]["touched"] = False
    check = first_of(grade(), "b/none")
    assert check.outcome is Outcome.NOT_ATTEMPTED
    assert "b.ipynb" in check.message


def test_a_manual_answer_goes_to_a_person(grade: Grade, evidence: EvidenceFolder) -> None:
    """A touched answer is reviewed with its text and no points; an untouched one was not attempted."""
    assert first_of(grade(), "a/essay").outcome is Outcome.NOT_ATTEMPTED


def test_a_touched_manual_answer_shows_its_text(grade: Grade, evidence: EvidenceFolder) -> None:
    """The person who marks it finds the answer in the details."""
    evidence["a.ipynb"].answer("essay", "I think so.")
    check = first_of(grade(), "a/essay")
    assert (check.outcome, check.code, check.points) == (Outcome.REVIEW, "MANUAL_REVIEW", 0)
    assert check.details == {"answer": "I think so."}


def test_malformed_answers_are_rejected(grade: Grade, evidence: EvidenceFolder) -> None:
    """An answers.json that is not of its schema rejects the checks that need it, manual ones too."""
    evidence["a.ipynb"].answers["first"]["touched"] = "perhaps"
    graded = grade()
    assert {first_of(graded, one).code for one in ("a/one", "a/essay")} == {"MALFORMED_EVIDENCE"}
