"""A live module exported to graphs of its train and eval mode, without disturbing it."""

import linecache
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, export

from .graphs import GraphWriter, NotExpressibleError
from .guard import one_line
from .registry import Spec
from .undisturbed import undisturbed

OWN_FOLDER = Path(__file__).resolve().parent
TORCH_FOLDER = Path(torch.__file__).resolve().parent


@dataclass(frozen=True)
class Exported:
    """One mode of a model.

    Attributes:
        graph: JSON data, or None where the export failed.
        batch: 0 for a free batch dimension, else the size it was exported with.
        error: Why it failed, or why the batch is not free; one line.
        constants: Tensors that the graph refers to besides parameters and buffers.
    """

    graph: dict[str, Any] | None
    batch: int = 0
    error: str = ""
    constants: dict[str, torch.Tensor] = field(default_factory=dict)


def example_spec(module: nn.Module, called: Spec | None, image: tuple[int, ...]) -> Spec:
    """What to call the model with: the shape of its last call, else two images of the lab's shape.

    A batch of one becomes a batch of two, since torch.export takes sizes 0 and 1 for constants; a single image
    without a batch dimension gets one.
    """
    if called is None or called.shape == image or not called.shape:
        floats = (p.dtype for p in nn.Module.parameters(module) if p.is_floating_point())
        return Spec((2, *image), next(floats, torch.float32) if called is None else called.dtype)
    return Spec((max(called.shape[0], 2), *called.shape[1:]), called.dtype)


def export_mode(module: nn.Module, spec: Spec, aliases: Mapping[str, str], *, training: bool) -> Exported:
    """Export one mode with a free batch dimension, or failing that with the batch of `spec`.

    Args:
        module: The live model; it is left as it was.
        spec: Of the example input.
        aliases: See `GraphWriter`.
        training: Which mode.
    """
    free = _attempt(module, spec, aliases, training=training, dynamic=True)
    if free.graph is not None:
        return free
    fixed = _attempt(module, spec, aliases, training=training, dynamic=False)
    if fixed.graph is None:
        return Exported(None, error=fixed.error)
    return Exported(fixed.graph, spec.shape[0], free.error, fixed.constants)


def _attempt(module: nn.Module, spec: Spec, aliases: Mapping[str, str], *, training: bool, dynamic: bool) -> Exported:
    device = next((parameter.device for parameter in nn.Module.parameters(module)), torch.device("cpu"))
    shapes = ({0: Dim("batch")},) if dynamic else None
    try:
        with undisturbed(module, training=training):
            example = torch.zeros(spec.shape, dtype=spec.dtype, device=device)
            program = export(module, (example,), dynamic_shapes=shapes, strict=False)
        writer = GraphWriter(program, aliases, dynamic=dynamic)
        graph = writer.write()
    except NotExpressibleError as error:
        return Exported(None, error=one_line(str(error)))
    except Exception as error:  # noqa: BLE001 - runs the student's forward, which may raise anything
        return Exported(None, error=explain(error))
    return Exported(graph, 0 if dynamic else spec.shape[0], writer.note, writer.constants)


def explain(error: BaseException) -> str:
    """An exception in one line, with the student's source line where it arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    code = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip() if frames else ""
    place = f" at `{one_line(code, 120)}`" if code else ""
    return one_line(one_line(f"{type(error).__name__}: {error}", 370) + place)


def _is_library(filename: str) -> bool:
    path = Path(filename)
    return TORCH_FOLDER in path.parents or OWN_FOLDER in path.parents or "lib" in path.parts
