"""Spies change nothing: the same seed gives the same bits with and without them."""

from collections.abc import Callable
from typing import Any

import torch
import torchbearer
from torch import nn

Weights = dict[str, torch.Tensor]


def _by_hand(make: Callable[[], nn.Module], loader: Any) -> Weights:
    torch.manual_seed(11)
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {**model.state_dict(), "random": torch.rand(3)}


def _torchbearer(make: Callable[[], nn.Module], loader: Any) -> Weights:
    torch.manual_seed(11)
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    trial = torchbearer.Trial(model, optimizer, nn.CrossEntropyLoss(), verbose=0).with_generators(loader, loader)
    trial.run(2)
    trial.evaluate()
    return {**model.state_dict(), "random": torch.rand(3)}


def _compare(
    run: Callable[..., Weights], make_lab: Callable[..., Any], make: Callable[[], nn.Module], data: Any
) -> None:
    plain = run(make, data)
    lab = make_lab()
    spied: list[Weights] = []
    lab.cell(lambda: spied.append(run(make, data)))
    assert lab.moments()
    assert plain.keys() == spied[0].keys()
    assert [name for name in plain if not torch.equal(plain[name], spied[0][name])] == []


def test_training_by_hand_is_bit_identical(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """Three steps of Adam, dropout and batch norm included, and the random number after them."""
    _compare(_by_hand, make_lab, type(tiny), loader)


def test_training_with_torchbearer_is_bit_identical(make_lab: Callable[..., Any], tiny: nn.Module, loader: Any) -> None:
    """Two epochs with validation, and the random number after them."""
    _compare(_torchbearer, make_lab, type(tiny), loader)
