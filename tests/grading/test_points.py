"""Shares become points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.grading.points import STEP, points


@pytest.mark.parametrize(
    ("share", "maximum", "expected"),
    [
        (0, 5, 0),
        (1, 5, 5),
        (0.5, 1, 0.5),
        (1 / 3, 3, 1),
        (0.99, 2, 1.75),
        (0.01, 2, 0.25),
        (0.9, 3, 2.75),
        (0.5, 0.2, 0.1),
    ],
)
def test_known_points(share: float, maximum: float, expected: float) -> None:
    """Figures worked out by hand: nearest quarter, never all, never none."""
    assert points(share, maximum) == expected


@given(st.floats(0, 1), st.integers(1, 40).map(lambda n: n / 2))
def test_part_of_the_points_is_neither_none_nor_all(share: float, maximum: float) -> None:
    """Points lie in steps of a quarter strictly between none and all, and within a step of the exact figure."""
    found = points(share, maximum)
    assert (0 < found < maximum) == (0 < share < 1)
    assert found in (0, maximum) or found % STEP == 0
    assert abs(found - share * maximum) <= STEP


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_earns_less(one: float, other: float) -> None:
    """Points grow with the share."""
    low, high = sorted((one, other))
    assert points(low, 3) <= points(high, 3)
