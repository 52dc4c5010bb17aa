"""The short notation of stages."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from graders.models import Stage, specification, stage
from graders.models.notation import conv, pool
from graders.models.structure import leaves, with_shapes

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
STAGES = st.one_of(
    st.builds(
        conv,
        st.sampled_from(["conv", "conv_transpose"]),
        st.integers(1, 99),
        SIZES,
        stride=SIZES,
        padding=SIZES,
        dilation=SIZES,
        groups=st.integers(1, 4),
        bias=st.booleans(),
    ),
    st.builds(pool, st.sampled_from(["max_pool", "avg_pool"]), SIZES, stride=SIZES, padding=SIZES, ceil=st.booleans()),
    st.builds(lambda out, bias: Stage("linear", {"out": out, "bias": bias}), st.integers(1, 999), st.booleans()),
    st.builds(lambda p, maps: Stage("dropout", {"rate": p, "maps": maps}), st.floats(0.01, 0.99), st.booleans()),
    st.builds(Stage, st.sampled_from(["relu", "flatten", "add", "batch_norm"])),
)


@given(STAGES)
def test_round_trip(one: Stage) -> None:
    """What a stage writes of itself reads as the same stage."""
    assert stage(one.text).same_as(one)


def test_a_single_number_is_a_square() -> None:
    """One size stands for a square, "5" for "5x5", and a pooling's stride is its kernel if none is given."""
    assert stage("conv 30 5").same_as(stage("conv 30 5x5 stride 1 padding 0"))
    assert stage("max_pool 2").same_as(stage("max_pool 2x2 stride 2"))


@pytest.mark.parametrize(
    "text", ["", "5x5 conv", "conv 30", "conv 3 2x2x2", "conv a 3x3", "relu 3", "linear", "max_pool 2x2 no_bias"]
)
def test_mistakes_are_refused(text: str) -> None:
    """A line that is not in the notation is refused."""
    with pytest.raises(ValueError, match=r"stage|means nothing|notation"):
        stage(text)


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(8, 30),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    ceil=st.booleans(),
)
def test_shapes_are_torchs(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
    """The sizes worked out for a specification are those that PyTorch gives."""
    padding = min(padding, kernel // 2)
    given_: dict[str, Any] = {"stride": (stride, stride), "padding": (padding, padding)}
    lines = [conv("conv", 3, (kernel, kernel), **given_), pool("max_pool", (kernel, kernel), **given_, ceil=ceil)]
    module = nn.Sequential(
        nn.Conv2d(1, 3, kernel, stride, padding), nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    ).to("meta")
    found = leaves(with_shapes(lines, (1, size, size)))
    try:
        expected = tuple(module(torch.empty(1, 1, size, size, device="meta")).shape[1:])
    except RuntimeError:
        assert found[1].shape_out is None
    else:
        assert found[1].shape_out == expected


def test_a_specification_keeps_its_order() -> None:
    """One stage a line."""
    assert [one.kind for one in leaves(specification(["conv 3 1", "relu", "linear 2"]))] == ["conv", "relu", "linear"]
