"""The graders of part 4."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graders.grading import Flags, HeldOut, MissingError
from graders.lab import Lab
from graders.lab5.public import test_part4 as public
from graders.models import NotExportable
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, BranchModel, work_of

Book = Callable[[int], NotebookFolder]


class Joined(BranchModel):
    """Branches that are concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(32 * 14 * 14, 128)

    def merged(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How the branches come together."""
        return torch.cat([small, large], dim=1)


class OneWay(BranchModel):
    """The second branch is computed and dropped."""

    def merged(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How the branches come together."""
        return large


class Muted(BranchModel):
    """The first branch is multiplied by 0."""

    def merged(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How the branches come together."""
        return large + 0 * small


class Twins(BranchModel):
    """Both branches go through one convolution."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        both = F.relu(self.branch5(x)) + F.relu(self.branch5(1 - x))
        out: torch.Tensor = self.fc2(F.relu(self.fc1(torch.flatten(F.max_pool2d(both, 2), 1))))
        return out


class Linear(BranchModel):
    """No ReLU after the convolutions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        both = self.branch1(x) + self.branch5(x)
        out: torch.Tensor = self.fc2(F.relu(self.fc1(torch.flatten(F.max_pool2d(both, 2), 1))))
        return out


class Shortcut(nn.Module):
    """A residual block: the other way holds no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.fc = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        out: torch.Tensor = self.fc(torch.flatten(x + F.relu(self.conv(x)), 1))
        return out


# --- BranchModel


def branch(part: NotebookFolder, lab: Lab, held_out: HeldOut, flags: Flags, threshold: float) -> Verdict:
    """The verdict on BranchModel."""
    work = work_of(lab, "5.4/branch-trained", part)
    return public.test_branch_trained(work, held_out, threshold, flags)


def test_the_given_topology_is_evaluated(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """Its accuracy decides, recomputed."""
    part = book(4)
    part.event("trained", BranchModel())
    reached = branch(part, lab, held_out, flags, 0.99)
    assert (reached.outcome, reached.code) == (Outcome.FAILED, "BELOW_THRESHOLD")
    assert branch(part, lab, held_out, flags, reached.details["accuracy"] - 1e-4).outcome is Outcome.PASSED


@pytest.mark.parametrize("kind", [Joined, OneWay, Linear, BetterCNN])
def test_another_topology_of_that_name_fails(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags, kind: type[nn.Module]
) -> None:
    """Other branches, branches that are joined otherwise, or none, are not the given network, however accurate."""
    part = book(4)
    part.event("trained", kind(), name="BranchModel")
    assert branch(part, lab, held_out, flags, 0.01).code == "NOT_THE_GIVEN_TOPOLOGY"


def test_one_branch_model_without_graph_does_not_hide_the_other(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags
) -> None:
    """The given one counts; alone, one without graph is for a person."""
    part = book(4)
    part.event("trained", BranchModel(), export=False)
    with pytest.raises(NotExportable):
        branch(part, lab, held_out, flags, 0.01)
    part.event("trained", BranchModel(), identity=1)
    assert branch(part, lab, held_out, flags, 0.01).outcome is Outcome.PASSED


def test_no_branch_model_is_missing(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """Another class does not stand for it."""
    part = book(4)
    part.event("trained", BranchModel(), name="OwnNet")
    with pytest.raises(MissingError, match="BranchModel"):
        branch(part, lab, held_out, flags, 0.01)


# --- one's own


def own(part: NotebookFolder, lab: Lab, held_out: HeldOut) -> Verdict:
    """The verdict on the topology."""
    return public.test_own_topology(work_of(lab, "5.4/own-topology", part), held_out)


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        (BranchModel, Outcome.PASSED, "OK"),
        (Joined, Outcome.PASSED, "OK"),
        (OneWay, Outcome.FAILED, "NO_BRANCHES"),
        (BetterCNN, Outcome.FAILED, "NO_BRANCHES"),
        (Shortcut, Outcome.PARTIAL, "BRANCHES_WITHOUT_PARAMETERS"),
        (Twins, Outcome.PARTIAL, "SHARED_LAYER"),
        (Muted, Outcome.PARTIAL, "IDLE_BRANCH"),
    ],
)
def test_topologies(
    book: Book, lab: Lab, held_out: HeldOut, kind: type[nn.Module], outcome: Outcome, code: str
) -> None:
    """What the network does decides, not its names."""
    part = book(4)
    part.event("trained", kind(), name="OwnNet")
    verdict = own(part, lab, held_out)
    assert (verdict.outcome, verdict.code) == (outcome, code), verdict.message


def test_one_own_network_without_graph_does_not_hide_the_other(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """One that branches passes; without it a person must look at the one that cannot be read."""
    part = book(4)
    part.event("trained", Joined(), name="OwnNet")
    part.event("trained", BetterCNN(), name="OwnNet", identity=1, export=False)
    assert own(part, lab, held_out).outcome is Outcome.PASSED
    del part.events[0]
    with pytest.raises(NotExportable):
        own(part, lab, held_out)


def test_the_details_tell_the_branches(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """Merge, branches with their names and parameters."""
    part = book(4)
    part.event("trained", Joined(), name="OwnNet")
    merge = own(part, lab, held_out).details["merges"][0]
    assert merge["op"] == "cat"
    assert {one["name"]: one["parameters"] for one in merge["branches"]} == {"branch1": 32, "branch5": 416}


def test_own_classes_may_have_any_name(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """Older notebooks call it otherwise, or redefine BranchModel: the last that is not the given one is meant."""
    part = book(4)
    part.event("trained", Joined(), name="BranchModel")
    part.event("trained", BranchModel(), identity=1)
    assert own(part, lab, held_out).details["merges"][0]["op"] == "cat"
    work = work_of(lab, "5.4/own-accuracy", part)
    assert public.test_own_accuracy(work, held_out, 0.001, flags).outcome is Outcome.PASSED


def test_the_given_network_is_not_ones_own(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """BranchModel alone earns nothing for a network of one's own."""
    part = book(4)
    part.event("trained", BranchModel())
    with pytest.raises(MissingError, match="OwnNet"):
        own(part, lab, held_out)
    with pytest.raises(MissingError, match="trained network of your own"):
        public.test_own_accuracy(work_of(lab, "5.4/own-accuracy", part), held_out, 0.1, flags)


def test_an_untrained_network_has_a_topology(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """Structure needs no training."""
    part = book(4)
    part.event("end", Joined(), name="OwnNet")
    assert own(part, lab, held_out).outcome is Outcome.PASSED
