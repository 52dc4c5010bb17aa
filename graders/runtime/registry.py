"""The modules that a student made: which are models of their own, what they are called, what they were fed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from .identity import IdentityMap, Numbers
from .session import Session

LIST_LIMIT = 20


@dataclass(frozen=True)
class Spec:
    """Shape (batch first) and type of the first argument of a model's last call."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def is_module(value: object) -> bool:
    """Whether it is a module, without asking the object itself (its `__class__` may lie or raise)."""
    return issubclass(type(value), nn.Module)


def is_ours_to_see(value: Any) -> bool:
    """Whether it is a module with parameters, all of them made, and not one of Torchbearer's own stand-ins."""
    if not is_module(value) or type(value).__module__.startswith("torchbearer"):
        return False
    parameters = list(nn.Module.parameters(value))
    return bool(parameters) and not any(isinstance(one, UninitializedParameter) for one in parameters)


class Registry:
    """Live modules by identity."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = Numbers()
        self._roots: IdentityMap[None] = IdentityMap()
        self._parts: IdentityMap[None] = IdentityMap()
        self.calls: IdentityMap[Spec] = IdentityMap()
        self.steps: IdentityMap[int] = IdentityMap()

    def identity(self, module: nn.Module) -> int:
        """The number of that very object."""
        return self._numbers.of(module)

    def add(self, module: nn.Module) -> None:
        """Take a module for a model, and the modules inside it for its parts."""
        self._roots[module] = None
        for part in nn.Module.modules(module):
            if part is not module:
                self._parts[part] = None

    def is_model(self, module: nn.Module) -> bool:
        """Whether a module that is being called is a model; a new one is taken for one if it has parameters."""
        if module in self._roots:
            return True
        if module in self._parts or not is_ours_to_see(module):
            return False
        self.add(module)
        return True

    def is_part(self, module: nn.Module) -> bool:
        """Whether it was only ever seen inside another module."""
        return module in self._parts and module not in self._roots

    def names(self, module: nn.Module) -> tuple[str, ...]:
        """Variables of the namespace that hold it."""
        return tuple(sorted(name for name, value in self._session.public_names().items() if value is module))

    def in_namespace(self) -> list[nn.Module]:
        """Models of the namespace, also those inside lists and dictionaries, without the parts of others.

        A class of the student's own stays a model when it is wrapped in one of torch's containers.
        """
        found = {id(module): module for module in self._held() if is_ours_to_see(module)}
        inside = {
            id(part)
            for whole in found.values()
            for part in nn.Module.modules(whole)
            if part is not whole and not (_is_torch(whole) and not _is_torch(part))
        }
        return [module for key, module in found.items() if key not in inside]

    def _held(self) -> Iterator[nn.Module]:
        for value in self._session.public_names().values():
            if is_module(value):
                yield value
            elif type(value) in (list, tuple, dict):
                items = list(value.values() if type(value) is dict else value)
                yield from (item for item in items[:LIST_LIMIT] if is_module(item))

    def models(self) -> list[nn.Module]:
        """All models known to live: called, trained, loaded, or in the namespace."""
        found = {id(module): module for module, _ in self._roots.live()}
        found.update({id(module): module for module in self.in_namespace()})
        return list(found.values())

    def owner(self, parameters: Iterable[Any]) -> nn.Module | None:
        """The model that holds most of these parameters; of equals the smallest, then the student's own class."""
        wanted = {id(parameter) for parameter in parameters}

        def rank(module: nn.Module) -> tuple[int, int, bool]:
            held = {id(parameter) for parameter in nn.Module.parameters(module)}
            return len(held & wanted), -len(held), not _is_torch(module)

        best = max(self.models(), key=rank, default=None)
        return best if best is not None and rank(best)[0] else None

    def stepped(self, module: nn.Module) -> int:
        """Optimiser steps that the module has taken."""
        return self.steps.get(module) or 0


def _is_torch(module: nn.Module) -> bool:
    return type(module).__module__.split(".")[0] == "torch"


def owns(module: Any, parameters: Iterable[Any]) -> bool:
    """Whether these hold every trainable parameter of the module and none of another's."""
    held = {id(parameter) for parameter in parameters}
    if not is_module(module):
        return False
    own = {id(parameter): parameter.requires_grad for parameter in nn.Module.parameters(module)}
    return bool(held) and held <= own.keys() and all(key in held for key, trainable in own.items() if trainable)
