"""Round trips of a state_dict, and the controls that show that they could fail."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models import Network, notices_corruption, round_trip
from graders.models.round_trip import fresh_weights

IMAGES = np.random.default_rng(1).random((10, 1, 28, 28), dtype=np.float32)


class Silent(nn.Module):
    """A network whose outputs are 0 (or -0) whatever its weights are."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros (batch, 10)."""
        out: torch.Tensor = self.fc(x.flatten(1)) * 0
        return out


class HalfUsed(nn.Module):
    """Two layers, of which one never reaches the output: it is multiplied by 0."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(784, 10)
        self.idle = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (batch, 10) of the first layer."""
        x = x.flatten(1)
        out: torch.Tensor = self.used(x) + 0 * self.idle(x)
        return out


def state(module: nn.Module) -> dict[str, Array]:
    """A module's state_dict as arrays."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def test_a_true_round_trip_is_equal_and_telling(network_of: Callable[..., Network], better: nn.Module) -> None:
    """The same bits, another output without the weights, and every tensor is heard."""
    trip = round_trip(network_of(better), state(better), IMAGES, 4096)
    assert trip.equal
    assert trip.telling
    assert (set(trip.heard), trip.unheard) == (set(state(better)), ())


def test_other_weights_are_not_equal(network_of: Callable[..., Network], better: nn.Module) -> None:
    """The file of another training gives other outputs."""
    torch.manual_seed(4)
    assert not round_trip(network_of(better), state(type(better)()), IMAGES, 4096).equal


def test_one_spoilt_number_is_not_equal(network_of: Callable[..., Network], better: nn.Module) -> None:
    """The last bit of one weight of the last layer is enough."""
    other = state(better)
    other["fc3.bias"][0] = np.nextafter(other["fc3.bias"][0], np.float32(9))
    assert not round_trip(network_of(better), other, IMAGES, 4096).equal


def test_a_silent_network_tells_nothing(network_of: Callable[..., Network]) -> None:
    """Its outputs are equal, and would be with any weights."""
    torch.manual_seed(0)
    module = Silent()
    trip = round_trip(network_of(module), state(module), IMAGES, 4096)
    assert (trip.fresh_differs, trip.heard, trip.telling) == (False, (), False)


def test_layers_that_do_not_matter_are_named(network_of: Callable[..., Network]) -> None:
    """The trip is telling all the same."""
    torch.manual_seed(0)
    module = HalfUsed()
    trip = round_trip(network_of(module), state(module), IMAGES, 4096)
    assert trip.telling
    assert trip.unheard == ("idle.bias", "idle.weight")


def test_zero_weights_are_no_obstacle(network_of: Callable[..., Network]) -> None:
    """A layer of zeros gives other outputs with random weights: the control still works."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert round_trip(network_of(module), state(module), IMAGES, 4096).telling


def test_tensors_that_do_not_fit_are_refused(network_of: Callable[..., Network], better: nn.Module) -> None:
    """Another shape never reaches the graph."""
    with pytest.raises(EvidenceError, match="another shape"):
        round_trip(network_of(better), {**state(better), "fc3.bias": np.zeros(9, np.float32)}, IMAGES, 4096)


def test_the_network_keeps_its_own_weights(network_of: Callable[..., Network], better: nn.Module) -> None:
    """Substitution makes another network."""
    network = network_of(better)
    before = network.run(IMAGES).outputs
    other = network.with_weights(fresh_weights(state(better)))
    assert not np.array_equal(other.run(IMAGES).outputs, before)
    assert np.array_equal(network.run(IMAGES).outputs, before)


def test_a_blind_comparison_is_found_out(monkeypatch: pytest.MonkeyPatch, better: nn.Module) -> None:
    """The control of the comparison can fail."""
    assert notices_corruption(state(better))
    blind = type("Blind", (), {"changed": ()})
    monkeypatch.setattr(sys.modules[fresh_weights.__module__], "compare_state", lambda *_: blind)
    assert not notices_corruption(state(better))
