"""The canonical form of a network: what it computes, whatever its layers are called and however they are written.

`canonical` rewrites the graph by the rules of `rewriting`; what comes out can still be run. `stage_graph` reads its
stages and which of them read which. `normalised` puts the stages of a specification, which has no graph, into the one
order of operations that commute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graders.models.flow import flow_of
from graders.models.network import Network
from graders.models.notation import Stage
from graders.models.recognise import stages_of, weights_of
from graders.models.rewriting import RULES, rewrite, without_final

_MAX_POOLS = frozenset(f"{word}max_pool{dims}" for word in ("", "adaptive_") for dims in ("", "1d", "3d"))
_RESHAPED = frozenset({"flatten", "reshape"})
_ALONE = """
elu celu selu gelu silu mish hardswish hardsigmoid hardshrink softshrink sigmoid tanh log_sigmoid softplus dropout
"""
"""What acts on each number alone."""
GOES_BEFORE: Mapping[str, frozenset[str]] = {
    "relu": _MAX_POOLS | _RESHAPED | {"dropout"},
    "relu6": _MAX_POOLS | _RESHAPED,
    "leaky_relu": _MAX_POOLS | _RESHAPED,
    **dict.fromkeys(_ALONE.split(), _RESHAPED),
}
"""Kind -> kinds that it commutes with and is put before; the rules of `rewriting.order` do the same to graphs."""


@dataclass(frozen=True)
class StageGraph:
    """What a network computes.

    Attributes:
        stages: In order of execution; the last one gives the output.
        sources: For each stage the places of those that it reads, -1 for the input, in order of its arguments, with
            repetitions.
    """

    stages: tuple[Stage, ...]
    sources: tuple[tuple[int, ...], ...]

    @property
    def is_chain(self) -> bool:
        """Whether each stage reads the one before it and nothing else."""
        return all(sources == (place - 1,) for place, sources in enumerate(self.sources))


@dataclass(frozen=True)
class Chain:
    """The stages of a network in order of execution; `is_chain` if each reads the one before it and nothing else."""

    stages: tuple[Stage, ...]
    is_chain: bool


def canonical(network: Network, *, loss: str | None = None) -> Network:
    """The network with its graph in normal form; it computes the same.

    Args:
        network: It is left as it is.
        loss: Name of the loss that it was trained with: a softmax or log_softmax at the end that goes with it is left
            out (see `rewriting.ending`), which changes the outputs but not what is learnt. None if it is not known.

    Raises:
        EvidenceError: an op refuses its arguments for some size of a batch.
    """
    return without_final(rewrite(network, RULES)[0], loss)


def stage_graph(network: Network, *, loss: str | None = None) -> StageGraph:
    """The canonical stages of a network and which of them read which; dead code and no-ops are left out.

    Use the train graph to see dropout (one that never acts is none there). A layer whose weights an earlier one uses
    too is marked as `shared`.

    Args:
        network: It is left as it is.
        loss: As for `canonical`.

    Raises:
        EvidenceError: an op refuses its arguments for some size of a batch.
    """
    plain = canonical(network, loss=loss)
    flow = flow_of(plain)
    found: list[Stage] = []
    sources: list[tuple[int, ...]] = []
    last = {plain.graph.input: -1}
    known: set[str] = set()
    for name in flow.order[1:]:
        read = tuple(last[source] for source in flow.sources[name])
        stages_here = stages_of(plain, plain.nodes[name], flow.sources[name])
        keys = set(weights_of(plain, plain.nodes[name]))
        if keys & known:
            stages_here = tuple(replace(one, params={**one.params, "shared": True}) for one in stages_here)
        known |= keys
        for one in stages_here:
            found.append(one)
            sources.append(read)
            read = (len(found) - 1,)
        last[name] = read[0]
    return StageGraph(tuple(found), tuple(sources))


def chain(network: Network, *, loss: str | None = None) -> Chain:
    """The canonical stages of a network, and whether they form a chain; see `stage_graph`."""
    found = stage_graph(network, loss=loss)
    return Chain(found.stages, found.is_chain)


def stages(network: Network, *, loss: str | None = None) -> tuple[Stage, ...]:
    """The canonical stages of a network in order of execution; see `stage_graph`."""
    return stage_graph(network, loss=loss).stages


def normalised(run: Sequence[Stage]) -> list[Stage]:
    """Put the stages of a chain into the one order of those that compute the same; of two ReLUs in a row one stays."""
    found: list[Stage] = []
    for one in run:
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
    # Whole maps can only be dropped while there are maps.
    return other.kind in GOES_BEFORE.get(one.kind, ()) and not (one.kind == "dropout" and one.params["maps"])
