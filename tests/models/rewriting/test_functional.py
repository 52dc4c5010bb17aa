"""Ops in place become pure ones where that is right, and stay where it could not be proven."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.models import Network, Node
from graders.models.canonical import canonical, stages
from graders.models.graph import Ref
from graders.models.ops import ATEN
from graders.models.rewriting import rewrite
from graders.models.rewriting.functional import pure_op
from tests.models.rewriting.sketches import CHANNELS, SIDE, Sketch, conv, images


def assert_pure(network: Network, *, pure: bool = True) -> None:
    """The graph without ops in place (or with some left) gives the same bits; so does the canonical one, nearly."""
    after, _ = rewrite(network, ())
    assert any(node.in_place for node in after.graph.nodes) is not pure
    for dropout in (False, True):
        found = []
        for one in (network, after, canonical(network)):
            torch.manual_seed(3)
            found.append(one.run(images(), dropout=dropout).outputs)
        assert np.array_equal(found[0], found[1])
        assert np.allclose(found[0], found[2], rtol=1e-4, atol=1e-5)


def test_every_op_in_place_has_a_pure_one_on_the_whitelist() -> None:
    """No op in place is left for want of the op that gives what it writes."""
    nodes = [Node("n", name, (), {}, "") for name in ATEN]
    assert [node.op for node in nodes if node.in_place and pure_op(node) not in ATEN] == []


def test_later_readers_of_the_old_name_read_the_new_value() -> None:
    """`relu_(x)` whose result nobody takes still counts for whoever reads x."""
    s = Sketch()
    x = conv(s, s.input)
    s.op("relu_.default", x)
    assert_pure(s.network(s.scores(x)))
    assert [one.kind for one in stages(s.network(s.scores(x)))] == ["conv", "relu", "flatten", "linear"]


def test_earlier_readers_keep_the_old_value() -> None:
    """What was computed before the value was overwritten stays as it was."""
    s = Sketch()
    x = conv(s, s.input)
    before = s.op("tanh.default", x)
    s.op("mul_.Tensor", x, 2.0)
    assert_pure(s.network(s.scores(s.op("add.Tensor", before, x))))


def test_writing_through_a_view_changes_what_it_is_a_view_of() -> None:
    """ReLU in place on a flattened view acts on the maps too, and the other way round."""
    s = Sketch()
    x = conv(s, s.input)
    row = s.op("view.default", x, (-1, CHANNELS * 16))
    s.op("relu_.default", row)
    pooled = s.op("max_pool2d.default", x, (2, 2))
    s.op("add_.Tensor", x, 1.0)
    joined = s.op("cat.default", (row, s.op("flatten.using_ints", pooled, 1)), 1)
    assert_pure(s.network(s.scores(joined)))


def test_writing_to_a_part_is_left_alone_where_the_whole_is_read() -> None:
    """`x[:, 0].relu_()` cannot be told apart from x by shapes alone: the op stays, and no rule touches x."""
    s = Sketch()
    x = conv(s, s.input)
    s.op("relu_.default", s.op("select.int", x, 1, 0))
    network = s.network(s.scores(s.op("relu.default", s.op("max_pool2d.default", x, (2, 2)))))
    assert_pure(network, pure=False)
    assert [node.base for node in canonical(network).graph.nodes if node.in_place] == ["relu_"]


def test_writing_to_a_part_that_alone_is_read_is_pure() -> None:
    """Where only the part is read afterwards, the op is as good as pure."""
    s = Sketch()
    part = s.op("select.int", conv(s, s.input), 1, 0)
    assert_pure(s.network(s.scores(s.op("relu_.default", part))))


def test_nothing_is_said_of_dropout_that_may_hand_on_its_input() -> None:
    """Switched off, dropout gives its argument itself: writing to the one may be writing to the other."""
    s = Sketch()
    x = conv(s, s.input)
    dropped = s.op("dropout.default", x, 0.5, True)
    s.op("relu_.default", dropped)
    assert_pure(s.network(s.scores(s.op("add.Tensor", dropped, x))), pure=False)


def test_a_stored_tensor_that_is_overwritten_is_read_anew() -> None:
    """A buffer that forward counts up is another value from then on."""
    s = Sketch()
    buffer = s.constant(1.0, 1)
    s.op("add_.Tensor", buffer, 1)
    assert_pure(s.network(s.scores(s.op("mul.Tensor", conv(s, s.input), buffer))))


def test_running_statistics_are_not_read_earlier_or_later_than_they_were() -> None:
    """Two readings of a running mean with a training batch norm between them are two values."""
    s = Sketch()
    mean, variance = s.constant(0.5, CHANNELS), s.constant(2.0, CHANNELS)
    x = conv(s, s.input)
    first = s.op("sub.Tensor", s.op("permute.default", x, (0, 2, 3, 1)), mean)
    normed = s.op("batch_norm.default", x, None, None, mean, variance, True, 0.5, 1e-5, False)
    second = s.op("sub.Tensor", s.op("permute.default", x, (0, 2, 3, 1)), mean)
    rows = [s.op("flatten.using_ints", one, 1) for one in (first, normed, second)]
    network = s.network(s.scores(s.op("cat.default", tuple(rows), 1)), "train")
    assert np.allclose(network.run(images()).outputs, canonical(network).run(images()).outputs, rtol=1e-4, atol=1e-5)
    assert sum(node.base == "sub" for node in canonical(network).graph.nodes) == 2


WRITERS: list[tuple[str, tuple[Any, ...]]] = [
    ("relu_.default", ()),
    ("add_.Tensor", (0.5,)),
    ("mul_.Scalar", (-1.5,)),
    ("pow_.Scalar", (2,)),
    ("clamp_.default", (-0.25, 1.0)),
    ("dropout_.default", (0.5, True)),
    ("zero_.default", ()),
    ("fill_.Scalar", (0.75,)),
]
SHAPERS: list[tuple[str, tuple[Any, ...]]] = [
    ("flatten.using_ints", (1, -1)),
    ("reshape.default", (-1, CHANNELS, SIDE - 2, SIDE - 2)),
    ("transpose.int", (1, -1)),
    ("slice.Tensor", (1, 1, 3)),
    ("select.int", (1, 0)),
    ("unsqueeze.default", (1,)),
    ("detach.default", ()),
    ("clone.default", ()),
    ("tanh.default", ()),
    ("dropout.default", (0.5, True)),
    ("dropout.default", (0.5, False)),
    ("expand.default", (-1, -1, -1, -1)),
]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_programs_of_views_and_writes_compute_the_same(data: st.DataObject) -> None:
    """Views of views, written to in any order and read in the end, give the same bits without ops in place."""
    s = Sketch(data.draw(st.integers(0, 3)))
    values = [conv(s, s.input)]
    for _ in range(data.draw(st.integers(2, 8))):
        source = data.draw(st.sampled_from(values))
        op, rest = data.draw(st.sampled_from(WRITERS + SHAPERS))
        fits = op not in ("transpose.int", "slice.Tensor", "reshape.default", "expand.default", "select.int")
        if op == "expand.default":
            rest = ((-1,) * (len(s.size(source)) + 1),)
        if op == "reshape.default":
            rest = (rest,)
        if fits or (len(s.size(source)) == 3 and min(s.size(source)) > 2 and s.size(source) == s.size(values[0])):
            values.append(s.op(op, source, *rest))
    parts = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
    rows = [s.op("reshape.default", one, (-1, int(np.prod(s.size(one))))) for one in parts]
    network = s.network(s.scores(s.op("cat.default", tuple(rows), 1)))
    after = rewrite(network, ())[0]
    final = canonical(network)
    for dropout in (False, True):
        found = []
        for one in (network, after, final):
            torch.manual_seed(3)
            found.append(one.run(images(), dropout=dropout).outputs)
        assert np.array_equal(found[0], found[1])
        # Multiplying by one and the like are left out; sums are taken by other kernels.
        assert np.allclose(found[0], found[2], rtol=1e-3, atol=1e-4)


def test_an_op_in_place_on_the_images_is_pure() -> None:
    """The images may be overwritten too."""
    s = Sketch()
    s.op("add_.Tensor", Ref("x"), 1.0)
    assert_pure(s.network(s.scores(conv(s, Ref("x")))))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_detaching_in_place_is_seen_in_the_train_graph_only(mode: Any) -> None:
    """`detach_` cuts the gradient of what lies before it: another network to train, the same one to use."""
    s = Sketch()
    x = conv(s, s.input)
    s.op("detach_.default", x)
    kinds = [one.kind for one in stages(s.network(s.scores(x), mode))]
    assert kinds == ["conv", *(["detach"] if mode == "train" else []), "flatten", "linear"]
