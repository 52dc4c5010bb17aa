"""`google.colab` outside Colab: uploads give nothing, downloads and mounts do nothing."""

import importlib.util
from types import ModuleType
from typing import Any

from ..patching import Patches
from ..session import Session


def offer_colab(session: Session, patches: Patches) -> None:
    """Enter google.colab with files and drive, unless the real one is there."""
    if _is_there("google") and _is_there("google.colab"):
        return

    def say(what: str) -> None:
        print(f"labmark: {what} does nothing here: there is no Colab.")  # noqa: T201 - for the notebook's reader
        session.notes.tell(f"{what} of google.colab did nothing: the notebook was not run in Colab.")

    def upload(*_args: Any, **_kwargs: Any) -> dict[str, bytes]:
        say("files.upload")
        return {}

    def download(*_args: Any, **_kwargs: Any) -> None:
        say("files.download")

    def mount(*_args: Any, **_kwargs: Any) -> None:
        say("drive.mount")

    def flush_and_unmount(*_args: Any, **_kwargs: Any) -> None:
        say("drive.flush_and_unmount")

    if not _is_there("google"):
        patches.module("google", _package("google"))
    patches.module("google.colab", _package("google.colab"))
    patches.module("google.colab.files", _module("google.colab.files", upload, download))
    patches.module("google.colab.drive", _module("google.colab.drive", mount, flush_and_unmount))


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _package(name: str) -> ModuleType:
    module = ModuleType(name, "Stands in for the module of that name.")
    module.__path__ = []
    return module


def _module(name: str, *functions: Any) -> ModuleType:
    module = ModuleType(name, "Stands in for the module of that name.")
    for function in functions:
        setattr(module, function.__name__, function)
    return module
