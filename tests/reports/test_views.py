"""What a page may say."""

import json
from collections.abc import Callable

import pytest

from graders.lab import Lab
from graders.records import Check, Outcome, Result
from graders.reports.views import groups, next_steps, pretty, total


def test_hidden_checks_are_emptied_for_the_student(make_result: Callable[..., Result], lab: Lab) -> None:
    """Message, code, place, advice and details of a hidden check do not even reach the template."""
    assert "SENTINEL" not in repr(groups(make_result(), lab, instructor=False))
    assert "SENTINEL" in repr(groups(make_result(), lab, instructor=True))


def test_hidden_sentence_does_not_depend_on_the_outcome(make_result: Callable[..., Result], lab: Lab) -> None:
    """Two hidden checks of one category say the same, whatever came out."""
    result = make_result()
    changed = [one.model_copy(update={"outcome": Outcome.PASSED, "message": "other"}) for one in result.checks]
    told = [
        [view.message for group in groups(one, lab, instructor=False) for view in group.checks if view.hidden]
        for one in (result, make_result(checks=tuple(changed)))
    ]
    assert told[0] == told[1]


def test_groups_follow_the_lab(make_result: Callable[..., Result], make_check: Callable[..., Check], lab: Lab) -> None:
    """Checks stand by notebook; one that the lab no longer knows is not lost."""
    checks = (*make_result().checks, make_check("a/shape", id="z/old", title="Old"))
    found = groups(make_result(checks=checks), lab, instructor=False)
    assert [group.title for group in found] == ["Part A: a test", "Part B: a test", "Other checks"]
    assert [view.id for view in found[2].checks] == ["z/old"]
    assert found[0].points == 10.25
    assert found[0].max_points == 14
    assert found[1].note == "Cell [3] raised an error."


def test_total_is_split(make_result: Callable[..., Result]) -> None:
    """What is certain, provisional and not yet marked add up to the maximum with what is lost."""
    split = total(make_result())
    assert (split.automatic, split.provisional, split.waiting, split.unmarked) == (10.25, 1, 2, 2)
    assert split.automatic + split.waiting + split.unmarked + split.lost == split.max_score


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([], "Nothing of this submission could be marked"),
        ([Outcome.PASSED], "nothing left to do"),
        ([Outcome.PASSED, Outcome.REVIEW], "nothing for you to do"),
        ([Outcome.BLOCKED], "Mend the cell"),
        ([Outcome.FAILED], "Read what is said"),
        ([Outcome.NOT_ATTEMPTED], "still empty"),
    ],
)
def test_next_steps_fit_the_outcomes(outcomes: list[Outcome], words: str, make_check: Callable[..., Check]) -> None:
    """At most three sentences, and the first says what matters most."""
    steps = next_steps([make_check("a/shape", outcome=one) for one in outcomes])
    assert words in steps[0]
    assert len(steps) <= 3


def test_pretty_json_is_json() -> None:
    """Short values are written as JSON that reads back; long lists are cut and counted."""
    value = {"a": [1, 2.5, None], "b": {"c": [[1, 2], [3, 4]], "d": "ü\n"}, "e": [], "f": {}}
    assert json.loads(pretty(value)) == value
    assert "… 40 more" in pretty(list(range(100)))


def test_pretty_json_ends_in_the_deep() -> None:
    """A value nested without end is cut, not followed."""
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert "…" in pretty(deep)
