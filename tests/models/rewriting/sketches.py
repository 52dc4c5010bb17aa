"""Small graphs written by hand, and for each rule a piece of a graph that it is about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from graders.evidence.schema import ModelMeta, TensorMeta
from graders.models import Network, NetworkLimits, Node
from graders.models.graph import Graph, Ref, TensorRef
from graders.models.ops import arguments, call

CHANNELS, SIDE, CLASSES = 4, 6, 5
Mode = Literal["train", "eval"]


class Sketch:
    """A graph that is being written; every op is tried on the meta device, so that shapes are known."""

    def __init__(self, seed: int = 0, shape: tuple[int, ...] = (CHANNELS, SIDE, SIDE)) -> None:
        self.numbers = np.random.default_rng(seed)
        self.shape = shape
        self.nodes: list[Node] = []
        self.weights: dict[str, Any] = {}
        self.buffers: set[str] = set()
        self.values: dict[str, Any] = {"x": torch.empty((3, *shape), device="meta")}

    @property
    def input(self) -> Ref:
        """The images."""
        return Ref("x")

    @property
    def last(self) -> Ref:
        """The value that was written last."""
        return Ref(self.nodes[-1].name)

    def op(self, op: str, *args: Any, **kwargs: Any) -> Ref:
        """Write an op of ATEN, or `getitem`."""
        full = "operator.getitem" if op == "getitem" else f"aten.{op}"
        node = Node(f"n{len(self.nodes)}", full, args, kwargs, f"m{len(self.nodes)}")
        given = [self._meta(one) for one in args]
        named = {key: self._meta(one) for key, one in kwargs.items()}
        self.values[node.name] = call(node, given, named, "meta", random=True)
        self.nodes.append(node)
        return Ref(node.name)

    def _meta(self, value: Any) -> Any:
        match value:
            case Ref(name):
                return self.values[name]
            case TensorRef(key):
                return torch.empty(
                    self.weights[key].shape, dtype=getattr(torch, str(self.weights[key].dtype)), device="meta"
                )
            case tuple():
                return [self._meta(one) for one in value]
        return value

    def weight(self, *shape: int) -> TensorRef:
        """A parameter."""
        key = f"w{len(self.weights)}"
        self.weights[key] = (self.numbers.standard_normal(shape) * 0.3).astype(np.float32)
        return TensorRef(key)

    def constant(self, value: float, *shape: int) -> TensorRef:
        """A stored tensor that is no parameter."""
        key = f"c{len(self.weights)}"
        self.weights[key] = np.full(shape, value, dtype=np.float32)
        self.buffers.add(key)
        return TensorRef(key)

    def size(self, ref: Ref) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self.values[ref.name].shape[1:])

    def view(self, value: Ref, sizes: tuple[Any, ...]) -> Ref:
        """A view, or a reshaping where memory does not lie so that there could be one."""
        contiguous = self.values[value.name].is_contiguous()
        return self.op("view.default" if contiguous else "reshape.default", value, sizes)

    def network(
        self, output: Ref, mode: Mode = "eval", aliases: dict[str, str] | None = None, batch: int = 0
    ) -> Network:
        """The graph as it is, with one of its values as the output."""
        graph = Graph(batch, "x", self.shape, "float32", tuple(self.nodes), output.name)
        kinds: list[TensorMeta] = []
        for key, array in self.weights.items():
            kind: Any = "buffer" if key in self.buffers else "parameter"
            kinds.append(
                TensorMeta(
                    name=key,
                    kind=kind,
                    shape=array.shape,
                    dtype=str(array.dtype),
                    alias_of=(aliases or {}).get(key),
                )
            )
        meta = ModelMeta(class_name="Net", text="", tensors=tuple(kinds))
        return Network(graph, mode, meta, self.weights, NetworkLimits())

    def scores(self, value: Ref) -> Ref:
        """One row of class scores for each image, whatever there is."""
        if not self.size(value) or len(self.size(value)) > 1:
            value = self.view(value, (-1, int(np.prod(self.size(value)))))
        if self.size(value) == (CLASSES,):
            return value
        return self.op("linear.default", value, self.weight(CLASSES, self.size(value)[0]), self.weight(CLASSES))


def images(count: int = 7, shape: tuple[int, ...] = (CHANNELS, SIDE, SIDE), seed: int = 1) -> Any:
    """Random images around zero."""
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)


Piece = Callable[[Sketch, Ref], Ref]


def conv(s: Sketch, x: Ref, *rest: Any, bias: bool = True, kernel: int = 3) -> Ref:
    """A convolution that keeps the number of maps."""
    count = s.size(x)[0]
    return s.op("conv2d.default", x, s.weight(count, count, kernel, kernel), s.weight(count) if bias else None, *rest)


def rows(s: Sketch, x: Ref) -> Ref:
    """A row for each image."""
    return s.op("flatten.using_ints", x, 1, -1)


def relu(s: Sketch, x: Ref) -> Ref:
    """A ReLU."""
    return s.op("relu.default", x)


def _masked(s: Sketch, x: Ref) -> Ref:
    mask = s.op("gt.Scalar", x, 0)
    return s.op("mul.Tensor", mask, x)


def _cast_mask(s: Sketch, x: Ref) -> Ref:
    mask = s.op("logical_not.default", s.op("le.Scalar", x, 0))
    return s.op("mul.Tensor", x, s.op("type_as.default", mask, x))


def _choice(s: Sketch, x: Ref) -> Ref:
    return s.op("where.self", s.op("gt.Scalar", x, 0), x, s.op("zeros_like.default", x))


def _other_choice(s: Sketch, x: Ref) -> Ref:
    return s.op("where.ScalarSelf", s.op("lt.Scalar", x, 0), 0.0, x)


def _linear(s: Sketch, x: Ref, out: int = 8, *, bias: bool = True) -> Ref:
    return s.op("linear.default", x, s.weight(out, s.size(x)[0]), s.weight(out) if bias else None)


def _matmul(s: Sketch, x: Ref) -> Ref:
    return s.op("matmul.default", rows(s, x), s.op("permute.default", s.weight(8, int(np.prod(s.size(x)))), (1, 0)))


def _addmm(s: Sketch, x: Ref) -> Ref:
    return s.op("addmm.default", s.weight(8), rows(s, x), s.weight(int(np.prod(s.size(x))), 8))


def _conv_bias(s: Sketch, x: Ref) -> Ref:
    return s.op("add.Tensor", s.weight(1, s.size(x)[0], 1, 1), conv(s, x, bias=False))


def _linear_bias(s: Sketch, x: Ref) -> Ref:
    return s.op("add.Tensor", _linear(s, rows(s, x), bias=False), s.weight(8))


def _adaptive_max(s: Sketch, x: Ref, size: int) -> Ref:
    return s.op("getitem", s.op("adaptive_max_pool2d.default", x, (size, size)), 0)


def _general(s: Sketch, x: Ref) -> Ref:
    weight = s.weight(s.size(x)[0], s.size(x)[0], 3, 3)
    args = ((1, 1), (1, 1), (1, 1), False, (0, 0), 1)
    return s.op("convolution.default", x, weight, None, *args)


def _general_transposed(s: Sketch, x: Ref) -> Ref:
    weight = s.weight(s.size(x)[0], s.size(x)[0], 2, 2)
    return s.op("convolution.default", x, weight, None, (2, 2), (0, 0), (1, 1), True, (1, 1), 1)


def _half(s: Sketch, x: Ref) -> Ref:
    return s.op("mul.Tensor", s.op("add.Tensor", s.op("abs.default", x), x), 0.5)


def _twice(s: Sketch, x: Ref) -> Ref:
    one, other = s.op("tanh.default", x), s.op("tanh.default", x)
    return s.op("add.Tensor", one, other)


def _stack_sum(s: Sketch, x: Ref) -> Ref:
    parts = (relu(s, x), s.op("tanh.default", x), x)
    return s.op("sum.dim_IntList", s.op("stack.default", parts, 1), (1,))


def _two_means(s: Sketch, x: Ref) -> Ref:
    return s.op("mean.dim", s.op("mean.dim", x, (-1,)), (-1,))


def _flat_mean(s: Sketch, x: Ref) -> Ref:
    count = s.size(x)[0]
    return s.op("mean.dim", s.op("reshape.default", x, (-1, count, int(np.prod(s.size(x)[1:])))), (2,))


def _sized(s: Sketch, x: Ref) -> Ref:
    return s.view(x, (s.op("sym_size.int", x, 0), s.op("sym_size.int", x, 1), -1))


def _same_padding(s: Sketch, x: Ref) -> Ref:
    weight = s.weight(s.size(x)[0], s.size(x)[0], 2, 3)
    return s.op("conv2d.padding", x, weight, None, (1, 1), "same")


def _reshape_dropout(s: Sketch, x: Ref) -> Ref:
    return s.op("dropout.default", rows(s, x), 0.3, True)


PIECES: dict[str, Sequence[Piece]] = {
    "drop_copy": [lambda s, x: s.op("clone.default", x), lambda s, x: s.op("contiguous.default", x)],
    "drop_detach": [lambda s, x: s.op("detach.default", x)],
    "drop_cast": [lambda s, x: s.op("type_as.default", x, x)],
    "drop_dropout": [
        lambda s, x: s.op("dropout.default", x, 0.0, True),
        lambda s, x: s.op("feature_dropout.default", x, 0.0, False),
    ],
    "plain_size": [_sized],
    "drop_adding_zero": [
        lambda s, x: s.op("add.Tensor", x, 0),
        lambda s, x: s.op("add.Tensor", s.op("zeros.default", (1,)), x),
        lambda s, x: s.op("sub.Tensor", x, s.constant(0, 1)),
    ],
    "drop_multiplying_by_one": [
        lambda s, x: s.op("mul.Tensor", s.constant(1, 1, 1), x),
        lambda s, x: s.op("div.Tensor", x, 1.0),
        lambda s, x: s.op("pow.Tensor_Scalar", x, 1),
    ],
    "drop_same_shape": [
        lambda s, x: s.op("slice.Tensor", x, 1, 0, 9223372036854775807),
        lambda s, x: s.op("expand.default", x, (-1, *s.size(x))),
        lambda s, x: s.op("repeat.default", x, (1,) * (len(s.size(x)) + 1)),
        lambda s, x: s.op("constant_pad_nd.default", x, (0, 0)),
    ],
    "drop_cat_of_one": [lambda s, x: s.op("cat.default", (x,), 1)],
    "drop_whole_part": [lambda s, x: s.op("getitem", s.op("chunk.default", x, 1, 1), 0)],
    "drop_clamp_to_everything": [lambda s, x: s.op("clamp.default", x, float("-inf"), float("inf"))],
    "drop_reshape_to_same_shape": [lambda s, x: s.view(x, (-1, *s.size(x)))],
    "merge_reshapes": [lambda s, x: s.op("unflatten.int", rows(s, x), 1, (2, -1))],
    "reshape_as_flatten": [
        lambda s, x: s.view(x, (-1, int(np.prod(s.size(x))))),
        lambda s, x: s.op("reshape.default", x, (s.op("sym_size.int", x, 0), -1)),
    ],
    "one_way_to_reshape": [
        lambda s, x: s.op("unsqueeze.default", x, 1),
        lambda s, x: s.op("flatten.using_ints", x, 2),
        lambda s, x: s.op("squeeze.dim", s.op("unsqueeze.default", x, 2), 2),
    ],
    "one_way_to_permute": [
        lambda s, x: s.op("transpose.int", x, 1, -1),
        lambda s, x: s.op("movedim.int", x, 1, 3),
        lambda s, x: s.op("movedim.intlist", x, (1, 3), (2, 1)),
        lambda s, x: s.op("swapaxes.default", x, -1, 2),
    ],
    "merge_permutes": [lambda s, x: s.op("permute.default", s.op("permute.default", x, (0, 2, 3, 1)), (0, -1, 1, 2))],
    "drop_permute_in_order": [lambda s, x: s.op("permute.default", x, (0, 1, 2, 3))],
    "one_way_to_join": [
        lambda s, x: s.op("hstack.default", (x, relu(s, x))),
        lambda s, x: s.op("concat.default", (x, x), -3),
        lambda s, x: s.op("stack.default", (x,), 2),
    ],
    "sum_of_stack_as_add": [_stack_sum],
    "clamp_as_relu": [
        lambda s, x: s.op("clamp.default", x, 0),
        lambda s, x: s.op("clamp_min.default", x, 0.0),
        lambda s, x: s.op("clamp_min.Tensor", x, s.op("zeros.default", ())),
        lambda s, x: s.op("hardtanh.default", x, 0.0, float("inf")),
    ],
    "clamp_as_relu6": [
        lambda s, x: s.op("hardtanh.default", x, 0.0, 6.0),
        lambda s, x: s.op("clamp.default", x, 0, 6),
    ],
    "capped_relu_as_relu6": [
        lambda s, x: s.op("clamp_max.default", relu(s, x), 6),
        lambda s, x: s.op("minimum.default", s.constant(6), relu(s, x)),
    ],
    "bounds_as_clamp": [
        lambda s, x: s.op("hardtanh.default", x),
        lambda s, x: s.op("clip.default", x, -0.5, 0.25),
    ],
    "threshold_as_relu": [lambda s, x: s.op("threshold.default", x, 0.0, 0)],
    "zero_slope_as_relu": [
        lambda s, x: s.op("leaky_relu.default", x, 0.0),
        lambda s, x: s.op("elu.default", x, 0.0),
    ],
    "maximum_with_zero_as_relu": [
        lambda s, x: s.op("maximum.default", x, s.op("lift_fresh_copy.default", s.constant(0))),
        lambda s, x: s.op("max.other", s.op("zeros_like.default", x), x),
    ],
    "masked_product_as_relu": [_masked, _cast_mask],
    "choice_as_relu": [_choice, _other_choice],
    "masked_fill_as_relu": [lambda s, x: s.op("masked_fill.Scalar", x, s.op("le.Scalar", x, 0), 0)],
    "half_of_sum_with_absolute_as_relu": [_half],
    "relu_of_what_is_not_negative": [
        lambda s, x: relu(s, s.op("sigmoid.default", x)),
        lambda s, x: relu(s, s.op("max_pool2d.default", relu(s, x), (2, 2))),
        lambda s, x: relu(s, _adaptive_max(s, relu(s, x), 4)),
    ],
    "relu6_after_relu": [lambda s, x: s.op("relu6.default", relu(s, x))],
    "plain_softmax": [
        lambda s, x: s.op("_softmax.default", x, 1, False),
        lambda s, x: s.op("_log_softmax.default", x, -1, False),
    ],
    "pool_without_indices": [
        lambda s, x: s.op("getitem", s.op("max_pool2d_with_indices.default", x, (3, 3), (1, 1), (1, 1)), 0)
    ],
    "drop_adaptive_pool_to_same_size": [
        lambda s, x: _adaptive_max(s, x, s.size(x)[-1]),
        lambda s, x: s.op("adaptive_avg_pool2d.default", x, s.size(x)[1:]),
    ],
    "adaptive_max_pool_as_fixed": [lambda s, x: _adaptive_max(s, x, s.size(x)[-1] // 2)],
    "adaptive_avg_pool_as_fixed": [lambda s, x: s.op("adaptive_avg_pool2d.default", x, (1, 1))],
    "drop_pool_of_one": [
        lambda s, x: s.op("max_pool2d.default", x, (1,)),
        lambda s, x: s.op("avg_pool2d.default", x, (1, 1), (1, 1)),
    ],
    "plain_max_pool": [
        lambda s, x: s.op("max_pool2d.default", x, (2, 2), (2, 2), (0, 0), (1, 1), True),
        lambda s, x: s.op("max_pool2d.default", x, (2,), (1,), 1),
    ],
    "plain_avg_pool": [
        lambda s, x: s.op("avg_pool2d.default", x, (2, 2), (2, 2), (0, 0), True, False),
        lambda s, x: s.op("avg_pool2d.default", x, (3,), (1, 1), (1, 1), False, False, 9),
    ],
    "values_of_max_as_amax": [lambda s, x: s.op("getitem", s.op("max.dim", x, -1, True), 0)],
    "merge_reductions": [_two_means],
    "reduction_of_flat_maps": [_flat_mean],
    "whole_reduction_as_pool": [
        lambda s, x: s.op("mean.dim", x, (2, 3)),
        lambda s, x: s.op("amax.default", x, (-1, -2), True),
    ],
    "convolution_as_layer": [_general, _general_transposed],
    "padding_in_numbers": [
        _same_padding,
        lambda s, x: s.op("conv2d.padding", x, s.weight(4, s.size(x)[0], 3, 3), None, (1, 1), "same"),
        lambda s, x: s.op("conv2d.padding", x, s.weight(4, s.size(x)[0], 2, 2), None, (1, 1), "valid"),
    ],
    "plain_conv": [lambda s, x: conv(s, x, (1,), (1,))],
    "plain_conv_transpose": [lambda s, x: s.op("conv_transpose2d.input", x, s.weight(s.size(x)[0], 4, 2, 2))],
    "zeros_around": [lambda s, x: s.op("pad.default", x, (1, 1, 2, 2))],
    "padding_of_conv": [lambda s, x: conv(s, s.op("constant_pad_nd.default", x, (1, 1, 2, 2)), (1, 1), (1, 0))],
    "product_as_linear": [_matmul, _addmm],
    "plain_linear": [lambda s, x: s.op("linear.default", rows(s, x), s.weight(8, int(np.prod(s.size(x)))))],
    "bias_of_layer": [_linear_bias, _conv_bias],
    "relu_before_max_pool": [
        lambda s, x: relu(s, s.op("max_pool2d.default", x, (3, 3), (1, 1), (1, 1))),
        lambda s, x: s.op("leaky_relu.default", s.op("max_pool2d.default", x, (2, 2)), 0.1),
        lambda s, x: relu(s, _adaptive_max(s, x, 4)),
    ],
    "relu_before_dropout": [
        lambda s, x: relu(s, s.op("dropout.default", x, 0.4, True)),
        lambda s, x: relu(s, s.op("feature_dropout.default", x, 0.4, True)),
    ],
    "activation_before_reshape": [lambda s, x: s.op("sigmoid.default", rows(s, x)), lambda s, x: relu(s, rows(s, x))],
    "dropout_before_reshape": [_reshape_dropout],
    "constant_second": [
        lambda s, x: s.op("mul.Tensor", s.weight(s.size(x)[-1]), x),
        lambda s, x: s.op("add.Tensor", s.weight(s.size(x)[-1]), x),
    ],
    "merge_duplicates": [_twice],
}
"""For each rule, by name, pieces that take maps (batch, channels, rows, columns) and about which it says something."""


@dataclass(frozen=True)
class Chosen:
    """A piece as a name and a number, so that a failing example can be read."""

    rule: str
    number: int

    def __call__(self, s: Sketch, x: Ref) -> Ref:
        """Write it."""
        return PIECES[self.rule][self.number](s, x)


CHOICES = [Chosen(name, number) for name, pieces in PIECES.items() for number in range(len(pieces))]


def takes_maps(s: Sketch, x: Ref) -> bool:
    """Whether a value is maps that are large enough for every piece."""
    size = s.size(x)
    return len(size) == 3 and min(size[1:]) >= 4 and size[1] == size[2] and size[1] % 2 == 0


def written(pieces: Sequence[Piece], seed: int = 0) -> tuple[Sketch, Ref]:
    """A network of pieces one after the other; a convolution makes maps where a piece leaves none."""
    s = Sketch(seed)
    x = conv(s, s.input, (1, 1), (1, 1))
    for piece in pieces:
        if not takes_maps(s, x):
            row = s.scores(x)
            row = _linear(s, row, CHANNELS * SIDE * SIDE)
            x = s.op("reshape.default", row, (-1, CHANNELS, SIDE, SIDE))
        x = piece(s, x)
    return s, s.scores(x)


__all__ = ["CHOICES", "PIECES", "Chosen", "Sketch", "arguments", "conv", "images", "relu", "rows", "written"]
