"""Rules for the many ways of writing an activation."""

from math import inf

from graders.models.graph import Node, Ref, Value
from graders.models.ops import arguments
from graders.models.rewriting.draft import Change, Draft
from graders.models.rewriting.engine import instead, rule, same_as

_RELU = "relu.default"
_NOT_NEGATIVE = "relu relu6 sigmoid hardsigmoid softmax abs square exp softplus sqrt"
_KEEP_SIGN = """
max_pool1d max_pool2d max_pool3d dropout feature_dropout flatten reshape permute slice select narrow clone contiguous
upsample_nearest2d
"""
_COMPARISONS = {"gt": True, "ge": True, "lt": False, "le": False}
_HALVING = {"mul": 0.5, "div": 2.0}


@rule("clamp", "clamp_min", "clip", "hardtanh")
def clamp_as_relu(draft: Draft, node: Node) -> Change | None:
    """clamp(x, min=0) = relu(x). Source: `torch.nn.ReLU` (max(0, x)), `torch.clamp`, `torch.nn.Hardtanh`."""
    given = arguments(node)
    low, high = given.get("min", given.get("min_val")), given.get("max", given.get("max_val"))
    open_above = high is None or draft.fill(high) == inf
    return instead(node, _RELU, node.args[0]) if draft.fill(low) == 0 and open_above else None


@rule("clamp", "clip", "hardtanh")
def clamp_as_relu6(draft: Draft, node: Node) -> Change | None:
    """clamp(x, 0, 6) = relu6(x). Source: `torch.nn.ReLU6` (min(max(0, x), 6))."""
    given = arguments(node)
    low, high = given.get("min", given.get("min_val")), given.get("max", given.get("max_val"))
    six = draft.fill(low) == 0 and draft.fill(high) == 6
    return instead(node, "relu6.default", node.args[0]) if six else None


@rule("clamp", "clamp_max", "clip", "minimum", "min")
def capped_relu_as_relu6(draft: Draft, node: Node) -> Change | None:
    """min(relu(x), 6) = relu6(x). Source: `torch.nn.ReLU6`."""
    given = arguments(node)
    if len(node.args) < 2:
        return None
    caps = [("self", given.get("max"))] if "clam" in node.base or node.base == "clip" else []
    if not caps and "other" in given:
        caps = [("self", given["other"]), ("other", given["self"])]
    for name, cap in caps:
        relu = draft.made_by(given[name], "relu")
        if relu is not None and draft.fill(cap) == 6 and (given.get("min") is None or draft.fill(given["min"]) == 0):
            return instead(node, "relu6.default", relu.args[0])
    return None


@rule("clip", "hardtanh")
def bounds_as_clamp(_: Draft, node: Node) -> Change | None:
    """clip(x, a, b) = hardtanh(x, a, b) = clamp(x, a, b). Source: `torch.clip`, `torch.nn.Hardtanh`."""
    given = arguments(node)
    low, high = given.get("min", given.get("min_val")), given.get("max", given.get("max_val"))
    return instead(node, "clamp.default", node.args[0], low, high)


@rule("threshold")
def threshold_as_relu(draft: Draft, node: Node) -> Change | None:
    """threshold(x, 0, 0) = relu(x). Source: `torch.nn.Threshold` (x where x > threshold, else value)."""
    given = arguments(node)
    zero = draft.fill(given["threshold"]) == 0 == draft.fill(given["value"])
    return instead(node, _RELU, node.args[0]) if zero else None


@rule("leaky_relu", "elu")
def zero_slope_as_relu(draft: Draft, node: Node) -> Change | None:
    """Leaky ReLU of slope 0, and ELU of alpha 0, are ReLU.

    Source: `torch.nn.LeakyReLU` (max(0, x) + slope * min(0, x)), `torch.nn.ELU` (alpha * (exp(x) - 1) for x <= 0).
    """
    slope = {"leaky_relu": "negative_slope", "elu": "alpha"}[node.base]
    return instead(node, _RELU, node.args[0]) if draft.fill(arguments(node)[slope]) == 0 else None


@rule("maximum", "max")
def maximum_with_zero_as_relu(draft: Draft, node: Node) -> Change | None:
    """max(x, 0) = max(0, x) = relu(x). Source: `torch.nn.ReLU`."""
    given = arguments(node)
    if "other" not in given:
        return None
    one, other = given["self"], given["other"]
    if draft.fill(other) == 0:
        return instead(node, _RELU, one)
    return instead(node, _RELU, other) if draft.fill(one) == 0 else None


@rule("mul")
def masked_product_as_relu(draft: Draft, node: Node) -> Change | None:
    """X * (x > 0) = relu(x): a finite number times one or zero. Source: the definition of max(0, x)."""
    for value, mask in (node.args[:2], node.args[1::-1]):
        if _sign(draft, mask) == (value, True):
            return instead(node, _RELU, value)
    return None


@rule("where")
def choice_as_relu(draft: Draft, node: Node) -> Change | None:
    """where(x > 0, x, 0) = where(x <= 0, 0, x) = relu(x). Source: `torch.where`, the definition of max(0, x)."""
    given = arguments(node)
    sign = _sign(draft, given["condition"])
    if sign is None:
        return None
    kept, zero = (given["self"], given["other"]) if sign[1] else (given["other"], given["self"])
    return instead(node, _RELU, kept) if kept == sign[0] and draft.fill(zero) == 0 else None


@rule("masked_fill")
def masked_fill_as_relu(draft: Draft, node: Node) -> Change | None:
    """masked_fill(x, x < 0, 0) = relu(x). Source: `torch.Tensor.masked_fill`."""
    given = arguments(node)
    negative = _sign(draft, given["mask"]) == (given["self"], False)
    return instead(node, _RELU, given["self"]) if negative and draft.fill(given["value"]) == 0 else None


@rule("mul", "div")
def half_of_sum_with_absolute_as_relu(draft: Draft, node: Node) -> Change | None:
    """(x + |x|) / 2 = relu(x): 2x / 2 or 0 / 2. Source: |x| = max(x, -x)."""
    half = node.op in ("aten.mul.Tensor", "aten.mul.Scalar", "aten.div.Tensor", "aten.div.Scalar")
    total = draft.made_by(node.args[0], "add") if half and draft.fill(node.args[1]) == _HALVING[node.base] else None
    if total is None or arguments(total)["alpha"] != 1:
        return None
    for value, other in (total.args[:2], total.args[1::-1]):
        absolute = draft.made_by(other, "abs")
        if absolute is not None and absolute.args[0] == value:
            return instead(node, _RELU, value)
    return None


def _sign(draft: Draft, mask: Value) -> tuple[Value, bool] | None:
    """What a mask is about, and whether it is true where that is positive, else where it is negative; at 0 either."""
    while (node := draft.made_by(mask, "to", "_to_copy", "type_as")) is not None:
        mask = node.args[0]
    if (node := draft.made_by(mask, "logical_not")) is not None:
        inner = _sign(draft, node.args[0])
        return None if inner is None else (inner[0], not inner[1])
    node = draft.made_by(mask, *_COMPARISONS)
    if node is None:
        return None
    one, other = node.args[:2]
    if draft.fill(other) == 0:
        return one, _COMPARISONS[node.base]
    return (other, not _COMPARISONS[node.base]) if draft.fill(one) == 0 else None


@rule("relu")
def relu_of_what_is_not_negative(draft: Draft, node: Node) -> Change | None:
    """relu(x) = x where no element of x is negative: after a ReLU, a sigmoid, a softmax ...

    Source: max(0, x) = x for x >= 0; pooling by maximum, dropout and reshaping keep the sign.
    """
    return same_as(node.args[0]) if _not_negative(draft, node.args[0], 8) else None


def _not_negative(draft: Draft, value: Value, depth: int) -> bool:
    node = draft.nodes.get(value.name) if isinstance(value, Ref) else None
    if node is None or not depth:
        return False
    if node.base in _NOT_NEGATIVE.split():
        return True
    if node.base == "getitem":
        inner = draft.first_of(value, "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
        return inner is not None and _not_negative(draft, inner.args[0], depth - 1)
    return node.base in _KEEP_SIGN.split() and _not_negative(draft, node.args[0], depth - 1)


@rule("relu6")
def relu6_after_relu(draft: Draft, node: Node) -> Change | None:
    """relu6(relu(x)) = relu6(relu6(x)) = relu6(x). Source: `torch.nn.ReLU6`."""
    inner = draft.made_by(node.args[0], "relu", "relu6")
    return instead(node, "relu6.default", inner.args[0]) if inner is not None else None


@rule("_softmax", "_log_softmax")
def plain_softmax(_: Draft, node: Node) -> Change | None:
    """_softmax(x, dim, False) = softmax(x, dim). Source: the composite op `aten::softmax.int`."""
    half = arguments(node)["half_to_float"]
    return None if half else instead(node, f"{node.base.lstrip('_')}.int", node.args[0], node.args[1])
