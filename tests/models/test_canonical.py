"""Networks that compute the same have the same stages."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graders.models import Network, chain, compare, specification, stages

Make = Callable[..., Network]

SPEC = specification(
    """conv 30 5x5
relu
max_pool 2x2
conv 15 3x3
relu
max_pool 2x2
dropout 0.2
flatten
linear 128
relu
linear 50
relu
linear 10""".splitlines()
)


class Layers(nn.Module):
    """The lab's layers; each subclass writes forward another way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 30, 5)
        self.conv2 = nn.Conv2d(30, 15, 3)
        self.fc1 = nn.Linear(375, 128)
        self.fc2 = nn.Linear(128, 50)
        self.fc3 = nn.Linear(50, 10)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.drop = nn.Dropout(0.2)
        self.unused = nn.Linear(3, 3)


class Modules(Layers):
    """Modules used more than once; pooling before ReLU; flatten by name."""

    def forward(self, x: Any) -> Any:
        """A way of writing it."""
        x = self.relu(self.pool(self.conv1(x)))
        x = torch.flatten(self.relu(self.drop(self.pool(self.conv2(x)))), 1)
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


class Functions(Layers):
    """Clamps, thresholds, maxima of zero, adaptive pooling, matrix products."""

    def forward(self, x: Any) -> Any:
        """A way of writing it."""
        x = self.conv1(x.contiguous()).clamp(min=0)
        x = F.threshold(self.conv2(F.adaptive_max_pool2d(x, 12)), 0.0, 0.0)
        x = F.max_pool2d(x, kernel_size=(2, 2), stride=2)
        print(x.mean().shape)  # noqa: T201 - what students do
        x = F.dropout(x.reshape(x.shape[0], -1), 0.2, self.training)
        x = torch.max(torch.zeros(1), torch.addmm(self.fc1.bias, x, self.fc1.weight.t()))
        x = torch.relu_(torch.matmul(x, self.fc2.weight.T) + self.fc2.bias)
        return self.fc3(x).clone()


class Overwriting(Layers):
    """ReLU in place whose result is not taken; view with a literal size; dead code."""

    def forward(self, x: Any) -> Any:
        """A way of writing it."""
        x = self.conv1(x)
        F.relu_(x)
        x = F.max_pool2d(x, 2)
        x = F.max_pool2d(F.relu(F.relu(self.conv2(x))), (2, 2))
        softmax = F.softmax(x, dim=1)
        del softmax
        x = self.drop(x).view(-1, 15 * 5 * 5)
        x = F.leaky_relu(self.fc1(x), 0.0)
        return self.fc3(F.hardtanh(self.fc2(x), 0.0, float("inf")))


class Sequence(nn.Module):
    """Everything in nn.Sequential, one of them nested."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Sequential(nn.Conv2d(30, 15, 3), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.2), nn.Flatten(), nn.Linear(375, 128), nn.ReLU(), nn.Linear(128, 50), nn.ReLU(), nn.Identity()
        )
        self.last = nn.Linear(50, 10)

    def forward(self, x: Any) -> Any:
        """A way of writing it."""
        return self.last(self.classifier(self.features(x)))


@pytest.mark.parametrize("kind", [Modules, Functions, Overwriting, Sequence])
def test_equivalent_networks_are_equal(network_of: Make, kind: type[nn.Module]) -> None:
    """However the thirteen stages are written, they are the thirteen stages, and a chain."""
    found = chain(network_of(kind(), "train"))
    comparison = compare(SPEC, found.stages)
    assert [one.text for one in found.stages] == [one.text for one in SPEC]
    assert comparison.equal
    assert comparison.share == 1
    assert found.is_chain


def test_stages_know_layers_and_shapes(network_of: Make, better: nn.Module) -> None:
    """Each stage has the student's name for it, its node and its shapes."""
    found = stages(network_of(better, "train"))
    assert [one.module for one in found if one.module] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert (found[3].shape_in, found[3].shape_out) == ((30, 12, 12), (15, 10, 10))
    assert (found[4].shape_in, found[4].shape_out) == ((15, 10, 10), (15, 10, 10))
    assert found[7].shape_out == (375,)


def texts(network: Network) -> list[str]:
    """The stages in the short notation."""
    return [one.text for one in stages(network)]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(1, 4, 3, 2, 1, bias=False), nn.ReLU6()], ["conv 4 3x3 stride 2x2 padding 1x1 no_bias", "relu6"]),
        ([nn.Conv2d(1, 4, 3, padding="same"), nn.Sigmoid()], ["conv 4 3x3 padding 1x1", "sigmoid"]),
        ([nn.ConvTranspose2d(1, 4, (2, 3), stride=2)], ["conv_transpose 4 2x3 stride 2x2"]),
        ([nn.MaxPool2d(3, 1, ceil_mode=True)], ["max_pool 3x3 stride 1x1"]),
        ([nn.MaxPool2d(3, 3, ceil_mode=True)], ["max_pool 3x3 ceil"]),
        ([nn.AdaptiveAvgPool2d(1), nn.Flatten()], ["avg_pool 28x28", "flatten"]),
        ([nn.AdaptiveAvgPool2d(5)], ["adaptive_avg_pool"]),
        ([nn.Dropout2d(0.1), nn.AlphaDropout(0.5)], ["dropout 0.1 maps", "alpha_dropout 0.5"]),
        ([nn.BatchNorm2d(1), nn.LeakyReLU(0.1)], ["batch_norm", "leaky_relu 0.1"]),
        ([nn.GroupNorm(1, 1), nn.ELU()], ["group_norm 1", "elu"]),
        ([nn.AvgPool2d(2), nn.ReLU()], ["avg_pool 2x2", "relu"]),
        ([nn.Flatten(), nn.Linear(784, 5), nn.LogSoftmax(1)], ["flatten", "linear 5", "log_softmax"]),
        ([nn.MaxPool2d(1), nn.Dropout(0), nn.Identity()], []),
    ],
)
def test_layers_in_the_notation(network_of: Make, layers: list[nn.Module], expected: list[str]) -> None:
    """Each layer is written in the short notation, with what is unusual about it."""
    assert texts(network_of(nn.Sequential(nn.Conv2d(1, 1, 1), *layers), "train"))[1:] == expected


def test_mean_over_the_picture_is_pooling(network_of: Make) -> None:
    """A mean over both axes of the picture is average pooling of the whole, then flattening."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 10, 5)

        def forward(self, x: Any) -> Any:
            return self.conv(x).mean(dim=(2, 3))

    found = stages(network_of(Mean(), "train"))
    assert [one.text for one in found] == ["conv 10 5x5", "avg_pool 24x24", "flatten"]
    assert [one.shape_out for one in found] == [(10, 24, 24), (10, 1, 1), (10,)]


def test_dropout_that_never_acts_is_no_stage_of_training(network_of: Make) -> None:
    """`training=False` makes no dropout stage in the train graph; inactive dropout is one in the eval graph."""

    class Never(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: Any) -> Any:
            return self.fc(F.dropout(x.flatten(1), 0.3, training=False))

    assert texts(network_of(Never(), "train")) == ["flatten", "linear 10"]
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(784, 10))
    assert texts(network_of(module, "eval")) == ["dropout 0.3", "flatten", "linear 10"]


def test_average_pooling_does_not_commute(network_of: Make) -> None:
    """ReLU after average pooling stays where it is: the two orders compute different things."""
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.ReLU())
    assert texts(network_of(module, "train")) == ["conv 2 3x3", "avg_pool 2x2", "relu"]


def test_a_network_that_branches_is_no_chain(network_of: Make) -> None:
    """Branches are seen, and stages before the merge are put in order within their branch."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(1, 4, 1)
            self.b = nn.Conv2d(1, 4, 1)

        def forward(self, x: Any) -> Any:
            return F.relu(F.max_pool2d(self.a(x), 2)) + F.relu(F.max_pool2d(self.b(x), 2))

    found = chain(network_of(Two(), "train"))
    assert not found.is_chain
    assert [one.text for one in found.stages].count("relu") == 2
    assert found.stages[-1].kind == "add"
    kinds = [one.kind for one in found.stages if one.module == "a" or one.kind != "conv"]
    assert kinds.index("relu") < kinds.index("max_pool")
