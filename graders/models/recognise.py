"""From one node of a graph to the stages that it is: the many ways to write the same thing become one."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graders.models.graph import Node, Ref, TensorRef
from graders.models.network import Network
from graders.models.notation import Shape, Stage, conv, pool, window
from graders.models.ops import ATEN, arguments


@dataclass(frozen=True)
class Seen:
    """A node with what is known of it.

    Attributes:
        args: Arguments by name, references left as they are.
        before: Shape of the data that it reads first, with the batch; None where that is a list.
        after: Shape of its value, with the batch.
        data: Names of the nodes whose data it reads.
    """

    network: Network
    node: Node
    args: Mapping[str, Any]
    before: Shape | None
    after: Shape | None
    data: tuple[str, ...]

    def shape(self, value: Any) -> Shape:
        """Shape of an argument that is a tensor; () for a number."""
        if isinstance(value, Ref):
            return self.network.shapes.get(value.name, ())
        return self.network.weight_shape(value.key) if isinstance(value, TensorRef) else ()


def stages_of(network: Network, node: Node, data: tuple[str, ...]) -> tuple[Stage, ...]:
    """What a node does to its data; nothing for a node that leaves it as it is."""
    if node.op not in ATEN:
        return ()
    before, after = network.shapes.get(data[0]), network.shapes.get(node.name)
    seen = Seen(network, node, arguments(node), before, after, data)
    kind = _ALIASES.get(node.base.rstrip("_"), node.base.rstrip("_"))
    handler = _HANDLERS.get(kind)
    found = handler(seen) if handler else (Stage(kind),)
    shape_in, shape_out = item(before), item(after)
    named = [replace(one, node=node.name, module=node.module, shape_in=shape_in, shape_out=shape_out) for one in found]
    if len(named) == 2:
        # A whole-picture pooling, then a flattening.
        between = (*(shape_in or ())[:1], *(1 for _ in (shape_in or ())[1:]))
        named = [replace(named[0], shape_out=between), replace(named[1], shape_in=between)]
    return tuple(named)


def item(shape: Shape | None) -> Shape | None:
    """The shape of one image's part of a batch."""
    return None if shape is None else shape[1:]


def _tuple(value: Any, dims: int) -> Shape:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * dims if len(values) == 1 else values


def _conv(seen: Seen) -> tuple[Stage, ...]:
    args, weight = seen.args, seen.shape(seen.args["weight"])
    dims = len(weight) - 2
    transposed = "transpose" in seen.node.base or args.get("transposed") is True
    kind = ("conv_transpose" if transposed else "conv") + ("" if dims == 2 else f"{dims}d")
    dilation, kernel = _tuple(args["dilation"], dims), weight[2:]
    padding = args["padding"]
    if isinstance(padding, str):
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if padding == "same" and any(span % 2 for span in spans):
            return (Stage(f"{kind}_same"),)
        padding = tuple(span // 2 if padding == "same" else 0 for span in spans)
    groups = args["groups"]
    given = {
        "stride": _tuple(args["stride"], dims),
        "padding": _tuple(padding, dims),
        "dilation": dilation,
        "groups": groups,
        "bias": args["bias"] is not None,
    }
    return (conv(kind, weight[1] * groups if transposed else weight[0], kernel, **given),)


def _pool(seen: Seen) -> tuple[Stage, ...]:
    args, base = seen.args, seen.node.base.removesuffix("_with_indices")
    dims = int(base[-2])
    kind = base.removesuffix("2d")
    kernel = _tuple(args["kernel_size"], dims)
    params = {
        "stride": _tuple(args["stride"] or kernel, dims),
        "padding": _tuple(args["padding"], dims),
        "dilation": _tuple(args.get("dilation", 1), dims),
    }
    sizes = (seen.before or ())[-dims:]
    ceil = bool(args["ceil_mode"])
    if ceil and len(sizes) == dims:
        # Where the windows fit, rounding up or down is the same.
        plain = {"kernel": kernel, **params}
        both = [[window(size, {**plain, "ceil": up}, axis) for axis, size in enumerate(sizes)] for up in (False, True)]
        ceil = both[0] != both[1]
    if all(size == 1 for size in (*kernel, *params["stride"])):
        return ()
    return (pool(kind, kernel, **params, ceil=ceil),)


def _adaptive_pool(seen: Seen) -> tuple[Stage, ...]:
    base = seen.node.base.lstrip("_")
    dims = int(base[-2])
    kind = base.removeprefix("adaptive_").removesuffix("2d")
    return _pool_to(seen, kind, dims, _tuple(seen.args["output_size"], dims))


def _pool_to(seen: Seen, kind: str, dims: int, output: Shape) -> tuple[Stage, ...]:
    """A pooling known by its output: a plain one where the sizes divide."""
    sizes = (seen.before or ())[-dims:]
    if sizes == output:
        return ()
    if len(sizes) != dims or any(0 in (size, out) or size % out for size, out in zip(sizes, output, strict=True)):
        return (Stage(f"adaptive_{kind}"),)
    return (pool(kind, tuple(size // out for size, out in zip(sizes, output, strict=True))),)


def _whole_pool(seen: Seen) -> tuple[Stage, ...]:
    """A mean or maximum over all of the picture is a pooling of the whole."""
    name = {"mean": "avg_pool", "amax": "max_pool"}[seen.node.base]
    if seen.node.op == "aten.mean.default" or not seen.before or len(seen.before) not in (3, 4, 5):
        return (Stage(seen.node.base),)
    count = len(seen.before)
    axes = sorted(axis % count for axis in _tuple(seen.args["dim"] or (), 1))
    if axes != list(range(2, count)):
        return (Stage(seen.node.base),)
    kind = name + ("" if count == 4 else f"{count - 2}d")
    found = _pool_to(seen, kind, count - 2, (1,) * (count - 2))
    return found if seen.args["keepdim"] else (*found, Stage("flatten"))


def _dropout(seen: Seen) -> tuple[Stage, ...]:
    rate, base = round(float(seen.args["p"]), 6), seen.node.base.rstrip("_")
    if rate == 0 or (seen.network.mode == "train" and not seen.args["train"]):
        return ()
    return (Stage("alpha_dropout" if "alpha" in base else "dropout", {"rate": rate, "maps": "feature" in base}),)


def _linear(seen: Seen) -> tuple[Stage, ...]:
    base, out = seen.node.base, (seen.after or (0,))[-1]
    matrix = {"linear": "weight", "addmm": "mat2", "matmul": "other", "mm": "mat2"}[base]
    weight = seen.args[matrix]
    if len(seen.data) > 1 or (isinstance(weight, Ref) and weight.name in seen.data):
        return (Stage("matmul"),)
    return (Stage("linear", {"out": out, "bias": base == "addmm" or seen.args.get("bias") is not None}),)


def _reshape(seen: Seen) -> tuple[Stage, ...]:
    before, after = seen.before, seen.after
    if before == after:
        return ()
    if before and after and len(after) == 2 and after[0] == before[0]:
        return (Stage("flatten"),)
    return (Stage("reshape"),)


def _clamp(seen: Seen) -> tuple[Stage, ...]:
    match seen.args.get("min", seen.args.get("min_val")), seen.args.get("max", seen.args.get("max_val")):
        case (0, None | math.inf):
            return (Stage("relu"),)
        case (0, 6):
            return (Stage("relu6"),)
    return (Stage("clamp"),)


def _leaky(seen: Seen) -> tuple[Stage, ...]:
    slope = round(float(seen.args["negative_slope"]), 6)
    return (Stage("leaky_relu", {"slope": slope}) if slope else Stage("relu"),)


def _threshold(seen: Seen) -> tuple[Stage, ...]:
    return (Stage("relu" if seen.args["threshold"] == 0 == seen.args["value"] else "threshold"),)


def _maximum(seen: Seen) -> tuple[Stage, ...]:
    """The larger of a value and zero is a ReLU, however the zero was made."""
    if "other" not in seen.args:
        return (Stage("max"),)
    others = [value for value in seen.args.values() if not (isinstance(value, Ref) and value.name in seen.data)]
    if len(seen.data) == 1 and len(others) == 1 and seen.network.is_zero(others[0]):
        return (Stage("relu"),)
    return (Stage("maximum"),)


def _add(seen: Seen) -> tuple[Stage, ...]:
    """A sum of data, a bias of a layer (joined with it later), or a constant."""
    if len(seen.data) > 1:
        return (Stage("add"),)
    other = seen.args["other"] if seen.args["other"] != Ref(seen.data[0]) else seen.args["self"]
    bias = (
        isinstance(other, TensorRef | Ref) and seen.args["alpha"] == 1 and seen.shape(other) == (seen.after or ())[-1:]
    )
    return (Stage("bias" if bias else "add_constant"),)


def _same(_: Seen) -> tuple[Stage, ...]:
    return ()


def _norm(seen: Seen) -> tuple[Stage, ...]:
    return (Stage("group_norm", {"groups": seen.args["num_groups"]}),)


_ALIASES: Mapping[str, str] = {
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "concat": "cat",
    "hardtanh": "clamp",
    "clip": "clamp",
    "clamp_min": "clamp",
    "max": "maximum",
    "movedim": "permute",
    "transpose": "permute",
    "t": "permute",
    "swapaxes": "permute",
    "rsub": "sub",
}
_Handler = Callable[[Seen], tuple[Stage, ...]]
_HANDLERS: Mapping[str, _Handler] = {
    "convolution": _conv,
    **{f"conv{n}d": _conv for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv for n in (1, 2, 3)},
    **{f"{kind}_pool{n}d": _pool for kind in ("max", "avg") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _pool for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": _adaptive_pool for kind in ("max", "avg") for n in (1, 2, 3)},
    "_adaptive_avg_pool2d": _adaptive_pool,
    **dict.fromkeys(("mean", "amax"), _whole_pool),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **dict.fromkeys(("linear", "addmm", "matmul", "mm"), _linear),
    **dict.fromkeys(
        ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"),
        _reshape,
    ),
    **dict.fromkeys(("contiguous", "clone", "detach", "alias", "lift_fresh_copy", "to", "_to_copy", "type_as"), _same),
    "clamp": _clamp,
    "leaky_relu": _leaky,
    "threshold": _threshold,
    "maximum": _maximum,
    "add": _add,
    "group_norm": _norm,
}
