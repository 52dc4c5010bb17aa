"""Runs a graph of whitelisted ops, on the meta device (shapes only) or on the CPU."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from graders.models.graph import DType, Graph, Ref, TensorRef, Value, references
from graders.models.ops import call

Watch = Callable[[str, Any], None]
"""Is told each value as it arises: name of the node (or input), value. Later ops may overwrite the value in place."""

Substitute = Mapping[tuple[str, str], Callable[[torch.Tensor], torch.Tensor]]
"""(reader, source) -> what the reader is given instead of the source's value."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that sums are taken in the same order on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def execute(
    graph: Graph,
    tensors: Mapping[str, torch.Tensor],
    images: torch.Tensor,
    *,
    random: bool = False,
    watch: Watch | None = None,
    substitute: Substitute | None = None,
) -> Any:
    """Run a graph once.

    Args:
        graph: What to run.
        tensors: Stored tensors by key, on the images' device. They are left as they are.
        images: The input, (batch, ...), on the CPU or the meta device. It is left as it is.
        random: Whether dropout acts where the graph says so; else it is off.
        watch: Is told each value.
        substitute: Values to exchange on the way from one node to another.

    Returns:
        The output's value.

    Raises:
        EvidenceError: an op refuses its arguments.
    """
    if graph.mutates:
        tensors = {key: tensor.clone() for key, tensor in tensors.items()}
        images = images.clone()
    values: dict[str, Any] = {graph.input: images}
    if watch:
        watch(graph.input, images)
    last = _last_readers(graph)
    for node in graph.nodes:
        scope = _Scope(node.name, values, tensors, substitute or {})
        args = [scope.resolve(value) for value in node.args]
        kwargs = {name: scope.resolve(value) for name, value in node.kwargs.items()}
        values[node.name] = result = call(node, args, kwargs, images.device.type, random=random)
        if watch:
            watch(node.name, result)
        for name in last.get(node.name, ()):
            del values[name]
    return values[graph.output]


@dataclass(frozen=True)
class _Scope:
    """What one node may read."""

    reader: str
    values: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    substitute: Substitute

    def resolve(self, value: Value) -> Any:
        """Replace references by what they refer to."""
        match value:
            case Ref(name):
                change = self.substitute.get((self.reader, name))
                return change(self.values[name]) if change else self.values[name]
            case TensorRef(key):
                return self.tensors[key]
            case DType(name):
                return getattr(torch, name)
            case tuple():
                return [self.resolve(item) for item in value]
        return value


def _last_readers(graph: Graph) -> dict[str, list[str]]:
    """For each node, the values that nothing reads after it."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        last[node.name] = node.name
        last.update({ref.name: node.name for ref in references(node) if isinstance(ref, Ref)})
    found: dict[str, list[str]] = {}
    for name, reader in last.items():
        if name != graph.output:
            found.setdefault(reader, []).append(name)
    return found
