"""Ops in place become pure ones: the first step of rewriting, without which no value stands for itself.

`relu_(a)` overwrites a's memory, and with it all values that share that memory: a under its other names, views of it,
and what it is a view of. In a pure graph they must read the new value instead. Who shares memory with whom is taken
from a run on the meta device, whose tensors share storage as real ones do. Where a later reader sees the memory in
another order or in part, the op is left as it is and its memory is frozen: no rule may touch it.

Source: `torch.Tensor` views, https://docs.pytorch.org/docs/stable/tensor_view.html; the same step in
`torch.func.functionalize`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import torch

from graders.models.graph import Graph, Node, Ref, TensorRef, Value, references
from graders.models.interpreter import resolved
from graders.models.network import Shape
from graders.models.ops import ATEN, RANDOM_SWITCHES, arguments, call

_PURE: Mapping[str, str] = {
    "aten.fill_.Scalar": "aten.full_like.default",
    "aten.zero_.default": "aten.zeros_like.default",
    "aten.pow_.Scalar": "aten.pow.Tensor_Scalar",
}
"""The pure op, where it is not called as the one in place without its underscore."""
Handle = str | TensorRef
"""What an argument of the graph as it was refers to: a node's name or a stored tensor."""


@dataclass(frozen=True)
class Pure:
    """A graph's nodes without ops in place, as far as that could be proven.

    Attributes:
        nodes: In order of execution.
        output: Name of the output.
        frozen: Names of nodes, and keys of stored tensors, whose memory is still overwritten somewhere.
    """

    nodes: tuple[Node, ...]
    output: str
    frozen: frozenset[str]


def functional(
    graph: Graph,
    tensors: Mapping[str, torch.Tensor],
    images: torch.Tensor,
    batch: int,
) -> Pure:
    """Make the ops in place of a graph pure.

    Args:
        graph: As it was read.
        tensors: Stored tensors on the meta device, by key.
        images: The input on the meta device.
        batch: How many images that are; 0 where the graph's batch is fixed.

    Raises:
        EvidenceError: an op refuses its arguments.
    """
    if not any(node.in_place for node in graph.nodes):
        return Pure(graph.nodes, graph.output, frozenset(_statistics(graph.nodes)))
    run = _Run(graph, tensors, images, batch)
    for place, node in enumerate(graph.nodes):
        run.step(place, node)
    output = run.current.get(graph.output, Ref(graph.output))
    name = output.name if isinstance(output, Ref) else graph.output
    return Pure(tuple(run.nodes.values()), name, frozenset((*run.frozen_names(), *_statistics(run.nodes.values()))))


def pure_op(node: Node) -> str:
    """The op that gives what an op in place writes."""
    return _PURE.get(node.op, ".".join(("aten", node.base.rstrip("_"), node.op.split(".")[2])))


def free_sizes(shape: Shape, batch: int) -> tuple[int, ...] | None:
    """A shape as an argument that holds for every batch; None if it cannot be written so.

    Args:
        shape: As found with `batch` images; a multiple of that comes from the batch.
        batch: 0 where the batch is fixed.
    """
    free = [place for place, size in enumerate(shape) if batch and size and size % batch == 0]
    return tuple(-1 if place in free else size for place, size in enumerate(shape)) if len(free) < 2 else None


def keeps_statistics(node: Node) -> bool:
    """Whether a node overwrites the running statistics that it is given."""
    switch = {"batch_norm": "training", "instance_norm": "use_input_stats"}.get(node.base)
    return switch is not None and arguments(node)[switch] is True


def _statistics(nodes: Iterable[Node]) -> Iterable[str]:
    """Keys of running statistics that are overwritten."""
    for node in nodes:
        if keeps_statistics(node):
            given = arguments(node)
            yield from (ref.key for ref in (given["running_mean"], given["running_var"]) if isinstance(ref, TensorRef))


def _handle(ref: Any) -> Handle:
    found: Handle = ref.name if isinstance(ref, Ref) else ref
    return found


def _storages(value: Any) -> set[int]:
    parts = value if isinstance(value, tuple | list) else (value,)
    return {part.untyped_storage()._cdata for part in parts if isinstance(part, torch.Tensor)}


class _Run:
    """A run on the meta device that writes the pure graph as it goes.

    Attributes:
        nodes: Written so far, by name.
        current: For what was overwritten, the value that stands for it now.
    """

    def __init__(
        self,
        graph: Graph,
        tensors: Mapping[str, torch.Tensor],
        images: torch.Tensor,
        batch: int,
    ) -> None:
        self.tensors, self.batch = tensors, batch
        self.nodes: dict[str, Node] = {}
        self.current: dict[Handle, Value] = {}
        self.values: dict[str, Any] = {graph.input: images}
        self.last: dict[Handle, int] = {graph.output: len(graph.nodes)}
        self.taken = {graph.input, *(node.name for node in graph.nodes)}
        self.sharing: dict[int, dict[Handle, None]] = {}
        self.perhaps: dict[int, set[int]] = {}
        self.frozen: set[int] = set()
        for place, node in enumerate(graph.nodes):
            for ref in references(node):
                self.last[_handle(ref)] = max(place, self.last.get(_handle(ref), 0))
        self._share(graph.input, images)
        for key, tensor in tensors.items():
            self._share(TensorRef(key), tensor)

    def step(self, place: int, node: Node) -> None:
        """Write one node, pure if it can be."""
        first = node.args[0] if node.args else None
        ready = self._with_current(node)
        if node.in_place and isinstance(first, Ref | TensorRef) and self._purified(place, node, ready):
            return
        value = self._value(ready)
        self.nodes[node.name], self.values[node.name] = ready, value
        self._share(node.name, value)
        if node.base in RANDOM_SWITCHES:
            # Switched off, the op may hand on its argument itself.
            self._may_share(_storages(value), _storages(self._of(ready.args[0])))
        if node.in_place:
            self.frozen |= self._near(_storages(value))

    def _purified(self, place: int, node: Node, ready: Node) -> bool:
        old = self._of(ready.args[0])
        if pure_op(node) not in ATEN or not isinstance(old, torch.Tensor):
            return False
        pure = replace(ready, op=pure_op(node))
        new = self._value(pure)
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            return False
        if node.base == "detach_":
            # Nothing is overwritten: the tensor of this name leaves the graph of gradients.
            self._write(pure, new, {})
            self.current[_handle(node.args[0])] = Ref(node.name)
            return True
        here = old.untyped_storage()._cdata
        near = self._near({here})
        later = {one: s for s in near for one in self.sharing.get(s, {}) if self.last.get(one, -1) > place}
        if near & self.frozen or any(storage != here for storage in later.values()):
            return False
        views = {one: self._as_seen(self._handled(one), old) for one in later if one != node.name}
        if None in views.values():
            return False
        self.sharing.pop(here, None)
        self._write(pure, new, views)
        if node.base in RANDOM_SWITCHES:
            self._may_share(_storages(new), {here})
        return True

    def _write(self, pure: Node, new: torch.Tensor, views: Mapping[Handle, Shape | None]) -> None:
        """Write the pure op, and for each shape in which its value is seen later a reshaping."""
        self.nodes[pure.name], self.values[pure.name] = pure, new
        self._share(pure.name, new)
        shaped: dict[Any, str] = {(): pure.name}
        for handle, sizes in views.items():
            if sizes not in shaped:
                name = next(one for n in count(1) if (one := f"{pure.name}.{n}") not in self.taken)
                self.taken.add(name)
                self.nodes[name] = Node(name, "aten.reshape.default", (Ref(pure.name), sizes or ()), {}, pure.module)
                self.values[name] = self._value(self.nodes[name])
                shaped[sizes] = name
            self.current[handle] = Ref(shaped[sizes])
            self._share(handle, self.values[shaped[sizes]])

    def _as_seen(self, seen: Any, written: torch.Tensor) -> Shape | None:
        """Sizes in which the memory is seen; () if as it was written, None if in part, in another order, or mixed."""
        if not isinstance(seen, torch.Tensor) or seen.dtype != written.dtype:
            return None
        if seen.storage_offset() != written.storage_offset() or seen.numel() != written.numel():
            return None
        if (seen.shape, seen.stride()) == (written.shape, written.stride()):
            return ()
        dense = seen.is_contiguous() and written.is_contiguous() and seen.ndim > 0
        return free_sizes(tuple(seen.shape), self.batch) if dense else None

    def frozen_names(self) -> Iterable[str]:
        """What shares memory that is still overwritten."""
        frozen = self._near(self.frozen)
        yield from (name for name, value in self.values.items() if _storages(value) & frozen)
        yield from (key for key, tensor in self.tensors.items() if _storages(tensor) & frozen)

    def _near(self, storages: set[int]) -> set[int]:
        """These, and those that may be the same memory."""
        found, stack = set(storages), list(storages)
        while stack:
            new = self.perhaps.get(stack.pop(), set()) - found
            found |= new
            stack.extend(new)
        return found

    def _may_share(self, some: set[int], others: set[int]) -> None:
        for one in some:
            for other in others - {one}:
                self.perhaps.setdefault(one, set()).add(other)
                self.perhaps.setdefault(other, set()).add(one)

    def _share(self, handle: Handle, value: Any) -> None:
        for storage in _storages(value):
            self.sharing.setdefault(storage, {})[handle] = None

    def _handled(self, handle: Handle) -> Any:
        if handle in self.current:
            return self._of(self.current[handle])
        return self.tensors[handle.key] if isinstance(handle, TensorRef) else self.values[handle]

    def _of(self, value: Value) -> Any:
        return resolved(value, self.values, self.tensors)

    def _value(self, node: Node) -> Any:
        with torch.no_grad():
            kwargs = {name: self._of(value) for name, value in node.kwargs.items()}
            return call(node, [self._of(value) for value in node.args], kwargs, "meta", random=True)

    def _with_current(self, node: Node) -> Node:
        if not self.current:
            return node
        kwargs = {name: self._replaced(value) for name, value in node.kwargs.items()}
        return replace(node, args=tuple(self._replaced(value) for value in node.args), kwargs=kwargs)

    def _replaced(self, value: Value) -> Value:
        match value:
            case Ref(name):
                return self.current.get(name, value)
            case TensorRef():
                return self.current.get(value, value)
            case tuple():
                return tuple(self._replaced(one) for one in value)
        return value
