"""The flow of data through a network: which values an image's data passes on its way to the output.

Sizes, constants and weights are no data; an op in place stands for the value it overwrites from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graders.models.graph import Ref, references
from graders.models.network import Network
from graders.models.ops import SHAPE_ONLY


@dataclass(frozen=True)
class Flow:
    """The part of a graph that data passes, from the input to the output.

    Attributes:
        order: Nodes in order of execution; the input is the first.
        sources: Per node the nodes whose data it reads, in order of its arguments, with repetitions.
        readers: Per node the nodes that read its data, with repetitions; empty for the output.
    """

    order: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    readers: Mapping[str, tuple[str, ...]]


def flow_of(network: Network) -> Flow:
    """Trace the data from the input to the output."""
    graph = network.graph
    sources: dict[str, tuple[str, ...]] = {graph.input: ()}
    current: dict[str, str] = {}
    for node in graph.nodes:
        read = [current.get(ref.name, ref.name) for ref in references(node) if isinstance(ref, Ref)]
        found = tuple(name for name in read if name in sources)
        if node.base in SHAPE_ONLY or network.is_number(node.name) or not found:
            continue
        sources[node.name] = found
        if node.in_place and isinstance(node.args[0], Ref):
            # Every name for the overwritten value means the new one from here on.
            old = current.get(node.args[0].name, node.args[0].name)
            current.update({name: node.name for name in (*current, old) if current.get(name, name) == old})
    return _reaching(sources, current.get(graph.output, graph.output), graph.input)


def _reaching(sources: dict[str, tuple[str, ...]], output: str, start: str) -> Flow:
    wanted = {output, start}
    for name in reversed(sources):
        if name in wanted:
            wanted.update(sources[name])
    kept = {name: found for name, found in sources.items() if name in wanted}
    readers: dict[str, list[str]] = {name: [] for name in kept}
    for name, found in kept.items():
        for source in found:
            readers[source].append(name)
    return Flow(tuple(kept), kept, {name: tuple(found) for name, found in readers.items()})
