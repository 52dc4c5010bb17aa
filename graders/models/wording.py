"""Stages in words."""

from collections.abc import Mapping
from typing import Any

from graders.models.notation import ACTIVATIONS, DIMENSIONS, Stage, by

_NAMES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "elu": "ELU",
    "celu": "CELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "prelu": "PReLU",
    "max_pool": "max pooling",
    "avg_pool": "average pooling",
    "batch_norm": "batch normalisation",
    "layer_norm": "layer normalisation",
    "flatten": "flattening",
    "dropout": "dropout",
    "log_softmax": "log-softmax",
    "add_constant": "addition of a constant",
    "sub_constant": "subtraction of a constant",
    "rsub_constant": "subtraction from a constant",
    "mul_constant": "multiplication by a constant",
    "div_constant": "division by a constant",
    "maximum_constant": "maximum with a constant",
    "minimum_constant": "minimum with a constant",
    "constant_pad_nd": "padding",
    "detach": "detaching (detach), which lets no gradient through",
    "reshape": "reshaping",
    "add": "sum of the branches",
    "sub": "difference of the branches",
    "mul": "product of the branches",
    "div": "quotient of the branches",
    "cat": "concatenation of the branches",
    "stack": "stack of the branches",
    "maximum": "maximum of the branches",
    "minimum": "minimum of the branches",
    "matmul": "matrix product of the branches",
}
_MERGED = {
    "add": "added up (+)",
    "sub": "subtracted (-)",
    "mul": "multiplied (*)",
    "div": "divided (/)",
    "stack": "stacked (stack)",
    "maximum": "reduced to the larger numbers (maximum)",
    "minimum": "reduced to the smaller numbers (minimum)",
    "matmul": "multiplied as matrices (matmul)",
}
AXES: Mapping[int, str] = {0: "the batch", 1: "the channels", 2: "the rows", 3: "the columns"}
"""What lies along an axis of a batch of pictures."""
_SHORT = {
    "max_pool": "max pool",
    "avg_pool": "avg pool",
    "batch_norm": "batch norm",
    "flatten": "flatten",
    "add": "+ sum",
    "sub": "− difference",
    "mul": "× product",
    "div": "÷ quotient",
    "cat": "⧺ concatenate",
}


def words(one: Stage) -> str:
    """A stage in words without an article: "max pooling 2x2", "convolution with 15 maps, 3x3"."""
    params = one.params
    if one.kind.startswith("conv") and "out" in params:
        name = "transposed convolution" if "transpose" in one.kind else "convolution"
        return f"{name} with {params['out']} maps, {by(params['kernel'])}{unusual(one)}"
    if one.kind == "linear":
        return f"linear layer with {params['out']} outputs{_flags(params)}"
    if one.kind.endswith("dropout"):
        return f"{_plain(one)} with rate {params['rate']:g}"
    if one.kind == "cat" and "axis" in params:
        return f"{_plain(one)} along {axis(one)}"
    return f"{_plain(one)} {by(params['kernel'])}{unusual(one)}" if one.kind in DIMENSIONS else _plain(one)


def _plain(one: Stage) -> str:
    """The name of what a stage is, without its parameters."""
    if one.params.get("maps"):
        return "dropout of whole maps"
    name = one.kind.rstrip("0123456789d") if "pool" in one.kind else one.kind
    return _NAMES.get(name, name.replace("_", " ").replace("relu", "ReLU"))


def _flags(params: Mapping[str, Any]) -> str:
    bias = "" if params.get("bias", True) else " without bias"
    return f"{bias}, with the weights of an earlier layer" if params.get("shared") else bias


def unusual(one: Stage) -> str:
    """What of a convolution or pooling is not as usual, after a comma each: ", stride 2, padding 1"."""
    params = one.params
    usual = {"stride": params["kernel"] if "pool" in one.kind else 1, "padding": 0, "dilation": 1, "groups": 1}
    parts = [
        f"{name} {size(params[name])}"
        for name, value in usual.items()
        if name in params and size(params[name]) != size(value)
    ]
    parts += ["without bias"] if params.get("bias") is False else []
    parts += ["rounding up"] if params.get("ceil") else []
    parts += ["with the weights of an earlier layer"] if params.get("shared") else []
    return "".join(f", {part}" for part in parts)


def size(value: Any) -> str:
    """A size as people write it: one number where both are the same."""
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if len(set(value)) == 1 else by(value)


def axis(one: Stage) -> str:
    """What a concatenation goes along: "the channels (dim=1)"."""
    number = one.params.get("axis", 1)
    return f"{AXES[number]} (dim={number})" if number in AXES else f"dim={number}"


def article(one: Stage) -> str:
    """A stage in words with the article it needs: "a ReLU", "max pooling 2x2"."""
    text = words(one)
    if text.endswith("of the branches") or "of the branches " in text:
        return f"the {text}"
    countable = one.kind.startswith("conv") or one.kind == "linear" or one.kind in ACTIVATIONS
    if not countable or "softmax" in one.kind:
        return text
    return f"{'an' if text[0] in 'aeiouAEIO' or text.startswith('SELU') else 'a'} {text}"


def label(one: Stage) -> str:
    """A stage in as few words as a drawing has room for: "conv 15 maps 3x3", "max pool 2x2", "linear 128"."""
    params = one.params
    if one.kind.startswith("conv") and "out" in params:
        return f"{one.kind.replace('_', ' ')} {params['out']} maps {by(params['kernel'])}{unusual(one)}"
    if one.kind == "linear":
        return f"linear {params['out']}{_flags(params)}"
    if one.kind.endswith("dropout"):
        return f"{one.kind.replace('_', ' ')} {params['rate']:g}{' whole maps' if params['maps'] else ''}"
    if one.kind == "cat" and "axis" in params:
        return f"{_SHORT['cat']} dim={params['axis']}"
    name = _SHORT.get(one.kind, _plain(one).removesuffix(" of the branches"))
    return f"{name} {by(params['kernel'])}{unusual(one)}" if one.kind in DIMENSIONS else name


def inside(one: Stage) -> str:
    """What stands in brackets behind the name of a layer: "15 maps, 3x3"."""
    if one.kind.startswith("conv") and "out" in one.params:
        return f"{one.params['out']} maps, {by(one.params['kernel'])}{unusual(one)}"
    return f"{one.params['out']} outputs" if one.kind == "linear" else words(one)


def merged(merge: Stage) -> str:
    """What a merge does to its branches, after "they are": "added up (+)"."""
    if merge.kind == "cat":
        return f"joined along {axis(merge)} with cat"
    return _MERGED.get(merge.kind, f"joined ({merge.kind.replace('_', ' ')})")


def listed(parts: list[str], last: str = "and") -> str:
    """Several things in one sentence: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
