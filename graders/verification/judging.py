"""What a case shows about the graders: a fault found in the right place, or a right solution that kept its points."""

from collections.abc import Mapping, Sequence
from typing import Literal

from graders.records import Check, Outcome, Record
from graders.verification.cases import Case, Kind

FOUND = (Outcome.PARTIAL, Outcome.FAILED, Outcome.BLOCKED, Outcome.NOT_ATTEMPTED, Outcome.REJECTED)
"""Outcomes that tell a fault; a review leaves it to a person."""

DOWNSTREAM: dict[Kind, Outcome | None] = {"mutant": Outcome.BLOCKED, "review": Outcome.REVIEW, "variant": None}
"""What may become of other checks: a fault blocks them; who must look at a network looks at it for all of them."""

Mark = Literal["same", "owner", "blocked", "lost"]


class Line(Record):
    """One check of one case, beside what the reference got there."""

    check: str
    outcome: Outcome
    points: float
    expected: float
    code: str
    message: str
    sentences: tuple[str, ...] = ()
    mark: Mark = "same"


class Judged(Record):
    """One case, run and marked.

    Attributes:
        good: The graders did what they must.
        why: What went wrong, in a sentence; empty if nothing did.
        lines: Every check of the notebooks that were run.
        seconds: To run, and to mark.
    """

    id: str
    kind: Kind
    owner: str = ""
    story: str = ""
    good: bool
    why: str = ""
    lines: tuple[Line, ...]
    seconds: tuple[float, float] = (0, 0)

    @property
    def of_owner(self) -> Line | None:
        """The line of the check that must find the fault."""
        return next((line for line in self.lines if line.check == self.owner), None)


def judge(
    case: Case, reference: Mapping[str, Check], checks: Sequence[Check], seconds: tuple[float, float] = (0, 0)
) -> Judged:
    """Hold a case's marks against the reference's.

    A fault must cost points in the check that owns it, with one of the codes that name it, and points of no other
    check; what another check cannot judge because of it may be blocked. A review must leave its check to a person, and
    may leave others to them.

    Args:
        case: What was run.
        reference: What the reference got in each of the checks, by id.
        checks: What the case got in the same checks.
        seconds: To run, and to mark.
    """
    lines = tuple(_line(case, reference[check.id], check) for check in checks)
    why = "; ".join(_complaints(case, lines))
    return Judged(
        id=case.id,
        kind=case.kind,
        owner=case.owner,
        story=case.story,
        good=not why,
        why=why,
        lines=lines,
        seconds=seconds,
    )


def _line(case: Case, expected: Check, found: Check) -> Line:
    mark: Mark = "same"
    if found.id == case.owner:
        mark = "owner"
    elif found.points < expected.points:
        mark = "blocked" if found.outcome is DOWNSTREAM[case.kind] else "lost"
    said = found.details.get("sentences", ())
    return Line(
        check=found.id,
        outcome=found.outcome,
        points=found.points,
        expected=expected.points,
        code=found.code,
        message=found.message,
        sentences=tuple(str(one) for one in said),
        mark=mark,
    )


def _complaints(case: Case, lines: Sequence[Line]) -> list[str]:
    found = [f"{_said(line)} lost points" for line in lines if line.mark == "lost"]
    if case.kind == "variant":
        return found
    own = next((line for line in lines if line.check == case.owner), None)
    if own is None:
        return [f"{case.owner} was not marked", *found]
    wanted = FOUND if case.kind == "mutant" else (Outcome.REVIEW,)
    if case.kind == "mutant" and own.points >= own.expected:
        found.insert(0, f"{_said(own)} kept its {own.points:g} points")
    elif own.outcome not in wanted:
        found.insert(0, f"{_said(own)} ended otherwise than it must")
    elif own.code not in case.codes:
        found.insert(0, f"{_said(own)} says so, not {' or '.join(case.codes)}")
    return found


def _said(line: Line) -> str:
    return f"{line.check} ({line.outcome}, {line.code}: {line.message})"
