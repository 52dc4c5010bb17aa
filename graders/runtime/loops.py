"""Training loops written by hand: optimiser steps, passes over the data and their cap. Writes trials.json."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .evaluations import Evaluations
from .gradients import Gradients
from .guard import guarded
from .identity import IdentityMap
from .loaders import describe
from .models import Models
from .passes import Pass, Passes
from .patching import Patches
from .registry import owns
from .session import Session, Spy
from .steps import Images, Step, Steps
from .trials import Trials


@dataclass
class LoopNote:
    """One optimiser stepping in one cell. `module` and `held`, its parameters, are let go when the cell ends."""

    data: dict[str, Any]
    module: nn.Module | None
    held: list[Any]
    steps: Steps = field(default_factory=Steps)
    images: Images = field(default_factory=Images)
    asked: int = 0
    cut: int = 0
    loaders: list[dict[str, Any]] = field(default_factory=list)


class Loops(Spy):
    """Watches optimisers, `backward` and DataLoaders; inside a trial it tells `Trials` what it sees."""

    def __init__(self, session: Session, models: Models, trials: Trials) -> None:
        super().__init__(session)
        self._models = models
        self._trials = trials
        self._passes = Passes(session)
        self._gradients = Gradients()
        self._evaluations = Evaluations(session, models.registry)
        self._loops: list[LoopNote] = []
        self._cell: list[LoopNote] = []
        self._here: IdentityMap[LoopNote] = IdentityMap()
        self._used: IdentityMap[IdentityMap[int]] = IdentityMap()
        self._loss: float | None = None

    def install(self, patches: Patches) -> None:
        """Hook all optimisers, patch DataLoader and `backward`."""
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.on_undo(handle.remove)
        self._passes.install(patches)
        patches.wrap(torch.Tensor, "backward", self._backward)
        patches.wrap(torch.autograd, "backward", self._any_backward)

    # --- the patched methods --------------------------------------------------------------------------

    def _backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._lost(tensor)
            return original(tensor, *args, **kwargs)

        return backward

    def _any_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.autograd.backward`, which a tensor's own `backward` calls too."""

        def backward(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._adding()
            return original(*args, **kwargs)

        return backward

    # --- what they tell -------------------------------------------------------------------------------

    @guarded
    def called(self, module: nn.Module) -> None:
        """A model is being called."""
        if not (self.session.hushed or self.session.in_trial):
            self._evaluations.called(module, self._passes.latest())

    @guarded
    def _lost(self, tensor: torch.Tensor) -> None:
        if not self.session.hushed and tensor.numel() == 1:
            self._loss = float(tensor.detach())

    @guarded
    def _adding(self) -> None:
        if not self.session.hushed:
            self._gradients.before_backward()

    @guarded
    def _before_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        if self.session.hushed or self.session.in_trial or optimizer in self._here:
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
        }
        note = LoopNote(data, module, held)
        self._loops.append(note)
        self._cell.append(note)
        self._here[optimizer] = note
        self._share(module)
        pending = None if module is None else self._models.initial(module)
        if pending is not None:
            self._models.settle(pending)

    def _share(self, module: nn.Module | None) -> None:
        """Say whether the optimisers of this cell that train a model own it together."""
        together = [note for note in self._cell if note.module is module]
        held = [parameter for note in together for parameter in note.held]
        for note in together:
            note.data["owns_model"] = module is not None and owns(module, held)

    @guarded
    def _after_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        if self.session.hushed:
            return
        in_trial = bool(self.session.in_trial)
        now = self._passes.current(self._trials.loader() if in_trial else None)
        step = Step(self._loss, self._gradients.stepped(optimizer), self._passes.fed(now))
        self._loss = None
        if in_trial:
            self._trials.stepped(optimizer, step)
        else:
            self._stepped(optimizer, step, now)

    def _stepped(self, optimizer: Any, step: Step, now: Pass | None) -> None:
        note = self._here.get(optimizer)
        if note is None:
            return
        note.steps.add(step)
        note.images.add(step.images)
        self.dirty = True
        if note.module is not None:
            self._models.registry.steps[note.module] = self._models.registry.stepped(note.module) + 1
        if now is not None and optimizer not in now.stepped_by:
            self._count_pass(optimizer, note, now)

    def _count_pass(self, optimizer: Any, note: LoopNote, now: Pass) -> None:
        """Count the first step of an optimiser in a pass; a pass beyond the cap is cut after its first steps."""
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
        """Record the models that were trained by hand in this cell, and those that were evaluated."""
        for note in self._cell:
            self._trained(note)
            note.module, note.held = None, []
        self._cell.clear()
        self._here = IdentityMap()
        self._loss = None
        evaluated = self._evaluations.end_cell()
        self.dirty = self.dirty or evaluated or self._trials.dirty

    @guarded
    def _trained(self, note: LoopNote) -> None:
        if note.module is not None and note.steps.count:
            self._models.record(note.module, "trained", trial=None, loop=note.data["n"], steps=note.steps.count)

    def write(self) -> None:
        """Write trials.json and trained_images.safetensors."""
        loops = [
            {
                **note.data,
                **note.steps.record(),
                "passes_asked": note.asked or None,
                "passes_run": note.asked - note.cut if note.asked else None,
                "loaders": note.loaders,
            }
            for note in self._loops
        ]
        data = {
            "schema": "labmark/trials/1",
            "trials": self._trials.records(),
            "loops": loops,
            "evaluations": self._evaluations.done,
        }
        self.session.stage.json("trials.json", data)
        images = {f"loop{note.data['n']}": note.images.all() for note in self._loops} | self._trials.images()
        found = {name: torch.from_numpy(hashes) for name, hashes in images.items() if len(hashes)}
        self.session.stage.tensors("trained_images.safetensors", found)
