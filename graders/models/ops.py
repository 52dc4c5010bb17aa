"""The whitelist: which ops a student's graph may use, and the checks on their arguments.

An op not named here makes a graph `NOT_EXPORTABLE`. Arguments are checked against the op's own schema: exact kinds,
bounded whole numbers, no devices, generators or layouts of the graph's choosing. Ops that read files, take memory as it
lies, depend on data for their shape, or call back into Python are not here and must never be.
"""

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from graders.errors import EvidenceError
from graders.models.graph import Node, NotExportable, Value

MAX_SIZE = 2**31
MAX_RESULTS = 1024
REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    AssertionError,
    AttributeError,
)
"""What torch raises, on the meta device or the CPU, where an op does not like its arguments."""

_LAYERS = """
conv1d.default conv1d.padding conv2d.default conv2d.padding conv3d.default conv3d.padding convolution.default
conv_transpose1d.default conv_transpose2d.input conv_transpose3d.input
linear.default addmm.default addmv.default matmul.default mm.default mv.default bmm.default baddbmm.default
batch_norm.default instance_norm.default group_norm.default layer_norm.default rms_norm.default
max_pool1d.default max_pool2d.default max_pool3d.default max_pool1d_with_indices.default
max_pool2d_with_indices.default max_pool3d_with_indices.default
avg_pool1d.default avg_pool2d.default avg_pool3d.default
adaptive_avg_pool1d.default adaptive_avg_pool2d.default adaptive_avg_pool3d.default _adaptive_avg_pool2d.default
adaptive_max_pool1d.default adaptive_max_pool2d.default adaptive_max_pool3d.default
dropout.default dropout_.default feature_dropout.default feature_dropout_.default alpha_dropout.default
alpha_dropout_.default feature_alpha_dropout.default feature_alpha_dropout_.default
scaled_dot_product_attention.default
"""
_ACTIVATIONS = """
relu.default relu_.default relu6.default relu6_.default leaky_relu.default leaky_relu_.default elu.default elu_.default
celu.default celu_.default selu.default selu_.default gelu.default silu.default silu_.default mish.default mish_.default
hardtanh.default hardtanh_.default hardswish.default hardswish_.default hardsigmoid.default hardsigmoid_.default
hardshrink.default softshrink.default threshold.default threshold_.default prelu.default rrelu.default rrelu_.default
glu.default logit.default
sigmoid.default sigmoid_.default tanh.default tanh_.default log_sigmoid.default softplus.default
softmax.int log_softmax.int _softmax.default _log_softmax.default
clamp.default clamp_.default clamp.Tensor clamp_.Tensor clamp_min.default clamp_min_.default clamp_min.Tensor
clamp_max.default clamp_max_.default clamp_max.Tensor clip.default clip_.default
"""
_SHAPES = """
flatten.using_ints unflatten.int view.default reshape.default _unsafe_view.default view_as.default reshape_as.default
permute.default transpose.int t.default numpy_T.default movedim.int movedim.intlist swapaxes.default
squeeze.default squeeze.dim squeeze.dims unsqueeze.default cat.default concat.default stack.default
hstack.default vstack.default
expand.default expand_as.default repeat.default tile.default broadcast_to.default
slice.Tensor select.int narrow.default split.Tensor split.sizes split_with_sizes.default chunk.default
unbind.int index_select.default flip.default roll.default
pad.default constant_pad_nd.default reflection_pad1d.default reflection_pad2d.default replication_pad1d.default
replication_pad2d.default
contiguous.default clone.default detach.default detach_.default alias.default lift_fresh_copy.default
to.dtype to.device to.dtype_layout to.other _to_copy.default type_as.default
upsample_nearest1d.vec upsample_nearest2d.vec upsample_nearest2d.default upsample_bilinear2d.vec
upsample_bilinear2d.default upsample_bicubic2d.vec upsample_linear1d.vec pixel_shuffle.default pixel_unshuffle.default
channel_shuffle.default
sym_size.int sym_numel.default
"""
_ARITHMETIC = """
add.Tensor add.Scalar add_.Tensor add_.Scalar sub.Tensor sub.Scalar sub_.Tensor sub_.Scalar rsub.Tensor rsub.Scalar
mul.Tensor mul.Scalar mul_.Tensor mul_.Scalar div.Tensor div.Scalar div_.Tensor div_.Scalar div.Tensor_mode
div.Scalar_mode neg.default neg_.default pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar pow_.Scalar sqrt.default
sqrt_.default rsqrt.default square.default reciprocal.default exp.default exp_.default expm1.default log.default
log_.default log1p.default log2.default abs.default abs_.default sign.default sin.default cos.default erf.default
atan.default floor.default ceil.default round.default maximum.default minimum.default max.other min.other
addcmul.default addcdiv.default lerp.Scalar lerp.Tensor
mean.default mean.dim sum.default sum.dim_IntList amax.default amin.default max.dim min.dim max.default min.default
argmax.default argmin.default prod.dim_int std.dim std.correction var.dim var.correction logsumexp.default
cumsum.default linalg_vector_norm.default norm.ScalarOpt_dim norm.Scalar topk.default
gt.Scalar gt.Tensor ge.Scalar ge.Tensor lt.Scalar lt.Tensor le.Scalar le.Tensor eq.Scalar eq.Tensor ne.Scalar ne.Tensor
logical_and.default logical_or.default logical_not.default where.self where.ScalarOther where.ScalarSelf
where.Scalar masked_fill.Scalar masked_fill.Tensor masked_fill_.Scalar tril.default triu.default
"""
_FACTORIES = """
ones.default zeros.default full.default arange.default arange.start arange.start_step linspace.default eye.default
ones_like.default zeros_like.default full_like.default new_ones.default new_zeros.default new_full.default
scalar_tensor.default fill_.Scalar zero_.default
"""

SHAPE_ONLY = frozenset(
    {"sym_size", "sym_numel", "ones_like", "zeros_like", "full_like", "new_ones", "new_zeros", "new_full"}
    | {"fill_", "zero_"}
)
"""Ops whose value does not depend on the values of what they read, only on its shape."""

RANDOM_SWITCHES: Mapping[str, tuple[str, Any]] = {
    "dropout": ("train", False),
    "dropout_": ("train", False),
    "feature_dropout": ("train", False),
    "feature_dropout_": ("train", False),
    "alpha_dropout": ("train", False),
    "alpha_dropout_": ("train", False),
    "feature_alpha_dropout": ("train", False),
    "feature_alpha_dropout_": ("train", False),
    "rrelu": ("training", False),
    "rrelu_": ("training", False),
    "scaled_dot_product_attention": ("dropout_p", 0.0),
}
"""Ops that draw random numbers: the argument that stops it, and its value."""


@dataclass(frozen=True)
class Op:
    """A whitelisted op of ATen."""

    name: str

    @cached_property
    def target(self) -> Any:
        """The callable op."""
        base, overload = self.name.removeprefix("aten.").split(".")
        return getattr(getattr(torch.ops.aten, base), overload)

    @cached_property
    def parameters(self) -> tuple[tuple[str, str, bool, bool, Any], ...]:
        """Name, kind, keyword-only, has a default, default of each argument, as the op's schema says."""
        return tuple(
            (one.name, str(one.real_type), one.kwarg_only, one.has_default_value(), one.default_value)
            for one in self.target._schema.arguments
        )

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Give every argument its name, defaults included.

        Raises:
            EvidenceError: too many arguments, an unknown or a missing one.
        """
        positional = [name for name, _, keyword, _, _ in self.parameters if not keyword]
        if len(args) > len(positional):
            raise EvidenceError(f"{self.name} takes {len(positional)} arguments; the graph gives {len(args)}")
        found = dict(zip(positional, args, strict=False))
        for name, value in kwargs.items():
            if name in found or all(name != one[0] for one in self.parameters):
                raise EvidenceError(f"{self.name} takes no further argument {name!r}")
            found[name] = value
        for name, _, _, optional, default in self.parameters:
            if name not in found:
                if not optional:
                    raise EvidenceError(f"{self.name}: the argument {name!r} is missing")
                found[name] = tuple(default) if isinstance(default, list) else default
        return found

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any], device: str, *, random: bool) -> Any:
        """Check the arguments and run the op.

        Args:
            args: Values by position, references replaced by what they refer to.
            kwargs: Values by name.
            device: Where new tensors go.
            random: Whether dropout and its like act as the graph says, else they are switched off.

        Raises:
            EvidenceError: an argument of the wrong kind or size.
        """
        values = self.named(args, kwargs)
        if not random and self.base in RANDOM_SWITCHES:
            name, value = RANDOM_SWITCHES[self.base]
            values[name] = value
        given = {*kwargs, *(one[0] for one in self.parameters[: len(args)])}
        ready: dict[str, Any] = {}
        for name, kind, _, optional, _ in self.parameters:
            if "Device" in kind:
                ready[name] = torch.device(device)
            elif name in given or not optional or name in (RANDOM_SWITCHES.get(self.base, ("",))[0],):
                unused = "Layout" if name == "pin_memory" else kind
                checked = _checked(values[name], unused, f"{self.name}: {name}")
                if not (checked is None and "MemoryFormat" in kind):
                    ready[name] = checked
        if _result_count(self.base, ready) > MAX_RESULTS:
            raise EvidenceError(f"{self.name} gives more than the {MAX_RESULTS} values allowed")
        return self.target(**ready)

    @cached_property
    def base(self) -> str:
        """The name without namespace and overload."""
        return self.name.split(".")[1]


def _result_count(base: str, values: Mapping[str, Any]) -> int:
    """How many tensors a splitting op would give: counted beforehand, since each of them takes memory even if empty."""
    if base == "chunk":
        return int(values["chunks"])
    size = values.get("split_size")
    if base == "unbind" or (base == "split" and isinstance(size, int)):
        axis = values.get("dim", 0)
        shape = values["self"].shape
        return int(shape[axis]) // max(1, size or 1) if -len(shape) <= axis < len(shape) else 0
    return 1


def _checked(value: Any, kind: str, where: str) -> Any:
    """Check a value against a kind of an op's schema, such as "List[SymInt]" or "Optional[Tensor]"."""
    if kind.startswith("Optional["):
        return None if value is None else _checked(value, kind[9:-1], where)
    if kind.startswith("List["):
        items = value if isinstance(value, tuple | list) else None
        if items is None and kind[5:-1] in ("int", "SymInt") and type(value) is int:
            items = (value,)
        if items is None:
            raise EvidenceError(f"{where}: a list is expected; found {_described(value)}")
        return [_checked(item, kind[5:-1], where) for item in items]
    if kind in _UNUSED:
        if value not in (None, False):
            raise EvidenceError(f"{where}: must be left to labmark; found {_described(value)}")
        return None
    test = _KINDS.get(kind)
    if test is None or not test(value):
        raise EvidenceError(f"{where}: {kind} is expected; found {_described(value)}")
    return value


def _described(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"{value!r:.60}"


def _whole(value: Any) -> bool:
    return type(value) is int and (abs(value) <= MAX_SIZE or value == sys.maxsize)


def _number(value: Any) -> bool:
    return type(value) in (bool, float) or _whole(value)


_UNUSED = ("Layout", "MemoryFormat", "Generator")
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    # A number may stand where a tensor is expected, as in x + 1.
    "Tensor": lambda value: isinstance(value, torch.Tensor) or _number(value),
    "int": _whole,
    "SymInt": _whole,
    "float": lambda value: type(value) is float or _whole(value),
    "number": _number,
    "bool": lambda value: type(value) is bool,
    "ScalarType": lambda value: isinstance(value, torch.dtype),
    "str": lambda value: type(value) is str and len(value) <= 20,
}

ATEN: Mapping[str, Op] = {
    f"aten.{name}": Op(f"aten.{name}")
    for group in (_LAYERS, _ACTIVATIONS, _SHAPES, _ARITHMETIC, _FACTORIES)
    for name in group.split()
}
PYTHON: Mapping[str, Callable[..., Any]] = {
    f"operator.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg")
}


def check_op(node: Node) -> None:
    """Refuse an op that is not on the whitelist.

    Raises:
        NotExportable: it is not there; the message names it.
    """
    if node.op not in ATEN and node.op not in PYTHON and node.op != "operator.getitem":
        place = f" (in {node.module})" if node.module else ""
        raise NotExportable.because(f"the operation {node.op}{place} is not known to the graders")


def arguments(node: Node) -> dict[str, Value]:
    """A node's arguments by the names of its op's schema, defaults included, references left as they are."""
    return ATEN[node.op].named(node.args, node.kwargs)


def call(node: Node, args: Sequence[Any], kwargs: Mapping[str, Any], device: str, *, random: bool) -> Any:
    """Run a node's op on values.

    Raises:
        EvidenceError: an argument of the wrong kind or size, or the op refuses it.
    """
    try:
        if node.op in ATEN:
            return ATEN[node.op].call(args, kwargs, device, random=random)
        return _python(node, args)
    except REFUSALS as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise EvidenceError(f"the graph cannot be run: {node.name} ({node.op}): {line[:300]}") from error


def _python(node: Node, args: Sequence[Any]) -> Any:
    """Arithmetic on sizes, and items of lists of tensors."""
    if node.op == "operator.getitem":
        if len(args) != 2 or not isinstance(args[0], tuple | list) or type(args[1]) is not int:
            raise EvidenceError(f"{node.name}: only an item of a list of tensors can be taken, by a whole number")
        return args[0][args[1]]
    if not all(_number(value) for value in args):
        raise EvidenceError(f"{node.name}: {node.op} is for numbers only")
    result = PYTHON[node.op](*args)
    if not _number(result):
        raise EvidenceError(f"{node.name}: {node.op} gives {result!r:.40}, which is too large")
    return result
