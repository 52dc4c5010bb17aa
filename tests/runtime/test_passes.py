"""Tests of which images are told to have been trained with."""

from typing import Any

import numpy as np
import pytest
import torch
import torchbearer
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from graders.runtime.hashing import image_hashes
from graders.runtime.passes import IDLE


class Held(Dataset[Any]):
    """Images that know whether they are test data."""

    def __init__(self, images: torch.Tensor, *, train: bool) -> None:
        self.images, self.train = images, train

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.images[index], index % 10


def _images(seed: int, count: int = 6) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def _hashes(images: torch.Tensor) -> list[int]:
    return sorted(image_hashes(images.numpy()).tolist())


@pytest.fixture
def train() -> DataLoader[Any]:
    """Six images in three batches."""
    return DataLoader(Held(_images(1), train=True), batch_size=2)


@pytest.fixture
def test() -> DataLoader[Any]:
    """Six others."""
    return DataLoader(Held(_images(2), train=False), batch_size=2)


def _step(model: nn.Module, optimizer: Any, images: torch.Tensor, labels: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def test_a_loop_tells_the_images_it_trained_with(lab: Any, tiny: nn.Module, train: Any, test: Any) -> None:
    """Those of the training loader, each once; not those that it was evaluated on after every epoch."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)

    def cell() -> None:
        for _ in range(2):
            for images, labels in train:
                _step(tiny, optimizer, images, labels)
            for images, _ in test:
                tiny(images)

    lab.cell(cell)
    assert {key: found.tolist() for key, found in lab.evidence.trained_images.items()} == {"loop0": _hashes(_images(1))}
    assert [one.split for one in lab.evidence.trials.loops[0].loaders] == ["train"]


def test_a_trial_tells_its_training_images(lab: Any, tiny: nn.Module, train: Any, test: Any) -> None:
    """Those of the training generator, also where the validation images have no split."""
    plain = DataLoader(TensorDataset(_images(2), torch.arange(6)), batch_size=2)
    for generator in (test, plain):
        trial = torchbearer.Trial(tiny, torch.optim.SGD(tiny.parameters(), lr=0.01), nn.CrossEntropyLoss(), verbose=0)
        lab.cell(lambda trial=trial, generator=generator: trial.with_generators(train, generator, test).run(2))
        lab.cell(trial.evaluate)
    found = lab.evidence.trained_images
    assert {key: one.tolist() for key, one in found.items()} == dict.fromkeys(("trial0", "trial1"), _hashes(_images(1)))


@pytest.mark.parametrize("order", [1, -1])
def test_test_data_beside_training_data_are_not_taken_for_it(
    lab: Any, tiny: nn.Module, train: Any, test: Any, order: int
) -> None:
    """Both loaders side by side in one `for`, whichever comes first; also for a second optimiser of the same batch."""
    head = [parameter for name, parameter in tiny.named_parameters() if name.startswith("fc")]
    optimizers = [torch.optim.SGD(held, lr=0.01) for held in (list(tiny.parameters()), head)]

    def cell() -> None:
        for pair in zip(*(train, test)[::order], strict=True):
            images, labels = pair[::order][0]
            for optimizer in optimizers:
                _step(tiny, optimizer, images, labels)

    lab.cell(cell)
    assert lab.evidence.trained_images["loop0"].tolist() == _hashes(_images(1))
    assert [[one.split for one in loop.loaders] for loop in lab.evidence.trials.loops] == [["train"]] * 2


def test_batches_that_are_added_up_all_count(lab: Any, tiny: nn.Module, train: Any) -> None:
    """One step for three batches was trained with all of them."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)

    def cell() -> None:
        for images, labels in train:
            nn.functional.cross_entropy(tiny(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def once() -> None:
        stream = iter(train)
        for images, labels in (next(stream) for _ in range(3)):
            nn.functional.cross_entropy(tiny(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    lab.cell(once)
    assert lab.evidence.trained_images["loop0"].tolist() == _hashes(_images(1))
    lab.cell(cell)  # the pass is over when the step is made: nobody can tell whose step it was
    assert "loop1" not in lab.evidence.trained_images


def test_an_evaluation_is_hashed_no_further_than_need_be(lab: Any, tiny: nn.Module) -> None:
    """After so many batches without a step nothing is kept until the next one."""
    loader = DataLoader(Held(_images(3, IDLE + 4), train=True), batch_size=1)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)

    def cell() -> None:
        for number, (images, labels) in enumerate(loader):
            if number >= IDLE + 2:
                _step(tiny.eval(), optimizer, images, labels)

    lab.cell(cell)
    assert lab.evidence.trained_images["loop0"].tolist() == _hashes(_images(3, IDLE + 4)[IDLE + 3 :])


def test_workers_change_nothing(lab: Any, tiny: nn.Module) -> None:
    """Batches that another process loads are seen where they arrive."""
    loader = DataLoader(Held(_images(1), train=True), batch_size=3, num_workers=1)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)
    lab.cell(lambda: [_step(tiny, optimizer, *batch) for batch in loader])
    assert lab.evidence.trained_images["loop0"].tolist() == _hashes(_images(1))


def _as_dictionary(items: list[Any]) -> dict[str, Any]:
    return {"labels": torch.tensor([label for _, label in items]), "images": torch.stack([image for image, _ in items])}


def _flat(items: list[Any]) -> list[Any]:
    return [[torch.stack([image.flatten() for image, _ in items])], torch.zeros(len(items))]


def _coloured(items: list[Any]) -> torch.Tensor:
    return torch.stack([image.expand(3, 28, 28) for image, _ in items])


@pytest.mark.parametrize("collate", [_as_dictionary, _flat, _coloured])
def test_batches_may_have_any_form(lab: Any, tiny: nn.Module, batch: torch.Tensor, collate: Any) -> None:
    """Dictionaries, nested lists, flat rows, three equal channels."""
    loader = DataLoader(Held(_images(1), train=True), batch_size=2, collate_fn=collate)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)
    lab.cell(lambda: [_step(tiny, optimizer, batch, torch.arange(4)) for _ in loader])
    assert lab.evidence.trained_images["loop0"].tolist() == _hashes(_images(1))


def test_other_data_have_no_hashes(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Batches without images of the lab's size are no matter."""
    loader = DataLoader(TensorDataset(torch.rand(4, 5), torch.rand(4, 1, 14, 14), torch.arange(4)), batch_size=2)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)
    lab.cell(lambda: [_step(tiny, optimizer, batch, torch.arange(4)) for _ in loader])
    assert lab.evidence.trained_images == {}
    assert np.array(lab.evidence.trials.loops[0].steps) == 2
