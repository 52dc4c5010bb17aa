"""Stages: what a network does, one operation of the textbook each, with a short notation.

A specification is a few lines, such as

    specification(["conv 30 5x5", "relu", "max_pool 2x2", "dropout 0.2", "flatten", "linear 10"])

    conv 16 3x3 stride 2 padding 1 dilation 2 groups 4 no_bias      also conv1d, conv3d, conv_transpose
    max_pool 2x2 stride 1 padding 1 dilation 1 ceil                 avg_pool; the stride is the kernel if not given
    linear 10 no_bias        dropout 0.2        dropout 0.2 maps (whole maps at once)        leaky_relu 0.01
    relu, sigmoid, batch_norm, flatten, softmax ...                 words without numbers
    add, mul, maximum, cat, cat axis 2                              where branches come together (see `structure`)
    linear 10 shared                                                uses the weights of an earlier layer once more
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[int, ...]

DIMENSIONS: Mapping[str, int] = {
    "conv": 2,
    "conv1d": 1,
    "conv3d": 3,
    "conv_transpose": 2,
    "conv_transpose1d": 1,
    "conv_transpose3d": 3,
    "max_pool": 2,
    "max_pool1d": 1,
    "max_pool3d": 3,
    "avg_pool": 2,
    "avg_pool1d": 1,
    "avg_pool3d": 3,
}
"""Kinds with a kernel -> number of its dimensions."""

_ACTIVATIONS = """
relu relu6 leaky_relu elu celu selu gelu silu mish hardtanh hardswish hardsigmoid hardshrink softshrink threshold prelu
rrelu glu logit sigmoid tanh log_sigmoid softplus softmax log_softmax clamp
"""
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
_NUMBERED: Mapping[str, tuple[str, type]] = {
    "linear": ("out", int),
    "dropout": ("rate", float),
    "alpha_dropout": ("rate", float),
    "leaky_relu": ("slope", float),
    "group_norm": ("groups", int),
}
_WORD = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Stage:
    """One stage of a network.

    Attributes:
        kind: "conv", "relu", "max_pool", "dropout", "flatten", "linear", "add" ... or the name of an op.
        params: What it is made with, normalised. conv: out, kernel, stride, padding, dilation, groups, bias;
            pools: kernel, stride, padding, dilation, ceil; linear: out, bias; dropout: rate, maps; cat: axis, with
            the batch as axis 0, where it is not 1. `shared` is True where weights of an earlier layer are used.
        node: Name of the graph's node; "" in a specification.
        module: Qualified name of the student's submodule; "" where it was called as a function.
        shape_in: Shape of one item before it, where known.
        shape_out: Shape of one item after it, where known.
    """

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    node: str = ""
    module: str = ""
    shape_in: Shape | None = None
    shape_out: Shape | None = None

    @property
    def text(self) -> str:
        """The stage in the short notation."""
        return " ".join([self.kind, *_words(self)])

    def same_as(self, other: "Stage") -> bool:
        """Whether both compute the same, wherever they come from."""
        return self.kind == other.kind and dict(self.params) == dict(other.params)


def by(sizes: Sequence[int]) -> str:
    """Sizes joined as "5x5"."""
    return "x".join(map(str, sizes))


def conv(kind: str, out: int, kernel: Shape, **given: Any) -> Stage:
    """A convolution; what is not given is as in PyTorch."""
    n = DIMENSIONS[kind]
    usual = {"stride": (1,) * n, "padding": (0,) * n, "dilation": (1,) * n, "groups": 1, "bias": True}
    return Stage(kind, {"out": out, "kernel": kernel, **usual, **given})


def pool(kind: str, kernel: Shape, **given: Any) -> Stage:
    """A pooling; what is not given is as in PyTorch."""
    n = DIMENSIONS[kind]
    usual = {"stride": kernel, "padding": (0,) * n, "dilation": (1,) * n, "ceil": False}
    return Stage(kind, {"kernel": kernel, **usual, **given})


def _words(stage: Stage) -> Iterator[str]:
    """The words after the kind."""
    params, n = stage.params, DIMENSIONS.get(stage.kind)
    if n:
        if "out" in params:
            yield str(params["out"])
        yield by(params["kernel"])
        usual = conv(stage.kind, 1, params["kernel"]) if "out" in params else pool(stage.kind, params["kernel"])
        for name in ("stride", "padding", "dilation", "groups"):
            if name in params and params[name] != usual.params[name]:
                yield name
                yield by(params[name]) if isinstance(params[name], tuple) else str(params[name])
    elif stage.kind in _NUMBERED:
        yield str(params[_NUMBERED[stage.kind][0]])
    if params.get("maps"):
        yield "maps"
    if params.get("ceil"):
        yield "ceil"
    if params.get("bias") is False:
        yield "no_bias"
    if "axis" in params:
        yield f"axis {params['axis']}"
    if params.get("shared"):
        yield "shared"


def stage(text: str) -> Stage:
    """Parse one stage in the short notation.

    Raises:
        ValueError: it is not in the notation; the message says what is wrong.
    """
    kind, *words = text.split() or [""]
    if not _WORD.fullmatch(kind):
        raise ValueError(f"{text!r} does not begin with the name of a stage")
    try:
        if kind in DIMENSIONS:
            found = _kernel_stage(kind, words)
        elif kind in _NUMBERED:
            found = _numbered_stage(kind, words)
        else:
            found = Stage(kind, _axis(words) if kind == "cat" else {})
        if "out" in found.params and _flag(words, "shared"):
            found = replace(found, params={**found.params, "shared": True})
    except (IndexError, ValueError) as error:
        raise ValueError(f"{text!r} is not in the notation of stages: {error}") from error
    if words:
        raise ValueError(f"{text!r}: {' '.join(words)!r} means nothing here")
    return found


def _kernel_stage(kind: str, words: list[str]) -> Stage:
    """Take the words of a convolution or a pooling from the front of the list."""
    dims, is_conv = DIMENSIONS[kind], kind.startswith("conv")
    out = int(words.pop(0)) if is_conv else 0
    kernel = _sizes(words.pop(0), dims)
    given: dict[str, Any] = {}
    while words and words[0] in ("stride", "padding", "dilation", "groups"):
        name = words.pop(0)
        given[name] = int(words.pop(0)) if name == "groups" else _sizes(words.pop(0), dims)
    if not is_conv:
        return pool(kind, kernel, **given, ceil=_flag(words, "ceil"))
    return conv(kind, out, kernel, **given, bias=not _flag(words, "no_bias"))


def _numbered_stage(kind: str, words: list[str]) -> Stage:
    name, number = _NUMBERED[kind]
    params: dict[str, Any] = {name: number(words.pop(0))}
    if kind == "linear":
        params["bias"] = not _flag(words, "no_bias")
    if kind.endswith("dropout"):
        params["maps"] = _flag(words, "maps")
    return Stage(kind, params)


def _flag(words: list[str], word: str) -> bool:
    if words and words[0] == word:
        words.pop(0)
        return True
    return False


def _sizes(word: str, dims: int) -> Shape:
    sizes = tuple(int(part) for part in word.split("x"))
    if len(sizes) not in (1, dims):
        raise ValueError(f"{word} has {len(sizes)} sizes, {dims} are needed")
    return sizes if len(sizes) == dims else sizes * dims


def _axis(words: list[str]) -> dict[str, Any]:
    return {"axis": int(words.pop(0))} if _flag(words, "axis") else {}


def shape_after(one: Stage, shape: Shape) -> Shape | None:
    """The shape of one item after a stage; None where it does not fit or is not known."""
    if one.kind in DIMENSIONS and not one.kind.startswith("conv_transpose"):
        if len(shape) != DIMENSIONS[one.kind] + 1:
            return None
        sizes = tuple(window(size, one.params, axis) for axis, size in enumerate(shape[1:]))
        return (one.params.get("out", shape[0]), *sizes) if min(sizes) > 0 else None
    if one.kind == "flatten":
        total = 1
        for size in shape:
            total *= size
        return (total,)
    if one.kind == "linear":
        return (*shape[:-1], one.params["out"])
    if one.kind in ACTIVATIONS or one.kind.endswith(("dropout", "_norm")):
        return shape
    return None


def window(size: int, params: Mapping[str, Any], axis: int) -> int:
    """Output size of a convolution or pooling along one axis.

    Source: the formula in the documentation of `torch.nn.Conv2d` and `torch.nn.MaxPool2d`.
    """
    kernel, stride = params["kernel"][axis], params["stride"][axis]
    padding, dilation = params["padding"][axis], params["dilation"][axis]
    room: int = size + 2 * padding - dilation * (kernel - 1) - 1
    steps: int = -(-room // stride) if params.get("ceil") else room // stride
    # With rounding up, a last window that would begin in the right padding is left out.
    return steps if params.get("ceil") and steps * stride >= size + padding else steps + 1
