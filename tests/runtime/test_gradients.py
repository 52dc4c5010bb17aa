"""Tests of the watch over gradients: every way to clear them, and every way to forget it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchbearer
from torch import nn

Clear = Callable[[nn.Module, Any], object]


def _zero_in_place(model: nn.Module, _: Any) -> None:
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.zero_()


def _set_to_none(model: nn.Module, _: Any) -> None:
    for parameter in model.parameters():
        parameter.grad = None


WAYS: dict[str, Clear] = {
    "optimizer": lambda _, optimizer: optimizer.zero_grad(),
    "optimizer, in place": lambda _, optimizer: optimizer.zero_grad(set_to_none=False),
    "model": lambda model, _: model.zero_grad(),
    "in place": _zero_in_place,
    "none": _set_to_none,
}


def _loop(model: nn.Module, clear: Clear, *, steps: int = 6, backwards: int = 1, after: bool = False) -> None:
    """Train on noise; clear the gradients before the first backward of a step, or after the step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        if not after:
            clear(model, optimizer)
        for _ in range(backwards):
            nn.functional.cross_entropy(model(images), torch.arange(4)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if after:
            clear(model, optimizer)


def _counts(lab: Any) -> list[tuple[int, int]]:
    return [(loop.gradients_watched, loop.stale_gradients) for loop in lab.evidence.trials.loops]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [False, True])
def test_every_way_to_clear_counts(lab: Any, tiny: nn.Module, way: str, after: bool) -> None:
    """Before the step's gradients are made, or right after the step."""
    lab.cell(lambda: _loop(tiny, WAYS[way], after=after))
    assert _counts(lab) == [(5, 0)]


def test_gradients_that_are_never_cleared_are_stale(lab: Any, tiny: nn.Module) -> None:
    """Every step but the first, which has none before it."""
    lab.cell(lambda: _loop(tiny, lambda *_: None))
    assert _counts(lab) == [(5, 5)]


def test_adding_up_over_several_batches_is_no_fault(lab: Any, tiny: nn.Module) -> None:
    """Four calls of backward a step, cleared before the first of them."""
    lab.cell(lambda: _loop(tiny, WAYS["optimizer"], backwards=4))
    assert _counts(lab) == [(5, 0)]


def test_the_function_backward_is_seen_too(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """`torch.autograd.backward` adds gradients as a tensor's own method does."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)

    def cell() -> None:
        for _ in range(4):
            torch.autograd.backward([tiny(batch).square().mean()])
            optimizer.step()

    lab.cell(cell)
    assert _counts(lab) == [(3, 3)]


def test_two_optimizers_in_turn_are_told_apart(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Each clears its own gradients just before its own backward, as in adversarial training."""
    other = nn.Linear(784, 1)
    pairs = [(model, torch.optim.SGD(model.parameters(), lr=0.01)) for model in (tiny, other)]

    def cell() -> None:
        for _ in range(4):
            for model, optimizer in pairs:
                optimizer.zero_grad()
                model(batch if model is tiny else batch.flatten(1)).square().mean().backward()
                optimizer.step()

    lab.cell(cell, other=other)
    assert _counts(lab) == [(3, 0), (3, 0)]


def test_steps_without_backward_tell_nothing(lab: Any, tiny: nn.Module) -> None:
    """Gradients that were put there by hand are not judged."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)

    def cell() -> None:
        for _ in range(4):
            for parameter in tiny.parameters():
                parameter.grad = torch.ones_like(parameter)
            optimizer.step()

    lab.cell(cell, model=tiny)
    assert _counts(lab) == [(0, 0)]


def test_a_closure_may_clear(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """LBFGS calls its closure many times a step."""
    optimizer = torch.optim.LBFGS(tiny.parameters(), lr=0.01, max_iter=3)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = tiny(batch).square().mean()
        loss.backward()
        return loss  # type: ignore[no-any-return]

    lab.cell(lambda: [optimizer.step(closure) for _ in range(3)])  # type: ignore[no-untyped-call]
    assert _counts(lab) == [(2, 0)]


@pytest.mark.parametrize(("forgets", "stale"), [(False, 0), (True, 5)])
def test_inside_a_trial(lab: Any, tiny: nn.Module, loader: Any, forgets: bool, stale: int) -> None:
    """Torchbearer clears gradients itself, unless the student's optimiser does not know how."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.01)
    if forgets:
        optimizer.zero_grad = lambda *_, **__: None  # type: ignore[method-assign]
    trial = torchbearer.Trial(tiny, optimizer, nn.CrossEntropyLoss(), verbose=0).with_generators(loader, loader)
    lab.cell(lambda: trial.run(2))
    (run,) = lab.evidence.trials.trials[0].runs
    assert (run.steps, len(run.losses), run.gradients_watched, run.stale_gradients) == (6, 6, 5, stale)
