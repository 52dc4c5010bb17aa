"""Runs a graph of whitelisted ops, on the meta device (shapes only) or on the CPU."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        given = _Changed(node.name, values, substitute) if substitute else values
        args = [resolved(value, given, tensors) for value in node.args]
        kwargs = {name: resolved(value, given, tensors) for name, value in node.kwargs.items()}
        values[node.name] = result = call(node, args, kwargs, images.device.type, random=random)
        if watch:
            watch(node.name, result)
        for name in last.get(node.name, ()):
            del values[name]
    return values[graph.output]


def resolved(value: Value, values: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Any:
    """An argument with its references replaced by what they refer to.

    Args:
        value: The argument.
        values: Values of nodes by name.
        tensors: Stored tensors by key.
    """
    match value:
        case Ref(name):
            return values[name]
        case TensorRef(key):
            return tensors[key]
        case DType(name):
            return getattr(torch, name)
        case tuple():
            return [resolved(item, values, tensors) for item in value]
    return value


class _Changed(dict[str, Any]):
    """The values as one reader is given them."""

    def __init__(self, reader: str, values: Mapping[str, Any], substitute: Substitute) -> None:
        super().__init__()
        self.reader, self.values_, self.substitute = reader, values, substitute

    def __missing__(self, name: str) -> Any:
        change = self.substitute.get((self.reader, name))
        return change(self.values_[name]) if change else self.values_[name]


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
