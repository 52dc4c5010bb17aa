"""Training loops written by hand: optimiser steps, passes over the data and their cap, losses. Writes trials.json."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from .guard import guarded
from .identity import IdentityMap
from .loaders import describe
from .models import Models
from .patching import Patches
from .registry import owns
from .session import Session, Spy
from .trials import Trials

MAX_LOSSES = 500


@dataclass
class Pass:
    """One iteration over a DataLoader. `cut`: it is beyond the cap and ends at the next batch."""

    loader: Any
    iterator: weakref.ref[Any]
    stepped_by: IdentityMap[None] = field(default_factory=IdentityMap)
    cut: bool = False


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


@dataclass
class LoopNote:
    """One optimiser stepping in one cell."""

    data: dict[str, Any]
    module: nn.Module | None
    steps: int = 0
    asked: int = 0
    cut: int = 0
    losses: Thinned = field(default_factory=Thinned)
    loaders: list[dict[str, Any]] = field(default_factory=list)


class Loops(Spy):
    """Watches optimisers and DataLoaders outside Torchbearer."""

    def __init__(self, session: Session, models: Models, trials: Trials) -> None:
        super().__init__(session)
        self._models = models
        self._trials = trials
        self._loops: list[LoopNote] = []
        self._here: IdentityMap[LoopNote] = IdentityMap()
        self._used: IdentityMap[IdentityMap[int]] = IdentityMap()
        self._passes: IdentityMap[Pass] = IdentityMap()
        self._open: list[Pass] = []
        self._loss: float | None = None

    def install(self, patches: Patches) -> None:
        """Hook all optimisers, patch DataLoader and Tensor.backward."""
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.on_undo(handle.remove)
        patches.wrap(DataLoader, "__iter__", self._iter)
        patches.wrap(_BaseDataLoaderIter, "__next__", self._next)
        patches.wrap(torch.Tensor, "backward", self._backward)

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
            self._gave(now)
            return batch

        return __next__

    def _backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._lost(tensor)
            return original(tensor, *args, **kwargs)

        return backward

    # --- what they tell -------------------------------------------------------------------------------

    def _watching(self) -> bool:
        return not (self.session.hushed or self.session.in_trial)

    @guarded
    def _began(self, loader: Any, iterator: Any) -> None:
        if self._watching():
            self._passes[iterator] = Pass(loader, weakref.ref(iterator))

    @guarded
    def _gave(self, now: Pass | None) -> None:
        """The pass that gave the last batch is the one that a step belongs to."""
        if now is not None and (not self._open or self._open[-1] is not now):
            self._open = [one for one in self._open if one is not now and one.iterator() is not None]
            self._open.append(now)

    @guarded
    def _lost(self, tensor: torch.Tensor) -> None:
        if self._watching() and tensor.numel() == 1:
            self._loss = float(tensor.detach())

    @guarded
    def _before_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        if not self._watching() or optimizer in self._here:
            return
        held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        module = self._models.registry.owner(held)
        data = {
            "n": len(self._loops),
            "execution_count": self.session.execution_count,
            "identity": None if module is None else self._models.registry.identity(module),
            "class_name": None if module is None else type(module).__name__,
            "optimizer": type(optimizer).__name__,
            "learning_rate": float(optimizer.param_groups[0]["lr"]) if "lr" in optimizer.param_groups[0] else None,
            "owns_model": module is not None and owns(module, held),
        }
        note = LoopNote(data, module)
        self._loops.append(note)
        self._here[optimizer] = note
        pending = None if module is None else self._models.initial(module)
        if pending is not None:
            self._models.settle(pending)

    @guarded
    def _after_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        if self.session.hushed:
            return
        if self.session.in_trial:
            self._trials.stepped(optimizer)
            return
        note = self._here.get(optimizer)
        if note is None:
            return
        note.steps += 1
        self.dirty = True
        if note.module is not None:
            self._models.registry.steps[note.module] = self._models.registry.stepped(note.module) + 1
        if self._loss is not None:
            note.losses.add(self._loss)
            self._loss = None
        self._count_pass(optimizer, note)

    def _count_pass(self, optimizer: Any, note: LoopNote) -> None:
        """Count the first step of an optimiser in a pass; a pass beyond the cap is cut after its first steps."""
        now = next((one for one in reversed(self._open) if one.iterator() is not None), None)
        if now is None or optimizer in now.stepped_by:
            return
        now.stepped_by[optimizer] = None
        passes = self._used.get(optimizer) or IdentityMap()
        self._used[optimizer] = passes
        passes[now.loader] = (passes.get(now.loader) or 0) + 1
        note.asked += 1
        loader = describe(now.loader)
        if loader not in note.loaders:
            note.loaders.append(loader)
        cap = self.session.config.epochs
        if cap and (passes.get(now.loader) or 0) > cap:
            now.cut = True
            note.cut += 1
            self.notes.tell(
                f"Training by hand was capped at {cap} passes over the data by this profile: "
                "every further pass gave one batch only."
            )

    # --- evidence -------------------------------------------------------------------------------------

    def end_cell(self) -> None:
        """Record the models that were trained by hand in this cell."""
        for _, note in self._here.live():
            self._trained(note)
        self._here = IdentityMap()
        self._loss = None
        self.dirty = self.dirty or self._trials.dirty

    @guarded
    def _trained(self, note: LoopNote) -> None:
        if note.module is not None and note.steps:
            self._models.record(note.module, "trained", trial=None, loop=note.data["n"], steps=note.steps)

    def write(self) -> None:
        """Write trials.json."""
        loops = [
            {
                **note.data,
                "steps": note.steps,
                "passes_asked": note.asked or None,
                "passes_run": note.asked - note.cut if note.asked else None,
                "losses": note.losses.kept,
                "loaders": note.loaders,
            }
            for note in self._loops
        ]
        data = {"schema": "labmark/trials/1", "trials": self._trials.records(), "loops": loops}
        self.session.stage.json("trials.json", data)
