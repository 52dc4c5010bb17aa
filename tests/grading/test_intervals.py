"""Confidence intervals of measured shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.grading.intervals import wilson


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    """Right answers and all answers."""
    total = draw(st.integers(1, 10_000))
    return draw(st.integers(0, total)), total


@given(counts())
def test_the_measured_share_lies_inside(count: tuple[int, int]) -> None:
    """The interval holds what was measured, and does not leave 0 to 1."""
    correct, total = count
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert low < high


@given(counts())
def test_wrong_answers_mirror_right_ones(count: tuple[int, int]) -> None:
    """Counting the wrong answers instead gives the mirrored interval."""
    correct, total = count
    low, high = wilson(correct, total)
    assert wilson(total - correct, total) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(counts())
def test_more_images_and_less_confidence_make_it_narrower(count: tuple[int, int]) -> None:
    """The same share of ten times as many, and a lower confidence, leave less room."""
    correct, total = count
    low, high = wilson(correct, total)
    for closer in (wilson(10 * correct, 10 * total), wilson(correct, total, 0.8)):
        assert closer[1] - closer[0] < high - low


@pytest.mark.parametrize(
    ("correct", "total", "expected"),
    [(15, 50, (0.1910, 0.4375)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (950, 1000, (0.9347, 0.9619))],
)
def test_known_intervals(correct: int, total: int, expected: tuple[float, float]) -> None:
    """The score interval solves (p - share)^2 = z^2 p (1 - p) / n: its ends, to four digits."""
    found = wilson(correct, total)
    assert found == pytest.approx(expected, abs=5e-5)
    for end in found:
        if 0 < end < 1:
            z_squared = 1.959964**2
            assert (end - correct / total) ** 2 == pytest.approx(z_squared * end * (1 - end) / total, rel=1e-5)


@pytest.mark.parametrize(("correct", "total"), [(-1, 5), (6, 5), (0, 0)])
def test_counts_that_do_not_fit_are_refused(correct: int, total: int) -> None:
    """More right answers than answers, or no answers at all, are a mistake of the caller."""
    with pytest.raises(ValueError, match="no share"):
        wilson(correct, total)
