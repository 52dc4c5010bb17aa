"""Passes over DataLoaders: which one feeds a step, and the hashes of the images that it gave."""

import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from .guard import Notes, guarded
from .hashing import image_hashes
from .identity import IdentityMap
from .loaders import describe
from .patching import Patches
from .session import Session
from .steps import Hashes

IDLE = 32
"""Batches in a row without a step after which a pass is taken for an evaluation, whose images are not hashed."""
MAX_BATCH = 4096
"""Images of one batch that are hashed."""


@dataclass(eq=False)
class Pass:
    """One iteration over a DataLoader.

    Attributes:
        stepped: A step was made with what it gave.
        stepped_by: Optimisers that made one.
        cut: It is beyond the cap and ends at the next batch.
        idle: Batches that it gave since the last step of any optimiser.
        images: Their hashes.
    """

    loader: Any
    iterator: weakref.ref[Any]
    stepped: bool = False
    stepped_by: IdentityMap[None] = field(default_factory=IdentityMap)
    cut: bool = False
    idle: int = 0
    images: list[Hashes] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether it may still give a batch."""
        return self.iterator() is not None


class Passes:
    """Watches DataLoaders, inside Torchbearer's trials and out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._passes: IdentityMap[Pass] = IdentityMap()
        self._open: list[Pass] = []
        self._last: Pass | None = None

    @property
    def notes(self) -> Notes:
        """Where the guard puts faults."""
        return self._session.notes

    def install(self, patches: Patches) -> None:
        """Patch DataLoader."""
        patches.wrap(DataLoader, "__iter__", self._iter)
        patches.wrap(_BaseDataLoaderIter, "__next__", self._next)

    def current(self, loader: Any = None) -> Pass | None:
        """The pass that a step belongs to: the last to give a batch.

        Where several gave one since the last step, test data is not taken for what was trained with.

        Args:
            loader: Only passes over this one count, if given.
        """
        alive = [one for one in self._open if one.alive and (loader is None or one.loader is loader)]
        fresh = [one for one in alive if one.idle]
        if len(fresh) > 1:
            fresh = [one for one in fresh if describe(one.loader)["split"] != "test"] or fresh
        if not fresh and self._last in alive:
            return self._last
        return next(reversed(fresh or alive), None)

    def latest(self) -> Pass | None:
        """The pass that gave the last batch of all, while it lasts."""
        return self._open[-1] if self._open and self._open[-1].alive else None

    def fed(self, now: Pass | None) -> tuple[Hashes, ...]:
        """A step was made with what this pass gave since the step before; gives the images' hashes."""
        images: tuple[Hashes, ...] = ()
        if now is not None:
            images, now.stepped = tuple(now.images), True
        for one in self._open:
            one.idle = 0
            one.images.clear()
        self._last = now
        return images

    # --- the patched methods --------------------------------------------------------------------------

    def _iter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __iter__(loader: Any) -> Any:  # noqa: N807 - it stands in for that method
            __tracebackhide__ = True
            iterator = original(loader)
            self._began(loader, iterator)
            return iterator

        return __iter__

    def _next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __next__(iterator: Any) -> Any:  # noqa: N807 - it stands in for that method
            __tracebackhide__ = True
            now = self._passes.get(iterator)
            if now is not None and now.cut:
                raise StopIteration
            batch = original(iterator)
            self._gave(now, batch)
            return batch

        return __next__

    # --- what they tell -------------------------------------------------------------------------------

    @guarded
    def _began(self, loader: Any, iterator: Any) -> None:
        if not self._session.hushed:
            self._passes[iterator] = Pass(loader, weakref.ref(iterator))

    @guarded
    def _gave(self, now: Pass | None, batch: Any) -> None:
        if now is None or self._session.hushed:
            return
        if not self._open or self._open[-1] is not now:
            self._open = [one for one in self._open if one is not now and one.alive]
            self._open.append(now)
        now.idle += 1
        if now.idle > IDLE:
            now.images.clear()
            return
        images = _images(batch, self._session.config.input_shape)
        if images is not None:
            now.images.append(image_hashes(images.detach().cpu().numpy()))


def _images(batch: Any, shape: tuple[int, ...]) -> torch.Tensor | None:
    """The first tensor of a batch that holds images of that shape: a tensor itself, or in a list, tuple or mapping.

    Returns:
        (n, pixels); the channels of an image with more of them than `shape` has are rows of their own.
    """
    if isinstance(batch, torch.Tensor):
        pixels = math.prod(shape)
        fits = batch.ndim > 1 and (math.prod(batch.shape[1:]) == pixels or batch.shape[-2:] == shape[-2:])
        if not fits or batch.numel() % pixels or batch.layout is not torch.strided or batch.is_complex():
            return None
        rows = batch[:MAX_BATCH].detach().reshape(-1, pixels)
        return rows if rows.dtype is torch.uint8 else rows.float()
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((found for part in parts if (found := _images(part, shape)) is not None), None)
