"""Code written for a GPU, run where there is none: "cuda" and "mps" mean the cpu."""

from collections.abc import Callable
from typing import Any

import torch
import torchbearer
from torch import nn

from ..patching import Patches
from ..session import Session

FILLED = ("arange", "as_tensor", "eye", "linspace", "randperm", "tensor")
SHAPED = ("empty", "full", "ones", "rand", "randint", "randn", "zeros")
FACTORIES = (*FILLED, *SHAPED, *(f"{name}_like" for name in SHAPED))


def missing_devices() -> frozenset[str]:
    """Kinds of accelerators that this machine lacks."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return frozenset(kind for kind, there in present.items() if not there)


def run_on_cpu(session: Session, patches: Patches) -> None:
    """Patch whatever takes a device, for the kinds of device that are missing."""
    missing = missing_devices()

    def told(kind: str) -> None:
        session.notes.tell(f"There is no {kind} device here: what the notebook sent there ran on the cpu.")

    def mended(value: Any) -> Any:
        kind = _kind(value)
        if kind not in missing:
            return value
        told(kind)
        return torch.device("cpu") if isinstance(value, torch.device) else "cpu"

    def by_arguments(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if "device" in kwargs:
                kwargs["device"] = mended(kwargs["device"])
            return original(*(mended(arg) for arg in args), **kwargs)

        return call

    def by_keyword(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if "device" in kwargs:
                kwargs["device"] = mended(kwargs["device"])
            return original(*args, **kwargs)

        return call

    def stay(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def make(_original: Callable[..., Any]) -> Callable[..., Any]:
            def call(self: Any, *_args: Any, **_kwargs: Any) -> Any:
                told(kind)
                return self.to("cpu")

            return call

        return make

    for owner in (torch.Tensor, nn.Module, torchbearer.Trial):
        patches.wrap(owner, "to", by_arguments)
        if "cuda" in missing:
            patches.wrap(owner, "cuda", stay("cuda"))
    for name in FACTORIES:
        patches.wrap(torch, name, by_keyword)
    patches.wrap(torch, "set_default_device", by_arguments)
    patches.wrap(torch, "load", lambda original: _loading(original, mended))


def _kind(value: Any) -> str:
    """The kind of device that a value names, or "" if it names none."""
    if isinstance(value, torch.device):
        return value.type
    return value.partition(":")[0] if type(value) is str else ""


def _loading(original: Callable[..., Any], mended: Callable[[Any], Any]) -> Callable[..., Any]:
    def load(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(map_location, dict):
            map_location = {key: mended(value) for key, value in map_location.items()}
        elif map_location is None and not torch.cuda.is_available():
            map_location = "cpu"
        return original(f, mended(map_location), *args, **kwargs)

    return load
