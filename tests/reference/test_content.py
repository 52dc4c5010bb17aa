"""What the reference computes: its weights, its reading of the ten digits, its `load_own_image`."""

import json
from types import SimpleNamespace

import pytest
import torch

from graders.lab import load_lab

LAB = load_lab()
OWN_IMAGES = LAB.folder / "data" / "own_images"
EXPECTED = json.loads((OWN_IMAGES / "expected.json").read_text(encoding="utf-8"))


def test_reference_weights_are_a_plain_state_dict() -> None:
    """`weights/bettercnn.weights` holds BetterCNN's ten tensors, finite and on the CPU, and nothing else."""
    state = torch.load(LAB.root / LAB.handoffs[0].reference, weights_only=True)
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    assert shapes == {
        "conv1.weight": [30, 1, 5, 5], "conv1.bias": [30],
        "conv2.weight": [15, 30, 3, 3], "conv2.bias": [15],
        "fc1.weight": [128, 375], "fc1.bias": [128],
        "fc2.weight": [50, 128], "fc2.bias": [50],
        "fc3.weight": [10, 50], "fc3.bias": [10],
    }  # fmt: skip
    assert all(tensor.isfinite().all() and tensor.device.type == "cpu" for tensor in state.values())


def test_reference_reads_all_ten_digits(part_two: SimpleNamespace) -> None:
    """The second notebook runs from top to bottom, and no picture is misread, as its written answer says."""
    assert part_two.predictions == list(range(10))
    assert all(type(one) is int for one in part_two.predictions)


@pytest.mark.parametrize("name", EXPECTED)
def test_own_image_follows_mnist(part_two: SimpleNamespace, name: str) -> None:
    """A picture from outside comes back light on a dark ground, in a box of 20x20, centred by mass."""
    tensor = part_two.load_own_image(OWN_IMAGES / name)
    assert (tensor.shape, tensor.dtype) == ((1, 1, 28, 28), torch.float32)
    assert 0 <= tensor.min() < 0.01
    assert 0.99 < tensor.max() <= 1
    assert tensor.median() == 0
    ink = tensor[0, 0]
    extent = [int(places.max() - places.min()) + 1 for places in ink.nonzero().T]
    assert max(extent) == 20
    middle = [float((ink.sum(axis) * torch.arange(28)).sum() / ink.sum()) for axis in (0, 1)]
    assert middle == pytest.approx([13.5, 13.5], abs=0.6)


def test_own_images_are_read(part_two: SimpleNamespace) -> None:
    """The reference's network reads at least seven of the eight pictures as what they are."""
    with torch.no_grad():
        read = {name: int(part_two.model(part_two.load_own_image(OWN_IMAGES / name)).argmax()) for name in EXPECTED}
    right = [name for name, digit in read.items() if digit == EXPECTED[name]["digit"]]
    assert len(right) >= len(EXPECTED) - 1
