"""Rules for what hands its data on unchanged."""

from math import inf

from graders.models.graph import Node, Ref
from graders.models.ops import arguments
from graders.models.rewriting.draft import Change, Draft, numbers
from graders.models.rewriting.engine import instead, rule, same_as


@rule("contiguous", "clone", "alias", "lift_fresh_copy")
def drop_copy(_: Draft, node: Node) -> Change | None:
    """A copy has the values of what it copies. Source: `torch.clone`, `torch.Tensor.contiguous`."""
    return same_as(node.args[0])


@rule("detach")
def drop_detach(draft: Draft, node: Node) -> Change | None:
    """A detached value is the same value. Source: `torch.Tensor.detach`.

    In a train graph it stays where parameters lie before it: they get no gradient through it, so that the network that
    is trained is another one.
    """
    kept = draft.network.mode == "train" and draft.trained(node.args[0])
    return None if kept else same_as(node.args[0])


@rule("to", "_to_copy", "type_as")
def drop_cast(draft: Draft, node: Node) -> Change | None:
    """A cast to the dtype that a tensor has changes nothing. Source: `torch.Tensor.to`."""
    return same_as(node.args[0]) if draft.dtype(node.args[0]) == draft.dtype(Ref(node.name)) else None


@rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def drop_dropout(draft: Draft, node: Node) -> Change | None:
    """Dropout of rate 0, and in a train graph one that is switched off, hands on its input.

    Source: `torch.nn.functional.dropout`. In an eval graph dropout is off by nature and stays, to be seen.
    """
    given = arguments(node)
    never = draft.network.mode == "train" and given["train"] is False
    return same_as(node.args[0]) if never or given["p"] == 0 else None


@rule("add", "sub")
def drop_adding_zero(draft: Draft, node: Node) -> Change | None:
    """X + 0 = 0 + x = x - 0 = x. Source: zero is the neutral element of addition."""
    given = arguments(node)
    one, other = given["self"], given["other"]
    if draft.fill(other) == 0:
        return same_as(one)
    plain = node.base == "add" and given["alpha"] == 1
    return same_as(other) if plain and draft.fill(one) == 0 else None


@rule("mul", "div", "pow")
def drop_multiplying_by_one(draft: Draft, node: Node) -> Change | None:
    """X * 1 = 1 * x = x / 1 = x to the power of 1 = x. Source: one is the neutral element of multiplication."""
    if node.op in ("aten.div.Tensor_mode", "aten.div.Scalar_mode") or len(node.args) < 2:
        return None
    one, other = node.args[:2]
    if draft.fill(other) == 1:
        return same_as(one)
    return same_as(other) if node.base == "mul" and draft.fill(one) == 1 else None


@rule("expand", "expand_as", "broadcast_to", "repeat", "tile", "slice", "narrow", "pad", "constant_pad_nd")
def drop_same_shape(draft: Draft, node: Node) -> Change | None:
    """Expanding, repeating, slicing or padding to the shape that is there already changes nothing.

    Source: `torch.Tensor.expand`, `torch.Tensor.repeat`, `torch.nn.functional.pad`: each element of the result is one
    of the input's or padding, in the input's order. Padding by a positive and a negative number is left alone.
    """
    if "pad" in node.base and any(size != 0 for size in numbers(node.args[1])):
        return None
    return same_as(node.args[0]) if draft.shape(node.args[0]) == draft.shape(Ref(node.name)) else None


@rule("cat", "concat")
def drop_cat_of_one(_: Draft, node: Node) -> Change | None:
    """One tensor put one after the other is that tensor. Source: `torch.cat`."""
    given = node.args[0]
    return same_as(given[0]) if isinstance(given, tuple) and len(given) == 1 else None


@rule("getitem")
def drop_whole_part(draft: Draft, node: Node) -> Change | None:
    """The only part that a tensor is cut into is the tensor. Source: `torch.chunk`, `torch.split`."""
    whole = draft.made_by(node.args[0], "chunk", "split", "split_with_sizes")
    fits = whole is not None and draft.shape(whole.args[0]) == draft.shape(Ref(node.name))
    return same_as(whole.args[0]) if whole is not None and fits else None


@rule("clamp", "clamp_min", "clamp_max", "clip")
def drop_clamp_to_everything(draft: Draft, node: Node) -> Change | None:
    """A clamp to numbers from minus infinity to infinity changes nothing. Source: `torch.clamp`."""
    given = arguments(node)
    low, high = given.get("min"), given.get("max")
    free = (low is None or draft.fill(low) == -inf) and (high is None or draft.fill(high) == inf)
    return same_as(node.args[0]) if free else None


@rule("sym_size", "sym_numel")
def plain_size(draft: Draft, node: Node) -> Change | None:
    """A size that does not depend on the batch is a number; the batch is the input's first size.

    Source: `torch.Tensor.size`; the batch of the dry run divides no other size.
    """
    size, free = draft.number(Ref(node.name)), not draft.network.graph.batch
    if size is None:
        return None
    if not free or size % draft.batch:
        return same_as(size)
    if node.base == "sym_size" and size == draft.batch:
        return instead(node, "sym_size.int", Ref(draft.network.graph.input), 0)
    return None
