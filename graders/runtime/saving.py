"""Spies on torch.save, torch.load and Module.load_state_dict: events `saved` and `loaded`."""

import hashlib
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .guard import guarded
from .models import Models
from .patching import Patches
from .registry import is_module
from .session import Session, Spy

MAX_DEPTH = 3
CHUNK = 2**20


class Saving(Spy):
    """Ties files to live modules."""

    def __init__(self, session: Session, models: Models) -> None:
        super().__init__(session)
        self.dirty = False
        self._models = models
        self._origins: dict[int, tuple[weakref.ref[torch.Tensor], str, str | None]] = {}

    def install(self, patches: Patches) -> None:
        """Patch torch and Module."""
        patches.wrap(torch, "save", self._save)
        patches.wrap(torch, "load", self._load)
        patches.wrap(nn.Module, "load_state_dict", self._load_state_dict)

    def write(self) -> None:
        """Nothing of its own: events are written by `Models`."""

    def _save(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = original(obj, f, *args, **kwargs)
            self._saved(obj, f)
            return result

        return save

    def _load(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def load(f: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = original(f, *args, **kwargs)
            self._loaded(result, f)
            return result

        return load

    def _load_state_dict(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def load_state_dict(module: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            strict = kwargs.get("strict", args[0] if args else True)
            try:
                result = original(module, state_dict, *args, **kwargs)
            except Exception as error:
                self._dict_loaded(module, state_dict, strict, error)
                raise
            self._dict_loaded(module, state_dict, strict, None)
            return result

        return load_state_dict

    @guarded
    def _saved(self, obj: Any, file: Any) -> None:
        if self.session.hushed:
            return
        whole = _find(obj, is_module)
        module = whole if whole is not None else self._module_of(list(_tensors(obj)))
        if module is None:
            return
        self._models.record(
            module,
            "saved",
            file=_name(file),
            kind="module" if is_module(obj) else "state_dict" if _is_flat(obj) else "other",
            whole=whole is not None or _covers(obj, module),
        )

    def _module_of(self, tensors: list[torch.Tensor]) -> nn.Module | None:
        """The model whose memory these tensors share, most of it; failing that one with equal values."""
        places = {tensor.data_ptr() for tensor in tensors if tensor.numel()}
        models = self._models.registry.models()

        def shared(module: nn.Module) -> tuple[int, int]:
            own = {tensor.data_ptr() for tensor in _state(module).values() if tensor.numel()}
            return len(places & own), -len(own)

        best = max(models, key=shared, default=None)
        if best is not None and shared(best)[0]:
            return best
        return next((module for module in models if _equal(tensors, list(_state(module).values()))), None)

    @guarded
    def _loaded(self, result: Any, file: Any) -> None:
        if self.session.hushed:
            return
        name, digest = _name(file), _digest(file)
        for tensor in _tensors(result):
            self._origins[tensor.data_ptr()] = (weakref.ref(tensor), name, digest)
        if is_module(result):
            detail = {"strict": True, "missing": [], "unexpected": [], "trained_before": False, "whole": True}
            self._models.record(result, "loaded", file=name, sha256=digest, **detail)

    @guarded
    def _dict_loaded(self, module: nn.Module, state_dict: Any, strict: Any, error: Exception | None) -> None:
        if self.session.hushed or not isinstance(state_dict, Mapping) or self._models.registry.is_part(module):
            return
        given, own = list(state_dict), list(nn.Module.state_dict(module))
        file, digest = self._origin(state_dict)
        detail = {} if error is None else {"error": str(error)[:500]}
        self._models.record(
            module,
            "loaded",
            file=file,
            sha256=digest,
            strict=bool(strict),
            missing=[key for key in own if key not in state_dict],
            unexpected=[str(key) for key in given if key not in own],
            trained_before=self._models.registry.stepped(module) > 0,
            **detail,
        )

    def _origin(self, state_dict: Any) -> tuple[str | None, str | None]:
        for tensor in _tensors(state_dict):
            source, file, digest = self._origins.get(tensor.data_ptr(), (None, "", None))
            if source is not None and source() is not None:
                return file, digest
        return None, None


def _find(obj: Any, wanted: Callable[[Any], bool], depth: int = 0) -> Any:
    """The object itself or the first inside its dictionaries and lists that is wanted."""
    if wanted(obj):
        return obj
    if depth < MAX_DEPTH:
        inside = obj.values() if isinstance(obj, Mapping) else obj if isinstance(obj, list | tuple) else ()
        for item in inside:
            found = _find(item, wanted, depth + 1)
            if found is not None:
                return found
    return None


def _tensors(obj: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    if isinstance(obj, torch.Tensor):
        yield obj
    elif is_module(obj):
        yield from _state(obj).values()
    elif depth < MAX_DEPTH and isinstance(obj, Mapping | list | tuple):
        for item in obj.values() if isinstance(obj, Mapping) else obj:
            yield from _tensors(item, depth + 1)


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value for key, value in nn.Module.state_dict(module).items() if isinstance(value, torch.Tensor)}


def _is_flat(obj: Any) -> bool:
    return isinstance(obj, Mapping) and bool(obj) and all(isinstance(value, torch.Tensor) for value in obj.values())


def _covers(obj: Any, module: nn.Module) -> bool:
    """Whether the object, or a dictionary inside it, has every key of the module's state_dict."""
    keys = nn.Module.state_dict(module).keys()
    return _find(obj, lambda item: isinstance(item, Mapping) and keys <= item.keys()) is not None


def _equal(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    same_length = len(some) == len(others) > 0
    return same_length and all(
        a.shape == b.shape and torch.equal(a.cpu(), b.cpu()) for a, b in zip(some, others, strict=True)
    )


def _name(file: Any) -> str:
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", "")
    return str(os.fspath(name)) if isinstance(name, str | os.PathLike) else ""


def _digest(file: Any) -> str | None:
    path = Path(_name(file) or ".")
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
