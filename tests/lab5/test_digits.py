"""Predictions in printed text, misclassified pictures in prose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.lab5.digits import Misread, misread, printed_digits, ten_digits, wrong_ones

PRINTED = [
    lambda d: str(d),
    lambda d: f"tensor({d})",
    lambda d: f"tensor({d}, device='cuda:0')",
    lambda d: "\n".join(map(str, d)),
    lambda d: "\n".join(f"tensor([{one}])" for one in d),
    lambda d: "[" + ", ".join(f"tensor({one})" for one in d) + "]",
    lambda d: "tensor([" + ",\n        ".join(f"[{one}]" for one in d) + "])",
    lambda d: "[" + " ".join(map(str, d)) + "]",
    lambda d: " ".join(map(str, d)),
    lambda d: "\n".join(f"{k}.PNG: {one}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"picture {k} looks like a {one}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"{k} {one}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"Image {k} was predicted as {one}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"Predicted: {one}, actual: {k}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"Actual: {k}, Predicted: {one}" for k, one in enumerate(d)),
    lambda d: "\n".join(f"The picture {k}.PNG shows a {one}." for k, one in enumerate(d)),
    lambda d: f"predictions: {list(d)}\nmisclassified: 3.PNG (taken for 5)",
    lambda d: f"labels: {list(range(10))}\npredictions: {list(d)}",
]


@given(st.sampled_from(PRINTED), st.lists(st.integers(0, 9), min_size=10, max_size=10))
def test_printed_predictions_are_read(dress: object, digits: list[int]) -> None:
    """Ten digits come back from each way of printing them."""
    assert callable(dress)
    assert printed_digits(dress(digits)) == dict(enumerate(digits))


@pytest.mark.parametrize("text", ["", "done", "tensor([[0.1, 0.2]])", "accuracy: 0.97", "1 2 3"])
def test_other_output_holds_no_predictions(text: str) -> None:
    """What is not ten predictions is not taken for them."""
    assert printed_digits(text) == {}


@given(st.text(max_size=300))
def test_any_output_can_be_read(text: str) -> None:
    """Whatever is printed gives digits for pictures 0 to 9 at most."""
    assert all(0 <= k <= 9 and 0 <= digit <= 9 for k, digit in printed_digits(text).items())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], tuple(range(10))),
        ([[0], [1], [2], [3], [4], [5], [6], [7], [8], [9]], tuple(range(10))),
        ([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]], tuple(range(10))),
        ([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9], tuple(range(10))),
        ([0, 1], None),
        ([True] * 10, None),
        (["0"] * 10, None),
        ([10] * 10, None),
        ("0123456789", None),
        (None, None),
    ],
)
def test_the_variable(value: object, expected: tuple[int, ...] | None) -> None:
    """Only a list of ten digits counts as predictions."""
    assert ten_digits(value) == expected


@pytest.mark.parametrize(
    ("text", "count", "which"),
    [
        ("0 of the ten pictures are misclassified: the network reads all ten digits correctly.", 0, set()),
        ("None of the images were misclassified.", 0, set()),
        ("All images are classified correctly", 0, set()),
        ("2 of the ten: 4.PNG is taken for a 9, and 7.PNG for a 1.", 2, {4, 7}),
        ("3 are misclassified: 4, 7 and 9", 3, {4, 7, 9}),
        ("Two images (4 and 7) were misclassified", 2, {4, 7}),
        ("Only the 9 was misclassified (as 4)", 1, {9}),
        ("8 out of 10 were classified correctly; 4 and 7 were wrong", 2, {4, 7}),
        ("9/10 correct, 6 is wrong", 1, {6}),
        ("All except 4 and 7 are correct", 2, {4, 7}),
        ("The model misclassified 3 digits: 2 (as 7), 6 (as 0) and 9 (as 4).", 3, {2, 6, 9}),
        ("2/10 wrong: 6 → 0, 9 → 7", 2, {6, 9}),
        ("6.PNG is misclassified as 5", 1, {6}),
        ("It got 1 wrong - the 9 was classified as a 7.", 1, {9}),
        ("7 were correctly classified, 3 misclassified: 1, 6 and 9", 3, {1, 6, 9}),
        ("**Three** of them: 6, 8, 9", 3, {6, 8, 9}),
        ("4 and 7", 2, {4, 7}),
        ("Three images are misclassified.", 3, None),
    ],
)
def test_known_answers(text: str, count: int, which: set[int] | None) -> None:
    """Answers whose meaning was decided by a person."""
    assert misread(text) == Misread(count, None if which is None else frozenset(which))


@pytest.mark.parametrize(
    "text",
    ["", "2", "no idea", "see above", "1 image misclassified; 6 was predicted instead of 8", "2 wrong: 4, 7 and 9"],
)
def test_doubtful_answers_are_left_to_a_person(text: str) -> None:
    """What is empty, ambiguous or contradicts itself is not guessed."""
    assert misread(text) is None


@given(st.sets(st.integers(0, 9), min_size=2, max_size=9), st.sampled_from([", ", " and ", " & "]))
def test_lists_of_pictures_are_read(which: set[int], comma: str) -> None:
    """A number and a list that agree are read as such."""
    listed = comma.join(f"{one}.PNG" for one in sorted(which))
    assert misread(f"{len(which)} of the ten are misclassified: {listed}.") == Misread(len(which), frozenset(which))


def test_wrong_ones_are_those_that_do_not_show_their_number() -> None:
    """Picture k shows a k."""
    assert wrong_ones([0, 1, 2, 5, 4, 5, 6, 7, 8, 4]) == {3, 9}
