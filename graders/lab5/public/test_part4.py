"""Part 4: BranchModel, and a network of one's own."""

from graders.grading import Flags, HeldOut, Work, check
from graders.lab5.accuracy import judge_accuracy
from graders.lab5.topologies import judge_topology, own_networks, trained_branch
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
    best: Verdict | None = None
    for found in own_networks(notebook, "trained", "evaluated", "end", "initial"):
        verdict = judge_topology(found, held_out.images[:TRIED])
        if verdict.outcome is Outcome.PASSED:
            return verdict
        if best is None or verdict.share > best.share:
            best = verdict
    return notebook.require(best, "a network of your own")


@check("5.4/own-accuracy")
def test_own_accuracy(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """The student's own network, trained, reaches the threshold."""
    return judge_accuracy(notebook, own_networks(notebook, "trained"), held_out, threshold, flags)
