"""Plans: the stages of a network one after the other, and side by side where it branches.

A specification with branches puts them on one line, `||` between them, and the way in which they come together on the
next; a branch that hands its input on unchanged is the word `input`, or nothing at all:

    specification(["conv 16 1x1, relu || conv 16 5x5 padding 2, relu", "add", "max_pool 2x2", "flatten", "linear 10"])

The graph of a network becomes a plan by series-parallel decomposition: what lies between a merge and the last stage
that all of its inputs come from is cut into parts that share no stage. Parts of which several ends go into the merge
are decomposed once more; where that is not possible the ways cross, and all of it stays one `Tangle`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from graders.models.notation import Shape, Stage, shape_after, stage

MERGES = frozenset({"add", "sub", "mul", "div", "cat", "stack", "maximum", "minimum", "matmul"})
"""Kinds that a specification may name as the place where branches come together."""
ASSOCIATIVE = frozenset({"add", "mul", "cat", "maximum", "minimum"})
"""Merges of which several in a row are one, and whose branches may be given in any order.

The order of maps after `cat` differs, but what can be learnt does not.
"""
MAX_DEPTH = 12
"""Branches within branches; deeper ones are a tangle."""


@dataclass(frozen=True)
class Parallel:
    """Branches side by side and the stage that brings them together; an empty branch is a shortcut."""

    branches: tuple["Plan", ...]
    merge: Stage


@dataclass(frozen=True)
class Tangle:
    """Stages in order of execution whose ways cross, so that they are no separate branches."""

    stages: tuple[Stage, ...]


Item = Stage | Parallel | Tangle
Plan = tuple[Item, ...]


class Graph(Protocol):
    """Stages in order of execution; `sources` has for each the places of those that it reads, -1 for the input."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages; the last one is the output."""

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """In order of the arguments, with repetitions."""


def specification(lines: Sequence[str]) -> Plan:
    """Parse a specification, a stage a line; see the head of this module for branches.

    Raises:
        ValueError: a line is not in the notation; the message says what is wrong.
    """
    found: list[Item] = []
    branches: tuple[Plan, ...] = ()
    for line in lines:
        if branches:
            found.append(Parallel(branches, _merge(line)))
            branches = ()
        elif "||" in line:
            branches = tuple(_branch(part) for part in line.split("||"))
        else:
            found.append(stage(line))
    if branches:
        raise ValueError("branches need a line after them that says how they come together: add, cat, mul ...")
    return tuple(found)


def _branch(text: str) -> Plan:
    words = text.strip()
    return () if words in ("", "input") else tuple(stage(part.strip()) for part in words.split(","))


def _merge(line: str) -> Stage:
    one = stage(line)
    if one.kind not in MERGES:
        raise ValueError(f"{line!r} brings no branches together; add, cat or mul would")
    return one


def leaves(plan: Sequence[Item]) -> tuple[Stage, ...]:
    """The stages of a plan in order, a merge after its branches."""
    return tuple(_leaves(plan))


def _leaves(plan: Sequence[Item]) -> Iterator[Stage]:
    for item in plan:
        match item:
            case Stage():
                yield item
            case Tangle():
                yield from item.stages
            case Parallel():
                for branch in item.branches:
                    yield from _leaves(branch)
                yield item.merge


def with_shapes(plan: Sequence[Item], shape: Shape | None) -> Plan:
    """Fill in the shapes of a specification, from the shape of one image; None from where they are unknown."""
    found: list[Item] = []
    for item in plan:
        if isinstance(item, Parallel):
            branches = tuple(with_shapes(branch, shape) for branch in item.branches)
            ends = [_after(branch, shape) for branch in branches]
            shape = merged_shape(item.merge, ends)
            found.append(Parallel(branches, replace(item.merge, shape_in=ends[0], shape_out=shape)))
        elif isinstance(item, Stage):
            after = None if shape is None else shape_after(item, shape)
            found.append(replace(item, shape_in=shape, shape_out=after))
            shape = after
        else:
            found.append(item)
            shape = item.stages[-1].shape_out
    return tuple(found)


def _after(plan: Plan, shape: Shape | None) -> Shape | None:
    return leaves(plan)[-1].shape_out if plan else shape


def merged_shape(merge: Stage, shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of one item after a merge; None where the branches do not fit or it is not known."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes):
        return None
    first = known[0]
    if merge.kind != "cat":
        return first if all(shape == first for shape in known) else None
    axis = merge.params.get("axis", 1) - 1
    if not 0 <= axis < len(first) or any(_without(shape, axis) != _without(first, axis) for shape in known):
        return None
    return (*first[:axis], sum(shape[axis] for shape in known), *first[axis + 1 :])


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def plan_of(graph: Graph) -> Plan:
    """Decompose the graph of a network; see the head of this module."""
    return _Decomposition(graph).between(-1, len(graph.stages) - 1) if graph.stages else ()


class _Decomposition:
    """Places are numbers of stages; -1 is the input."""

    def __init__(self, graph: Graph) -> None:
        self.stages, self.sources = graph.stages, graph.sources
        self.readers = [0] * len(graph.stages)
        for source in (one for sources in graph.sources for one in sources if one >= 0):
            self.readers[source] += 1
        self.parent: dict[int, int] = {-1: -1}
        self.height: dict[int, int] = {-1: 0}
        for place, sources in enumerate(graph.sources):
            self.parent[place] = self.common(sources)
            self.height[place] = self.height[self.parent[place]] + 1

    def common(self, places: Sequence[int]) -> int:
        """The last place that all ways from the input to these places pass (their common dominator)."""
        first, *others = places
        for other in others:
            while first != other:
                if self.height[first] >= self.height[other]:
                    first = self.parent[first]
                else:
                    other = self.parent[other]
        return first

    def between(self, start: int, end: int, depth: int = 0) -> Plan:
        """The plan from after `start`, which all ways to `end` pass, up to `end`."""
        backwards: list[Item] = []
        place = end
        while place != start:
            inputs, members = self.inputs(place)
            if len(inputs) == 1:
                backwards.append(self.stages[place])
                place = inputs[0]
            else:
                place, items = self.joined(inputs, members, depth)
                backwards.extend(reversed(items))
        return tuple(reversed(backwards))

    def inputs(self, place: int) -> tuple[list[int], list[int]]:
        """What a stage reads, and the stages that it consists of: a sum of sums is one sum."""
        inputs: list[int] = []
        members = [place]
        stack = list(reversed(self.sources[place]))
        while stack:
            source = stack.pop()
            if self._is_part(source, place):
                members.append(source)
                stack.extend(reversed(self.sources[source]))
            else:
                inputs.append(source)
        return inputs, members

    def _is_part(self, source: int, merge: int) -> bool:
        if source < 0 or self.stages[merge].kind not in ASSOCIATIVE or len(self.sources[merge]) < 2:
            return False
        alone = self.readers[source] == 1 and len(self.sources[source]) > 1
        return alone and self.stages[source].same_as(self.stages[merge])

    def joined(self, inputs: Sequence[int], members: Sequence[int], depth: int) -> tuple[int, Plan]:
        """Where the ways into a merge come from, and what lies between there and the merge, with it."""
        fork = self.common(inputs)
        regions = [self.region(fork, one) for one in inputs]
        groups = _groups(regions)
        heads = [self.common([inputs[one] for one in group]) for group in groups]
        if depth >= MAX_DEPTH or any(
            len(group) > 1 and head == fork for group, head in zip(groups, heads, strict=True)
        ):
            places = sorted({*members, *(place for region in regions for place in region)})
            return fork, (Tangle(tuple(self.stages[place] for place in places)),)
        branches = []
        for group, head in zip(groups, heads, strict=True):
            plan = self.between(fork, head, depth + 1)
            if len(group) > 1:
                plan += self.joined([inputs[one] for one in group], members[1:] or members, depth + 1)[1]
            branches.append(plan)
        return fork, (Parallel(tuple(branches), self.stages[members[0]]),)

    def region(self, fork: int, end: int) -> frozenset[int]:
        """The places on the ways from after `fork` up to `end`."""
        found: set[int] = set()
        stack = [end]
        while stack:
            place = stack.pop()
            if place != fork and place not in found:
                found.add(place)
                stack.extend(self.sources[place])
        return frozenset(found)


def _groups(regions: Sequence[frozenset[int]]) -> list[list[int]]:
    """Numbers of regions, together where they share a place."""
    groups: list[tuple[list[int], frozenset[int]]] = []
    for number, region in enumerate(regions):
        apart = [group for group in groups if not group[1] & region]
        touched = [group for group in groups if group[1] & region]
        numbers = [one for group in touched for one in group[0]] + [number]
        groups = [*apart, (numbers, region.union(*(group[1] for group in touched)))]
    return sorted(sorted(numbers) for numbers, _ in groups)
