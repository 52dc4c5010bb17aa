"""Writing evidence: every file appears at once under its name or not at all."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as encode_safetensors

MAX_DEPTH = 50


def plain(value: Any, depth: int = 0) -> Any:
    """The value as strict JSON: non-finite floats as "NaN", "Infinity", "-Infinity"; anything unknown as text.

    Tensors and numpy values of one element become numbers, others nested lists.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else _word(value)
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return plain(float(value), depth + 1)
    if isinstance(value, torch.Tensor):
        return plain(value.detach().cpu().tolist(), depth + 1)
    if type(value).__module__ == "numpy":
        return plain(value.tolist(), depth + 1)
    return str(value)


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Stage:
    """The folder of one notebook's evidence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def json(self, name: str, data: Any) -> None:
        """Write strict JSON; `name` is relative to the folder and may hold slashes."""
        self._write(name, json.dumps(plain(data), allow_nan=False, ensure_ascii=False).encode())

    def tensors(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write dense CPU tensors as safetensors."""
        self._write(name, encode_safetensors({key: tensor.contiguous() for key, tensor in tensors.items()}))

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)
