"""Named variables of the namespace: variables.json and tensors.safetensors."""

from typing import Any

import numpy as np
import torch

from .guard import guarded
from .session import Session, Spy
from .tensors import as_tensor, size

MAX_ITEMS = 10_000
MAX_TEXT = 20_000
MAX_TENSOR_BYTES = 64 * 2**20


class NotPlainError(Exception):
    """The value is not None, a bool, a number, a text or a nested list of those."""


class Variables(Spy):
    """Looks at the names that the lab asks for after every cell."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.variables: dict[str, dict[str, Any]] = {}
        self.tensors: dict[str, torch.Tensor] = {}

    def end_cell(self) -> None:
        """Take up what has changed."""
        self._look()

    @guarded
    def _look(self) -> None:
        names = self.session.namespace()
        for name in self.session.config.variables:
            self._look_at_variable(name, names)
        for name in self.session.config.tensors:
            self._look_at_tensor(name, names)

    @guarded
    def _look_at_variable(self, name: str, names: dict[str, Any]) -> None:
        before = self.variables.get(name)
        try:
            value = _plain(names[name], [MAX_ITEMS])
        except (KeyError, NotPlainError):
            self.variables.pop(name, None)
            self.dirty = self.dirty or before is not None
            return
        if before is None or repr(before["value"]) != repr(value):
            self.variables[name] = {"value": value, "execution_count": self.session.execution_count}
            self.dirty = True

    @guarded
    def _look_at_tensor(self, name: str, names: dict[str, Any]) -> None:
        before = self.tensors.pop(name, None)
        now = as_tensor(names[name]) if name in names else None
        if now is not None and size(now) <= MAX_TENSOR_BYTES:
            self.tensors[name] = now
        self.dirty = self.dirty or not _same(before, self.tensors.get(name))

    def write(self) -> None:
        """Write both files."""
        self.session.stage.json("variables.json", {"schema": "labmark/variables/1", "variables": self.variables})
        self.session.stage.tensors("tensors.safetensors", self.tensors)


def _same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def _plain(value: Any, room: list[int]) -> Any:
    """The value in JSON's own types; tensors and arrays become numbers or nested lists."""
    room[0] -= 1
    if room[0] < 0:
        raise NotPlainError
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str and len(value) <= MAX_TEXT:
        return value
    if type(value) in (list, tuple):
        return [_plain(item, room) for item in value]
    if isinstance(value, torch.Tensor) and value.numel() <= MAX_ITEMS:
        return _plain(value.detach().cpu().tolist(), room)
    if isinstance(value, np.ndarray | np.generic) and value.size <= MAX_ITEMS:
        return _plain(value.tolist(), room)
    raise NotPlainError
