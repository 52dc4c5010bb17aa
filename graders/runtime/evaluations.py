"""How models were called on test data outside Torchbearer: in which mode, with or without gradients."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .loaders import describe
from .passes import Pass
from .registry import Registry
from .session import Session

MAX_EVALUATIONS = 200


@dataclass(eq=False)
class _Calls:
    """Calls of one model in one pass."""

    over: Pass
    data: dict[str, Any]
    calls: int = 0
    in_training: int = 0
    with_gradients: int = 0


@dataclass
class Evaluations:
    """Gathers calls in passes over test data that turn out to have no step of an optimiser."""

    session: Session
    registry: Registry
    done: list[dict[str, Any]] = field(default_factory=list)
    _here: list[_Calls] = field(default_factory=list)

    def called(self, module: nn.Module, now: Pass | None) -> None:
        """A model is being called while this pass is the last that gave a batch."""
        if now is None or now.stepped:
            return
        identity = self.registry.identity(module)
        known = [one for one in self._here if one.over is now and one.data["identity"] == identity]
        one = known[0] if known else self._begin(module, identity, now)
        one.calls += 1
        one.in_training += bool(module.__dict__.get("training"))
        one.with_gradients += torch.is_grad_enabled()

    def _begin(self, module: nn.Module, identity: int, now: Pass) -> _Calls:
        data = {
            "execution_count": self.session.execution_count,
            "identity": identity,
            "class_name": type(module).__name__,
            "loader": describe(now.loader),
        }
        one = _Calls(now, data)
        self._here.append(one)
        return one

    def end_cell(self) -> bool:
        """Keep what was an evaluation; gives whether anything was."""
        before = len(self.done)
        for one in self._here:
            if one.data["loader"]["split"] == "test" and not one.over.stepped:
                self._keep(one)
        self._here.clear()
        return len(self.done) > before

    def _keep(self, one: _Calls) -> None:
        """Add the calls to those of the same model, cell and data, if there are any."""
        counts = {"calls": one.calls, "in_training": one.in_training, "with_gradients": one.with_gradients}
        same = next((old for old in self.done if one.data.items() <= old.items()), None)
        if same is not None:
            same.update({name: same[name] + count for name, count in counts.items()})
        elif len(self.done) < MAX_EVALUATIONS:
            self.done.append({"n": len(self.done), **one.data, **counts})
