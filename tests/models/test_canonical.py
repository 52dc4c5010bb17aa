"""Networks that compute the same have the same stages."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graders.models import Network, chain, compare, leaves, specification, stages
from graders.models.canonical import stage_graph
from graders.models.graph import Mode, Ref
from tests.models.rewriting.sketches import CHANNELS, Piece, Sketch, conv

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
    assert [one.text for one in found.stages] == [one.text for one in leaves(SPEC)]
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


def same(one: Network, other: Network) -> bool:
    """Whether two networks have the same stages, which read the same."""
    found, wanted = stage_graph(one), stage_graph(other)
    pairs = zip(found.stages, wanted.stages, strict=False)
    return found.sources == wanted.sources and all(a.same_as(b) for a, b in pairs)


def written(piece: Piece, mode: Mode = "train") -> Network:
    """A convolution, a piece, and a linear layer."""
    s = Sketch()
    return s.network(s.scores(piece(s, conv(s, s.input))), mode)


def act(op: str, *rest: Any) -> Piece:
    """A piece of one op."""
    return lambda s, x: s.op(op, x, *rest)


def then(*pieces: Piece) -> Piece:
    """Pieces one after the other."""

    def piece(s: Sketch, x: Ref) -> Ref:
        for one in pieces:
            x = one(s, x)
        return x

    return piece


def conv_with(*rest: Any, bias: bool = True) -> Piece:
    """A convolution with arguments."""
    return lambda s, x: conv(s, x, *rest, bias=bias)


def twice(shared: bool) -> Piece:
    """Two 1x1 convolutions one after the other, with one weight or two."""

    def piece(s: Sketch, x: Ref) -> Ref:
        first = s.weight(CHANNELS, CHANNELS, 1, 1)
        second = first if shared else s.weight(CHANNELS, CHANNELS, 1, 1)
        return s.op("conv2d.default", s.op("conv2d.default", x, first), second)

    return piece


def joined(op: str, *names: str) -> Piece:
    """Two activations of the same values, joined."""

    def piece(s: Sketch, x: Ref) -> Ref:
        found = tuple(s.op(f"{name}.default", x) for name in names)
        return s.op(op, found, 1) if op.startswith(("cat", "concat")) else s.op(op, *found)

    return piece


RELU, POOL, FLAT = act("relu.default"), act("max_pool2d.default", (2, 2)), act("flatten.using_ints", 1)
DROP = act("dropout.default", 0.2, True)
EQUAL: dict[str, tuple[Piece, Piece]] = {
    "in place": (RELU, act("relu_.default")),
    "clamp": (RELU, act("clamp.default", 0)),
    "clamp in place": (RELU, act("clamp_.default", 0)),
    "hardtanh": (act("relu6.default"), act("hardtanh.default", 0.0, 6.0)),
    "ReLU and max pooling": (then(RELU, POOL), then(POOL, RELU)),
    "ReLU, pooling, dropout, flatten": (then(RELU, POOL, DROP, FLAT), then(POOL, FLAT, DROP, RELU)),
    "view": (FLAT, act("view.default", (-1, 64))),
    "squeezed": (FLAT, then(act("unsqueeze.default", 1), act("squeeze.dim", 1), act("view.default", (-1, 64)))),
    "adaptive pooling": (POOL, then(act("adaptive_max_pool2d.default", (2, 2)), act("getitem", 0))),
    "mean": (then(act("avg_pool2d.default", (4, 4)), FLAT), act("mean.dim", (2, 3))),
    "no-ops": (RELU, then(act("clone.default"), act("mul.Tensor", 1.0), RELU, act("dropout.default", 0.5, False))),
    "padding before": (conv_with((1, 1), (1, 1)), then(act("pad.default", (1, 1, 1, 1)), conv_with())),
    "bias by hand": (
        conv_with(),
        lambda s, x: s.op("add.Tensor", conv(s, x, bias=False), s.weight(CHANNELS, 1, 1)),
    ),
    "padding counted without padding": (
        act("avg_pool2d.default", (2, 2)),
        act("avg_pool2d.default", (2, 2), (2, 2), (0, 0), False, False),
    ),
    "concat": (joined("cat.default", "relu", "tanh"), joined("concat.default", "relu", "tanh")),
}
DIFFERENT: dict[str, tuple[Piece, Piece]] = {
    "padding": (conv_with((1, 1), (1, 1)), conv_with((1, 1), (0, 0))),
    "padding by hand": (act("pad.default", (1, 1, 1, 1)), act("pad.default", (2, 2, 2, 2))),
    "what is padded with": (
        act("pad.default", (1, 1, 1, 1), "constant", 1.0),
        act("pad.default", (1, 1, 1, 1), "reflect"),
    ),
    "padding with ones before a convolution": (
        then(act("pad.default", (1, 1, 1, 1), "constant", 1.0), conv_with()),
        conv_with((1, 1), (1, 1)),
    ),
    "stride": (conv_with((1, 1)), conv_with((2, 2))),
    "dilation": (conv_with((1, 1), (2, 2), (1, 1)), conv_with((1, 1), (2, 2), (2, 2))),
    "groups": (
        lambda s, x: s.op("conv2d.default", x, s.weight(4, 4, 1, 1)),
        lambda s, x: s.op("conv2d.default", x, s.weight(4, 1, 1, 1), None, (1, 1), (0, 0), (1, 1), 4),
    ),
    "bias": (conv_with(), conv_with(bias=False)),
    "dropout's rate": (DROP, act("dropout.default", 0.3, True)),
    "dropout of maps": (DROP, act("feature_dropout.default", 0.2, True)),
    "dropout's place": (then(DROP, POOL), then(POOL, DROP)),
    "missing activation": (RELU, act("clone.default")),
    "extra activation": (RELU, then(RELU, act("tanh.default"))),
    "another activation": (RELU, act("leaky_relu.default", 0.01)),
    "slope": (act("leaky_relu.default", 0.2), act("leaky_relu.default", 0.1)),
    "clamp at something else": (act("clamp.default", 0.1), RELU),
    "order": (then(RELU, act("avg_pool2d.default", (2, 2))), then(act("avg_pool2d.default", (2, 2)), RELU)),
    "sharing": (twice(True), twice(False)),
    "counted padding": (
        act("avg_pool2d.default", (3, 3), (1, 1), (1, 1), False, True),
        act("avg_pool2d.default", (3, 3), (1, 1), (1, 1), False, False),
    ),
    "divisor": (
        act("avg_pool2d.default", (2, 2)),
        act("avg_pool2d.default", (2, 2), (2, 2), (0, 0), False, True, 3),
    ),
    "axis of a softmax": (act("softmax.int", 1), act("softmax.int", 2)),
    "factor": (act("mul.Tensor", 2.0), act("mul.Tensor", 3.0)),
    "constant": (act("add.Tensor", 2.0), act("add.Tensor", 3.0)),
    "which part": (
        then(act("chunk.default", 2, 1), act("getitem", 0)),
        then(act("chunk.default", 2, 1), act("getitem", 1)),
    ),
    "merge": (joined("add.Tensor", "relu", "tanh"), joined("mul.Tensor", "relu", "tanh")),
    "axes": (act("transpose.int", 1, 2), act("transpose.int", 2, 3)),
    "gradient": (RELU, then(act("detach.default"), RELU)),
}


@pytest.mark.parametrize("pieces", EQUAL.values(), ids=list(EQUAL))
def test_what_computes_the_same_compares_equal(pieces: tuple[Piece, Piece]) -> None:
    """Two ways of writing one thing have the same stages."""
    assert same(written(pieces[0]), written(pieces[1]))


@pytest.mark.parametrize("pieces", DIFFERENT.values(), ids=list(DIFFERENT))
def test_what_computes_something_else_does_not(pieces: tuple[Piece, Piece]) -> None:
    """Whatever changes what is computed or learnt is seen in the stages."""
    assert not same(written(pieces[0]), written(pieces[1]))


def test_the_stages_of_a_graph_know_what_they_read() -> None:
    """Sources are in order of the arguments, with repetitions; -1 is the input."""
    s = Sketch()
    first, second = conv(s, s.input), conv(s, s.input)
    found = stage_graph(s.network(s.scores(s.op("sub.Tensor", second, first))))
    assert [one.kind for one in found.stages] == ["conv", "conv", "sub", "flatten", "linear"]
    assert found.sources == ((-1,), (-1,), (1, 0), (2,), (3,))
    assert not found.is_chain
