"""Tests of the spies on Torchbearer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchbearer
from torch import nn
from torchbearer import Trial


def _trial(model: nn.Module, **options: Any) -> Any:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return Trial(model, optimizer, nn.CrossEntropyLoss(), metrics=["acc", "loss"], verbose=0, **options)


def test_a_trial_is_described(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """Optimiser, rate, loss, metrics, generators, history and metrics of its calls."""
    trial = _trial(tiny).with_generators(train_generator=loader, val_generator=loader)
    lab.cell(lambda: trial.run(2), model=tiny)
    lab.cell(trial.evaluate)
    (found,) = lab.evidence.trials.trials
    assert (found.optimizer, found.learning_rate, found.criterion) == ("SGD", 0.5, "CrossEntropyLoss")
    assert found.metrics == ("acc", "loss")
    assert found.owns_model
    assert found.class_name == "Tiny"
    assert found.generators["train"].model_dump() == {
        "dataset": "TensorDataset",
        "split": None,
        "count": 6,
        "batch_size": 2,
        "batches": 3,
    }
    run, evaluation = found.runs
    assert (run.kind, run.epochs_asked, run.epochs_run, run.execution_count) == ("run", 2, 2, 1)
    assert "running_loss" in run.history[1]
    assert (evaluation.kind, evaluation.data_key) == ("evaluate", "validation_data")
    assert "val_acc" in evaluation.metrics


def test_events_of_a_trial_hold_the_weights_of_their_moment(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """The initial snapshot is the state before the first step, although it is exported after the last."""
    start = tiny.fc.bias.detach().clone().numpy()  # type: ignore[union-attr,operator]
    trial = _trial(tiny).with_generators(loader)
    lab.cell(lambda: trial.run(1))
    lab.cell(lambda: trial.evaluate(data_key=torchbearer.TRAIN_DATA))
    initial, trained, evaluated = lab.evidence.events
    assert (initial.moment, trained.moment, evaluated.moment) == ("initial", "trained", "evaluated")
    assert (lab.evidence.snapshot(initial).weights["fc.bias"] == start).all()
    assert (lab.evidence.snapshot(trained).weights["fc.bias"] != start).any()
    assert trained.detail == {"trial": 0, "loop": None, "steps": 3}
    assert trained.model == evaluated.model
    assert evaluated.detail["data_key"] == "train_data"
    assert lab.evidence.trials.loops == ()


def test_the_cap_counts_per_trial_and_keeps_resuming(
    make_lab: Callable[..., Any], tiny: nn.Module, loader: Any
) -> None:
    """run(1) then run(5) gives two epochs in all under a cap of two, and nothing more after that."""
    lab = make_lab(epochs=2)
    trial = _trial(tiny).with_generators(loader)
    lengths: list[int] = []
    for epochs in (1, 5, 9):
        lab.cell(lambda epochs=epochs: lengths.append(len(trial.run(epochs))))
    assert lengths == [1, 2, 2]
    runs = lab.evidence.trials.trials[0].runs
    assert [(run.epochs_asked, run.epochs_run) for run in runs] == [(1, 1), (5, 1), (9, 0)]
    assert [line for line in lab.evidence.shims if "capped at 2 epochs" in line]


def test_a_loaded_history_does_not_use_up_the_cap(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """Resuming at epoch 3 of a checkpoint still trains as many epochs as the profile allows."""
    lab = make_lab(epochs=1)
    trial = _trial(tiny).with_generators(loader)
    trial.state[torchbearer.HISTORY] = [{}, {}, {}]
    lab.cell(lambda: trial.run(10))
    assert lab.evidence.trials.trials[0].runs[0].epochs_run == 1


def test_a_foreign_optimizer_does_not_own_the_model(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """The optimiser holds another model's parameters."""
    stranger = torch.optim.SGD(type(tiny)().parameters(), lr=0.1)
    lab.cell(lambda: Trial(tiny, stranger, nn.CrossEntropyLoss(), verbose=0).with_generators(loader).run(1))
    assert not lab.evidence.trials.trials[0].owns_model


def test_a_frozen_part_may_be_held_or_left_out(lab: Any, tiny: nn.Module) -> None:
    """Only trainable parameters must be held."""
    tiny.conv1.requires_grad_(False)
    trainable = [parameter for parameter in tiny.parameters() if parameter.requires_grad]
    lab.cell(lambda: [Trial(tiny, torch.optim.SGD(held, lr=1)) for held in (trainable, tiny.parameters())])
    assert [trial.owns_model for trial in lab.evidence.trials.trials] == [True, True]


def test_a_trial_without_optimizer_only_evaluates(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """Torchbearer's stand-ins are not taken for the student's choice, and nothing was trained."""
    lab.cell(lambda: Trial(tiny, metrics=["acc"], verbose=0).with_generators(loader).run(1))
    (found,) = lab.evidence.trials.trials
    assert (found.optimizer, found.criterion, found.owns_model) == (None, None, False)
    assert lab.moments() == []


def test_a_model_without_weights_can_be_evaluated(lab: Any, loader: Any) -> None:
    """It has a record of its trial, but no events: there is no state to keep."""
    trial = Trial(nn.Flatten(), metrics=["acc"], verbose=0).with_generators(loader, loader)
    lab.cell(lambda: [trial.run(1), trial.evaluate()])
    (found,) = lab.evidence.trials.trials
    assert (found.class_name, len(found.runs)) == ("Flatten", 2)
    assert lab.moments() == []


def test_an_interrupted_run_is_recorded(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """What was trained before the exception counts."""

    def stop(state: Any) -> None:
        if state[torchbearer.EPOCH] == 1:
            raise ZeroDivisionError

    callback = torchbearer.callbacks.on_step_training(stop)
    trial = _trial(tiny, callbacks=[callback]).with_generators(loader)
    with pytest.raises(ZeroDivisionError):
        lab.cell(lambda: trial.run(4))
    run = lab.evidence.trials.trials[0].runs[0]
    assert (run.epochs_asked, run.epochs_run) == (4, 1)
    assert lab.evidence.events[-1].detail["steps"] == 4


def test_not_a_number_survives(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """A diverged loss is written as a word."""
    tiny.fc.bias.data.fill_(float("nan"))  # type: ignore[union-attr,operator]
    trial = _trial(tiny).with_generators(loader)
    lab.cell(lambda: trial.run(1))
    assert lab.evidence.trials.trials[0].runs[0].history[0]["loss"] == "NaN"
