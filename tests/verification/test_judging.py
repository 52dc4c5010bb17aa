"""Whether a case shows the graders right: faults found in the right place, right solutions kept."""

import pytest

from graders.records import Check, Outcome, Visibility
from graders.verification.cases import Case, Edit
from graders.verification.judging import judge

EDITS = (Edit(notebook="a.ipynb", cell="x", append="pass"),)
MUTANT = Case(id="fault", story="A fault.", kind="mutant", edits=EDITS, owner="own", codes=("WRONG",))
VARIANT = Case(id="right", story="Right.", kind="variant", edits=EDITS)
REVIEW = Case(id="open", story="Open.", kind="review", edits=EDITS, owner="own", codes=("UNCLEAR",))


def check(name: str, points: float, outcome: Outcome = Outcome.PASSED, code: str = "OK") -> Check:
    """A check worth two points."""
    return Check(
        id=name,
        title=name,
        category="answer",
        outcome=outcome,
        points=points,
        max_points=2,
        visibility=Visibility.PUBLIC,
        code=code,
        message="Said.",
    )


REFERENCE = {"own": check("own", 2), "other": check("other", 2)}


def test_a_fault_is_killed_where_its_own_check_loses_points() -> None:
    """The owner loses points with a code of the case, the other check keeps them."""
    found = judge(MUTANT, REFERENCE, [check("own", 1, Outcome.PARTIAL, "WRONG"), check("other", 2)])
    assert found.good
    assert [line.mark for line in found.lines] == ["owner", "same"]


def test_what_is_blocked_downstream_is_no_collateral() -> None:
    """Another check may be blocked by the fault."""
    lines = [check("own", 0, Outcome.FAILED, "WRONG"), check("other", 0, Outcome.BLOCKED, "BLOCKED")]
    found = judge(MUTANT, REFERENCE, lines)
    assert found.good
    assert found.lines[1].mark == "blocked"


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (check("own", 2), check("other", 2), "kept its 2 points"),
        (check("own", 0, Outcome.FAILED, "ANOTHER"), check("other", 2), "not WRONG"),
        (check("own", 0, Outcome.REVIEW, "WRONG"), check("other", 2), "ended otherwise"),
        (check("own", 0, Outcome.HARNESS_ERROR, "WRONG"), check("other", 2), "ended otherwise"),
        (check("own", 1, Outcome.PARTIAL, "WRONG"), check("other", 1, Outcome.PARTIAL, "WRONG"), "lost points"),
        (check("own", 1, Outcome.PARTIAL, "WRONG"), check("other", 0, Outcome.REVIEW, "WRONG"), "lost points"),
    ],
)
def test_a_fault_survives(own: Check, other: Check, said: str) -> None:
    """Not found, found for another reason, left to a person, or paid for twice: the graders are wrong."""
    found = judge(MUTANT, REFERENCE, [own, other])
    assert not found.good
    assert said in found.why


def test_a_fault_whose_check_was_not_marked_survives() -> None:
    """Running too few notebooks is no kill."""
    assert not judge(MUTANT, REFERENCE, [check("other", 2)]).good


def test_a_variant_keeps_every_point() -> None:
    """Nothing may be lost, and a blocked check is a loss as well."""
    assert judge(VARIANT, REFERENCE, [check("own", 2), check("other", 2)]).good
    assert not judge(VARIANT, REFERENCE, [check("own", 2), check("other", 0, Outcome.BLOCKED)]).good


def test_a_review_is_left_to_a_person() -> None:
    """The owner ends as a review with the code of the case, and nothing else is lost."""
    assert judge(REVIEW, REFERENCE, [check("own", 0, Outcome.REVIEW, "UNCLEAR"), check("other", 2)]).good
    assert not judge(REVIEW, REFERENCE, [check("own", 2), check("other", 2)]).good
    assert not judge(REVIEW, REFERENCE, [check("own", 0, Outcome.REVIEW, "UNCLEAR"), check("other", 1)]).good


def test_who_must_look_at_a_network_looks_at_it_for_all_its_checks() -> None:
    """A review may leave other checks to a person as well, and may cost none of them anything."""
    own = check("own", 0, Outcome.REVIEW, "UNCLEAR")
    assert judge(REVIEW, REFERENCE, [own, check("other", 0, Outcome.REVIEW, "UNCLEAR")]).good
    assert not judge(REVIEW, REFERENCE, [own, check("other", 0, Outcome.FAILED, "WRONG")]).good
