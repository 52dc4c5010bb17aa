"""Shapes in free text: right answers in any dress pass, wrong numbers never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.lab5.shapes import Reading, read_shape
from graders.lab5.written import CONV_5X5, CONV_7X3, judge_shape
from graders.records import Outcome

# With {m} maps, {h} high and {w} wide.
DRESSES = [
    "[128, {m}, {h}, {w}]",
    "{m}x{h}x{w}",
    "{h}*{w}*{m}",
    "{h}\\*{w}\\*{m}",
    "{m} × {h} × {w}",
    "({m},{h},{w})",
    "`(batch_size, {m}, {h}, {w})`",
    "torch.Size([128, {m}, {h}, {w}])",
    "(None, {h}, {w}, {m})",
    "N x {m} x {h} x {w}",
    "{m}@{h}x{w}",
    "**{m} x {h} x {w}**",
    "{m} feature maps of size {h} by {w}",
    "{h}x{w} with {m} channels",
    "{h} × {w} pixels, {m} maps",
    "{h}px x {w}px, {m} filters",
    "There are {m} feature maps, each {h} pixels high and {w} pixels wide.",
    "{m} channels, height {h}, width {w}",
    "C={m}, H={h}, W={w}",
    "$ {m} \\times {h} \\times {w} $",
    "\\({m}\\times{h}\\times{w}\\)",
    "$$\\text{{output}} = {m} \\cdot {h} \\cdot {w}$$",
    "{m} &times; {h} &times; {w}",
    "Es sind {m} Kanäle mit {h} mal {w} Pixeln.",
    "{m} canaux de {h} par {w}",
    "[{m} {h} {w}]",
    "The output of conv1 is {m}x{h}x{w}, since no padding is used.",
    "conv1 makes {m} {h}x{w} maps from each 1x28x28 image.",
    "The input is 28x28, so the output is {m} maps of {h}x{w}.",
    "The shape is {m} x ({h} x {w}).",
    "The batch of 128 images gives [128, {m}, {h}, {w}], i.e. {m} maps of {h}x{w}",
]
WORKING = ["", "28-5+1=24, so ", "(28 - 5 + 2*0)/1 + 1 = 24. ", "W_out = (28 - 5) / 1 + 1 = 24\n\n", "Answer: "]


@pytest.mark.parametrize("dress", DRESSES)
def test_every_dress_of_the_right_answer_is_read(dress: str) -> None:
    """Both questions, in each way of writing."""
    for question in (CONV_5X5, CONV_7X3):
        text = dress.format(m=question.maps, h=question.height, w=question.width)
        assert read_shape(text, question)[0] is Reading.RIGHT, text


@given(st.sampled_from(DRESSES), st.sampled_from(WORKING), st.sampled_from(["", " ", "\n", "."]), st.booleans())
def test_working_beside_the_answer_does_no_harm(dress: str, working: str, end: str, upper: bool) -> None:
    """The right answer passes with working before it, in capitals, with blanks around it."""
    text = working + dress.format(m=32, h=24, w=24) + end
    assert read_shape(text.upper() if upper and not set(text) & set("\\&") else text, CONV_5X5)[0] is Reading.RIGHT


SIZES = st.integers(3, 127).filter(lambda n: n not in (5, 7, 28))


@given(st.sampled_from(DRESSES), SIZES, SIZES, SIZES)
def test_wrong_numbers_never_pass(dress: str, maps: int, height: int, width: int) -> None:
    """No way of writing makes other numbers right; they have failed, or a person reads them."""
    text = dress.format(m=maps, h=height, w=width)
    reading, _ = read_shape(text, CONV_7X3)
    in_order = (maps, height, width) == CONV_7X3.right
    channels_last = (height, width, maps) in (CONV_7X3.right, CONV_7X3.swapped)
    assert (reading is Reading.RIGHT) <= (in_order or channels_last)


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever is written gives a reading; only 24, 24 and 32 can be right."""
    reading, _ = read_shape(text, CONV_5X5)
    assert reading is not Reading.RIGHT or "24" in text


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("32x20x20", Reading.WRONG),
        ("32 maps of 28x28", Reading.WRONG),
        ("[128, 1, 28, 28]", Reading.WRONG),
        ("24 maps of 32x32", Reading.WRONG),
        ("(128,24,24)", Reading.WRONG),
        ("64x24x24 because 28-5+1=24", Reading.WRONG),
        ("12x12", Reading.WRONG),
        ("24x24", Reading.NO_MAPS),
        ("24x32x24", Reading.UNCLEAR),
        ("32x24x24, no, 32x26x26", Reading.UNCLEAR),
        ("32", Reading.UNCLEAR),
        ("32 - 24 - 24", Reading.UNCLEAR),
        ("18432", Reading.UNCLEAR),
        ("thirty-two maps of twenty-four by twenty-four", Reading.RIGHT),
        ("32 maps of 24²", Reading.RIGHT),
        ("24^2 x 32", Reading.RIGHT),
        ("32*24*24 = 18,432", Reading.RIGHT),
        ("I do not know", Reading.EMPTY),
        ("", Reading.EMPTY),
    ],
)
def test_known_answers(text: str, reading: Reading) -> None:
    """Answers whose reading was decided by a person."""
    assert read_shape(text, CONV_5X5)[0] is reading


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("32x26x22", Reading.SWAPPED),
        ("32 maps with height 28-7+1 = 22 and width 28-3+1 = 26.", Reading.RIGHT),
        ("32 maps with height 28-3+1 = 26 and width 28-7+1 = 22.", Reading.SWAPPED),
        ("width x height x channels = 26x22x32", Reading.RIGHT),
        ("26 wide x 22 high x 32 maps", Reading.RIGHT),
        ("22x26", Reading.NO_MAPS),
        ("28-7+1=22 and 28-3+1=26, so 32 maps of 22 by 26", Reading.RIGHT),
        ("32x24x24", Reading.WRONG),
    ],
)
def test_known_answers_with_a_tall_kernel(text: str, reading: Reading) -> None:
    """Height comes first, unless the answer names its order."""
    assert read_shape(text, CONV_7X3)[0] is reading


@pytest.mark.parametrize(
    ("text", "outcome", "share"),
    [
        ("32x22x26", Outcome.PASSED, 1),
        ("32x26x22", Outcome.PARTIAL, 0.5),
        ("22x26", Outcome.PARTIAL, 0.5),
        ("32x24x24", Outcome.FAILED, 0),
        ("32x22x26 or 32x24x24", Outcome.REVIEW, 0),
        ("dunno", Outcome.FAILED, 0),
    ],
)
def test_verdicts(text: str, outcome: Outcome, share: float) -> None:
    """Readings become verdicts; the sentence never gives the right answer away."""
    verdict = judge_shape(text, CONV_7X3, "Count the places.")
    assert (verdict.outcome, verdict.share) == (outcome, share)
    if outcome is Outcome.FAILED:
        assert "22" not in verdict.message
        assert "26" not in verdict.message
