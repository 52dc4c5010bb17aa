"""The kill matrix as it is printed, and the figures below it."""

from graders.records import Outcome
from graders.verification.judging import Judged, Line, Mark
from graders.verification.matrix import figures, matrix
from graders.verification.verify import Verification


def line(check: str, mark: Mark, points: float) -> Line:
    """A line of a check worth two points."""
    outcome = Outcome.PASSED if points == 2 else Outcome.FAILED
    return Line(check=check, outcome=outcome, points=points, expected=2, code="X", message="Said.", mark=mark)


FOUND = Judged(
    id="found", kind="mutant", owner="1/a", good=True, lines=(line("1/a", "owner", 0), line("1/b", "blocked", 0))
)
MISSED = Judged(
    id="missed", kind="mutant", owner="1/a", good=False, lines=(line("1/a", "owner", 2), line("1/b", "lost", 1))
)
KEPT = Judged(id="kept", kind="variant", good=True, lines=(line("1/a", "same", 2), line("1/b", "same", 2)))


def test_the_matrix_shows_what_found_what() -> None:
    """A sign for each check that was run, a blank for those that were not, the checks by number below."""
    assert matrix([FOUND, MISSED], ["1/a", "1/b", "2/c"]).splitlines() == [
        "         1  2  3",
        "found    ●  ○",
        "missed   !  ✗",
        "",
        " 1 1/a",
        " 2 1/b",
        " 3 2/c",
        "",
        "● found by its check   ○ blocked downstream   ✗ points lost elsewhere   ! not found   · untouched",
    ]


def test_the_figures_tell_rates() -> None:
    """Killed and kept of all, with what the false-fail rate may be at most."""
    found = Verification(
        profile="p", fast=True, judged=(FOUND, MISSED, KEPT), score=9, most=10, template=0, seconds=1.5
    )
    lines = list(figures(found))
    assert lines[0] == "reference  9 of 10 points"
    assert lines[2] == "mutants    1 of 2 killed, kill rate 50.0%"
    assert lines[3] == "variants   1 of 1 keep every point, false-fail rate 0.0% (at most 79.3% at 95 % confidence)"
    assert not found.ok


def test_the_summary_is_what_json_prints() -> None:
    """The four counts that others read, and what went wrong."""
    found = Verification(profile="p", fast=True, judged=(FOUND, KEPT), score=10, most=10, template=0, seconds=1.5)
    summary = found.summary()
    assert [summary[name] for name in ("mutants", "killed", "variants", "kept")] == [1, 1, 1, 1]
    assert summary["wrong"] == []
    assert found.ok


def test_points_for_the_template_are_a_fault_of_the_graders() -> None:
    """A template that gets a point, or no case at all that is wrong, decide together."""
    found = Verification(profile="p", fast=True, judged=(FOUND,), score=10, most=10, template=1, seconds=1)
    assert not found.ok
