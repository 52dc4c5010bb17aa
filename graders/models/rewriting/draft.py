"""A graph while it is rewritten: its nodes, what is known of every value, and the one way to change it.

All values are known from a dry run on the meta device, so that shapes and dtypes are facts and not claims. The dry run
uses a batch that no size of the network is a multiple of: a dimension that is one comes from the batch.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from math import isqrt
from typing import Any

import torch

from graders.errors import EvidenceError
from graders.models.graph import Node, Ref, TensorRef, Value, references
from graders.models.interpreter import resolved
from graders.models.network import Network, Shape
from graders.models.ops import ATEN, SHAPE_ONLY, arguments, call
from graders.models.rewriting.functional import Pure, free_sizes, functional

FIRST_BATCH = 251
_OUTPUT = ""
_FILLERS: Mapping[str, float] = {
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), 0.0),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), 1.0),
}
_FILLED_WITH: Mapping[str, str] = {
    **dict.fromkeys(("full", "full_like", "new_full"), "fill_value"),
    "scalar_tensor": "s",
}
_KEEPS_FILL = "lift_fresh_copy detach to _to_copy clone contiguous expand reshape view permute"


@dataclass(frozen=True)
class Change:
    """What a rule puts in a node's place.

    Attributes:
        nodes: New nodes in order. They may take the names of nodes that nothing reads any more.
        value: What the readers of the old node read from now on.
    """

    nodes: tuple[Node, ...]
    value: Value


def probe_batch(network: Network) -> int:
    """A batch to try the graph with: its own where that is fixed, else a prime that divides no size of the network."""
    graph = network.graph
    if graph.batch:
        return graph.batch
    sizes = {size for shape in network.shapes.values() for size in shape}
    sizes.update(abs(one) for node in graph.nodes for one in _whole_numbers((node.args, tuple(node.kwargs.values()))))
    sizes.update(size for key in graph.tensor_keys for size in network.weight_shape(key))
    fitting = (n for n in count(FIRST_BATCH) if all(n % k for k in range(2, isqrt(n) + 1)))
    return next(prime for prime in fitting if all(size % prime or not size for size in sizes))


def _whole_numbers(value: Any) -> Iterable[int]:
    if type(value) is int:
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _whole_numbers(one)


class Draft:
    """The workspace of the rules.

    Attributes:
        network: The network as it was.
        batch: Images of the dry run.
        nodes: The nodes by name; in order of execution when no pass is under way.
        order: Names that the pass under way is done with, in order.
        seen: For each computation that the pass is done with, its node's name.
        output: Name of the output.
        budget: Steps left; without any, no further change is made.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.batch = batch = probe_batch(network)
        pure = _pure(network, batch)
        self.nodes: dict[str, Node] = {}
        self.order: dict[str, None] = {}
        self.seen: dict[Any, str] = {}
        self.output = pure.output
        self.budget = 6 * len(pure.nodes) + 1000
        self._frozen = pure.frozen
        self._readers: dict[str, dict[str, int]] = {}
        self._fills: dict[str, float | None] = {}
        self._tried_ops: dict[Any, Any] = {}
        graph = network.graph
        self.tensors, images = network.on_meta(batch)
        self.values: dict[str, Any] = {graph.input: images}
        self._varying = {graph.input}
        self._trained: set[str] = set()
        self._aliases = {one.name: one.alias_of for one in network.meta.tensors if one.alias_of is not None}
        for node in pure.nodes:
            self._add(node, self._value(node, {}))
        self._readers.setdefault(self.output, {})[_OUTPUT] = 1
        for node in reversed(pure.nodes):
            if not self._readers[node.name] and not node.in_place:
                self._remove(node.name)

    # What rules ask.

    def made_by(self, value: Value, *bases: str) -> Node | None:
        """The node that a value comes from, if it is one of these ops."""
        node = self.nodes.get(value.name) if isinstance(value, Ref) else None
        return node if node is not None and node.base in bases else None

    def first_of(self, value: Value, *bases: str) -> Node | None:
        """The op of several results whose first one a value is."""
        item = self.made_by(value, "getitem")
        return self.made_by(item.args[0], *bases) if item is not None and item.args[1] == 0 else None

    def shape(self, value: Value) -> Shape | None:
        """Shape in the dry run; () for a number, None for a list of tensors."""
        found = self._known(value)
        return tuple(found.shape) if isinstance(found, torch.Tensor) else () if _is_number(found) else None

    def number(self, value: Value) -> int | float | None:
        """A size's or a number's value in the dry run; None for a tensor."""
        found = self._known(value)
        return found if _is_number(found) else None

    def dtype(self, value: Value) -> torch.dtype | None:
        """Dtype of a tensor."""
        found = self._known(value)
        return found.dtype if isinstance(found, torch.Tensor) else None

    def varies(self, value: Value) -> bool:
        """Whether a value depends on the images."""
        return isinstance(value, Ref) and value.name in self._varying

    def trained(self, value: Value) -> bool:
        """Whether a value depends on parameters."""
        if isinstance(value, TensorRef):
            return value.key in self.network.parameter_keys
        return isinstance(value, Ref) and value.name in self._trained

    def is_tensor(self, value: Value) -> bool:
        """Whether a value is one tensor."""
        return isinstance(self._known(value), torch.Tensor)

    def sole_reader(self, name: str) -> bool:
        """Whether a value is read once, and is not the output."""
        readers = self._readers.get(name, {})
        return sum(readers.values()) == 1 and _OUTPUT not in readers

    def key(self, ref: TensorRef) -> str:
        """The first name of a stored tensor's memory."""
        return self._aliases.get(ref.key, ref.key)

    def sizes(self, shape: Shape) -> tuple[int, ...] | None:
        """A shape as an argument that holds for every batch; None if it cannot be written so."""
        return free_sizes(shape, 0 if self.network.graph.batch else self.batch)

    def fresh(self, name: str) -> str:
        """A name that no node has."""
        return next(one for one in (f"{name}.{n}" for n in count(1)) if one not in self.nodes)

    def fill(self, value: Value, depth: int = 8) -> float | None:
        """The one number that a value consists of, whatever the images; None if there is none or it is not known.

        A parameter consists of no such number: it is there to be learnt.
        """
        if isinstance(value, bool | int | float):
            return float(value)
        if isinstance(value, TensorRef) and value.key not in self.network.parameter_keys:
            if value.key not in self._frozen:
                return self._filled(value.key)
        elif (node := self.nodes.get(value.name) if isinstance(value, Ref) else None) and depth:
            if node.name in self._frozen or node.op not in ATEN:
                return None
            if node.base in _FILLERS:
                return _FILLERS[node.base]
            if node.base in _FILLED_WITH:
                return self.fill(arguments(node)[_FILLED_WITH[node.base]], depth - 1)
            if node.base in _KEEPS_FILL.split():
                return self.fill(node.args[0], depth - 1)
        return None

    def _filled(self, key: str) -> float | None:
        if key not in self._fills:
            array = self.network.weight(key)
            alike = array.size > 0 and bool((array == array.flat[0]).all())
            self._fills[key] = float(array.flat[0]) if alike else None
        return self._fills[key]

    # How the engine changes it.

    def begin(self) -> None:
        """Begin a pass."""
        self.order, self.seen = {}, {}

    def end(self) -> None:
        """End a pass: put the nodes in order."""
        self.nodes = {name: self.nodes[name] for name in self.order}

    def apply(self, node: Node, change: Change) -> bool:
        """Put a change in a node's place; False, and nothing is done, where that cannot be proven harmless.

        A change must keep shape and dtype, and may not touch a value whose memory is overwritten somewhere.
        """
        fresh = {new.name for new in change.nodes}
        read = {_name(ref) for new in change.nodes for ref in references(new)} | set(map(_name, refs_in(change.value)))
        touched = {node.name, *map(_name, references(node)), *read}
        dying = self._dying(node, read - fresh)
        if self.budget <= 0 or touched & self._frozen or any(one in self.nodes and one not in dying for one in fresh):
            return False
        if node.name == self.output and not isinstance(change.value, Ref):
            return False
        values = self._tried(node, change)
        if values is None:
            return False
        for name in dying:
            if name != node.name:
                self._remove(name)
        self._give_readers(node, change.value)
        for new in change.nodes:
            self._add(new, values[new.name])
        return True

    def _dying(self, node: Node, read: set[str]) -> set[str]:
        """The nodes that nothing reads any more once a node is replaced by others that read `read`."""
        dying = {node.name}
        stack = [node]
        while stack:
            for ref in references(stack.pop()):
                source = self.nodes.get(ref.name) if isinstance(ref, Ref) else None
                if source is None or source.name in dying or source.name in read or source.in_place:
                    continue
                if set(self._readers[source.name]) <= dying:
                    dying.add(source.name)
                    stack.append(source)
        return dying

    def _tried(self, node: Node, change: Change) -> dict[str, Any] | None:
        """The new nodes' values, if the last one is as the old one was."""
        values: dict[str, Any] = {}
        try:
            for new in change.nodes:
                values[new.name] = self._value(new, values)
        except EvidenceError:
            return None
        old, value = self.values[node.name], change.value
        new_value = values[value.name] if isinstance(value, Ref) and value.name in values else self._known(value)
        if not isinstance(old, torch.Tensor):
            return values if type(old) is type(new_value) and (not _is_number(old) or old == new_value) else None
        alike = isinstance(new_value, torch.Tensor) and (old.shape, old.dtype) == (new_value.shape, new_value.dtype)
        return values if alike else None

    def _give_readers(self, node: Node, value: Value) -> None:
        readers = self._readers.pop(node.name, {})
        self._remove(node.name)
        for name, times in readers.items():
            self.budget -= 1
            if name == _OUTPUT and isinstance(value, Ref):
                self.output = value.name
            elif name != _OUTPUT:
                self.nodes[name] = with_value(self.nodes[name], node.name, value)
            if isinstance(value, Ref):
                found = self._readers.setdefault(value.name, {})
                found[name] = found.get(name, 0) + times

    def _remove(self, name: str) -> None:
        node = self.nodes.pop(name)
        self.order.pop(name, None)
        self._readers.pop(name, None)
        for ref in references(node):
            if isinstance(ref, Ref):
                self._readers.get(ref.name, {}).pop(name, None)
        self._varying.discard(name)
        self._trained.discard(name)
        del self.values[name]

    def _add(self, node: Node, value: Any) -> None:
        self.budget -= 1
        self.nodes[node.name] = node
        self.values[node.name] = value
        self._readers.setdefault(node.name, {})
        refs = references(node)
        for ref in refs:
            if isinstance(ref, Ref):
                found = self._readers.setdefault(ref.name, {})
                found[node.name] = found.get(node.name, 0) + 1
        if any(self.varies(ref) for ref in refs) and not _is_number(value):
            self._varying.add(node.name)
        if any(self.trained(ref) for ref in refs) and node.base not in SHAPE_ONLY:
            self._trained.add(node.name)

    def _value(self, node: Node, values: Mapping[str, Any]) -> Any:
        """A node's value on the meta device; computed once for arguments of the same kind."""
        given = ChainMap(dict(values), self.values)
        args = [resolved(value, given, self.tensors) for value in node.args]
        kwargs = {name: resolved(value, given, self.tensors) for name, value in node.kwargs.items()}
        key = (node.op, _kind(args), tuple((name, _kind(value)) for name, value in sorted(kwargs.items())))
        if key not in self._tried_ops:
            with torch.no_grad():
                self._tried_ops[key] = call(node, args, kwargs, "meta", random=True)
        return self._tried_ops[key]

    def _known(self, value: Value) -> Any:
        if isinstance(value, Ref):
            return self.values.get(value.name)
        return self.tensors[value.key] if isinstance(value, TensorRef) else value


def _pure(network: Network, batch: int) -> Pure:
    tensors, images = network.on_meta(batch)
    return functional(network.graph, tensors, images, 0 if network.graph.batch else batch)


def _kind(value: Any) -> Any:
    """What an op's result on the meta device depends on: of tensors their layout, else the value with its type."""
    if isinstance(value, torch.Tensor):
        return value.shape, value.stride(), value.dtype
    return tuple(map(_kind, value)) if isinstance(value, tuple | list) else (type(value), value)


def _is_number(value: Any) -> bool:
    return type(value) in (bool, int, float)


def numbers(value: Value) -> tuple[int | float, ...]:
    """A list of numbers, or one of them; references are left out."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in values if isinstance(one, bool | int | float))


def _name(ref: Ref | TensorRef) -> str:
    return ref.name if isinstance(ref, Ref) else ref.key


def refs_in(value: Value) -> tuple[Any, ...]:
    """The references in one argument."""
    return references(Node("", "", (value,), {}, ""))


def with_value(node: Node, name: str, value: Value) -> Node:
    """A node that reads another value instead of that of a name."""

    def changed(one: Value) -> Value:
        if isinstance(one, tuple):
            return tuple(changed(item) for item in one)
        return value if one == Ref(name) else one

    args = tuple(changed(one) for one in node.args)
    return replace(node, args=args, kwargs={key: changed(one) for key, one in node.kwargs.items()})
