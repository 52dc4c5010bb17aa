"""Tests of training by hand: steps, passes, losses, the cap."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from graders.runtime.loaders import describe


def _train(model: nn.Module, optimizer: Any, loader: Any, epochs: int) -> list[int]:
    """Train by hand; gives the number of batches of every pass."""
    counts = []
    for _ in range(epochs):
        counts.append(0)
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            counts[-1] += 1
    return counts


def test_a_loop_is_described(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """Model, optimiser, steps, passes, losses and data of a loop; events with the weights of their moment."""
    start = tiny.fc.bias.detach().clone().numpy()  # type: ignore[union-attr,operator]
    optimizer = torch.optim.Adam(tiny.parameters(), lr=0.25)
    lab.cell(lambda: _train(tiny, optimizer, loader, 2), model=tiny)
    (loop,) = lab.evidence.trials.loops
    assert (loop.optimizer, loop.learning_rate, loop.owns_model, loop.class_name) == ("Adam", 0.25, True, "Tiny")
    assert (loop.steps, loop.passes_asked, loop.passes_run, len(loop.losses)) == (6, 2, 2, 6)
    assert [one.count for one in loop.loaders] == [6]
    initial, trained = lab.evidence.events
    assert (initial.moment, trained.moment, trained.detail["loop"]) == ("initial", "trained", 0)
    assert (lab.evidence.snapshot(initial).weights["fc.bias"] == start).all()
    assert (lab.evidence.snapshot(trained).weights["fc.bias"] != start).any()


def test_passes_beyond_the_cap_give_one_batch(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """Two whole passes, then one batch each; also in a later cell."""
    lab = make_lab(epochs=2)
    optimizer = torch.optim.Adam(tiny.parameters())
    counts: list[list[int]] = []
    lab.cell(lambda: counts.append(_train(tiny, optimizer, loader, 4)))
    lab.cell(lambda: counts.append(_train(tiny, optimizer, loader, 1)))
    assert counts == [[3, 3, 1, 1], [1]]
    loops = lab.evidence.trials.loops
    assert [(loop.passes_asked, loop.passes_run, loop.steps) for loop in loops] == [(4, 2, 8), (1, 0, 1)]
    (told,) = lab.evidence.shims
    assert "by hand was capped at 2 passes" in told


def test_another_optimizer_has_its_own_cap(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """The cap belongs to a training, not to a loader."""
    lab = make_lab(epochs=1)
    counts: list[list[int]] = []

    def both() -> None:
        for _ in range(2):
            counts.append(_train(tiny, torch.optim.SGD(tiny.parameters(), lr=0.1), loader, 2))

    lab.cell(both)
    assert counts == [[3, 1], [3, 1]]


def test_passes_without_a_step_are_never_cut(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """Evaluation goes over all of the data, also between epochs and after them."""
    lab = make_lab(epochs=1)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)
    seen: list[int] = []

    def cell() -> None:
        for _ in range(3):
            _train(tiny, optimizer, loader, 1)
            seen.append(sum(1 for _ in loader))

    lab.cell(cell)
    assert seen == [3, 3, 3]


def test_a_glance_at_other_data_does_not_confuse_the_passes(
    make_lab: Callable[..., Any], tiny: nn.Module, loader: Any
) -> None:
    """`next(iter(test))` inside the loop leaves the training pass in charge."""
    lab = make_lab(epochs=1)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)
    other = DataLoader(loader.dataset, batch_size=1)
    counts = [0, 0]

    def cell() -> None:
        for epoch in range(2):
            for images, labels in loader:
                nn.functional.cross_entropy(tiny(images), labels).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                next(iter(other))
                counts[epoch] += 1

    lab.cell(cell)
    assert counts == [3, 1]


def test_training_by_hand_without_a_loader_has_no_passes(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Steps on a tensor at hand are steps all the same."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)

    def cell() -> None:
        tiny(batch).sum().backward()
        optimizer.step()

    lab.cell(cell)
    (loop,) = lab.evidence.trials.loops
    assert (loop.steps, loop.passes_asked, loop.passes_run) == (1, None, None)


def test_an_optimizer_may_live_inside_a_function(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """The network was trained, although its optimiser is gone when the cell ends."""
    lab.cell(lambda: _train(tiny, torch.optim.Adam(tiny.parameters()), loader, 1), model=tiny)
    assert lab.moments() == ["initial", "trained"]


def test_optimizers_may_share_a_model(lab: Any, tiny: nn.Module, loader: Any) -> None:
    """Two optimisers for two parts of a network own it together; one of them alone does not."""
    first = torch.optim.SGD(tiny.fc.parameters(), lr=0.1)  # type: ignore[union-attr]
    rest = [parameter for name, parameter in tiny.named_parameters() if not name.startswith("fc")]
    second = torch.optim.SGD(rest, lr=0.1)

    def both() -> None:
        for images, labels in loader:
            tiny.zero_grad()
            nn.functional.cross_entropy(tiny(images), labels).backward()  # type: ignore[no-untyped-call]
            first.step()
            second.step()

    lab.cell(both)
    lab.cell(lambda: _train(tiny, first, loader, 1))
    assert [loop.owns_model for loop in lab.evidence.trials.loops] == [True, True, False]


def test_optimising_an_image_trains_no_model(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Gradient ascent on the input is a loop without a model, and no event."""
    image = batch.clone().requires_grad_()
    optimizer = torch.optim.Adam([image])

    def cell() -> None:
        (-tiny(image)[0, 3]).backward()
        optimizer.step()

    lab.cell(cell, model=tiny)
    assert lab.evidence.trials.loops[0].identity is None
    assert lab.moments() == []


def test_an_optimizer_of_two_models_does_not_own_one(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Parameters of others are told."""
    other = nn.Linear(10, 10)
    optimizer = torch.optim.SGD([*tiny.parameters(), *other.parameters()], lr=0.1)

    def cell() -> None:
        other(tiny(batch)).sum().backward()
        optimizer.step()

    lab.cell(cell)
    assert not lab.evidence.trials.loops[0].owns_model


class Split(Dataset[Any]):
    """A dataset that knows its split."""

    def __init__(self, *, train: bool) -> None:
        self.train = train

    def __len__(self) -> int:
        return 4


class Wrapper(Dataset[Any]):
    """A student's own way to wrap a dataset; its length is wrong code."""

    def __init__(self, base: Any) -> None:
        self.base = base

    def __len__(self) -> int:
        raise ZeroDivisionError


def test_data_is_looked_through_to_its_split() -> None:
    """Subsets, concatenations and wrappers; any test data makes it test data."""
    train, test = Split(train=True), Split(train=False)
    assert describe(DataLoader(Subset(train, [0, 1]), batch_size=2)) == {
        "dataset": "Split",
        "split": "train",
        "count": 2,
        "batch_size": 2,
        "batches": 1,
    }
    assert describe(DataLoader(ConcatDataset([train, test])))["split"] == "test"
    assert describe(Wrapper(Subset(test, [0]))) == {
        "dataset": "Split",
        "split": "test",
        "count": None,
        "batch_size": None,
        "batches": None,
    }
    assert describe(TensorDataset(torch.zeros(3)))["split"] is None
