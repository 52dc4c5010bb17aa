"""What running a network shows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Snapshot
from graders.models import read_network
from graders.models.health import LEAST, MOST, Difference, Health, Relu, classes_of, examine

Snap = Callable[..., Snapshot]


class Base(nn.Module):
    """Two layers with a ReLU between; subclasses spoil something."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(1, 6, 5, stride=5)
        self.norm = nn.BatchNorm2d(6)
        self.fc = nn.Linear(150, 10)
        self.aux = nn.Linear(150, 10)

    def features(self, x: Any) -> Any:
        """What the first layer makes of images."""
        return F.relu(self.conv(x)).flatten(1)

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.features(x))


class Dropping(Base):
    """Dropout in either mode."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(F.dropout(self.features(x), 0.5))


class Normalising(Base):
    """Batch normalisation with the batch's statistics in either mode."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        return self.fc(F.batch_norm(self.conv(x), mean, variance, training=True).flatten(1))


class Honest(Base):
    """Dropout and batch normalisation as they should be."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(F.dropout(F.relu(self.norm(self.conv(x))).flatten(1), 0.5, training=self.training))


class Helped(Base):
    """A second head that only training uses."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        found = self.features(x)
        return self.fc(found) + self.aux(found) if self.training else self.fc(found)


def images(count: int = 60) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(0).random((count, 1, 28, 28), dtype=np.float32)


@pytest.fixture
def examined(snapshot_of: Snap) -> Callable[..., Health]:
    """Examines a module in both modes."""

    def make(module: nn.Module, count: int = 60) -> Health:
        snapshot = snapshot_of(module)
        return examine(read_network(snapshot), read_network(snapshot, "train"), images(count))

    return make


def test_a_sound_network_has_no_faults(examined: Callable[..., Health]) -> None:
    """Dropout and batch normalisation that follow the mode are no fault and no difference."""
    found = examined(Honest())
    assert (found.dropout, found.company, found.training) == (None, None, Difference(equal=True))
    assert [one.outcome for one in found.batches] == ["runs"] * 3
    assert [one.place for one in found.relus] == ["after norm"]


def test_as_many_images_as_the_work_allows(examined: Callable[..., Health]) -> None:
    """All of a few images are tried, at most `MOST` of many, and fewer for a network that is a lot of work."""
    assert examined(Base(), 20).images == 20
    assert examined(Base(), 300).images == MOST

    class Large(Base):
        def __init__(self) -> None:
            super().__init__()
            self.big = nn.Conv2d(1, 64, 9, padding=4)
            self.bigger = nn.Conv2d(64, 32, 9, padding=4)

        def forward(self, x: Any) -> Any:
            return self.fc(self.features(self.bigger(self.big(x)).mean(1, keepdim=True)))

    found = examined(Large(), 60)
    assert found.images == LEAST
    assert [one.outcome for one in found.batches] == ["runs"] * 3


def test_predicted_classes_are_the_network_s(snapshot_of: Snap) -> None:
    """The classes are those of a plain run."""
    network = read_network(snapshot_of(Base()))
    expected = network.run(images()).outputs.argmax(1).tolist()
    assert list(examine(network, None, images()).classes) == expected
    assert classes_of(np.array([[0, 1], [np.nan, 2], [3, 1]], np.float32)) == (1, -1, 0)


def test_dead_units_are_counted(examined: Callable[..., Health]) -> None:
    """Maps that are 0 everywhere for every image are dead; one that fires in a single place is not."""
    module = Base()
    with torch.no_grad():
        module.get_parameter("conv.bias")[:4] = -100
        module.conv.weight[4] = 0
        module.conv.weight[4, 0, 0, 0] = 1
        module.get_parameter("conv.bias")[4] = -float(images()[:, 0, ::5, ::5][:, :5, :5].max()) + 1e-4
    assert examined(module).relus == (Relu(place="after conv", units=6, dead=4),)


@pytest.mark.parametrize("layer", [nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.0)])
def test_relus_of_all_kinds(examined: Callable[..., Health], layer: nn.Module) -> None:
    """Whatever computes a ReLU is looked at, under its own name; what is no ReLU is not."""

    class Named(Base):
        def __init__(self) -> None:
            super().__init__()
            self.act = layer
            with torch.no_grad():
                self.get_parameter("conv.bias")[0] = -100

        def forward(self, x: Any) -> Any:
            return self.fc(self.act(self.conv(x)).flatten(1))

    expected = () if isinstance(layer, nn.ReLU6) else (Relu(place="act", units=6, dead=1),)
    assert examined(Named()).relus == expected


def test_active_dropout_has_a_spread(examined: Callable[..., Health]) -> None:
    """Dropout that evaluation leaves active gives other classes each time, the same on every marking."""
    found = examined(Dropping()).dropout
    assert found is not None
    assert found.places == ("after conv",)
    assert len(found.classes) == 5
    assert len(set(found.classes)) > 1
    assert found == examined(Dropping()).dropout


def test_batch_statistics_have_a_spread(examined: Callable[..., Health]) -> None:
    """Normalising with the batch makes the same images' classes depend on company; that is no difference of modes."""
    found = examined(Normalising())
    assert found.company is not None
    assert found.company.places == ("after conv",)
    assert len(set(found.company.classes)) > 1
    assert found.training == Difference(equal=True)


def test_what_only_training_uses(examined: Callable[..., Health]) -> None:
    """A head that only training uses is named, with what it changes."""
    found = examined(Helped()).training
    assert found is not None
    assert not found.equal
    assert found.only_training == ("aux",)
    assert found.largest is not None
    assert found.largest > 0.01
    assert 0 < found.changed <= 1


def test_without_a_train_graph_nothing_is_said_of_training(snapshot_of: Snap) -> None:
    """Training is left out, all else is there."""
    found = examine(read_network(snapshot_of(Base())), None, images())
    assert (found.training, found.training_batches) == (None, ())


def test_a_train_graph_that_cannot_run_is_a_problem_of_its_own(snapshot_of: Snap) -> None:
    """Where training mode gives other shapes, the rest is known all the same."""

    class Odd(Base):
        def forward(self, x: Any) -> Any:
            found = self.fc(self.features(x))
            return found[:, :5] if self.training else found

    snapshot = snapshot_of(Odd())
    found = examine(read_network(snapshot), read_network(snapshot, "train"), images()).training
    assert found is not None
    assert (found.equal, found.problem) == (False, "it gives 5 scores, not 10")


def test_health_survives_the_way_out_of_the_box(examined: Callable[..., Health]) -> None:
    """Every field comes back from JSON as it was."""
    for module in (Honest(), Dropping(), Normalising(), Helped()):
        found = examined(module)
        assert Health.model_validate_json(found.model_dump_json()) == found


def test_outputs_that_are_no_rows_of_scores_are_refused(examined: Callable[..., Health]) -> None:
    """A network that does not give one row for each image cannot be examined, and says so."""

    class Summed(Base):
        def forward(self, x: Any) -> Any:
            return self.fc(self.features(x)).sum()

    with pytest.raises(EvidenceError, match="one row of class scores"):
        examined(Summed())
