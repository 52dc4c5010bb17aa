"""All facts of a network together: gathered in the box, written as JSON, turned into advice."""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import graders.models.facts
from graders.evidence import Snapshot
from graders.models import read_network
from graders.models.advice import advice, listed
from graders.models.facts import Facts, as_details, facts

Snap = Callable[..., Snapshot]
Gather = Callable[..., Facts]


def images(count: int = 60) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(0).random((count, 1, 28, 28), dtype=np.float32)


@pytest.fixture
def gather(snapshot_of: Snap) -> Gather:
    """Gathers the facts of a module."""

    def make(module: nn.Module, labels: Any = None, **limits: Any) -> Facts:
        snapshot = snapshot_of(module)
        return facts(read_network(snapshot), read_network(snapshot, "train"), images(), labels, **limits)

    return make


class Small(nn.Module):
    """A convolution, a ReLU, a linear layer, and a spare one."""

    def __init__(self, *, spare: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(1, 6, 5, stride=5)
        self.fc = nn.Linear(150, 10)
        self.norm = nn.BatchNorm1d(150, track_running_stats=False)
        if spare:
            self.spare = nn.Linear(2, 3)

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(F.relu(self.conv(x)).flatten(1))


def test_facts_of_the_better_network(gather: Gather, better: nn.Module) -> None:
    """Totals, layers, steps and health come together."""
    found = gather(better)
    assert (found.parameters, found.trainable, found.multiply_adds) == (59_933, 59_933, 891_900)
    assert [layer.module for layer in found.layers] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert found.topology is not None
    assert (found.topology.merges, found.unused, found.problems) == ((), (), ())
    assert found.health is not None
    assert len(found.health.relus) == 4


def test_details_are_small_plain_and_the_same_every_time(gather: Gather, better: nn.Module) -> None:
    """The JSON is strict, stays below 8 KiB, and two markings give the same bytes."""
    first, second = (json.dumps(as_details(gather(better)), allow_nan=False) for _ in range(2))
    assert first == second
    assert len(first) < 8192
    data = json.loads(first)
    assert data["steps"][0]["field"] == [5, 5]
    assert [one["outcome"] for one in data["batches"]] == ["runs"] * 3
    assert data["training"]["equal"] is True


def test_a_diverged_network_keeps_what_can_be_read(gather: Gather, better: nn.Module) -> None:
    """With NaN among its weights nothing can be run: costs stay, and the problem is told."""
    with torch.no_grad():
        better.get_parameter("fc1.bias")[0] = float("nan")
    found = gather(better)
    assert found.health is None
    assert found.problems == ("fc1.bias holds NaN or infinite numbers, so the network computes nothing",)
    assert as_details(found)["multiply_adds"] == 891_900
    assert "images" not in as_details(found)
    assert advice(found) == ()


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda *_: os._exit(3), "it crashed"),
        (lambda *_: torch.zeros(2**30), "cannot be run"),
    ],
    ids=["crash", "memory"],
)
def test_what_happens_in_the_box_stays_there(
    gather: Gather, monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any], problem: str
) -> None:
    """A crash or too much memory in the child is a problem in words; the other facts stay."""
    monkeypatch.setattr(graders.models.facts, "examine", act)
    found = gather(Small(), memory_mb=256)
    assert found.health is None
    assert len(found.problems) == 1
    assert problem in found.problems[0]
    assert found.parameters == 6 * 25 + 6 + 1510 + 300


def test_answers_of_another_form_are_refused(gather: Gather, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child answers is checked: no record, no facts."""

    class Forged:
        def model_dump_json(self) -> str:
            return '{"images": "many"}'

    monkeypatch.setattr(graders.models.facts, "examine", lambda *_: Forged())
    assert gather(Small()).problems == ("the process that ran the network did not answer as expected",)


def test_branches_are_told(gather: Gather) -> None:
    """Merges are named with their branches."""

    class Forked(Small):
        def __init__(self) -> None:
            super().__init__()
            self.side = nn.Conv2d(1, 6, 5, stride=5)

        def forward(self, x: Any) -> Any:
            return self.fc((F.relu(self.conv(x)) + F.relu(self.side(x))).flatten(1))

    assert as_details(gather(Forked()))["merges"] == [{"op": "add", "branches": ["conv", "side"]}]


def codes(found: Facts, *, trained: bool = True) -> list[str]:
    """Codes of the advice."""
    return [code for code, _ in advice(found, trained=trained)]


def constant(module: Small) -> Small:
    """Let the small network always say 7."""
    with torch.no_grad():
        module.fc.bias[7] = 1000
    return module


def test_unused_layers_are_advised(gather: Gather) -> None:
    """A layer that forward never uses is named; used or without parameters, none is."""
    unused = gather(Small(spare=True))
    texts = dict(advice(unused))
    assert "spare" in texts["UNUSED_LAYER"]
    assert [one.module for one in unused.unused] == ["norm", "spare"]


def test_constant_predictions_are_advised(gather: Gather) -> None:
    """One class for all images is told with its number, unless the network was never trained."""
    found = gather(constant(Small()))
    assert "class 7 for all of 60" in dict(advice(found))["CONSTANT_PREDICTIONS"]
    assert "CONSTANT_PREDICTIONS" not in codes(found, trained=False)


@pytest.mark.parametrize(("dead", "told"), [(3, False), (4, True)])
def test_many_dead_units_are_advised(gather: Gather, dead: int, told: bool) -> None:
    """More than half of a ReLU's units dead are worth a word, half are not."""
    module = Small()
    with torch.no_grad():
        module.get_parameter("conv.bias")[:] = 1
        module.get_parameter("conv.bias")[:dead] = -100
    texts = dict(advice(gather(module)))
    assert ("DEAD_RELUS" in texts) is told
    assert not told or "4 of 6 after conv" in texts["DEAD_RELUS"]


class Squeezed(Small):
    """Loses the dimension of a single image."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return super().forward(x).squeeze()


class Normalised(Small):
    """Normalises with the batch in evaluation mode."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.norm(self.conv(x).flatten(1)))


class ByHand(Small):
    """Takes the batch's mean away."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        found = self.conv(x).flatten(1)
        return self.fc(found - found.mean(0))


def test_single_images_are_advised(gather: Gather) -> None:
    """A squeeze that eats the batch of one is named with how to mend it."""
    text = dict(advice(gather(Squeezed())))["SINGLE_IMAGE_FAILS"]
    assert "squeeze takes the batch of one image away" in text
    assert "flatten(x, 1)" in text


def test_batch_statistics_are_advised(gather: Gather) -> None:
    """Batch statistics in evaluation mode are told with their spread, and with the layer if there is one."""
    found = dict(advice(gather(Normalised())))
    assert "(norm)" in found["BATCH_STATISTICS_IN_EVAL"]
    assert "flatten" not in found["SINGLE_IMAGE_FAILS"]
    assert "dimension 0" in dict(advice(gather(ByHand())))["BATCH_STATISTICS_IN_EVAL"]


def test_spreads_are_accuracies_where_labels_are_known(gather: Gather) -> None:
    """Without labels the first evaluation agrees with itself; with labels the spread is the accuracy's."""
    found = gather(Normalised())
    assert found.health is not None
    assert found.health.company is not None
    assert found.spread(found.health.company)[0] == 1
    wrong = np.full(60, 10)
    labelled = gather(Normalised(), wrong)
    assert labelled.health is not None
    assert labelled.health.company is not None
    assert set(labelled.spread(labelled.health.company)) == {0.0}
    assert as_details(labelled)["labelled"] is True


def test_a_sound_network_gets_no_advice(gather: Gather) -> None:
    """Nothing is said where there is nothing to say."""

    class Sound(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc = nn.Linear(784, 10)

        def forward(self, x: Any) -> Any:
            return self.fc(x.flatten(1) - 0.5)

    assert codes(gather(Sound())) == []


def test_long_lists_are_cut() -> None:
    """Four names at most, then how many more."""
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdef")) == "a, b, c, d and 2 more"
