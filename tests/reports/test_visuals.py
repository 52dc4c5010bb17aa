"""What the details hold to be looked at, and what becomes of malformed ones."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.lab import Lab
from graders.records import Check
from graders.reports.visuals import advice, visuals

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("stages", "sentences", "accuracy", "confusion", "digits", "tiles", "advice", "claimed", "threshold")


def test_confusion_names_the_most_frequent_mistakes(make_check: Callable[..., Check], lab: Lab) -> None:
    """The mistakes come by count, then by class."""
    found = visuals("t", make_check("a/accuracy").details, lab).confusion
    assert found is not None
    assert found.mistakes[0] == (4, 9, 31)
    assert found.level(4, 9) > found.level(0, 1) > 0
    assert found.level(0, 0) == 5


def test_digits_show_only_pictures_of_the_lab(make_check: Callable[..., Check], lab: Lab) -> None:
    """A file that is no asset, or an asset that is not there, has no picture."""
    shown = visuals("t", make_check("b/digits").details, lab).digits
    assert [view.right for view in shown] == [True, False, True]
    assert [view.picture is None for view in shown] == [False, False, True]
    elsewhere = {"digits": [{"file": "../lab.toml", "truth": 1, "predicted": 1}]}
    assert visuals("t", elsewhere, lab).digits[0].picture is None


def test_asset_that_is_no_picture_is_not_shown(lab: Lab) -> None:
    """What does not begin like a PNG or JPEG never becomes a data: URI."""
    (lab.root / "assets" / "0.PNG").write_bytes(b"<svg onload='alert(1)'/>")
    assert visuals("t", {"digits": [{"file": "0.PNG"}]}, lab).digits[0].picture is None


@pytest.mark.parametrize(
    "details",
    [
        {"stages": [{"status": "odd"}]},
        {"stages": "same"},
        {"sentences": "one"},
        {"accuracy": "0.9"},
        {"accuracy": 1.5},
        {"accuracy": float("nan")},
        {"confusion": [[1, 2], [3]]},
        {"confusion": [[1, -2], [3, 4]]},
        {"digits": {"file": "0.PNG"}},
        {"tiles": {"caption": "c", "images": [[[1, 2], [3]]]}},
        {"tiles": {"caption": "c", "images": [[[]]]}},
        {"tiles": {"caption": "c", "images": [[[float("inf")]]]}},
        {"tiles": {"caption": "c", "images": [[[0.0] * 65]]}},
    ],
)
def test_malformed_details_become_a_sentence(details: dict[str, Any], lab: Lab) -> None:
    """The picture is left out and the page says so."""
    found = visuals("t", details, lab)
    assert len(found.problems) == 1
    assert "malformed" in found.problems[0]


def test_one_malformed_part_does_not_take_the_others(lab: Lab) -> None:
    """An accuracy is shown although the matrix beside it is wrong."""
    found = visuals("t", {"accuracy": 0.5, "confusion": [[1]]}, lab)
    assert found.accuracy is not None
    assert found.confusion is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(details=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_details_can_break_a_page(details: dict[str, Any], lab: Lab) -> None:
    """Any JSON under the known keys is drawn or left out, never raised."""
    found = visuals("t", details, lab)
    assert all(isinstance(one, str) for one in found.problems)
    advice(details)


def test_claims_are_shown_as_written() -> None:
    """A share is shown as per cent, other claims as they stand, none as nothing."""
    from graders.reports.visuals import Accuracy

    claims = [Accuracy(accuracy=0.5, claimed=one).claim for one in (0.991, 99, "99 of 100", None)]
    assert claims == ["99.1 %", "99", "99 of 100", ""]


def test_tiles_share_one_scale(lab: Lab) -> None:
    """Two constant pictures of different height are drawn in different greys."""
    first, second = visuals("t", {"tiles": {"caption": "c", "images": [[[0.0]], [[1.0]]]}}, lab).tiles
    assert first != second
    assert first.startswith("data:image/png;base64,")
