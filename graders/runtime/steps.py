"""What the steps of an optimiser tell of a training: losses, gradients that were not cleared, images."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_LOSSES = 500
MAX_IMAGES = 100_000
FOLD = 64

Hashes = NDArray[np.int64]


class Thinned:
    """Keeps at most 500 of a sequence of numbers, evenly spread."""

    def __init__(self) -> None:
        self.kept: list[float] = []
        self._stride = 1
        self._count = 0

    def add(self, value: float) -> None:
        """Take the next number."""
        if self._count % self._stride == 0:
            self.kept.append(value)
            if len(self.kept) > MAX_LOSSES:
                del self.kept[1::2]
                self._stride *= 2
        self._count += 1


class Images:
    """Different hashes of images; once there are 100,000 of them no more are taken."""

    def __init__(self) -> None:
        self._known: Hashes = np.empty(0, np.int64)
        self._new: list[Hashes] = []

    def add(self, hashes: Iterable[Hashes]) -> None:
        """Take the hashes of some batches."""
        if len(self._known) < MAX_IMAGES:
            self._new.extend(hashes)
            if len(self._new) >= FOLD:
                self.all()

    def all(self) -> Hashes:
        """Every hash once, in order, at most 100,000."""
        if self._new:
            self._known = np.unique(np.concatenate([self._known, *self._new]))[:MAX_IMAGES]
            self._new.clear()
        return self._known


@dataclass(frozen=True)
class Step:
    """One step of an optimiser.

    Attributes:
        loss: What `backward` was last called on, if that was one number.
        stale: Whether the gradients still held those of the step before; None where that was not seen.
        images: Hashes of the images that a loader gave for it, by batch.
    """

    loss: float | None = None
    stale: bool | None = None
    images: tuple[Hashes, ...] = ()


@dataclass
class Steps:
    """All steps of one training. `watched`: those of which it was seen whether the gradients were stale."""

    count: int = 0
    losses: Thinned = field(default_factory=Thinned)
    watched: int = 0
    stale: int = 0

    def add(self, step: Step) -> None:
        """Take the next step."""
        self.count += 1
        if step.loss is not None:
            self.losses.add(step.loss)
        self.watched += step.stale is not None
        self.stale += bool(step.stale)

    def record(self) -> dict[str, Any]:
        """The part of a training's record that is told here."""
        return {
            "steps": self.count,
            "losses": self.losses.kept,
            "gradients_watched": self.watched,
            "stale_gradients": self.stale,
        }
