"""Networks that branch and merge: the given one, and the student's own.

Of one's own, all points need a fan-out, at least two disjoint paths with parameters of their own, a merge, and no idle
branch; with a merge but parameters on fewer than two paths (a plain shortcut), with paths through the same layer, or
with an idle branch, it is half.
"""

from typing import Any

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.grading import Found, MissingError, Work
from graders.lab5.networks import BETTER, BRANCH, LATEST, OWN, SIMPLE, exported, latest
from graders.models import (
    Branch,
    Merge,
    Network,
    NotExportable,
    Parallel,
    Stage,
    Topology,
    branch_effects,
    compare,
    plan_of,
    read_network,
    specification,
    stage_graph,
    topology,
)
from graders.records import Verdict

GIVEN_BRANCHES = specification(["conv 16 1x1, relu || conv 16 5x5 padding 2, relu", "add"])
"""What BranchModel adds up."""
GIVEN = (
    *GIVEN_BRANCHES,
    *specification(["max_pool 2x2", "dropout 0.2", "flatten", "linear 128", "relu", "linear 10"]),
)
"""All of BranchModel."""


def is_given(found: Found) -> bool:
    """Whether a network adds up a 1x1 and a 5x5 convolution of 16 maps, a ReLU after each, and merges nothing else.

    Raises:
        NotExportable: it has no graph.
    """
    blocks = [one for one in plan_of(stage_graph(exported(found))) if not isinstance(one, Stage)]
    return len(blocks) == 1 and isinstance(blocks[0], Parallel) and compare(GIVEN_BRANCHES, blocks).equal


def trained_branch(work: Work) -> tuple[tuple[Found, ...], Verdict | None]:
    """The trained networks of the given topology; or, where there is none, what is wrong with the others.

    Raises:
        MissingError: no BranchModel was trained.
    """
    work.model("trained", class_name=BRANCH)
    found = latest(work.models("trained", class_name=BRANCH))
    given: list[Found] = []
    unknown: NotExportable | None = None
    for one in found:
        try:
            given += [one] if is_given(one) else []
        except NotExportable as error:  # another may do; if none does, a person must look at this one
            unknown = error
    if given:
        return tuple(given), None
    if unknown is not None:
        raise unknown
    comparison = compare(GIVEN, plan_of(stage_graph(read_network(found[0].snapshot, "train"))))
    message = (
        f"Expected {BRANCH} as it is given: a 1x1 and a 5x5 convolution of 16 maps each, a ReLU after each, added up; "
        f"yours differs. {' '.join(comparison.sentences[:1])}"
    )
    return (), Verdict.failed("NOT_THE_GIVEN_TOPOLOGY", message.rstrip(), **comparison.details)


def own_networks(work: Work, *moments: str) -> tuple[Found, ...]:
    """Candidates for the student's own network, the last one first: class OwnNet, else any that is not given.

    Raises:
        MissingError: there is none.
    """
    for moment in moments:
        if named := latest(work.models(moment, class_name=OWN)):
            return named
    for moment in moments:
        others = latest(one for one in work.models(moment) if one.event.class_name not in (SIMPLE, BETTER))
        if found := tuple(one for one in others if one.event.class_name != BRANCH or not _given_or_unknown(one)):
            return found[:LATEST]
    what = f"a {'trained ' if moments == ('trained',) else ''}network of your own, class {OWN}"
    raise MissingError(what, (OWN,), f"Make one with {OWN}() and use it in the notebook.")


def _given_or_unknown(found: Found) -> bool:
    try:
        return is_given(found)
    except EvidenceError:  # an unreadable BranchModel is no network of one's own
        return True


def judge_topology(found: Found, images: Array) -> Verdict:
    """Whether a network branches and merges, with something to learn on at least two ways and nothing idle.

    Args:
        found: The network.
        images: A few images (n, 1, 28, 28) to try the branches on.

    Raises:
        NotExportable: it has no graph, or takes images of another size.
    """
    network = exported(found)
    if network.input_shape != images.shape[1:]:
        size = "x".join(map(str, network.input_shape))
        raise NotExportable.because(f"it takes images of {size}, and can only be tried on images of 1x28x28")
    seen = topology(network)
    name = found.event.class_name
    if not seen.merges:
        message = f"Expected branches that come together; in {name} data takes a single way from start to end."
        return Verdict.failed("NO_BRANCHES", message, **_details(seen, network))
    merge, own = max(((one, _with_own_layers(seen, one)) for one in seen.merges), key=lambda pair: len(pair[1]))
    details = _details(seen, network)
    if len(own) < 2:
        return _too_few(name, merge, seen, own).model_copy(update={"details": details})
    effects = branch_effects(network, images)
    idle = [effect.branch.name for effect in effects if not (effect.changes_output and effect.gradient)]
    if idle:
        message = f"Expected every branch to get a gradient and to change the output; not so: {', '.join(idle)}."
        return Verdict.partial(0.5, "IDLE_BRANCH", message, **details, idle=idle)
    message = f"{name} branches and merges ({merge.op}): {len(own)} branches with weights of their own, all at work."
    return Verdict.passed(message, **details)


def _with_own_layers(seen: Topology, merge: Merge) -> tuple[Branch, ...]:
    """Branches with parameters that none before them has: a layer that several go through is the first one's only."""
    found: list[Branch] = []
    for branch in seen.of(merge):
        taken = {key for one in found for key in one.parameters}
        found += [branch] if set(branch.parameters) - taken else []
    return tuple(found)


def _too_few(name: str, merge: Merge, seen: Topology, own: tuple[Branch, ...]) -> Verdict:
    """Half, where fewer than two branches have weights of their own."""
    some = [branch for branch in seen.of(merge) if branch.parameters]
    if len(some) > len(own):
        layers = ", ".join(own[0].modules) or "the same weights"
        message = (
            f"Expected branches that share no layer; where {name} merges ({merge.op}) {len(some)} of them go through "
            f"the same one ({layers}). Give each branch a layer of its own."
        )
        return Verdict.partial(0.5, "SHARED_LAYER", message)
    message = (
        f"Expected at least two branches with weights of their own; where {name} merges ({merge.op}) "
        f"{len(own)} of the branches {'has' if len(own) == 1 else 'have'} any."
    )
    return Verdict.partial(0.5, "BRANCHES_WITHOUT_PARAMETERS", message)


def _details(seen: Topology, network: Network) -> dict[str, Any]:
    merges = [
        {
            "op": merge.op,
            "branches": [{"name": one.name, "parameters": one.parameter_count} for one in seen.of(merge)],
        }
        for merge in seen.merges
    ]
    return {"merges": merges, "parameters": network.parameter_count}
