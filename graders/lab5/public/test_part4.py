"""Part 4: BranchModel, and a network of one's own."""

from graders.grading import Flags, HeldOut, Work, check
from graders.lab5.accuracy import judge_accuracy
from graders.lab5.facts import with_facts
from graders.lab5.networks import best_verdict
from graders.lab5.topologies import judge_topology, own_networks, trained_branch
from graders.records import Verdict

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
    found = own_networks(notebook, "trained", "evaluated", "end", "initial")
    images = held_out.images
    return best_verdict(found, lambda one: with_facts(judge_topology(one, images[:TRIED]), one, images))


@check("5.4/own-accuracy")
def test_own_accuracy(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """The student's own network, trained, reaches the threshold."""
    return judge_accuracy(notebook, own_networks(notebook, "trained"), held_out, threshold, flags)
