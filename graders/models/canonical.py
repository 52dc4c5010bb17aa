"""The canonical form of a network: what it computes, whatever its layers are called and however they are written.

Stages that commute are put into one order: a ReLU goes before max pooling, dropout and flattening (all of them keep
the order of numbers and zero); plain dropout goes before flattening. A ReLU after a ReLU vanishes, a bias that is
added by hand joins its layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graders.models.flow import flow_of
from graders.models.network import Network
from graders.models.notation import Stage
from graders.models.recognise import stages_of

_BEFORE_POOLING = ("max_pool", "max_pool1d", "max_pool3d", "adaptive_max_pool", "dropout", "flatten")


@dataclass(frozen=True)
class Chain:
    """The stages of a network in order of execution; `is_chain` if each reads the one before it and nothing else."""

    stages: tuple[Stage, ...]
    is_chain: bool


@dataclass
class _Element:
    """A stage with the elements that it reads (numbers in the list of elements; -1 is the input)."""

    stage: Stage
    sources: tuple[int, ...]


def chain(network: Network) -> Chain:
    """The canonical stages of a network, and whether they form a chain."""
    elements = _elements(network)
    linear = _is_chain(elements)
    runs = _runs(elements)
    found = [one for run in runs for one in normalised([elements[place].stage for place in run])]
    return Chain(tuple(found), linear)


def stages(network: Network) -> tuple[Stage, ...]:
    """The canonical stages of a network in order of execution; dead code and no-ops are left out.

    Use the train graph to see dropout (one that never acts is none there).
    """
    return chain(network).stages


def _elements(network: Network) -> list[_Element]:
    flow = flow_of(network)
    elements: list[_Element] = []
    last = {network.graph.input: -1}
    for name in flow.order[1:]:
        sources = tuple(last[source] for source in flow.sources[name])
        found = stages_of(network, network.nodes[name], flow.sources[name])
        for one in found:
            elements.append(_Element(one, sources))
            sources = (len(elements) - 1,)
        last[name] = sources[0]
    return elements


def _is_chain(elements: Sequence[_Element]) -> bool:
    return all(element.sources == (place - 1,) for place, element in enumerate(elements))


def _runs(elements: Sequence[_Element]) -> list[list[int]]:
    """Cut into runs in which each element is the only reader of the one before it, and reads nothing else."""
    readers: dict[int, int] = {}
    for element in elements:
        for source in element.sources:
            readers[source] = readers.get(source, 0) + 1
    runs: list[list[int]] = []
    ends: dict[int, list[int]] = {}
    for place, element in enumerate(elements):
        run = ends.get(element.sources[0]) if len(element.sources) == 1 else None
        if run is None or readers[element.sources[0]] > 1:
            run = []
            runs.append(run)
        run.append(place)
        ends[place] = run
    return runs


def normalised(run: Sequence[Stage]) -> list[Stage]:
    """Put the stages of a chain into the one order of those that compute the same."""
    found: list[Stage] = []
    for one in run:
        if one.kind == "bias":
            if found and found[-1].params.get("bias") is False:
                found[-1] = replace(found[-1], params={**found[-1].params, "bias": True})
                continue
            one = replace(one, kind="add_constant")
        found.append(one)
        place = len(found) - 1
        while place and _goes_before(found[place], found[place - 1]):
            first, second = found[place], found[place - 1]
            found[place - 1 : place + 1] = [replace(first, shape_in=second.shape_in, shape_out=second.shape_in), second]
            place -= 1
        if place and found[place].kind == "relu" == found[place - 1].kind:
            del found[place]
    return found


def _goes_before(one: Stage, other: Stage) -> bool:
    if one.kind == "relu":
        return other.kind in _BEFORE_POOLING
    # Whole maps can only be dropped while there are maps.
    return one.kind == "dropout" and not one.params["maps"] and other.kind == "flatten"
