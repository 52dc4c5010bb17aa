"""Functions that libraries have dropped or tightened since the lab was first taught."""

import importlib.util
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..patching import Patches
from ..session import Session


def mend_imread(session: Session, patches: Patches) -> None:
    """Give scipy.misc.imread back, by Pillow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import scipy
        except ImportError:
            return
        try:
            import scipy.misc as misc
        except ImportError:
            misc = ModuleType("scipy.misc", "Stands in for the module of that name.")
    if hasattr(misc, "imread"):
        return

    def imread(name: Any, flatten: bool = False, mode: str | None = None) -> NDArray[Any]:
        """Read an image as an array; `flatten` gives float32 grey levels, `mode` is Pillow's."""
        session.notes.tell("scipy.misc.imread, which scipy has dropped, was given back by Pillow.")
        with Image.open(name) as image:
            picture = image.convert(mode) if mode else image
            return np.asarray(picture.convert("F") if flatten else picture)

    if vars(scipy).get("misc") is not misc:
        patches.module("scipy.misc", misc)
    patches.replace(misc, "imread", imread)


def mend_wheel_tags(session: Session, patches: Patches) -> None:
    """Give wheel.pep425tags back, which old notebooks ask which build of torch to install."""

    def told(answer: str) -> Callable[[], str]:
        def ask() -> str:
            session.notes.tell("wheel.pep425tags, which wheel has dropped, was given back.")
            return answer

        return ask

    version = f"{sys.version_info.major}{sys.version_info.minor}"
    if importlib.util.find_spec("wheel") is None:
        package = ModuleType("wheel", "Stands in for the module of that name.")
        package.__path__ = []
        patches.module("wheel", package)
    else:
        importlib.import_module("wheel")
    module = ModuleType("wheel.pep425tags", "Stands in for the module of that name.")
    answers = {"get_abbr_impl": "cp", "get_impl_ver": version, "get_abi_tag": f"cp{version}"}
    for name, answer in answers.items():
        setattr(module, name, told(answer))
    patches.module("wheel.pep425tags", module)


def mend_torch_load(session: Session, patches: Patches) -> None:
    """Let torch.load read what is more than tensors when the notebook does not say `weights_only`.

    This runs in the student's own kernel, on files that the student's own code could read as well.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def load(f: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return _as_model(session, f, original(f, *args, **kwargs))
            except pickle.UnpicklingError:
                if "weights_only" in kwargs or not isinstance(f, str | os.PathLike):
                    raise
            session.notes.tell("torch.load read a file that holds more than tensors, as torch did before 2.6.")
            return original(f, *args, **kwargs, weights_only=False)

        return load

    patches.wrap(torch, "load", make)


def _as_model(session: Session, file: Any, loaded: Any) -> Any:
    """A model of the student's class, where the notebook expects the whole model that its weights stand in for."""
    name = Path(file).name if isinstance(file, str | os.PathLike) else ""
    kind = session.namespace().get(session.config.models.get(name, ""))
    if not isinstance(loaded, dict) or not isinstance(kind, type) or not issubclass(kind, torch.nn.Module):
        return loaded
    try:
        with session.hush():
            model = kind()
            model.load_state_dict(loaded)
    except (TypeError, RuntimeError):
        return loaded  # the class takes arguments, or is of another shape: the file is what there is
    session.notes.tell(f"The notebook loads a whole model from {name}: usable weights were put into a {kind.__name__}.")
    return model.eval()
