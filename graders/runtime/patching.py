"""Replacing attributes of other people's modules and classes so that it can be undone."""

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_MISSING = object()


class Patches:
    """A stack of replacements; `undo` takes them back in reverse order."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def replace(self, owner: Any, name: str, new: Any) -> None:
        """Set `owner.name`, whether or not the owner itself (not a base class) had it."""
        old = vars(owner).get(name, _MISSING)
        setattr(owner, name, new)
        self.on_undo(lambda: delattr(owner, name) if old is _MISSING else setattr(owner, name, old))

    def wrap(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace the function `owner.name` by `make(function)`, under its old name and docstring."""
        original = getattr(owner, name)
        self.replace(owner, name, functools.wraps(original)(make(original)))

    def module(self, name: str, module: ModuleType) -> None:
        """Enter a module into sys.modules and into its parent package."""
        old = sys.modules.get(name)
        sys.modules[name] = module
        self.on_undo(lambda: sys.modules.pop(name, None) if old is None else sys.modules.__setitem__(name, old))
        parent, _, leaf = name.rpartition(".")
        if parent:
            self.replace(sys.modules[parent], leaf, module)

    def on_undo(self, action: Callable[[], object]) -> None:
        """Remember how to take something back."""
        self._undo.append(action)

    def undo(self) -> None:
        """Take everything back."""
        while self._undo:
            self._undo.pop()()
