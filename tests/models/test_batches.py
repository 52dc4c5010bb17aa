"""What graphs of real exports show about batches of one, two and 128, and about company; and what they cannot show."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.models import Network
from graders.models.batches import Batch, batches, differ, in_other_company, outputs

Make = Callable[..., Network]


class Base(nn.Module):
    """A convolution and a linear layer; each subclass writes forward another way."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 15, 5, stride=5)
        self.bn = nn.BatchNorm1d(375)
        self.own = nn.BatchNorm1d(375, track_running_stats=False)
        self.fc = nn.Linear(375, 10)


class Free(Base):
    """`view(-1, 375)`."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.conv(x).view(-1, 375))


class Asking(Base):
    """`view(x.size(0), -1)`."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.conv(x).view(x.size(0), -1))


class Squeezed(Base):
    """`squeeze()` of the output."""

    def forward(self, x: Any) -> Any:
        """Logits without the dimension of a single image."""
        return self.fc(self.conv(x).flatten(1)).squeeze()


class Early(Base):
    """`squeeze()` before the linear layer."""

    def forward(self, x: Any) -> Any:
        """Nothing at all for a single image."""
        return self.fc(self.conv(x).squeeze().flatten(1))


class Numbered(Base):
    """`view(128, -1)`."""

    def forward(self, x: Any) -> Any:
        """Logits of 128 images."""
        return self.fc(self.conv(x).view(128, -1))


class Counted(Base):
    """`view(len(x), -1)`, which takes any batch and cannot be told from a fixed number."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.conv(x).view(len(x), -1))


class Normalised(Base):
    """Batch normalisation as it should be."""

    def forward(self, x: Any) -> Any:
        """Logits."""
        return self.fc(self.bn(self.conv(x).flatten(1)))


class BatchNormalised(Base):
    """Batch normalisation without stored statistics."""

    def forward(self, x: Any) -> Any:
        """Logits that depend on company."""
        return self.fc(self.own(self.conv(x).flatten(1)))


class ByHand(Base):
    """Normalisation with the batch's own mean, written by hand."""

    def forward(self, x: Any) -> Any:
        """Logits that depend on company."""
        found = self.conv(x).flatten(1)
        return self.fc(found - found.mean(0))


class OneApart(Base):
    """A way of its own for a single image, which the export does not see."""

    def forward(self, x: Any) -> Any:
        """Logits, doubled for a single image."""
        found = self.fc(self.conv(x).flatten(1))
        return found * 2 if x.shape[0] == 1 else found


def images(count: int = 16) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(0).random((count, 1, 28, 28), dtype=np.float32)


def outcomes(found: tuple[Batch, ...]) -> dict[int, str]:
    """Outcome by size."""
    return {one.size: one.outcome for one in found}


FINE = {1: "runs", 2: "runs", 128: "runs"}


@pytest.mark.parametrize("given", [images(), None], ids=["run", "dry run"])
@pytest.mark.parametrize("kind", [Free, Asking, Normalised, ByHand])
def test_free_batches_run(network_of: Make, kind: type[nn.Module], given: Any) -> None:
    """Ways of writing that leave the batch free take 1, 2 and 128 images, run for real or on the meta device."""
    found = batches(network_of(kind()), given)
    assert outcomes(found) == FINE
    assert [one.output for one in found] == [(1, 10), (2, 10), (128, 10)]


@pytest.mark.parametrize("given", [images(), None], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        (Squeezed, "other-shape", "squeeze takes the batch of one image away: (10,) in the place of (1, 10)"),
        (Early, "refused", "squeeze takes the batch of one image away: (15, 5, 5) in the place of (1, 15, 5, 5)"),
    ],
)
def test_squeeze_eats_a_batch_of_one(
    network_of: Make, kind: type[nn.Module], outcome: str, reason: str, given: Any
) -> None:
    """The operation that takes the dimension away is named, whether the graph runs on or not; more images are fine."""
    first, *others = batches(network_of(kind()), given)
    assert (first.outcome, first.reason, first.lost_dimension) == (outcome, reason, True)
    assert [one.outcome for one in others] == ["runs", "runs"]


@pytest.mark.parametrize("kind", [Squeezed, Early, Normalised, BatchNormalised])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_single_image_is_told_as_pytorch_does(network_of: Make, kind: type[nn.Module], mode: str) -> None:
    """What is said of one image is what the module itself does with one, in both modes."""
    module = kind().train(mode == "train")
    try:
        with torch.no_grad():
            expected = "runs" if module(torch.zeros(1, 1, 28, 28)).shape == (1, 10) else "other-shape"
    except (ValueError, RuntimeError):
        expected = "refused"
    assert batches(network_of(kind(), mode), None)[0].outcome == expected


def test_one_value_a_channel_is_refused_in_words(network_of: Make) -> None:
    """Batch statistics of one value are refused as PyTorch refuses them, though the operation itself would run."""
    first = batches(network_of(BatchNormalised()), images())[0]
    assert (first.outcome, first.lost_dimension) == ("refused", False)
    assert first.reason.startswith("own needs more than one value a channel")


@pytest.mark.parametrize("kind", [Numbered, Counted])
def test_of_a_fixed_batch_nothing_else_is_known(network_of: Make, kind: type[nn.Module]) -> None:
    """A fixed number and an innocent `len(x)` look the same: other sizes are not known, and the reason says why."""
    found = batches(network_of(kind(), batch=128), images())
    assert outcomes(found) == {1: "not-known", 2: "not-known", 128: "runs"}
    assert "view(128, -1) or len(x)" in found[0].reason


def test_another_fixed_batch_is_tried_as_well(network_of: Make) -> None:
    """A graph that was recorded with 4 images runs with 4."""
    assert outcomes(batches(network_of(Counted()), images())) == {
        1: "not-known", 2: "not-known", 4: "runs", 128: "not-known",
    }  # fmt: skip


def test_what_code_does_for_one_image_alone_is_not_in_the_graph(network_of: Make) -> None:
    """The export takes two images or more for granted: a way of its own for one is not seen, as is documented."""
    network = network_of(OneApart())
    assert outcomes(batches(network, images())) == FINE
    assert not any("mul" in node.base for node in network.graph.nodes)


@pytest.mark.parametrize("kind", [BatchNormalised, ByHand])
def test_company_that_counts(network_of: Make, kind: type[nn.Module]) -> None:
    """Outputs that depend on the batch differ in other company, batch normalisation or not."""
    runs = in_other_company(network_of(kind()), images(24), repeats=5)
    assert len(runs) == 5
    assert differ(runs[0], runs[1])


@pytest.mark.parametrize("kind", [Free, Normalised, Numbered])
def test_company_that_does_not_count(network_of: Make, kind: type[nn.Module]) -> None:
    """Images that stand for themselves keep their outputs, and no more than one shuffle is tried."""
    network = network_of(kind(), batch=128)
    runs = in_other_company(network, images(24), repeats=5)
    assert len(runs) == 2
    assert not differ(*runs)
    assert np.allclose(runs[1], network.run(images(24)).outputs, atol=1e-5)


def test_outputs_that_are_no_numbers_differ() -> None:
    """NaN never counts as equal."""
    one = np.zeros((2, 3), np.float32)
    assert not differ(one, one)
    assert differ(one, one * np.nan)


def test_batches_of_a_size_give_the_same_as_a_run(network_of: Make) -> None:
    """Running in batches of a few gives what a run gives, for a last batch of one image too."""
    network = network_of(Free())
    assert np.allclose(outputs(network, images(9), size=4), network.run(images(9)).outputs, atol=1e-6)
