"""Parameters, multiply-adds and receptive fields, against figures worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Snapshot
from graders.models import Network, read_network
from graders.models.costs import Step, layers, steps
from graders.models.fields import Field, merged

Make = Callable[..., Network]


def by_module(found: tuple[Step, ...]) -> dict[str, Step]:
    """Steps by the submodule that they came from."""
    return {one.module: one for one in found if one.module}


def test_the_better_network(network_of: Make, better: nn.Module) -> None:
    """Every figure of the lab's network, as one works it out on paper."""
    found = steps(network_of(better))
    named = by_module(found)
    costs = {name: (one.output, one.parameters, one.multiply_adds) for name, one in named.items()}
    assert costs == {
        "conv1": ((30, 24, 24), 30 * 25 + 30, 30 * 24 * 24 * 25),
        "conv2": ((15, 10, 10), 15 * 30 * 9 + 15, 15 * 10 * 10 * 30 * 9),
        "fc1": ((128,), 375 * 128 + 128, 375 * 128),
        "fc2": ((50,), 128 * 50 + 50, 128 * 50),
        "fc3": ((10,), 50 * 10 + 10, 50 * 10),
    }
    assert [one.field for one in found if one.field] == [(5, 5), (6, 6), (10, 10), (12, 12)]
    assert sum(one.multiply_adds for one in found) == 891_900
    assert [one.text for one in found[:3]] == ["convolution with 30 maps, 5x5", "ReLU", "max pooling 2x2"]


def test_the_batch_does_not_count(network_of: Make, better: nn.Module) -> None:
    """Figures are for one image, whatever the batch the graph was recorded with."""

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: Any) -> Any:
            return self.fc(x.view(8, -1))

    network = network_of(Fixed(), batch=8)
    assert network.graph.batch == 8
    assert sum(one.multiply_adds for one in steps(network)) == 7840


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(1, 8, 3, stride=2, padding=1), 8 * 14 * 14 * 9),
        (nn.Conv2d(1, 8, 3, dilation=2), 8 * 24 * 24 * 9),
        (nn.ConvTranspose2d(1, 4, 2, stride=2), 28 * 28 * 4 * 4),
        (nn.Sequential(nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 3, groups=4)), 8 * 28 * 28 + 8 * 26 * 26 * 2 * 9),
        (nn.Sequential(nn.BatchNorm2d(1), nn.ReLU(), nn.MaxPool2d(2)), 0),
    ],
)
def test_multiply_adds_of_convolutions(network_of: Make, layer: nn.Module, expected: int) -> None:
    """Strides, dilation, groups and transposed convolutions; normalisation and pooling count as 0."""

    class Then(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return self.layer(x).mean((2, 3))

    assert sum(one.multiply_adds for one in steps(network_of(Then()))) == expected


class Products(nn.Module):
    """Products of matrices, written in several ways, and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(28, 6))
        self.bias = nn.Parameter(torch.rand(10))
        self.last = nn.Parameter(torch.rand(28 * 6, 10))

    def forward(self, x: Any) -> Any:
        """(batch, 1, 28, 28) to logits."""
        x = x.squeeze(1) @ self.weight
        x = F.scaled_dot_product_attention(x, x, x)
        return torch.addmm(self.bias, x.flatten(1), self.last)


def test_multiply_adds_of_products(network_of: Make) -> None:
    """A product of matrices is outputs times the shared dimension; attention is two of them."""
    found = {one.node: one.multiply_adds for one in steps(network_of(Products())) if one.multiply_adds}
    assert list(found.values()) == [28 * 6 * 28, 28 * 28 * (6 + 6), 28 * 6 * 10]


class Branching(nn.Module):
    """A narrow and a wide branch, added up or side by side, then a pooling."""

    def __init__(self, *, join: bool, shift: bool = False) -> None:
        super().__init__()
        self.join = join
        self.narrow = nn.Conv2d(1, 4, 1)
        self.wide = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.strided = nn.Conv2d(1, 4, 1, stride=2)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.shift = shift

    def forward(self, x: Any) -> Any:
        """Both branches."""
        narrow = self.enlarge(self.strided(x)) if self.shift else self.narrow(x)
        wide = self.wide(x)
        both = torch.cat([narrow, wide], 1) if self.join else narrow + wide
        return F.max_pool2d(both, 2).mean((2, 3))


@pytest.mark.parametrize("join", [True, False])
def test_the_largest_branch_counts(network_of: Make, join: bool) -> None:
    """After a merge the field is that of all branches together, however they are merged."""
    fields = [one.field for one in steps(network_of(Branching(join=join))) if one.field]
    assert fields == [(1, 1), (5, 5), (7, 7), (8, 8), (8 + 2 * 13, 8 + 2 * 13)]


def test_unknown_fields_are_not_guessed(network_of: Make) -> None:
    """Beyond an enlarged picture nothing is claimed."""
    found = steps(network_of(Branching(join=False, shift=True)))
    assert [one.field for one in found if one.text.startswith("max pooling")] == [None]


def test_branches_that_look_elsewhere_see_more_together() -> None:
    """Fields that are not centred alike are joined from the first to the last pixel; other jumps give none."""
    left, right = Field((-4, 0), (0, 0), (1, 1)), Field((0, 0), (4, 0), (1, 1))
    together = merged([left, right])
    assert together is not None
    assert together.size == (9, 1)
    assert merged([left, Field((0, 0), (4, 0), (2, 2))]) is None
    assert merged([left, None]) is None


class Tangled(nn.Module):
    """A layer used twice, one that shares its weight, one frozen, one never used."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(784, 16)
        self.square = nn.Linear(16, 16)
        self.twin = nn.Linear(16, 16, bias=False)
        self.twin.weight = self.square.weight
        self.last = nn.Linear(16, 10)
        self.last.requires_grad_(False)
        self.spare = nn.Linear(7, 3)

    def forward(self, x: Any) -> Any:
        """The square layer twice, then its twin."""
        x = self.square(F.relu(self.square(F.relu(self.first(x.flatten(1))))))
        return self.last(self.twin(x))


def test_layers_share_freeze_and_idle(network_of: Make) -> None:
    """Shared tensors count once, frozen ones are not trainable, an unused layer is named with what it holds."""
    found = {one.module: one for one in layers(network_of(Tangled()))}
    assert {name: (one.parameters, one.trainable) for name, one in found.items()} == {
        "first": (784 * 16 + 16, 784 * 16 + 16),
        "square": (272, 272),
        "twin": (0, 0),
        "last": (170, 0),
        "spare": (24, 24),
    }
    assert found["twin"].shares == ("square.weight",)
    assert found["twin"].tensors == (("twin.weight", (16, 16)),)
    assert [name for name, one in found.items() if not one.used] == ["spare"]


def test_a_layer_s_second_use_adds_no_parameters(network_of: Make) -> None:
    """Steps count parameters where they are used first; the sum is what the graph uses."""
    network = network_of(Tangled())
    found = steps(network)
    square = [one for one in found if one.module == "square"]
    assert [(one.parameters, one.reuses) for one in square] == [(272, False), (0, True)]
    assert sum(one.parameters for one in found) == network.parameter_count - 24


def test_parameters_that_are_not_stored_are_refused(snapshot_of: Callable[..., Snapshot], better: nn.Module) -> None:
    """A parameter that model.json names and weights.safetensors lacks is an error of evidence."""
    snapshot = snapshot_of(better)
    path = snapshot.folder / "model.json"
    text = path.read_text().replace('"name": "fc3.bias"', '"name": "fc3.other"')
    path.write_text(text)
    with pytest.raises(EvidenceError, match=r"lacks fc3\.other"):
        layers(read_network(Snapshot(snapshot.folder)))
