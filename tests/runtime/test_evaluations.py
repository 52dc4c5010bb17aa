"""Tests of how calls on test data are told."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
import torchbearer
from torch import nn
from torch.utils.data import DataLoader

from tests.runtime.test_passes import Held, _images, _step


@pytest.fixture
def held() -> Callable[..., DataLoader[Any]]:
    """Makes a loader of six images in three batches."""
    return lambda train: DataLoader(Held(_images(1), train=train), batch_size=2)


def _call(model: nn.Module, loader: Any, inside: AbstractContextManager[Any]) -> int:
    with inside:
        return len([model(images) for images, _ in loader])


@pytest.mark.parametrize(
    ("training", "inside", "told"),
    [(True, nullcontext, (3, 3, 3)), (False, torch.no_grad, (3, 0, 0)), (False, torch.inference_mode, (3, 0, 0))],
)
def test_mode_and_gradients_are_told(
    lab: Any, tiny: nn.Module, held: Any, training: bool, inside: Any, told: tuple[int, int, int]
) -> None:
    """Calls in all, in training mode, with gradients."""
    lab.cell(lambda: _call(tiny.train(training), held(train=False), inside()))
    (found,) = lab.evidence.trials.evaluations
    assert (found.calls, found.in_training, found.with_gradients) == told
    assert (found.class_name, found.execution_count, found.loader.split) == ("Tiny", 1, "test")


def test_evaluations_of_one_cell_are_added_up(lab: Any, tiny: nn.Module, held: Any) -> None:
    """One after every epoch is one record; another cell has its own."""
    for _ in range(2):
        lab.cell(lambda: [_call(tiny, held(train=False), nullcontext()) for _ in range(3)])
    assert [one.calls for one in lab.evidence.trials.evaluations] == [9, 9]


def test_training_is_no_evaluation(lab: Any, tiny: nn.Module, held: Any) -> None:
    """Not on training data, not on test data that are trained with, not by Torchbearer, which knows how."""

    def train() -> None:
        optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)
        for images, labels in held(train=False):
            _step(tiny, optimizer, images, labels)

    lab.cell(train)
    lab.cell(lambda: _call(tiny, held(train=True), nullcontext()))
    trial = torchbearer.Trial(tiny, metrics=["acc"], verbose=0).with_test_generator(held(train=False))
    lab.cell(lambda: trial.evaluate(data_key=torchbearer.TEST_DATA))
    assert lab.evidence.trials.evaluations == ()
