"""The graders of part 3."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision.utils import make_grid

from graders.evidence import Array
from graders.grading import MissingError
from graders.lab import Lab
from graders.lab5.pictures import digit_images
from graders.lab5.public import test_part3 as public
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, work_of


@pytest.fixture
def part(book: Callable[[int], NotebookFolder], learned: BetterCNN) -> NotebookFolder:
    """Part 3 with the trained network loaded."""
    made = book(3)
    made.event("loaded", learned, name="BetterCNN")
    return made


def weights(network: BetterCNN) -> Array:
    """conv1's filters, (30, 1, 5, 5)."""
    return network.conv1.weight.detach().numpy().copy()


def maps(network: BetterCNN, part: NotebookFolder, lab: Lab) -> Array:
    """conv1's responses to 5.PNG, (30, 24, 24)."""
    image = digit_images(work_of(lab, "5.3/filters", part))[5:6]
    with torch.no_grad():
        found: Array = network.conv1(torch.from_numpy(image))[0].numpy()
    return found


# --- filters


def filters(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the filters."""
    return public.test_filters(work_of(lab, "5.3/filters", part))


def test_tensor_and_pictures(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> None:
    """Both there: all points, and tiles for the report."""
    part.tensors["filters"] = weights(learned)
    part.draw(list(weights(learned)[:, 0]))
    verdict = filters(part, lab)
    assert verdict.outcome is Outcome.PASSED
    assert np.array(verdict.details["tiles"]["images"]).shape == (30, 5, 5)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda w: list(w[:, 0]),
        lambda w: list(w),
        lambda w: list(w[::-1, 0]),
        lambda w: [(one - one.min()) / (one.max() - one.min()) for one in w[:, 0]],
        lambda w: [np.repeat(one[0][..., None], 3, axis=2) for one in w],
        lambda w: [(255 * (one - w.min()) / (w.max() - w.min())).astype(np.uint8) for one in w[:, 0]],
        lambda w: [one.T for one in w[:, 0]],
        lambda w: [np.block([[w[6 * row + column, 0] for column in range(6)] for row in range(5)])],
        lambda w: [make_grid(torch.from_numpy(w), nrow=8, normalize=True).permute(1, 2, 0).numpy()],
    ],
    ids=[
        "grey",
        "with channel",
        "other order",
        "normalised",
        "as colours",
        "whole numbers",
        "transposed",
        "side by side",
        "sheet",
    ],
)
def test_drawing_alone_is_enough(
    part: NotebookFolder, lab: Lab, learned: BetterCNN, drawn: Callable[[Array], list[Array]]
) -> None:
    """Older notebooks only draw; arrangement, order and brightness are the student's."""
    part.draw(drawn(weights(learned)))
    assert filters(part, lab).outcome is Outcome.PASSED


def test_a_tensor_that_was_not_drawn_is_half(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> None:
    """The pictures are what was asked for."""
    part.tensors["filters"] = weights(learned)[:, 0]
    verdict = filters(part, lab)
    assert (verdict.outcome, verdict.share) == (Outcome.PARTIAL, 0.5)


def test_some_of_the_filters(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> None:
    """Drawn pictures count singly, each once."""
    part.draw([*weights(learned)[:15, 0], *weights(learned)[:15, 0]])
    assert filters(part, lab).share == 0.5


def test_filters_of_another_network_fail(part: NotebookFolder, lab: Lab) -> None:
    """Random filters are not those that were loaded."""
    other = BetterCNN()
    part.tensors["filters"] = weights(other)
    part.draw(list(weights(other)[:, 0]))
    assert filters(part, lab).outcome is Outcome.FAILED


def test_no_filters_are_missing(part: NotebookFolder, lab: Lab) -> None:
    """Neither drawn nor kept."""
    with pytest.raises(MissingError, match="filters"):
        filters(part, lab)


# --- response maps


def feature_maps(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the maps."""
    return public.test_feature_maps(work_of(lab, "5.3/feature-maps", part))


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_maps_of_a_picture_of_ones_own(
    part: NotebookFolder, lab: Lab, learned: BetterCNN, activated: bool, named: bool
) -> None:
    """A picture that only conv1 was shown is nowhere recorded, yet its responses can be told from others."""
    image = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found = learned.conv1(image)[0].numpy()
    found = np.maximum(found, 0) if activated else found
    if named:
        part.tensors["feature_maps"] = found
    part.draw(list(found))
    assert feature_maps(part, lab).outcome is Outcome.PASSED


def test_responses_of_another_network_fail(part: NotebookFolder, lab: Lab) -> None:
    """No picture gives the loaded network these maps."""
    with torch.no_grad():
        found = BetterCNN().conv1(torch.rand(1, 1, 28, 28))[0].numpy()
    part.draw(list(found))
    assert feature_maps(part, lab).outcome is Outcome.FAILED


@pytest.mark.parametrize("activated", [False, True])
def test_maps_before_or_after_the_relu(part: NotebookFolder, lab: Lab, learned: BetterCNN, activated: bool) -> None:
    """Both are responses of conv1."""
    found = maps(learned, part, lab)
    found = np.maximum(found, 0) if activated else found
    part.tensors["feature_maps"] = found
    part.draw(list(found))
    assert feature_maps(part, lab).outcome is Outcome.PASSED


def test_brightened_maps_of_a_recorded_picture(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> None:
    """Maps that were scaled one by one can only be told where the picture went through the network."""
    image = np.random.default_rng(1).random((1, 1, 28, 28), dtype=np.float32)
    with torch.no_grad():
        found = learned.conv1(torch.from_numpy(image))[0].numpy()
    part.draw([one / np.abs(one).max() for one in found])
    assert feature_maps(part, lab).outcome is Outcome.FAILED
    part.inputs["i0"] = image
    assert feature_maps(part, lab).outcome is Outcome.PASSED


def test_conv2s_maps_are_others(part: NotebookFolder, lab: Lab) -> None:
    """The given pictures of conv2, 10x10, are no evidence."""
    part.draw([np.ones((10, 10), np.float32)] * 15)
    with pytest.raises(MissingError, match="response maps"):
        feature_maps(part, lab)


# --- maximising


def climbed(network: BetterCNN, start: torch.Tensor) -> torch.Tensor:
    """A short gradient ascent."""
    x = start.clone()
    for _ in range(20):
        x.requires_grad_(True)
        gradient = torch.autograd.grad(network(x).diagonal().sum(), x)[0]
        x = (x.detach() + 0.5 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    return x.detach()


@pytest.fixture
def start() -> Array:
    """Ten pictures of noise."""
    return np.random.default_rng(2).random((10, 1, 28, 28), dtype=np.float32)


@pytest.fixture
def end(learned: BetterCNN, start: Array) -> Array:
    """Where the climb from there ends."""
    found: Array = climbed(learned, torch.from_numpy(start)).numpy()
    return found


def climb(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the ten pictures."""
    return public.test_max_activation(work_of(lab, "5.3/max-activation", part))


def test_ten_climbs(part: NotebookFolder, lab: Lab, start: Array, end: Array) -> None:
    """Start and end are kept, the end is drawn."""
    part.tensors |= {"start_images": start, "max_images": end}
    part.draw(list(end[:, 0]))
    verdict = climb(part, lab)
    assert verdict.outcome is Outcome.PASSED
    assert all(
        after > before for before, after in zip(verdict.details["before"], verdict.details["after"], strict=True)
    )


def test_a_climb_that_was_only_drawn(part: NotebookFolder, lab: Lab, end: Array) -> None:
    """Without a start the pictures must beat noise made of their own pixels."""
    part.answer("max-activation")
    cell = part.cell("climb()", task="max-activation")
    part.draw(list(end[:, 0]), cell=cell)
    assert climb(part, lab).outcome is Outcome.PASSED


def test_noise_is_no_climb(part: NotebookFolder, lab: Lab, start: Array) -> None:
    """Pictures that were drawn but never climbed earn next to nothing."""
    part.draw(list(start[:, 0]))
    assert climb(part, lab).share < 0.4


def test_pictures_as_they_started_fail(part: NotebookFolder, lab: Lab, start: Array) -> None:
    """Equal responses are not higher."""
    part.tensors |= {"start_images": start, "max_images": start}
    verdict = climb(part, lab)
    assert (verdict.outcome, verdict.code) == (Outcome.FAILED, "RESPONSE_NOT_HIGHER")


def test_climbs_that_were_not_drawn(part: NotebookFolder, lab: Lab, start: Array, end: Array) -> None:
    """Drawing is a third."""
    part.tensors |= {"start_images": start, "max_images": end}
    verdict = climb(part, lab)
    assert verdict.code == "NOT_ALL_DRAWN"
    assert verdict.share == pytest.approx(2 / 3)


def test_pictures_of_another_shape_are_missing(part: NotebookFolder, lab: Lab) -> None:
    """Nine pictures, or pictures of 14x14, are not what was asked for."""
    part.tensors["max_images"] = np.zeros((9, 1, 28, 28), np.float32)
    with pytest.raises(MissingError, match="ten pictures"):
        climb(part, lab)
