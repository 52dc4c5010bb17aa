"""Tests of what models were fed."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchbearer import Trial

from graders.runtime import calls as calls_module


def test_small_batches_are_kept_once_in_order(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Equal batches share a key; too many images, and things that are no images, are left out."""
    lab.cell(lambda: [tiny(batch), tiny(batch[:2]), tiny(batch), tiny(torch.rand(17, 1, 28, 28))])
    assert {key: value.shape for key, value in lab.evidence.inputs.items()} == {
        "i0": (4, 1, 28, 28),
        "i1": (2, 1, 28, 28),
    }
    assert (lab.evidence.inputs["i0"] == batch.numpy()).all()


def test_parts_and_functions_are_not_models(lab: Any, batch: torch.Tensor) -> None:
    """Layers inside a model, and layers without parameters that forward makes on the fly, see features."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Conv2d(1, 1, 1)

        def forward(self, x: torch.Tensor) -> Any:
            return F.relu(self.part(nn.Tanh()(x)))

    lab.cell(lambda: Odd()(batch))
    assert list(lab.evidence.inputs) == ["i0"]


def test_batches_inside_a_trial_are_left_out(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Only what the student passed by hand is kept."""
    data = DataLoader(TensorDataset(batch, torch.arange(4)), batch_size=4)
    trial = Trial(tiny, None, F.cross_entropy, metrics=["loss"], verbose=0).with_generators(data, data, data)
    lab.cell(lambda: [trial.run(1), trial.evaluate(), trial.predict()])
    assert lab.evidence.inputs == {}


def test_inputs_are_capped(lab: Any, tiny: nn.Module, batch: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are kept."""
    monkeypatch.setattr(calls_module, "MAX_BATCHES", 2)
    lab.cell(lambda: [tiny(batch[index : index + 1]) for index in range(4)])
    assert sorted(lab.evidence.inputs) == ["i0", "i1"]


def test_the_last_call_shapes_the_export(lab: Any) -> None:
    """A model for flat images of another size is exported with what it was called with."""
    model = nn.Linear(100, 2)
    lab.cell(lambda: model(torch.rand(7, 100)), model=model)
    lab.finish()
    meta = lab.evidence.snapshot(lab.evidence.events[0]).meta
    assert meta.input_shape == (7, 100)
    assert meta.exports["eval"].ok
