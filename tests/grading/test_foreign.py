"""Parts that ran on the reference's file are not marked down because it does not fit."""

from collections.abc import Callable
from typing import Any

import pytest

from graders.grading import Graded
from graders.records import Check, Outcome
from tests.grading.building import EvidenceFolder

Grade = Callable[..., Graded]


def first(graded: Graded) -> Check:
    """The check a/one, whose grader fails."""
    return next(check for check in graded.checks if check.id == "a/one")


def loaded(**detail: Any) -> dict[str, Any]:
    """The event of weights that did not fit."""
    return {
        "n": 0,
        "moment": "loaded",
        "execution_count": 1,
        "model": 0,
        "identity": 0,
        "class_name": "Net",
        "training": True,
        "detail": {"file": "./w.bin", "error": "size mismatch for conv2.weight", **detail},
    }


FAILS = 'return Verdict.failed("WRONG", "It is wrong.", seen=1)'


def test_reference_weights_that_do_not_fit_go_to_a_person(grade: Grade, evidence: EvidenceFolder) -> None:
    """The student's network refused the lab's own file: no failure, but a sentence for a person, details kept."""
    evidence["a.ipynb"].run["handoffs"] = {"w.bin": "reference"}
    evidence["a.ipynb"].events.append(loaded())
    check = first(grade(FAILS))
    assert (check.outcome, check.code, check.points) == (Outcome.REVIEW, "OTHER_WEIGHTS", 0)
    assert "w.bin" in check.message
    assert "Net" in check.message
    assert "It is wrong." in check.message
    assert check.details == {"seen": 1}


@pytest.mark.parametrize(
    ("origin", "detail"),
    [
        ("part", {}),
        ("submitted", {}),
        ("reference", {"error": ""}),
        ("reference", {"file": "other.bin"}),
        ("reference", {"file": None}),
    ],
)
def test_other_failures_stay_failures(
    grade: Grade, evidence: EvidenceFolder, origin: str, detail: dict[str, Any]
) -> None:
    """The student's own weights, weights that were taken, and other files excuse nothing."""
    evidence["a.ipynb"].run["handoffs"] = {"w.bin": origin}
    evidence["a.ipynb"].events.append(loaded(**detail))
    assert first(grade(FAILS)).outcome is Outcome.FAILED


def test_what_passes_is_left_alone(grade: Grade, evidence: EvidenceFolder) -> None:
    """A check that passed in spite of everything keeps its points."""
    evidence["a.ipynb"].run["handoffs"] = {"w.bin": "reference"}
    evidence["a.ipynb"].events.append(loaded())
    assert first(grade('return Verdict.passed("fine")')).outcome is Outcome.PASSED
