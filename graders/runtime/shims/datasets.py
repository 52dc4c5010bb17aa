"""Dataset classes that read one prepared folder, whatever root and download a notebook names."""

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..patching import Patches
from ..session import Session

FOLDERS = ("raw_folder", "processed_folder")


def redirect_datasets(session: Session, patches: Patches) -> None:
    """Redirect each class of the configuration and the student's subclasses of it.

    Raises:
        ImportError, AttributeError: the configuration names a class that is not there.
    """
    for name, root in session.config.datasets.items():
        module, _, attribute = name.rpartition(".")
        kind = getattr(importlib.import_module(module), attribute)
        told = f"{name} read the images of this profile; the folder named in the notebook and downloads are left aside."
        patches.wrap(kind, "__init__", _reading(kind, root, partial(session.notes.tell, told)))
        for folder in FOLDERS:
            if isinstance(vars(kind).get(folder), property):
                patches.replace(kind, folder, _of_class(kind, vars(kind)[folder]))


def _reading(kind: type, root: str, tell: Callable[[], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it stands in for that method
            __tracebackhide__ = True
            if not _is_ours(kind, type(self)):
                original(self, *args, **kwargs)
                return
            bound = signature.bind(self, *args, **kwargs)
            bound.arguments["root"] = root
            bound.arguments["download"] = False
            tell()
            original(*bound.args, **bound.kwargs)

        return __init__

    return make


def _is_ours(kind: type, found: type) -> bool:
    """The class itself or a student's subclass; not another data set of the library that inherits from it."""
    return found is kind or found.__module__.split(".")[0] != kind.__module__.split(".")[0]


def _of_class(kind: type, original: property) -> property:
    """The folder of the class, also for subclasses: torchvision names it after the object's own class."""

    def folder(self: Any) -> Any:
        path = Path(original.__get__(self))
        return str(path.parent.parent / kind.__name__ / path.name) if _is_ours(kind, type(self)) else str(path)

    return property(folder, doc=original.__doc__)
