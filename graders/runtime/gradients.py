"""Whether gradients were cleared between two steps of an optimiser.

`backward` adds to the gradients that are there. A training loop clears them once a step: before the one `backward`
of a step, or before the first of several whose gradients it means to add up. So at one of the calls of `backward`
since the last step, just before it begins, the gradients of that step must be gone; where they were there each
time, they were never cleared. However they are cleared (`zero_grad` of the optimiser or the model, `grad = None`,
`grad.zero_()`), it shows.
"""

import weakref
from typing import Any

import torch

from .identity import IdentityMap

MAX_LOOKS = 100


class Gradients:
    """Looks at the smallest gradient of every optimiser that has made a step."""

    def __init__(self) -> None:
        self._watches: IdentityMap[_Watch] = IdentityMap()

    def before_backward(self) -> None:
        """New gradients are about to be added."""
        for _, watch in self._watches.live():
            watch.look()

    def stepped(self, optimizer: Any) -> bool | None:
        """An optimiser has made a step.

        Returns:
            Whether it used gradients that still held those of its step before; None where that was not seen: at its
            first step, or without a call of `backward` since.
        """
        watch = self._watches.get(optimizer)
        if watch is None:
            parameter = _smallest(optimizer)
            if parameter is not None:
                self._watches[optimizer] = _Watch(parameter)
            return None
        return watch.next_step()


class _Watch:
    """One parameter of one optimiser, since its last step."""

    def __init__(self, parameter: torch.Tensor) -> None:
        self._parameter = weakref.ref(parameter)
        self._looks = 0
        self._cleared = False

    def look(self) -> None:
        """See whether the gradient of the last step is gone; not for ever, where no step follows."""
        if self._cleared or self._looks >= MAX_LOOKS:
            return
        self._looks += 1
        parameter = self._parameter()
        self._cleared = parameter is None or not _is_there(parameter.grad)

    def next_step(self) -> bool | None:
        """Tell what was seen, and begin again."""
        seen = self._cleared or 0 < self._looks < MAX_LOOKS
        stale = not self._cleared
        self._looks, self._cleared = 0, False
        return stale if seen else None


def _smallest(optimizer: Any) -> torch.Tensor | None:
    """The smallest parameter with a gradient that is not zero everywhere."""
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return next((one for one in sorted(held, key=torch.Tensor.numel) if _is_there(one.grad)), None)


def _is_there(grad: torch.Tensor | None) -> bool:
    return grad is not None and grad.layout is torch.strided and bool(grad.detach().any())
