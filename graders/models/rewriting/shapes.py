"""Rules for what only puts the same numbers into another shape or order."""

from dataclasses import replace

from graders.models.graph import Node, Ref, Value
from graders.models.ops import arguments
from graders.models.rewriting.draft import Change, Draft, numbers
from graders.models.rewriting.engine import by, instead, rule, same_as, written

RESHAPES = (
    "view", "_unsafe_view", "reshape", "view_as", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze",
)  # fmt: skip


@rule(*RESHAPES)
def drop_reshape_to_same_shape(draft: Draft, node: Node) -> Change | None:
    """A reshaping to the shape that is there already changes nothing. Source: `torch.reshape`."""
    return same_as(node.args[0]) if draft.shape(node.args[0]) == draft.shape(Ref(node.name)) else None


@rule(*RESHAPES)
def merge_reshapes(draft: Draft, node: Node) -> Change | None:
    """Of two reshapings one after the other only the last counts.

    Source: `torch.reshape` keeps the elements and their order, whatever the shape in between.
    """
    inner = draft.made_by(node.args[0], *RESHAPES)
    sizes = draft.sizes(draft.shape(Ref(node.name)) or ())
    return instead(node, "reshape.default", inner.args[0], sizes) if inner is not None and sizes is not None else None


@rule(*RESHAPES)
def reshape_as_flatten(draft: Draft, node: Node) -> Change | None:
    """A reshaping that keeps the batch and leaves one row for each image is flatten(x, 1).

    Source: `torch.flatten`. Two shapes with the same batch and two dimensions have the same row.
    """
    before, after = draft.shape(node.args[0]) or (), draft.shape(Ref(node.name)) or ()
    flat = len(before) > 2 == len(after) and before[0] == after[0] == draft.batch
    return instead(node, "flatten.using_ints", node.args[0], 1, -1) if flat else None


@rule(*RESHAPES)
def one_way_to_reshape(draft: Draft, node: Node) -> Change | None:
    """view, squeeze, unsqueeze, unflatten ... are reshape with the shape that they give.

    Source: `torch.Tensor.view`, `torch.squeeze`: elements and order stay. In a graph without ops in place it makes no
    difference whether memory is shared.
    """
    shape = draft.shape(Ref(node.name))
    sizes = draft.sizes(shape) if shape is not None and node.base != "flatten" else None
    if sizes is None and shape is not None and node.base == "flatten" and node.args[1:] != (1, -1):
        sizes = draft.sizes(shape)
    return instead(node, "reshape.default", node.args[0], sizes) if sizes is not None else None


@rule("permute", "transpose", "t", "numpy_T", "movedim", "swapaxes")
def one_way_to_permute(draft: Draft, node: Node) -> Change | None:
    """transpose, t, T, movedim, swapaxes are permute. Source: `torch.transpose`, `torch.movedim`."""
    shape = draft.shape(node.args[0])
    order = _order(node, len(shape)) if shape is not None else None
    return instead(node, "permute.default", node.args[0], order) if order is not None else None


def _order(node: Node, count: int) -> tuple[int, ...] | None:
    """Which dimension of the input each dimension of the result is."""
    given = arguments(node)
    order = list(range(count))
    if node.base == "permute":
        return tuple(one % count for one in _whole(given["dims"]))
    if node.base in ("t", "numpy_T"):
        return tuple(reversed(order))
    names = {"transpose": ("dim0", "dim1"), "swapaxes": ("axis0", "axis1"), "movedim": ("source", "destination")}
    first, second = (tuple(one % count for one in _whole(given[name])) for name in names[node.base])
    if len(first) != len(second) or not first:
        return None
    if node.base != "movedim":
        one, other = first[0], second[0]
        order[one], order[other] = order[other], order[one]
        return tuple(order)
    rest = iter(one for one in order if one not in first)
    target = dict(zip(second, first, strict=True))
    return tuple(target[place] if place in target else next(rest) for place in order)


def _whole(value: Value) -> tuple[int, ...]:
    return tuple(int(one) for one in numbers(value))


@rule("permute")
def merge_permutes(draft: Draft, node: Node) -> Change | None:
    """Two permutations one after the other are one. Source: composition of permutations, `torch.permute`."""
    inner = draft.made_by(node.args[0], "permute")
    if inner is None:
        return None
    first, second = (_order(one, len(_whole(one.args[1]))) for one in (inner, node))
    if first is None or second is None:
        return None
    return instead(node, "permute.default", inner.args[0], tuple(first[one] for one in second))


@rule("permute")
def drop_permute_in_order(_: Draft, node: Node) -> Change | None:
    """A permutation that leaves every dimension in its place changes nothing. Source: `torch.permute`."""
    dims = node.args[1]
    return same_as(node.args[0]) if isinstance(dims, tuple) and dims == tuple(range(len(dims))) else None


@rule("hstack", "vstack", "concat", "cat", "stack")
def one_way_to_join(draft: Draft, node: Node) -> Change | None:
    """Hstack and vstack of matrices, and concat, are cat; a stack of one is unsqueeze.

    Source: `torch.hstack` (along the second dimension), `torch.vstack` (the first), `torch.concat`, `torch.stack`.
    """
    parts = node.args[0]
    shape = draft.shape(Ref(node.name))
    if not isinstance(parts, tuple) or shape is None or any(len(draft.shape(part) or ()) < 1 for part in parts):
        return None
    dim = {"hstack": 1, "vstack": 0}.get(node.base, arguments(node).get("dim", 0))
    if node.base == "stack":
        return instead(node, "unsqueeze.default", parts[0], dim) if len(parts) == 1 else None
    if len(shape) < 2 or type(dim) is not int:
        return None
    return instead(node, "cat.default", parts, dim % len(shape))


@rule("sum", exact=False)
def sum_of_stack_as_add(draft: Draft, node: Node) -> Change | None:
    """stack([a, b, c], d).sum(d) = a + b + c. Source: `torch.stack`, `torch.sum`."""
    stack = draft.made_by(node.args[0], "stack") if node.op == "aten.sum.dim_IntList" else None
    count = len(draft.shape(node.args[0]) or ())
    if stack is None or not isinstance(stack.args[0], tuple):
        return None
    given, dim = arguments(node), arguments(stack)["dim"]
    dims = _whole(given["dim"])
    if given["keepdim"] or given["dtype"] is not None or type(dim) is not int or len(dims) != 1:
        return None
    if dims[0] % count != dim % count or len(stack.args[0]) < 2:
        return None
    total, *others = stack.args[0]
    names = [*(f"{draft.fresh(node.name)}.{place}" for place in range(len(others) - 1)), node.name]
    nodes: list[Node] = []
    for name, other in zip(names, others, strict=True):
        nodes.append(replace(written(node, "add.Tensor", total, other), name=name))
        total = Ref(name)
    return by(*nodes)
