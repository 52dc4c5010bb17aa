"""What one node of a graph is, as its author wrote it.

Unlike in the canonical form nothing is put into another order, joined or left out, and any graph that runs has its
stages: facts are about the network that was handed in.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graders.models.graph import Node, Ref, TensorRef
from graders.models.network import Network
from graders.models.notation import Shape, Stage, conv, pool
from graders.models.ops import ATEN, arguments


@dataclass(frozen=True)
class _Seen:
    """A node with its arguments by name and the shapes, batch included, before and after it."""

    network: Network
    node: Node
    args: Mapping[str, Any]
    before: Shape
    after: Shape

    def shape(self, name: str) -> Shape:
        """Shape of an argument that is a tensor; () for anything else."""
        value = self.args[name]
        if isinstance(value, Ref):
            return self.network.shapes.get(value.name, ())
        return self.network.weight_shape(value.key) if isinstance(value, TensorRef) else ()


def describe(network: Network, node: Node, data: tuple[str, ...]) -> Stage | None:
    """A node as a stage; None for one that leaves its data as they are.

    Args:
        network: The network.
        node: One that data passes.
        data: Names of the nodes whose data it reads, at least one.
    """
    base = node.base.rstrip("_")
    if node.op not in ATEN or base in _SAME:
        return None
    before, after = network.shapes.get(data[0], ()), network.shapes.get(node.name, ())
    handler = _HANDLERS.get(base)
    found = handler(_Seen(network, node, arguments(node), before, after)) if handler else Stage(base)
    return (
        None
        if found is None
        else replace(found, node=node.name, module=node.module, shape_in=before[1:], shape_out=after[1:])
    )


def _sizes(value: Any, dims: int) -> Shape:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * dims if len(values) == 1 else values


def _conv(seen: _Seen) -> Stage:
    args, weight = seen.args, seen.shape("weight")
    dims = len(weight) - 2
    turned = "transpose" in seen.node.base or args.get("transposed") is True
    kind = ("conv_transpose" if turned else "conv") + ("" if dims == 2 else f"{dims}d")
    dilation, kernel, padding = _sizes(args["dilation"], dims), weight[2:], args["padding"]
    if isinstance(padding, str):
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if padding == "same" and any(span % 2 for span in spans):
            return Stage(f"{kind}_same")
        padding = tuple(span // 2 if padding == "same" else 0 for span in spans)
    given = {
        "stride": _sizes(args["stride"], dims),
        "padding": _sizes(padding, dims),
        "dilation": dilation,
        "groups": args["groups"],
        "bias": args["bias"] is not None,
    }
    return conv(kind, weight[1] * args["groups"] if turned else weight[0], kernel, **given)


def _pool(seen: _Seen) -> Stage:
    args, base = seen.args, seen.node.base.removesuffix("_with_indices")
    dims = int(base[-2])
    kernel = _sizes(args["kernel_size"], dims)
    given = {
        "stride": _sizes(args["stride"] or kernel, dims),
        "padding": _sizes(args["padding"], dims),
        "dilation": _sizes(args.get("dilation", 1), dims),
    }
    return pool(base.removesuffix("2d"), kernel, **given, ceil=bool(args["ceil_mode"]))


def _adaptive_pool(seen: _Seen) -> Stage:
    """A pooling known by its output: a plain one where the sizes divide."""
    base = seen.node.base.lstrip("_")
    dims, kind = int(base[-2]), base.removeprefix("adaptive_").removesuffix("2d")
    sizes, wanted = seen.before[-dims:], seen.after[-dims:]
    if len(sizes) != dims or len(wanted) != dims:
        return Stage(base)
    if any(0 in (size, out) or size % out for size, out in zip(sizes, wanted, strict=True)):
        return Stage(base)
    return pool(kind, tuple(size // out for size, out in zip(sizes, wanted, strict=True)))


def _whole_pool(seen: _Seen) -> Stage:
    """A mean or maximum over all of the picture is a pooling of the whole."""
    count = len(seen.before)
    axes = sorted(axis % count for axis in _sizes(seen.args.get("dim", ()) or (), 1)) if count else []
    if count not in (3, 4, 5) or axes != list(range(2, count)):
        return Stage(seen.node.base)
    kind = {"mean": "avg_pool", "amax": "max_pool"}[seen.node.base]
    return pool(kind + ("" if count == 4 else f"{count - 2}d"), seen.before[2:])


def _dropout(seen: _Seen) -> Stage:
    base = seen.node.base.rstrip("_")
    rate = round(float(seen.args["p"]), 6)
    return Stage("alpha_dropout" if "alpha" in base else "dropout", {"rate": rate, "maps": "feature" in base})


def _linear(seen: _Seen) -> Stage:
    return Stage("linear", {"out": (seen.after or (0,))[-1], "bias": seen.args["bias"] is not None})


def _reshape(seen: _Seen) -> Stage | None:
    if seen.before == seen.after:
        return None
    flat = len(seen.after) == 2 and seen.after[:1] == seen.before[:1]
    return Stage("flatten" if flat else "reshape")


def _clamp(seen: _Seen) -> Stage:
    low, high = seen.args.get("min", seen.args.get("min_val")), seen.args.get("max", seen.args.get("max_val"))
    return Stage("relu" if low == 0 and high in (None, math.inf) else "clamp")


def _leaky(seen: _Seen) -> Stage:
    slope = round(float(seen.args["negative_slope"]), 6)
    return Stage("leaky_relu", {"slope": slope}) if slope else Stage("relu")


def _threshold(seen: _Seen) -> Stage:
    return Stage("relu" if seen.args["threshold"] == 0 == seen.args["value"] else "threshold")


def _norm(seen: _Seen) -> Stage:
    return Stage("group_norm", {"groups": seen.args["num_groups"]})


_SAME = frozenset({"contiguous", "clone", "detach", "alias", "lift_fresh_copy", "to", "_to_copy", "type_as"})
_HANDLERS: Mapping[str, Callable[[_Seen], Stage | None]] = {
    "convolution": _conv,
    **{f"conv{n}d": _conv for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv for n in (1, 2, 3)},
    **{f"{kind}_pool{n}d": _pool for kind in ("max", "avg") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _pool for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": _adaptive_pool for kind in ("max", "avg") for n in (1, 2, 3)},
    "_adaptive_avg_pool2d": _adaptive_pool,
    **dict.fromkeys(("mean", "amax"), _whole_pool),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    "linear": _linear,
    **dict.fromkeys(
        ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"),
        _reshape,
    ),
    **dict.fromkeys(("clamp", "clamp_min", "clip", "hardtanh"), _clamp),
    "leaky_relu": _leaky,
    "threshold": _threshold,
    "group_norm": _norm,
}
