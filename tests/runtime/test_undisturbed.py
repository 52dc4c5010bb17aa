"""Tests of running a model on the side."""

import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.runtime.export import export_mode
from graders.runtime.registry import Spec
from graders.runtime.undisturbed import undisturbed

IMAGES = Spec((2, 1, 28, 28), torch.float32)


class Talkative(nn.Module):
    """Prints, warns, remembers and draws random numbers in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 5)
        self.norm = nn.BatchNorm2d(2)
        self.seen: list[Any] = []
        self.last: Any = "nothing"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps."""
        print("shape", x.shape)  # noqa: T201 - that it prints is the point
        warnings.warn("look", stacklevel=1)
        random.random()
        np.random.rand()
        self.last = self.norm(self.conv(x))
        self.seen.append(self.last)
        return torch.dropout(self.last, 0.5, True)


def test_an_export_leaves_everything_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """Modes, attributes, lists, buffers, gradients, hooks and random numbers survive both exports."""
    model = Talkative()
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    model.conv.bias.grad = gradient = torch.ones(2)  # type: ignore[union-attr]
    fired: list[int] = []
    model.conv.register_forward_hook(lambda *_: fired.append(1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    for training in (True, False):
        assert export_mode(model, IMAGES, {}, training=training).graph is not None
    assert (model.training, model.norm.training, model.last, model.seen, fired) == (True, False, "nothing", [], [])
    assert model.conv.bias.grad is gradient  # type: ignore[union-attr]
    assert not model.conv.weight.requires_grad
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert states[2] == np.random.get_state()[1].tolist()  # type: ignore[index]
    assert capsys.readouterr().out == ""
    model.conv(torch.zeros(1, 1, 28, 28))
    assert fired == [1]


def test_a_training_pass_on_the_side_takes_back_the_buffers() -> None:
    """Even a real forward pass in train mode leaves batch norm's statistics alone."""
    norm = nn.BatchNorm2d(2)
    with undisturbed(norm, training=True):
        norm(torch.rand(4, 2, 3, 3))
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(2))  # type: ignore[arg-type]


def test_an_export_between_forward_and_backward_does_not_break_the_gradient() -> None:
    """Parameters are not touched, so autograd does not see them as modified."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 3), nn.Linear(3, 2))
    loss = model(torch.rand(2, 1, 28, 28)).sum()
    export_mode(model, IMAGES, {}, training=True)
    loss.backward()
    assert model[1].weight.grad is not None


def test_what_raises_inside_is_put_back_too() -> None:
    """An exception does not leave the model in the other mode."""
    model = nn.Dropout().eval()
    with pytest.raises(KeyError), undisturbed(model, training=True):
        raise KeyError
    assert not model.training


def test_hooks_of_torch_that_compute_weights_stay_in_the_graph() -> None:
    """Spectral norm works by a forward hook of torch's own: its ops are part of the model."""
    model = nn.utils.spectral_norm(nn.Linear(784, 3))
    exported = export_mode(model, Spec((2, 784), torch.float32), {}, training=False)
    assert exported.graph is not None, exported.error
    assert any("div" in node["op"] for node in exported.graph["nodes"])
