"""Rules for pooling."""

from dataclasses import replace
from math import prod
from typing import Any

from graders.models.graph import Node, Ref, Value
from graders.models.notation import window
from graders.models.ops import arguments
from graders.models.rewriting.draft import Change, Draft, numbers
from graders.models.rewriting.engine import by, instead, rule, same_as, written

MAX_POOLS = ("max_pool1d", "max_pool2d", "max_pool3d")
AVG_POOLS = ("avg_pool1d", "avg_pool2d", "avg_pool3d")
_INDEXED = tuple(f"{one}_with_indices" for one in MAX_POOLS)
_ADAPTIVE_AVG = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d")
ADAPTIVE_MAX = ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
_WHOLE = {"mean": "avg_pool", "amax": "max_pool"}


def spread(value: Value, dims: int) -> tuple[int, ...]:
    """A size for each dimension, where one number may stand for all."""
    sizes = tuple(int(one) for one in numbers(value))
    return sizes * dims if len(sizes) == 1 else sizes


@rule("getitem")
def pool_without_indices(draft: Draft, node: Node) -> Change | None:
    """The values of max pooling with indices are those of max pooling. Source: `torch.nn.MaxPool2d`."""
    pool = draft.first_of(Ref(node.name), *_INDEXED)
    return by(replace(pool, name=node.name, op=_plain(pool))) if pool is not None else None


def _plain(pool: Node) -> str:
    return f"aten.{pool.base.removesuffix('_with_indices')}.default"


@rule(*MAX_POOLS)
def plain_max_pool(draft: Draft, node: Node) -> Change | None:
    """What is not given is the default, and rounding up counts only where it makes a difference.

    Source: the formula of the output's size in `torch.nn.MaxPool2d`.
    """
    given, dims = arguments(node), int(node.base[-2])
    params = _windows(given, dims)
    ceil = given["ceil_mode"] is True and _rounding_matters(draft, node, params)
    args = (params["kernel"], params["stride"], params["padding"], params["dilation"], ceil)
    return instead(node, f"{node.base}.default", node.args[0], *args)


@rule(*AVG_POOLS)
def plain_avg_pool(draft: Draft, node: Node) -> Change | None:
    """As `plain_max_pool`; whether padding is counted matters only where there is padding.

    Source: `torch.nn.AvgPool2d`: a divisor equal to the kernel's size is what an unpadded window is divided by.
    """
    given, dims = arguments(node), int(node.base[-2])
    params = _windows(given, dims)
    ceil = given["ceil_mode"] is True and _rounding_matters(draft, node, params)
    counted, divisor = given["count_include_pad"], given.get("divisor_override")
    if not any(params["padding"]):
        counted = True
    if divisor == prod(params["kernel"]) and not ceil:
        counted, divisor = True, None
    args: tuple[Value, ...] = (params["kernel"], params["stride"], params["padding"], ceil, counted)
    return instead(node, f"{node.base}.default", node.args[0], *args, *((divisor,) if dims > 1 else ()))


def _windows(given: dict[str, Any], dims: int) -> dict[str, tuple[int, ...]]:
    kernel = spread(given["kernel_size"], dims)
    return {
        "kernel": kernel,
        "stride": spread(given["stride"] or kernel, dims),
        "padding": spread(given["padding"], dims),
        "dilation": spread(given.get("dilation", 1), dims),
    }


def _rounding_matters(draft: Draft, node: Node, params: dict[str, tuple[int, ...]]) -> bool:
    sizes = (draft.shape(node.args[0]) or ())[-len(params["kernel"]) :]
    both = [[window(size, {**params, "ceil": up}, axis) for axis, size in enumerate(sizes)] for up in (False, True)]
    return both[0] != both[1]


@rule(*MAX_POOLS, *AVG_POOLS)
def drop_pool_of_one(_: Draft, node: Node) -> Change | None:
    """Pooling with windows of one element, one after the other, changes nothing. Source: `torch.nn.MaxPool2d`."""
    given, dims = arguments(node), int(node.base[-2])
    params = _windows(given, dims)
    ones = all(size == 1 for name in ("kernel", "stride") for size in params[name]) and not any(params["padding"])
    return same_as(node.args[0]) if ones and given.get("divisor_override") in (None, 1) else None


@rule("getitem", *_ADAPTIVE_AVG)
def drop_adaptive_pool_to_same_size(draft: Draft, node: Node) -> Change | None:
    """Adaptive pooling to the size that is there already changes nothing. Source: `torch.nn.AdaptiveMaxPool2d`."""
    pool = draft.first_of(Ref(node.name), *ADAPTIVE_MAX) if node.base == "getitem" else node
    same = pool is not None and draft.shape(pool.args[0]) == draft.shape(Ref(node.name))
    return same_as(pool.args[0]) if pool is not None and same else None


@rule("getitem")
def adaptive_max_pool_as_fixed(draft: Draft, node: Node) -> Change | None:
    """Adaptive pooling by maximum to a divisor of the size is pooling with the quotient as kernel and stride.

    Source: `torch.nn.AdaptiveMaxPool2d`: window i goes from floor(i * size / out) to ceil((i + 1) * size / out).
    """
    pool = draft.first_of(Ref(node.name), *ADAPTIVE_MAX)
    return _fixed(draft, node, pool, "max_pool") if pool is not None else None


@rule(*_ADAPTIVE_AVG, exact=False)
def adaptive_avg_pool_as_fixed(draft: Draft, node: Node) -> Change | None:
    """Adaptive average pooling to a divisor of the size is average pooling with the quotient as kernel and stride.

    Source: `torch.nn.AdaptiveAvgPool2d`, windows as in `adaptive_max_pool_as_fixed`.
    """
    return _fixed(draft, node, node, "avg_pool")


def _fixed(draft: Draft, node: Node, pool: Node, kind: str) -> Change | None:
    dims = int(pool.base[-2])
    sizes, output = (draft.shape(pool.args[0]) or ())[-dims:], (draft.shape(Ref(node.name)) or ())[-dims:]
    if len(sizes) != dims or any(not out or not size or size % out for size, out in zip(sizes, output, strict=True)):
        return None
    kernel = tuple(size // out for size, out in zip(sizes, output, strict=True))
    return by(replace(written(pool, f"{kind}{dims}d.default", pool.args[0], kernel), name=node.name))


@rule("mean", "amax", exact=False)
def merge_reductions(draft: Draft, node: Node) -> Change | None:
    """A mean of means over further dimensions is the mean over all of them; likewise the maximum.

    Source: sums over equally many elements divided one after the other; the maximum is associative.
    """
    inner = draft.made_by(node.args[0], node.base)
    one, other = _reduced(draft, inner), _reduced(draft, node)
    if inner is None or one is None or other is None or one[1] != other[1]:
        return None
    left = [place for place in range(len(draft.shape(inner.args[0]) or ())) if one[1] or place not in one[0]]
    dims = tuple(sorted({*one[0], *(left[place] for place in other[0])}))
    return by(_reduction(node, node.base, inner.args[0], dims, one[1]))


@rule("mean", "amax", exact=False)
def reduction_of_flat_maps(draft: Draft, node: Node) -> Change | None:
    """The mean over the positions of maps that were made one row each is the mean over the maps; so is the maximum.

    Source: `torch.flatten(x, 2)` keeps each map's elements together.
    """
    row, found = draft.made_by(node.args[0], "reshape"), _reduced(draft, node)
    if row is None or found != ((2,), False):
        return None
    before, after = draft.shape(row.args[0]) or (), draft.shape(node.args[0]) or ()
    if len(after) != 3 or len(before) not in (4, 5) or before[:2] != after[:2]:
        return None
    return by(_reduction(node, node.base, row.args[0], tuple(range(2, len(before))), False))


@rule("getitem")
def values_of_max_as_amax(draft: Draft, node: Node) -> Change | None:
    """The values of max over a dimension are those of amax. Source: `torch.max`, `torch.amax`."""
    found = draft.first_of(Ref(node.name), "max")
    if found is None or found.op != "aten.max.dim":
        return None
    given = arguments(found)
    return by(replace(written(found, "amax.default", found.args[0], (given["dim"],), given["keepdim"]), name=node.name))


@rule("mean", "amax", exact=False)
def whole_reduction_as_pool(draft: Draft, node: Node) -> Change | None:
    """A mean or maximum over all positions of a map is pooling of the whole, then flattening.

    Source: `torch.nn.AdaptiveAvgPool2d(1)`, `torch.mean`, `torch.amax`.
    """
    shape, found = draft.shape(node.args[0]) or (), _reduced(draft, node)
    if found is None or len(shape) not in (3, 4, 5) or found[0] != tuple(range(2, len(shape))):
        return None
    pool = written(node, f"{_WHOLE[node.base]}{len(shape) - 2}d.default", node.args[0], shape[2:])
    if found[1]:
        return by(pool)
    pool = replace(pool, name=draft.fresh(node.name))
    return by(pool, written(node, "flatten.using_ints", Ref(pool.name), 1, -1))


def _reduced(draft: Draft, node: Node | None) -> tuple[tuple[int, ...], bool] | None:
    """Over which dimensions, and whether they are kept with size 1."""
    if node is None or node.op not in ("aten.mean.dim", "aten.amax.default"):
        return None
    given, count = arguments(node), len(draft.shape(node.args[0]) or ())
    if given.get("dtype") is not None or not count:
        return None
    dims = tuple(sorted(int(one) % count for one in numbers(given["dim"]))) or tuple(range(count))
    return dims, given["keepdim"] is True


def _reduction(node: Node, base: str, value: Value, dims: tuple[int, ...], keepdim: bool) -> Node:
    return written(node, {"mean": "mean.dim", "amax": "amax.default"}[base], value, dims, keepdim)
