"""Rules that put operations that commute into one order, and computations that are made twice into one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graders.models.graph import Node, Ref, TensorRef, Value
from graders.models.ops import ATEN, RANDOM_SWITCHES, arguments
from graders.models.rewriting.draft import Change, Draft, numbers
from graders.models.rewriting.engine import ANY, by, instead, rule, same_as
from graders.models.rewriting.functional import keeps_statistics
from graders.models.rewriting.pooling import ADAPTIVE_MAX, MAX_POOLS

_ELEMENTWISE = """
relu relu6 leaky_relu elu celu selu gelu silu mish hardswish hardsigmoid hardshrink softshrink sigmoid tanh
log_sigmoid softplus
"""
_RESHAPED = ("flatten", "reshape")


@rule("relu", "relu6", "leaky_relu")
def relu_before_max_pool(draft: Draft, node: Node) -> Change | None:
    """relu(max_pool(x)) = max_pool(relu(x)); likewise for relu6, and leaky ReLU whose slope is not negative.

    Source: the maximum of f(x) over a window is f of the maximum for every f that never falls. A window of padding
    alone has no maximum; only dilated ones can be that.
    """
    slope = arguments(node).get("negative_slope", 0)
    if not isinstance(slope, int | float) or slope < 0:
        return None
    pool = draft.made_by(node.args[0], *MAX_POOLS)
    if pool is not None:
        given = arguments(pool)
        dilated = any(numbers(given["padding"])) and any(size != 1 for size in numbers(given["dilation"]))
        return None if dilated else _swapped(draft, node, pool)
    pool, item = draft.first_of(node.args[0], *ADAPTIVE_MAX), draft.made_by(node.args[0], "getitem")
    if pool is None or item is None or not (draft.sole_reader(item.name) and draft.sole_reader(pool.name)):
        return None
    first = replace(node, args=(pool.args[0], *node.args[1:]))
    return by(first, replace(pool, args=(Ref(node.name), *pool.args[1:])), replace(item, args=(Ref(pool.name), 0)))


@rule("relu")
def relu_before_dropout(draft: Draft, node: Node) -> Change | None:
    """relu(dropout(x)) = dropout(relu(x)).

    Source: `torch.nn.Dropout` multiplies by zero or 1 / (1 - p); relu(c x) = c relu(x) for c >= 0.
    """
    dropout = draft.made_by(node.args[0], "dropout", "feature_dropout")
    return _swapped(draft, node, dropout) if dropout is not None else None


@rule(*_ELEMENTWISE.split())
def activation_before_reshape(draft: Draft, node: Node) -> Change | None:
    """f(flatten(x)) = flatten(f(x)) for what acts on each number alone. Source: `torch.flatten` keeps the elements."""
    shaped = draft.made_by(node.args[0], *_RESHAPED)
    return _swapped(draft, node, shaped) if shaped is not None else None


@rule("dropout")
def dropout_before_reshape(draft: Draft, node: Node) -> Change | None:
    """dropout(flatten(x)) = flatten(dropout(x)): each number is dropped alone. Source: `torch.nn.Dropout`."""
    shaped = draft.made_by(node.args[0], *_RESHAPED)
    return _swapped(draft, node, shaped) if shaped is not None else None


def _swapped(draft: Draft, node: Node, other: Node) -> Change | None:
    """`node` first and `other` after it, if nothing else reads what `other` gives."""
    if not draft.sole_reader(other.name):
        return None
    first = replace(node, args=(other.args[0], *node.args[1:]))
    return by(first, replace(other, args=(Ref(node.name), *other.args[1:])))


@rule("add", "mul")
def constant_second(draft: Draft, node: Node) -> Change | None:
    """C + x = x + c and c * x = x * c. Source: addition and multiplication are commutative, rounded or not."""
    given = arguments(node)
    one, other = given["self"], given["other"]
    if given.get("alpha", 1) != 1 or draft.varies(one) or not draft.varies(other):
        return None
    return instead(node, f"{node.base}.Tensor", other, one)


@rule(ANY)
def merge_duplicates(draft: Draft, node: Node) -> Change | None:
    """The same computation on the same values gives the same, and is needed once.

    Source: every op on the whitelist is a function of its arguments, but those that draw random numbers, overwrite
    their argument, or keep statistics.
    """
    if node.base in RANDOM_SWITCHES or node.in_place or (node.op in ATEN and keeps_statistics(node)):
        return None
    key = _computation(draft, node)
    name = draft.seen.setdefault(key, node.name)
    if name == node.name or name not in draft.order or _computation(draft, draft.nodes[name]) != key:
        draft.seen[key] = node.name
        return None
    return same_as(Ref(name))


def _computation(draft: Draft, node: Node) -> Any:
    given: Mapping[str, Value] = arguments(node) if node.op in ATEN else {"args": node.args}
    return node.op, tuple((name, _plain(draft, value)) for name, value in sorted(given.items()))


def _plain(draft: Draft, value: Value) -> Any:
    """An argument; stored tensors by the first name of their memory, numbers with their type (1 is not True)."""
    if isinstance(value, tuple):
        return tuple(_plain(draft, one) for one in value)
    return ("tensor", draft.key(value)) if isinstance(value, TensorRef) else (type(value).__name__, value)
