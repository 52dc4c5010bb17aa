"""Rules for layers with weights: convolutions and linear layers."""

from dataclasses import replace

from graders.models.graph import Node, Ref, Value
from graders.models.ops import arguments
from graders.models.rewriting.draft import Change, Draft, numbers
from graders.models.rewriting.engine import by, instead, rule, written
from graders.models.rewriting.pooling import spread

CONVS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


@rule("convolution")
def convolution_as_layer(draft: Draft, node: Node) -> Change | None:
    """The general convolution is conv1d, conv2d, conv3d, or one of their transposed forms.

    Source: `torch.nn.functional.conv2d`, `torch.nn.functional.conv_transpose2d`.
    """
    given, dims = arguments(node), len(draft.shape(node.args[1]) or ()) - 2
    if dims not in (1, 2, 3) or len(draft.shape(node.args[0]) or ()) != dims + 2:
        return None
    first = (*node.args[:3], given["stride"], given["padding"])
    if given["transposed"]:
        op = f"conv_transpose{dims}d.{'default' if dims == 1 else 'input'}"
        return instead(node, op, *first, given["output_padding"], given["groups"], given["dilation"])
    if any(numbers(given["output_padding"])):
        return None
    return instead(node, f"conv{dims}d.default", *first, given["dilation"], given["groups"])


@rule(*CONVS, exact=False)
def padding_in_numbers(draft: Draft, node: Node) -> Change | None:
    """Padding "valid" is none; "same" is dilation * (kernel - 1) in all, the odd one at the end.

    Source: `torch.nn.Conv2d`; where a side gets one more, zeros are put there first.
    """
    given, dims = arguments(node), int(node.base[-2])
    if not isinstance(given["padding"], str):
        return None
    kernel, dilation = (draft.shape(node.args[1]) or ())[2:], spread(given["dilation"], dims)
    spans = [d * (k - 1) if given["padding"] == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
    rest = (given["dilation"], given["groups"])
    weights, op = (given["weight"], given["bias"], given["stride"]), f"{node.base}.default"
    if any(span % 2 for span in spans):
        sides = tuple(side for span in reversed(spans) for side in (span // 2, span - span // 2))
        pad = replace(written(node, "constant_pad_nd.default", node.args[0], sides), name=draft.fresh(node.name))
        return by(pad, written(node, op, Ref(pad.name), *weights, (0,) * dims, *rest))
    return instead(node, op, node.args[0], *weights, tuple(span // 2 for span in spans), *rest)


@rule(*CONVS)
def plain_conv(_: Draft, node: Node) -> Change | None:
    """What is not given is the default; one number stands for all dimensions. Source: `torch.nn.Conv2d`."""
    given, dims = arguments(node), int(node.base[-2])
    if isinstance(given["padding"], str):
        return None
    sizes = {name: spread(given[name], dims) for name in ("stride", "padding", "dilation")}
    last = (sizes["stride"], sizes["padding"], sizes["dilation"], given["groups"])
    return instead(node, f"{node.base}.default", given["input"], given["weight"], given["bias"], *last)


@rule(*TRANSPOSED)
def plain_conv_transpose(_: Draft, node: Node) -> Change | None:
    """As `plain_conv`. Source: `torch.nn.ConvTranspose2d`."""
    given, dims = arguments(node), int(node.base[-2])
    sizes = {name: spread(given[name], dims) for name in ("stride", "padding", "output_padding", "dilation")}
    last = (sizes["stride"], sizes["padding"], sizes["output_padding"], given["groups"], sizes["dilation"])
    return instead(node, node.op.removeprefix("aten."), given["input"], given["weight"], given["bias"], *last)


@rule("pad")
def zeros_around(_: Draft, node: Node) -> Change | None:
    """pad(x, sizes) with a constant is constant_pad_nd. Source: `torch.nn.functional.pad`."""
    given = arguments(node)
    if given["mode"] != "constant":
        return None
    return instead(node, "constant_pad_nd.default", node.args[0], given["pad"], given["value"] or 0.0)


@rule(*CONVS, exact=False)
def padding_of_conv(draft: Draft, node: Node) -> Change | None:
    """Zeros put equally on both sides right before a convolution are its padding.

    Source: `torch.nn.Conv2d`: padding is "added to all sides of the input", by default zeros.
    """
    given, dims = arguments(node), int(node.base[-2])
    pad = draft.made_by(given["input"], "constant_pad_nd")
    if pad is None or isinstance(given["padding"], str) or draft.fill(arguments(pad)["value"]) != 0:
        return None
    sides = spread(pad.args[1], 1)
    sides += (0,) * (2 * dims - len(sides))
    if any(sides[2 * dims :]) or sides[::2] != sides[1::2] or min(sides) < 0:
        return None
    more = tuple(reversed(sides[: 2 * dims : 2]))
    padding = tuple(one + other for one, other in zip(spread(given["padding"], dims), more, strict=True))
    last = (given["stride"], padding, given["dilation"], given["groups"])
    return instead(node, f"{node.base}.default", pad.args[0], given["weight"], given["bias"], *last)


@rule("matmul", "mm", "addmm", exact=False)
def product_as_linear(draft: Draft, node: Node) -> Change | None:
    """X @ W.T, and b + x @ W.T, with a matrix that does not depend on the images, is a linear layer.

    Source: `torch.nn.Linear`: y = x A^T + b.
    """
    given = arguments(node)
    value, matrix = {"matmul": ("self", "other"), "mm": ("self", "mat2"), "addmm": ("mat1", "mat2")}[node.base]
    one, other = given[value], given[matrix]
    shape = draft.shape(other) or ()
    if not draft.varies(one) or draft.varies(other) or len(shape) != 2 or len(draft.shape(one) or ()) < 2:
        return None
    bias: Value = None
    if node.base == "addmm":
        bias = given["self"]
        if draft.varies(bias) or draft.shape(bias) != shape[1:] or given["alpha"] != 1 or given["beta"] != 1:
            return None
    turned = draft.made_by(other, "permute")
    if turned is not None:
        return instead(node, "linear.default", one, turned.args[0], bias)
    turn = replace(written(node, "permute.default", other, (1, 0)), name=draft.fresh(node.name))
    return by(turn, written(node, "linear.default", one, Ref(turn.name), bias))


@rule("add", exact=False)
def bias_of_layer(draft: Draft, node: Node) -> Change | None:
    """A number for each output that is added by hand is the bias of the layer before, if it has none.

    Source: `torch.nn.Linear` (y = x A^T + b), `torch.nn.Conv2d` (bias(C_out) + sum of cross-correlations).
    """
    given = arguments(node)
    for one, other in ((given["self"], given["other"]), (given["other"], given["self"])):
        layer = draft.made_by(one, "linear", *CONVS, *TRANSPOSED)
        if layer is None or len(layer.args) < 3 or layer.args[2] is not None or given["alpha"] != 1:
            continue
        shape, bias = draft.shape(one) or (), draft.shape(other) or ()
        axis = len(shape) - 1 if layer.base == "linear" else 1
        aligned = (1,) * (len(shape) - len(bias)) + bias
        wanted = tuple(size if place == axis else 1 for place, size in enumerate(shape))
        if draft.varies(other) or not draft.is_tensor(other) or aligned != wanted or not draft.sole_reader(layer.name):
            continue
        if len(bias) == 1:
            return by(replace(layer, args=(*layer.args[:2], other, *layer.args[3:])))
        row = replace(written(node, "reshape.default", other, (shape[axis],)), name=draft.fresh(node.name))
        return by(row, replace(layer, args=(*layer.args[:2], Ref(row.name), *layer.args[3:])))
    return None


@rule("linear")
def plain_linear(_: Draft, node: Node) -> Change | None:
    """A linear layer without a bias has None in its place. Source: `torch.nn.functional.linear`."""
    given = arguments(node)
    return instead(node, "linear.default", given["input"], given["weight"], given["bias"])
