"""Part 4: BranchModel, and a network of one's own."""

from graders.grading import Flags, HeldOut, Work, check
from graders.lab5.accuracy import judge_accuracy
from graders.lab5.topologies import judge_topology, own_networks, trained_branch
from graders.models import NotExportable
from graders.records import Outcome, Verdict

TRIED = 32
"""Images that a network's branches are tried on."""


@check("5.4/branch-trained")
def test_branch_trained(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """The given topology, trained, reaches the threshold."""
    found, wrong = trained_branch(notebook)
    return wrong or judge_accuracy(notebook, found, held_out, threshold, flags)


@check("5.4/own-topology")
def test_own_topology(notebook: Work, held_out: HeldOut) -> Verdict:
    """A fan-out, two disjoint paths with parameters, a merge, nothing idle: the best of the student's networks."""
    verdicts: list[Verdict] = []
    unknown: NotExportable | None = None
    for found in own_networks(notebook, "trained", "evaluated", "end", "initial"):
        try:
            verdicts.append(judge_topology(found, held_out.images[:TRIED]))
        except NotExportable as error:  # another may do; if none does, a person must look at this one
            unknown = error
            continue
        if verdicts[-1].outcome is Outcome.PASSED:
            return verdicts[-1]
    if unknown is not None:
        raise unknown
    return max(verdicts, key=lambda verdict: verdict.share)


@check("5.4/own-accuracy")
def test_own_accuracy(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """The student's own network, trained, reaches the threshold."""
    return judge_accuracy(notebook, own_networks(notebook, "trained"), held_out, threshold, flags)
