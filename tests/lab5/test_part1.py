"""The graders of part 1."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.grading import Flags, HeldOut, MissingError
from graders.lab import Lab
from graders.lab5.accuracy import NEAR, judge_accuracy, percent
from graders.lab5.hidden import test_part1 as hidden
from graders.lab5.networks import trained
from graders.lab5.public import test_part1 as public
from graders.models import NotExportable
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import AlwaysDropping, BetterCNN, WithoutReLU, work_of

Book = Callable[[int], NotebookFolder]


@pytest.mark.parametrize(("text", "outcome"), [("32x24x24", Outcome.PASSED), ("32x20x20", Outcome.FAILED)])
def test_the_shape_of_conv1(book: Book, lab: Lab, text: str, outcome: Outcome) -> None:
    """The written answer is read."""
    part = book(1)
    part.answer("conv1-shape", text)
    assert public.test_conv1_shape(work_of(lab, "5.1/conv1-shape", part)).outcome is outcome


def test_the_shape_with_a_tall_kernel(book: Book, lab: Lab) -> None:
    """The second question has another answer."""
    part = book(1)
    part.answer("conv1-shape-7x3", "32 maps of 22x26")
    assert hidden.test_conv1_shape_7x3(work_of(lab, "5.1/conv1-shape-7x3", part)).outcome is Outcome.PASSED


# --- accuracy


def accuracy(part: NotebookFolder, lab: Lab, held_out: HeldOut, flags: Flags, threshold: float = 0.7) -> Verdict:
    """The verdict on BetterCNN's accuracy."""
    work = work_of(lab, "5.1/bettercnn-accuracy", part)
    return public.test_bettercnn_accuracy(work, held_out, threshold, flags)


def test_a_trained_network_reaches_the_threshold(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN
) -> None:
    """The figures in the details are those of the network, computed here in the usual way."""
    part = book(1)
    part.answer("bettercnn-train")
    part.event("trained", learned, name="BetterCNN")
    verdict = accuracy(part, lab, held_out, flags)
    with torch.no_grad():
        guesses = learned(torch.from_numpy(held_out.images)).argmax(1).numpy()
    correct = int((guesses == held_out.labels).sum())
    assert verdict.outcome is Outcome.PASSED
    assert (verdict.details["correct"], verdict.details["total"]) == (correct, 300)
    assert verdict.details["accuracy"] == round(correct / 300, 4)
    table = np.array(verdict.details["confusion"])
    assert table.shape == (10, 10)
    assert table.trace() == correct
    assert table.sum(axis=1).tolist() == np.bincount(held_out.labels, minlength=10).tolist()
    assert verdict.details["advice"] == []
    assert verdict.details["claimed"] is None


def test_below_the_threshold(book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN) -> None:
    """Within the interval a person decides, just below it earns half, far below nothing, and not for lack of training.

    The network has no evidence of its training: where the training is marked by a check of its own, that blocks.
    """
    part = book(1)
    part.answer("bettercnn-train")
    part.event("trained", learned, name="BetterCNN")
    missed = accuracy(part, lab, held_out, flags, 1.0)  # so that every way of preparing the images was tried
    reached, (low, high) = missed.details["accuracy"], missed.details["interval"]
    assert low < reached < high < reached + NEAR
    within = accuracy(part, lab, held_out, flags, high - 0.001)
    near = accuracy(part, lab, held_out, flags, high + 0.001)
    far = accuracy(part, lab, held_out, flags, reached + 0.051)
    assert (within.outcome, within.share, within.code) == (Outcome.REVIEW, 1, "WITHIN_INTERVAL")
    assert percent(high) in within.message
    assert (near.outcome, near.share, near.code) == (Outcome.PARTIAL, 0.5, "BELOW_THRESHOLD")
    assert (far.outcome, far.share, far.code) == (Outcome.BLOCKED, 0, "NOT_TRAINED")
    assert percent(reached) in far.message
    work = work_of(lab, "5.1/bettercnn-accuracy", part)
    plain = judge_accuracy(work, trained(work, "BetterCNN"), held_out, reached + 0.051, flags)
    assert (plain.outcome, plain.share, plain.code) == (Outcome.FAILED, 0, "BELOW_THRESHOLD")


def test_the_best_of_several_trainings_counts(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN
) -> None:
    """A comparison with a worse optimiser after the training that was asked for does not cost points."""
    part = book(1)
    part.event("trained", learned, name="BetterCNN")
    part.event("trained", BetterCNN(), identity=1)
    assert accuracy(part, lab, held_out, flags).outcome is Outcome.PASSED


def test_without_a_training_there_is_nothing_to_evaluate(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """A training cell that broke off before its first step gives no accuracy, whatever else is in the evidence."""
    part = book(1)
    part.cell("trial.run(5)", task="bettercnn-train", error="NameError: name 'trial' is not defined")
    part.event("end", BetterCNN())
    with pytest.raises(MissingError, match="trained model of class BetterCNN"):
        accuracy(part, lab, held_out, flags)


def test_a_false_claim_is_flagged(book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN) -> None:
    """A printed accuracy is shown as claimed and never scored; far off, a person is told."""
    part = book(1)
    part.answer("bettercnn-train", printed="test accuracy: 0.1234")
    part.event("trained", learned, name="BetterCNN")
    verdict = accuracy(part, lab, held_out, flags)
    assert verdict.outcome is Outcome.PASSED
    assert verdict.details["claimed"] == 0.1234
    assert [flag.code for flag in flags.all] == ["CLAIM_DIFFERS"]


@pytest.mark.parametrize(
    ("metrics", "claimed"),
    [
        ({"test_acc": 0.9, "test_loss": 1.0}, 0.9),
        ({"acc": 91.5}, 0.915),
        ({"loss": 0.1}, None),
        ({"test_acc": "nan"}, None),
        ({"test_acc": -3}, None),
    ],
)
def test_torchbearers_metrics_are_a_claim(
    book: Book,
    lab: Lab,
    held_out: HeldOut,
    flags: Flags,
    learned: BetterCNN,
    metrics: dict[str, Any],
    claimed: float | None,
) -> None:
    """The last evaluation of this network is what the notebook claims."""
    part = book(1)
    part.event("trained", learned, name="BetterCNN")
    run = {"kind": "evaluate", "execution_count": 1, "metrics": metrics}
    trial = {"n": 0, "execution_count": 1, "identity": 0, "class_name": "BetterCNN", "runs": [run]}
    part.trials["trials"] = [trial]
    assert accuracy(part, lab, held_out, flags).details["claimed"] == claimed


def test_active_dropout_earns_advice(book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN) -> None:
    """Dropout that stays on is told with its spread; accuracy is computed without it, so the points are the same."""
    part = book(1)
    dropping = AlwaysDropping()
    dropping.load_state_dict(learned.state_dict())
    part.event("trained", learned, name="BetterCNN")
    plain = accuracy(part, lab, held_out, flags).details["accuracy"]
    part.events.clear()
    part.folder.joinpath("models").rename(part.folder / "old")
    part.event("trained", dropping, name="BetterCNN")
    verdict = accuracy(part, lab, held_out, flags)
    assert verdict.details["accuracy"] == plain
    advice = verdict.details["advice"][0]
    assert advice["code"] == "DROPOUT_ACTIVE_IN_EVAL"
    assert len(set(advice["spread"])) > 1


def test_a_diverged_network_has_failed(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """NaN weights are the student's fault and said so, not malformed evidence."""
    part, network = book(1), BetterCNN()
    network.fc3.bias.data.fill_(float("nan"))
    part.event("trained", network)
    assert accuracy(part, lab, held_out, flags).code == "DIVERGED"


class Normalised(BetterCNN):
    """Works on images that were normalised when they were loaded: undoes it before the learned layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        return super().forward(x * 0.3081 + 0.1307)


def test_normalised_images_cost_nothing(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN
) -> None:
    """A network that was trained on normalised images is shown such, and the details say so."""
    part, network = book(1), Normalised()
    network.load_state_dict(learned.state_dict())
    part.event("trained", learned, name="BetterCNN", identity=5)
    plain = accuracy(part, lab, held_out, flags).details["accuracy"]
    part.events.clear()
    part.folder.joinpath("models").rename(part.folder / "old")
    part.event("trained", network, name="BetterCNN")
    verdict = accuracy(part, lab, held_out, flags, plain - 0.005)
    assert verdict.outcome is Outcome.PASSED
    assert "0.1307" in verdict.details["prepared"]


def test_one_network_without_graph_does_not_hide_the_others(
    book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN
) -> None:
    """Another that reaches the threshold passes; if none does, a person must look."""
    part = book(1)
    part.event("trained", learned, name="BetterCNN")
    part.event("trained", BetterCNN(), identity=1, export=False)
    assert accuracy(part, lab, held_out, flags).outcome is Outcome.PASSED
    with pytest.raises(NotExportable):
        accuracy(part, lab, held_out, flags, 0.999)


def test_images_of_another_size_are_for_a_person(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """An honest network for padded images is no malformed evidence."""
    part, network = book(1), nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    part.event("trained", network, name="BetterCNN")
    other = HeldOut(np.zeros((10, 1, 32, 32), np.float32), held_out.labels[:10])
    with pytest.raises(NotExportable, match="1x28x28"):
        accuracy(part, lab, other, flags)


def test_a_network_that_was_never_trained_is_blocked(book: Book, lab: Lab, held_out: HeldOut, flags: Flags) -> None:
    """That no step was made is what the check of the training costs."""
    part = book(1)
    part.answer("bettercnn-train")
    part.event("evaluated", BetterCNN())
    verdict = accuracy(part, lab, held_out, flags)
    assert (verdict.outcome, verdict.code) == (Outcome.BLOCKED, "NOT_TRAINED")


def test_simplecnn_is_another_class(book: Book, lab: Lab, held_out: HeldOut, flags: Flags, learned: BetterCNN) -> None:
    """Each accuracy check looks at its own class."""
    part = book(1)
    part.event("trained", learned, name="SimpleCNN")
    work = work_of(lab, "5.1/simplecnn-trained", part)
    assert public.test_simplecnn_trained(work, held_out, 0.7, flags).outcome is Outcome.PASSED


# --- architecture


def architecture(part: NotebookFolder, lab: Lab, held_out: HeldOut) -> Verdict:
    """The verdict on BetterCNN's stages."""
    return public.test_bettercnn_architecture(work_of(lab, "5.1/bettercnn-architecture", part), held_out)


def test_the_thirteen_stages(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """The reference has them all, trained or not."""
    part = book(1)
    part.event("end", BetterCNN())
    verdict = architecture(part, lab, held_out)
    assert verdict.outcome is Outcome.PASSED
    assert [row["status"] for row in verdict.details["stages"]] == ["same"] * 13


def test_a_missing_relu_costs_its_stage(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """One stage of thirteen is missing, and named."""
    part = book(1)
    part.event("trained", WithoutReLU(), name="BetterCNN")
    verdict = architecture(part, lab, held_out)
    assert (verdict.outcome, verdict.code) == (Outcome.PARTIAL, "MISSING_ACTIVATION")
    assert verdict.share == pytest.approx(12 / 13)
    assert [row["status"] for row in verdict.details["stages"]].count("missing") == 1
    assert "conv2" in verdict.message


def test_a_later_experiment_does_not_spoil_the_architecture(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """Students try other layers under the same name after the training that was asked for."""
    part = book(1)
    part.event("trained", BetterCNN())
    part.event("trained", WithoutReLU(), name="BetterCNN", identity=1)
    part.event("trained", BetterCNN(), identity=2, export=False)
    assert architecture(part, lab, held_out).outcome is Outcome.PASSED


def test_active_dropout_is_the_dropout_stage(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """It counts as the stage and earns advice."""
    part = book(1)
    part.event("trained", AlwaysDropping(), name="BetterCNN")
    verdict = architecture(part, lab, held_out)
    assert verdict.outcome is Outcome.PASSED
    assert verdict.details["advice"][0]["code"] == "DROPOUT_ACTIVE_IN_EVAL"


def test_a_network_without_graph_is_not_judged(book: Book, lab: Lab, held_out: HeldOut) -> None:
    """The plugin turns this into a review."""
    part = book(1)
    part.event("trained", BetterCNN(), export=False)
    with pytest.raises(NotExportable, match=r"aten\.strange"):
        architecture(part, lab, held_out)
