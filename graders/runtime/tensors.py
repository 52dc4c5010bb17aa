"""Turning what students hold (tensors, arrays, pictures, lists) into dense CPU tensors that can be stored."""

from typing import Any

import numpy as np
import torch

KEPT = (torch.float32, torch.uint8, torch.int64)


def as_tensor(value: Any) -> torch.Tensor | None:
    """A dense CPU copy as float32, uint8 or int64, or None where the value is no array of numbers.

    Other floating types become float32, other integers int64, booleans uint8; a list of equal shapes is stacked.
    """
    try:
        found = value.detach() if isinstance(value, torch.Tensor) else _from_array(value)
        return None if found is None else _storable(found)
    except (TypeError, ValueError, RuntimeError, OverflowError, NotImplementedError):
        # Ragged lists, sparse or symbolic tensors, text: no array of numbers.
        return None


def _from_array(value: Any) -> torch.Tensor | None:
    if isinstance(value, list | tuple) and value and all(isinstance(item, torch.Tensor) for item in value):
        return torch.stack([item.detach().cpu() for item in value])
    array = np.ma.filled(value, np.nan) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    return torch.from_numpy(np.array(array)) if array.dtype.kind in "fiub" else None


def _storable(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dtype not in KEPT:
        if tensor.is_complex():
            raise TypeError("complex numbers are not kept")
        kind = torch.float32 if tensor.is_floating_point() else torch.int64
        tensor = tensor.to(torch.uint8 if tensor.dtype == torch.bool else kind)
    return tensor.to("cpu", copy=True).contiguous()


def size(tensor: torch.Tensor) -> int:
    """Bytes of a dense tensor."""
    return tensor.numel() * tensor.element_size()


def raw_bytes(tensor: torch.Tensor) -> bytes:
    """The bytes of a dense CPU tensor of any type, in the order of its elements."""
    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
