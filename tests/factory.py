"""Records made by hand for tests of what stands above the graders."""

from graders.records import Check, Outcome, Provenance, Result, Timing, Visibility


def make_check(outcome: Outcome = Outcome.PASSED, points: float = 1, **changes: object) -> Check:
    """A check worth 2 points."""
    check = Check(
        id="part/check",
        title="A check",
        category="answer",
        outcome=outcome,
        points=points,
        max_points=2,
        visibility=Visibility.PUBLIC,
        code="OK",
        message="It is right.",
    )
    return check.model_copy(update=changes)


def make_result(student: str = "ann", checks: tuple[Check, ...] | None = None, **provenance: object) -> Result:
    """A result whose score is the sum of its checks."""
    checks = (make_check(),) if checks is None else checks
    made = Provenance(
        lab="lab5",
        lab_version="1",
        lab_hash="0",
        labmark="0",
        profile="quick",
        sandbox="none",
        environment={"python": "3.11"},
        evidence_key="key",
        graders_hash="hash",
    )
    return Result(
        student=student,
        score=sum(check.points for check in checks),
        max_score=50,
        checks=checks,
        notebooks=(),
        provenance=made.model_copy(update=provenance),
        timing=Timing(started="2026-01-01T00:00:00+00:00", finished="2026-01-01T00:00:01+00:00"),
    )
