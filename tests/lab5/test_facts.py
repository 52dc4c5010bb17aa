"""The facts that checks of the lab show: beside the mark, never part of it."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graders.grading import Found, HeldOut
from graders.lab import Lab
from graders.lab5.facts import facts_details
from graders.reports.facts import network_facts
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, BranchModel, work_of

Find = Callable[..., Found]


@pytest.fixture
def find(book: Callable[[int], NotebookFolder], lab: Lab) -> Find:
    """Makes the evidence of one network and finds it again; each in a part of its own."""
    parts = iter((1, 2, 3, 4))

    def make(module: nn.Module, moment: str = "trained", *, export: bool = True) -> Found:
        notebook = book(next(parts))
        notebook.event(moment, module, export=export)
        return work_of(lab, "5.1/bettercnn-architecture", notebook).models(moment)[0]

    return make


def test_the_learned_network_in_numbers(find: Find, learned: nn.Module, held_out: HeldOut) -> None:
    """A trained BetterCNN has its figures, predicts many classes, and needs no advice."""
    given = facts_details(find(learned), held_out.images)
    assert given["advice"] == []
    assert (given["facts"]["parameters"], given["facts"]["multiply_adds"]) == (59_933, 891_900)
    assert given["facts"]["most_frequent"]["different"] == 10
    assert given["facts"]["problems"] == []


def test_the_report_can_read_them(find: Find, held_out: HeldOut) -> None:
    """What is written into the details is what the report's reader takes, after a way through JSON."""
    details = json.loads(json.dumps(facts_details(find(BranchModel()), held_out.images), allow_nan=False))
    problems: list[str] = []
    found = network_facts(details, problems)
    assert problems == []
    assert found is not None
    assert found.merges[0].branches == ["branch1", "branch5"]
    assert found.notes


def test_advice_comes_with_its_code(find: Find, held_out: HeldOut) -> None:
    """An unused layer and a squeezed batch of one are advised as codes with messages."""

    class Careless(BetterCNN):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).squeeze()

    given = facts_details(find(Careless(), "initial"), held_out.images)
    assert [one["code"] for one in given["advice"]] == ["UNUSED_LAYER", "SINGLE_IMAGE_FAILS"]
    assert all(one["message"] for one in given["advice"])


def test_untrained_networks_are_not_told_that_they_predict_nothing(find: Find, held_out: HeldOut) -> None:
    """Constant predictions are advised after a training, not before."""
    module = BetterCNN()
    with torch.no_grad():
        module.fc3.bias[4] = 1000
    trained, initial = (facts_details(find(module, moment), held_out.images) for moment in ("trained", "initial"))
    assert [one["code"] for one in trained["advice"]] == ["CONSTANT_PREDICTIONS"]
    assert initial["advice"] == []


def test_networks_for_other_pictures_have_figures_too(find: Find, held_out: HeldOut) -> None:
    """A network for flat vectors is tried on random ones; its costs are what they are."""

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(28, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.fc(F.relu(x)).mean((1, 2))
            return found

    assert facts_details(find(Flat()), held_out.images[:, :, :14, :])["facts"]["parameters"] == 290


def test_a_network_without_a_graph_has_no_facts(find: Find, held_out: HeldOut) -> None:
    """The check says that it could not be exported; facts stay silent."""
    assert facts_details(find(BetterCNN(), export=False), held_out.images) == {"facts": None, "advice": []}
