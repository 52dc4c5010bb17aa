"""The records that pass between the parts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graders.records import CellRef, Outcome, Result, Run, StudentLine, Verdict
from tests.factory import make_check, make_result


def test_records_are_frozen_and_closed() -> None:
    """Nobody changes a record that was passed on, and a mistyped field is an error."""
    check = make_check()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(check, "points", 2)  # noqa: B010 - mypy knows that it is frozen
    with pytest.raises(ValidationError, match="Extra inputs"):
        CellRef.model_validate({"notebook": "a", "nummer": 1})


@pytest.mark.parametrize(
    ("verdict", "outcome", "share", "code"),
    [
        (Verdict.passed("m"), Outcome.PASSED, 1, "OK"),
        (Verdict.failed("WRONG", "m"), Outcome.FAILED, 0, "WRONG"),
        (Verdict.blocked("EARLIER_ERROR", "m"), Outcome.BLOCKED, 0, "EARLIER_ERROR"),
        (Verdict.not_attempted("m"), Outcome.NOT_ATTEMPTED, 0, "NOT_ATTEMPTED"),
        (Verdict.review("LOOK", "m", share=0.5), Outcome.REVIEW, 0.5, "LOOK"),
        (Verdict.rejected("TAMPERED", "m"), Outcome.REJECTED, 0, "TAMPERED"),
        (Verdict.harness_error("m"), Outcome.HARNESS_ERROR, 0, "HARNESS_ERROR"),
    ],
)
def test_each_verdict_has_its_outcome(verdict: Verdict, outcome: Outcome, share: float, code: str) -> None:
    """The named constructors fill in what their name says."""
    assert (verdict.outcome, verdict.share, verdict.code, verdict.message) == (outcome, share, code, "m")


@given(st.floats(0, 1))
def test_a_partial_verdict_is_partial_only_in_between(share: float) -> None:
    """Nothing is a failure and everything a pass, whatever they are called by."""
    expected = Outcome.PASSED if share == 1 else Outcome.FAILED if share == 0 else Outcome.PARTIAL
    assert Verdict.partial(share, "SOME", "m").outcome is expected


@pytest.mark.parametrize(
    "fields", [{"share": 1.5}, {"share": -0.1}, {"code": "lower"}, {"code": ""}, {"outcome": "odd"}]
)
def test_a_verdict_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    """Shares lie in 0 to 1, codes are upper-case words, outcomes are known."""
    with pytest.raises(ValidationError):
        Verdict.model_validate({"outcome": "failed", "share": 0, "code": "WRONG", "message": "m", **fields})


def test_details_and_cell_come_along() -> None:
    """Named arguments become details; the cell says where to look."""
    verdict = Verdict.failed("WRONG", "m", cell=CellRef(notebook="a.ipynb", number=3), expected=[1])
    assert verdict.details == {"expected": [1]}
    assert verdict.cell is not None
    assert verdict.cell.number == 3


def test_a_result_survives_its_json() -> None:
    """What is written to disk is what is read, under the name `schema`."""
    result = make_result()
    text = result.model_dump_json(by_alias=True)
    assert '"schema":"labmark/result/1"' in text
    assert Result.model_validate_json(text) == result


def test_another_schema_is_refused() -> None:
    """A result of a later version is not read as one of this."""
    data = make_result().model_dump(by_alias=True)
    with pytest.raises(ValidationError, match="labmark/result/1"):
        Result.model_validate({**data, "schema": "labmark/result/2"})


def test_a_run_names_its_students_state() -> None:
    """A state that reports do not know is refused."""
    line = {"id": "ann", "status": "graded", "score": 1, "max_score": 2, "result": "r", "report": "h"}
    assert StudentLine.model_validate(line).status == "graded"
    with pytest.raises(ValidationError, match="status"):
        StudentLine.model_validate({**line, "status": "odd"})
    assert Run.model_fields["schema_"].alias == "schema"
