"""Where a network branches and merges, and what each branch holds.

For each merge the branches are traced back to the place where they all come from (its dominator: the last value
that every path to the merge passes). Between the two, the largest set of paths that share no node is found by
maximum flow; among the largest sets, one that passes the most nodes with parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graders.errors import EvidenceError
from graders.models.flow import Flow, flow_of
from graders.models.graph import Node, Ref, TensorRef, references
from graders.models.network import Network

MAX_MERGES = 64
MAX_REGION = 2000


@dataclass(frozen=True)
class Merge:
    """A node that joins data that came by different ways; sums of sums and the like are one merge.

    Attributes:
        node: Its name.
        op: The op's base name without a trailing underscore: "add", "cat", "mul" ...
        members: The nodes that it consists of, the last one is `node`.
        fan_out: The node (or input) that all of its branches come from.
    """

    node: str
    op: str
    members: tuple[str, ...]
    fan_out: str


@dataclass(frozen=True)
class Branch:
    """A path from a fan-out to a merge that shares no node with the other branches of the same merge.

    Attributes:
        path: Its nodes in order; empty for a direct connection.
        reader: The member of the merge that reads it.
        modules: Submodules on the path that hold parameters.
        parameters: Keys of the parameters that its nodes use.
        parameter_count: Elements of those.
    """

    merge: Merge
    path: tuple[str, ...]
    reader: str
    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    parameter_count: int

    @property
    def end(self) -> str:
        """The node whose value goes into the merge."""
        return self.path[-1] if self.path else self.merge.fan_out

    @property
    def name(self) -> str:
        """For people: its submodules, or what else it is."""
        return ", ".join(self.modules) or ("the direct connection" if not self.path else "a branch without parameters")


@dataclass(frozen=True)
class Topology:
    """Attributes: fan_outs (nodes that at least two others read), merges, and the branches between them."""

    fan_outs: tuple[str, ...]
    merges: tuple[Merge, ...]
    branches: tuple[Branch, ...]

    def of(self, merge: Merge) -> tuple[Branch, ...]:
        """The branches of one merge."""
        return tuple(branch for branch in self.branches if branch.merge == merge)


def topology(network: Network) -> Topology:
    """Find fan-outs, merges and the branches between them.

    Raises:
        EvidenceError: more than 64 merges, or more than 2000 nodes between a fan-out and its merge.
    """
    flow = flow_of(network)
    fan_outs = tuple(name for name in flow.order if len(set(flow.readers[name])) > 1)
    merges = tuple(_merges(network, flow))
    branches = tuple(branch for merge in merges for branch in _branches(network, flow, merge))
    return Topology(fan_outs, merges, branches)


def _merges(network: Network, flow: Flow) -> Iterator[Merge]:
    dominators = _dominators(flow)
    joins = [name for name in flow.order if len(flow.sources[name]) > 1]
    if len(joins) > MAX_MERGES:
        raise EvidenceError(f"the network merges {len(joins)} times; at most {MAX_MERGES} merges are looked at")
    for name in joins:
        op = _op(network, name)
        readers = flow.readers[name]
        if len(readers) == 1 and readers[0] in joins and _op(network, readers[0]) == op:
            continue  # a part of the merge that reads it
        members = tuple(_members(network, flow, name, op))
        yield Merge(name, op, tuple(reversed(members)), dominators[name])


def _op(network: Network, name: str) -> str:
    return network.nodes[name].base.rstrip("_")


def _members(network: Network, flow: Flow, name: str, op: str) -> Iterator[str]:
    yield name
    for source in dict.fromkeys(flow.sources[name]):
        alone = len(flow.readers[source]) == 1 and len(flow.sources[source]) > 1
        if alone and _op(network, source) == op:
            yield from _members(network, flow, source, op)


def _dominators(flow: Flow) -> Mapping[str, str]:
    """The immediate dominator of each node: the last node that all paths from the input pass before it."""
    depth = {flow.order[0]: 0}
    parent = {flow.order[0]: flow.order[0]}
    for name in flow.order[1:]:
        first, *others = dict.fromkeys(flow.sources[name])
        for other in others:
            while first != other:
                if depth[first] >= depth[other]:
                    first = parent[first]
                else:
                    other = parent[other]
        parent[name], depth[name] = first, depth[first] + 1
    return parent


def _branches(network: Network, flow: Flow, merge: Merge) -> Iterator[Branch]:
    region = _region(flow, merge)
    inputs = [(source, member) for member in merge.members for source in flow.sources[member]]
    ends = [(source, member) for source, member in inputs if source not in merge.members]
    holding = {name: tuple(parameters_of(network, name)) for name in region}
    for path in _paths(flow, merge.fan_out, region, [source for source, _ in ends], holding):
        end = path[-1] if path else merge.fan_out
        place = next(place for place, (source, _) in enumerate(ends) if source == end)
        _, reader = ends.pop(place)
        keys = tuple(dict.fromkeys(key for name in path for key in holding[name]))
        modules = tuple(dict.fromkeys(network.nodes[name].module for name in path if holding[name]))
        count = sum(network.weight_size(key) for key in keys)
        yield Branch(merge, path, reader, tuple(one for one in modules if one), keys, count)


def _region(flow: Flow, merge: Merge) -> tuple[str, ...]:
    """The nodes between a fan-out and its merge, in order of execution."""
    wanted: set[str] = set()
    stack = [source for member in merge.members for source in flow.sources[member]]
    while stack:
        name = stack.pop()
        if name not in wanted and name != merge.fan_out and name not in merge.members:
            wanted.add(name)
            stack.extend(flow.sources[name])
    if len(wanted) > MAX_REGION:
        raise EvidenceError(
            f"{len(wanted)} nodes lie before the merge {merge.node}; at most {MAX_REGION} are looked at"
        )
    return tuple(name for name in flow.order if name in wanted)


def parameters_of(network: Network, name: str) -> Iterator[str]:
    """Keys of the parameters that a node uses, itself or through what is computed from weights alone."""
    stack: list[Node] = [network.nodes[name]]
    while stack:
        for ref in references(stack.pop()):
            if isinstance(ref, TensorRef) and ref.key in network.parameter_keys:
                yield ref.key
            elif isinstance(ref, Ref) and ref.name in network.constant_nodes:
                stack.append(network.nodes[ref.name])


@dataclass
class _Edge:
    """An arc of the flow network with its twin for taking flow back."""

    to: int
    room: int
    cost: int
    forward: bool
    twin: "_Edge | None" = None


@dataclass
class _Arcs:
    """A flow network: places are numbers, arcs have capacity and cost."""

    out: list[list[_Edge]] = field(default_factory=list)

    def place(self) -> int:
        """A new place."""
        self.out.append([])
        return len(self.out) - 1

    def arc(self, start: int, to: int, room: int, cost: int = 0) -> None:
        """A new arc."""
        there, back = _Edge(to, room, cost, True), _Edge(start, 0, -cost, False)
        there.twin, back.twin = back, there
        self.out[start].append(there)
        self.out[to].append(back)

    def push(self, start: int, goal: int) -> bool:
        """Send one more unit along the cheapest way (Bellman and Ford: costs may be negative)."""
        best: dict[int, int] = {start: 0}
        way: dict[int, _Edge] = {}
        queue = [start]
        while queue:
            later: list[int] = []
            for place in queue:
                for edge in self.out[place]:
                    cost = best[place] + edge.cost
                    if edge.room and cost < best.get(edge.to, cost + 1):
                        best[edge.to], way[edge.to] = cost, edge
                        later.append(edge.to)
            queue = list(dict.fromkeys(later))
        if goal not in way:
            return False
        place = goal
        while place != start:
            edge = way[place]
            edge.room -= 1
            if edge.twin is not None:
                edge.twin.room += 1
                place = edge.twin.to
        return True


def _paths(
    flow: Flow, start: str, region: Sequence[str], ends: Sequence[str], holding: Mapping[str, Sequence[str]]
) -> list[tuple[str, ...]]:
    """The most paths from `start` to the merge that share no node, preferring those through parameters."""
    arcs = _Arcs()
    source, goal = arcs.place(), arcs.place()
    enter = {name: arcs.place() for name in region}
    leave = {name: arcs.place() for name in region}
    for name in region:
        arcs.arc(enter[name], leave[name], 1, -1 if holding[name] else 0)
        for before in flow.sources[name]:
            arcs.arc(source if before == start else leave[before], enter[name], 1)
    for end in ends:
        arcs.arc(source if end == start else leave[end], goal, 1)
    count = 0
    while arcs.push(source, goal):
        count += 1
    names = {number: name for name, number in enter.items()}
    return [_walk_path(arcs, source, goal, names, leave) for _ in range(count)]


def _walk_path(
    arcs: _Arcs, source: int, goal: int, names: Mapping[int, str], leave: Mapping[str, int]
) -> tuple[str, ...]:
    """Follow one unit of flow and use it up."""
    path: list[str] = []
    place = source
    while place != goal:
        # An arc that carries flow has a twin with room to take it back.
        edge = next(one for one in arcs.out[place] if one.forward and one.twin is not None and one.twin.room)
        if edge.twin is not None:
            edge.twin.room = 0
        place = edge.to
        if place in names:
            path.append(names[place])
            place = leave[names[place]]
    return tuple(path)
