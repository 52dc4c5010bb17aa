"""Golden sentences, codes and shares of what may differ from a specification."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.models import Stage, compare, specification
from graders.models.structure import leaves, with_shapes

LINES = (
    "conv 30 5x5",
    "relu",
    "max_pool 2x2",
    "conv 15 3x3",
    "relu",
    "max_pool 2x2",
    "dropout 0.2",
    "flatten",
    "linear 128",
    "relu",
    "linear 50",
    "relu",
    "linear 10",
)
SPEC = specification(LINES)


def network(lines: Sequence[str]) -> tuple[Stage, ...]:
    """Stages as a student's network has them: convolutions and linear layers are submodules, the rest functions."""
    counts = {"conv": 0, "linear": 0}
    found = []
    for one in leaves(with_shapes(specification(lines), (1, 28, 28))):
        if one.kind in counts:
            counts[one.kind] += 1
            one = replace(one, module=f"{'fc' if one.kind == 'linear' else 'conv'}{counts[one.kind]}")
        found.append(one)
    return tuple(found)


def without(*places: int) -> list[str]:
    """The specification without some lines."""
    return [line for place, line in enumerate(LINES) if place not in places]


def changed(place: int, line: str) -> list[str]:
    """The specification with another line."""
    return [line if here == place else old for here, old in enumerate(LINES)]


GOLDEN = [
    (
        without(4),
        "MISSING_ACTIVATION",
        12,
        ["After conv2 (15 maps, 3x3), a ReLU is expected; yours goes straight into max pooling 2x2."],
    ),
    (
        without(9),
        "MISSING_ACTIVATION",
        12,
        ["After fc1 (128 outputs), a ReLU is expected; yours goes straight to fc2 (50 outputs)."],
    ),
    (
        changed(3, "conv 15 5x5"),
        "WRONG_STAGE",
        12.5,
        [
            (
                "conv2 has kernels of 5x5 where 3x3 is expected, so its output is 8x8 where 10x10 is "
                "expected, and fc1 gets 240 inputs where 375 are expected."
            )
        ],
    ),
    (
        changed(0, "conv 20 5x5 padding 2"),
        "WRONG_STAGE",
        12.5,
        [
            (
                "conv1 has 20 maps where 30 are expected and padding 2 where none is expected, so its "
                "output is 28x28 where 24x24 is expected, and fc1 gets 540 inputs where 375 are expected."
            )
        ],
    ),
    (changed(6, "dropout 0.5"), "WRONG_STAGE", 12.5, ["Dropout has rate 0.5 where 0.2 is expected."]),
    (changed(10, "linear 64"), "WRONG_STAGE", 12.5, ["fc2 has 64 outputs where 50 are expected."]),
    (
        changed(4, "sigmoid"),
        "WRONG_STAGE",
        12,
        ["After conv2 (15 maps, 3x3), a ReLU is expected; yours has a sigmoid there."],
    ),
    (
        changed(5, "avg_pool 2x2"),
        "WRONG_STAGE",
        12,
        ["After conv2's ReLU, max pooling 2x2 is expected; yours has average pooling 2x2 there."],
    ),
    (
        changed(2, "max_pool 3x3"),
        "WRONG_STAGE",
        12.5,
        [
            (
                "The max pooling after conv1's ReLU has windows of 3x3 where 2x2 is expected, so its "
                "output is 8x8 where 12x12 is expected, and fc1 gets 135 inputs where 375 are expected."
            )
        ],
    ),
    (
        [*LINES, "relu"],
        "EXTRA_STAGE",
        12,
        [("Your network has an extra ReLU at the end, after fc3 (10 outputs); what fc3 gives is expected as it is.")],
    ),
    (
        [*LINES[:4], "batch_norm", *LINES[4:]],
        "EXTRA_STAGE",
        12,
        [("Your network has an extra batch normalisation after conv2 (15 maps, 3x3); none is expected there.")],
    ),
    (
        [*without(6)[:9], "dropout 0.2", *without(6)[9:]],
        "WRONG_ORDER",
        12,
        [("After the second max pooling 2x2, dropout with rate 0.2 is expected; yours comes after fc1's ReLU.")],
    ),
    (
        without(10, 11, 12),
        "MISSING_STAGE",
        10,
        [
            (
                "After fc1's ReLU, a linear layer with 50 outputs, a ReLU and a linear layer with 10 "
                "outputs are expected; yours ends there."
            )
        ],
    ),
    (
        without(0, 1, 2),
        "MISSING_STAGE",
        10,
        [
            (
                "At the start, a convolution with 30 maps, 5x5, a ReLU and max pooling 2x2 are expected; "
                "yours goes straight to conv1 (15 maps, 3x3), so fc1 gets 2535 inputs where 375 are "
                "expected."
            )
        ],
    ),
    (
        without(4, 6),
        "MISSING_ACTIVATION",
        11,
        [
            "After conv2 (15 maps, 3x3), a ReLU is expected; yours goes straight into max pooling 2x2.",
            ("After the second max pooling 2x2, dropout with rate 0.2 is expected; yours goes straight to flattening."),
        ],
    ),
]


@pytest.mark.parametrize(("lines", "code", "points", "sentences"), GOLDEN)
def test_golden_sentences(lines: list[str], code: str, points: float, sentences: list[str]) -> None:
    """Each way of being wrong has its code, its share of thirteen and its words."""
    found = compare(SPEC, network(lines))
    assert list(found.sentences) == sentences
    assert found.code == code
    assert found.share == pytest.approx(points / 13)
    assert not found.equal


def test_same_network() -> None:
    """What is as specified has all of the share and nothing to say."""
    found = compare(SPEC, network(LINES))
    assert (found.share, found.equal, found.code, found.sentences) == (1, True, "OK", ())
    assert {row.status for row in found.rows} == {"same"}


def test_nothing_at_all() -> None:
    """An empty network has no share, and its first missing stage is named."""
    found = compare(SPEC, ())
    assert found.share == 0
    assert found.sentences[0].startswith("At the start, a convolution with 30 maps, 5x5, a ReLU")


def test_nothing_expected() -> None:
    """A specification without stages is a mistake of the grader."""
    with pytest.raises(ValueError, match="at least one stage"):
        compare((), SPEC)


@given(st.lists(st.sampled_from([*LINES, "tanh", "conv 8 3x3", "avg_pool 2x2", "batch_norm"]), max_size=16))
def test_any_network_has_a_share(lines: list[str]) -> None:
    """Whatever is found, the share is from 0 to 1, is 1 only for equals, and every difference has words."""
    found = compare(SPEC, tuple(replace(one, node=f"n{n}") for n, one in enumerate(leaves(specification(lines)))))
    assert 0 <= found.share <= 1
    assert (found.share == 1) == found.equal == (not found.sentences)
    assert sum(row.expected is not None and row.status != "extra" for row in found.rows) == len(SPEC)
