"""Networks that branch and merge: the given one, and the student's own.

Of one's own, all points need a fan-out, at least two disjoint paths with parameters, a merge, and no idle branch;
with a merge but parameters on fewer than two paths (a plain shortcut), or with an idle branch, it is half.
"""

from typing import Any

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.grading import Found, MissingError, Work
from graders.lab5.networks import BETTER, BRANCH, LATEST, OWN, SIMPLE, exported, latest
from graders.models import Merge, Network, NotExportable, Topology, branch_effects, topology
from graders.records import Verdict

GIVEN_FILTERS = [(16, 1, 1, 1), (16, 1, 5, 5)]
"""Weights of the two convolutions that BranchModel adds up."""


def is_given(found: Found) -> bool:
    """Whether a network adds up a 1x1 and a 5x5 convolution of 16 maps each, and merges nothing else.

    Raises:
        NotExportable: it has no graph.
    """
    seen = topology(exported(found))
    if len(seen.merges) != 1 or seen.merges[0].op != "add":
        return False
    weights = found.snapshot.weights
    keys = [key for branch in seen.branches for key in branch.parameters]
    return (
        len(seen.branches) == 2
        and sorted(weights[key].shape for key in keys if weights[key].ndim == 4) == GIVEN_FILTERS
    )


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
    message = f"Expected {BRANCH} as it is given: a 1x1 and a 5x5 convolution of 16 maps each, added up; yours differs."
    return (), Verdict.failed("NOT_THE_GIVEN_TOPOLOGY", message)


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
    merge, own = max(((one, _with_parameters(seen, one)) for one in seen.merges), key=lambda pair: len(pair[1]))
    details = _details(seen, network)
    if len(own) < 2:
        message = (
            f"Expected at least two branches with weights of their own; where {name} merges ({merge.op}) "
            f"{len(own)} of the branches {'has' if len(own) == 1 else 'have'} any."
        )
        return Verdict.partial(0.5, "BRANCHES_WITHOUT_PARAMETERS", message, **details)
    effects = branch_effects(network, images)
    idle = [effect.branch.name for effect in effects if not (effect.changes_output and effect.gradient)]
    if idle:
        message = f"Expected every branch to get a gradient and to change the output; not so: {', '.join(idle)}."
        return Verdict.partial(0.5, "IDLE_BRANCH", message, **details, idle=idle)
    message = f"{name} branches and merges ({merge.op}): {len(own)} branches with weights of their own, all at work."
    return Verdict.passed(message, **details)


def _with_parameters(seen: Topology, merge: Merge) -> tuple[str, ...]:
    return tuple(branch.name for branch in seen.of(merge) if branch.parameters)


def _details(seen: Topology, network: Network) -> dict[str, Any]:
    merges = [
        {
            "op": merge.op,
            "branches": [{"name": one.name, "parameters": one.parameter_count} for one in seen.of(merge)],
        }
        for merge in seen.merges
    ]
    return {"merges": merges, "parameters": network.parameter_count}
