"""From one node of a graph in normal form to the stage that it is (the rules of `rewriting` make that form)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graders.models.graph import Node, Ref, TensorRef, Value, references
from graders.models.network import Network
from graders.models.notation import Shape, Stage, conv, pool
from graders.models.ops import ATEN, arguments

_LAYERS = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear batch_norm layer_norm group_norm
instance_norm rms_norm prelu
"""
_HIDDEN = """
training train momentum eps cudnn_enabled cudnn_enable use_input_stats dtype implicit normalized_shape
"""
"""Arguments that are no part of what a stage is."""
_FIRST_IS_ENOUGH = ("max", "min", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "topk")


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
    """What a node does to its data; nothing for one that only hands it on."""
    before, after = network.shapes.get(data[0]), network.shapes.get(node.name)
    if node.op not in ATEN:
        return _part(network, node, before, after)
    base = node.base.rstrip("_")
    found = _HANDLERS.get(base, _other)(Seen(network, node, arguments(node), before, after, data))
    return (replace(found, node=node.name, module=node.module, shape_in=item(before), shape_out=item(after)),)


def item(shape: Shape | None) -> Shape | None:
    """The shape of one image's part of a batch."""
    return None if shape is None else shape[1:]


def weights_of(network: Network, node: Node) -> tuple[str, ...]:
    """Keys of what a layer has learnt, biases aside, by the first name of their memory; () for an op that is no layer.

    A layer that normalises without weights is known by its running mean.
    """
    if node.base not in _LAYERS.split():
        return ()
    given = arguments(node)
    wanted = [given["weight"] if given["weight"] is not None else given.get("running_mean")]
    keys: list[str] = []
    while wanted:
        one = wanted.pop()
        if isinstance(one, TensorRef):
            keys.append(one.key)
        elif isinstance(one, Ref) and one.name in network.constant_nodes:
            wanted.extend(references(network.nodes[one.name]))
    first = {one.name: one.alias_of for one in network.meta.tensors if one.alias_of is not None}
    return tuple(first.get(key, key) for key in keys)


def _part(network: Network, node: Node, before: Shape | None, after: Shape | None) -> tuple[Stage, ...]:
    """One of several results: which one matters, but for the values that come with their places."""
    source, index = node.args[0], node.args[1]
    made = network.nodes.get(source.name) if isinstance(source, Ref) else None
    if index == 0 and made is not None and made.base in _FIRST_IS_ENOUGH:
        return ()
    shapes = {"shape_in": item(before), "shape_out": item(after)}
    return (Stage("part", {"index": index}, node.name, node.module, **shapes),)


def _conv(seen: Seen) -> Stage:
    args, weight = seen.args, seen.shape(seen.args["weight"])
    dims, transposed = len(weight) - 2, "transpose" in seen.node.base
    names = ("stride", "padding", "dilation", "groups")
    params = {**{name: args[name] for name in names}, "bias": args["bias"] is not None}
    if any(args.get("output_padding", ())):
        params["output_padding"] = args["output_padding"]
    kind = ("conv_transpose" if transposed else "conv") + ("" if dims == 2 else f"{dims}d")
    return conv(kind, weight[1] * args["groups"] if transposed else weight[0], weight[2:], **params)


def _max_pool(seen: Seen) -> Stage:
    args = seen.args
    params = {name: args[name] for name in ("stride", "padding", "dilation")}
    return pool(seen.node.base.removesuffix("2d"), args["kernel_size"], **params, ceil=args["ceil_mode"])


def _avg_pool(seen: Seen) -> Stage:
    args = seen.args
    params = {name: args[name] for name in ("stride", "padding")}
    if not args["count_include_pad"]:
        params["count_padding"] = False
    if args.get("divisor_override") is not None:
        params["divisor"] = args["divisor_override"]
    return pool(seen.node.base.removesuffix("2d"), args["kernel_size"], **params, ceil=args["ceil_mode"])


def _adaptive_pool(seen: Seen) -> Stage:
    sizes = seen.args["output_size"]
    return Stage(seen.node.base.lstrip("_").removesuffix("2d"), {"output": sizes})


def _dropout(seen: Seen) -> Stage:
    base = seen.node.base.rstrip("_")
    kind = "alpha_dropout" if "alpha" in base else "dropout"
    return Stage(kind, {"rate": round(float(seen.args["p"]), 6), "maps": "feature" in base})


def _linear(seen: Seen) -> Stage:
    if len(seen.data) > 1:
        return Stage("matmul")
    return Stage("linear", {"out": (seen.after or (0,))[-1], "bias": seen.args["bias"] is not None})


def _reshape(seen: Seen) -> Stage:
    return Stage("reshape", {"sizes": item(seen.after)})


def _flatten(_: Seen) -> Stage:
    return Stage("flatten")


def _leaky(seen: Seen) -> Stage:
    return Stage("leaky_relu", {"slope": round(float(seen.args["negative_slope"]), 6)})


def _group_norm(seen: Seen) -> Stage:
    return Stage("group_norm", {"groups": seen.args["num_groups"]})


def _cat(seen: Seen) -> Stage:
    return Stage("cat", {"axis": seen.args["dim"]} if seen.args["dim"] != 1 else {})


def _softmax(seen: Seen) -> Stage:
    axis = seen.args["dim"] % max(1, len(seen.after or ()))
    return Stage(seen.node.base, {"axis": axis} if axis != 1 else {})


def _arithmetic(seen: Seen) -> Stage:
    """Two data put together, or data and something that does not depend on the images."""
    found = _other(seen)
    return found if len(seen.data) > 1 else replace(found, kind=f"{found.kind}_constant")


def _other(seen: Seen) -> Stage:
    """Any op: its name, and what it is told in numbers and words, where that is not the default."""
    usual = {name: default for name, _, _, optional, default in ATEN[seen.node.op].parameters if optional}
    told = {
        name: value
        for name, value in seen.args.items()
        if name not in _HIDDEN.split() and _plain(value) and not (name in usual and value == usual[name])
    }
    return Stage(seen.node.base.rstrip("_"), told)


def _plain(value: Value) -> bool:
    """Whether an argument is a number, a word, or a list of such."""
    return all(_plain(one) for one in value) if isinstance(value, tuple) else type(value) in (bool, int, float, str)


_Handler = Callable[[Seen], Stage]
_HANDLERS: Mapping[str, _Handler] = {
    **{f"{kind}{n}d": _conv for kind in ("conv", "conv_transpose") for n in (1, 2, 3)},
    **{f"max_pool{n}d": _max_pool for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _avg_pool for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": _adaptive_pool for kind in ("max", "avg") for n in (1, 2, 3)},
    "_adaptive_avg_pool2d": _adaptive_pool,
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "linear": _linear,
    "reshape": _reshape,
    "flatten": _flatten,
    "leaky_relu": _leaky,
    "group_norm": _group_norm,
    "cat": _cat,
    **dict.fromkeys(("add", "sub", "rsub", "mul", "div", "maximum", "minimum"), _arithmetic),
}
