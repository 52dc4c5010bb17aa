"""What `load_own_image` makes of hidden pictures, in five aspects."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from graders.errors import DataError
from graders.evidence import Array, Probe

SIDE = 28
DIGIT_SIDE = 20
MIDDLE = (SIDE - 1) / 2
MAX_OFFSET = 3.5
"""How far from the middle the centre of mass may lie, in pixels."""
ENOUGH = 0.75
"""An aspect is held if so many of the pictures show it."""
DARK = 0.3
"""The median of a picture, mostly ground, scaled to 0..1, lies below this if ink is light on dark."""
INK = 0.3
"""Of the picture scaled to 0..1: what is fainter is no ink."""


@dataclass(frozen=True)
class Hidden:
    """The hidden pictures: name -> digit shown; where they lie."""

    folder: Path
    digits: Mapping[str, int]


@lru_cache(maxsize=2)
def hidden_pictures(folder: Path) -> Hidden:
    """Read what the hidden pictures show.

    Raises:
        DataError: expected.json is missing or malformed.
    """
    try:
        data = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        digits = {str(name): int(entry["digit"]) for name, entry in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / 'expected.json'}: cannot be read: {error}") from error
    return Hidden(folder, digits)


def shape_held(tensor: Array) -> bool:
    """Whether it is one picture as networks take it: 1 x 1 x 28 x 28."""
    return tensor.shape == (1, 1, SIDE, SIDE)


def range_held(tensor: Array) -> bool:
    """Whether it is a float picture from 0 to 1 that is not (nearly) black: not 0 to 255, not normalised."""
    if tensor.dtype.kind != "f" or not tensor.size or not np.isfinite(tensor).all():
        return False
    return bool(tensor.min() >= -1e-4 and 0.3 < tensor.max() <= 1 + 1e-4)


def polarity_held(tensor: Array) -> bool:
    """Whether light ink lies on dark ground; the range does not matter."""
    picture = _unit(tensor)
    return picture is not None and float(np.median(picture)) < DARK


def centre_held(tensor: Array) -> bool:
    """Whether the ink's centre of mass lies in the middle of 28 x 28 pixels, whatever the polarity."""
    picture = _unit(tensor)
    if picture is None or picture.size != SIDE * SIDE:
        return False
    picture = picture.reshape(SIDE, SIDE)
    if np.median(picture) > 0.5:
        picture = 1 - picture
    row, column = centre(np.where(picture > INK, picture, 0))
    return abs(row - MIDDLE) <= MAX_OFFSET and abs(column - MIDDLE) <= MAX_OFFSET


def _unit(tensor: Array) -> Array | None:
    picture = tensor.astype(np.float64)
    if not picture.size or not np.isfinite(picture).all() or picture.max() <= picture.min():
        return None
    unit: Array = (picture - picture.min()) / (picture.max() - picture.min())
    return unit


def centre(ink: Array) -> tuple[float, float]:
    """Row and column of the centre of mass of a picture (rows, columns) with some ink."""
    total = float(ink.sum())
    if total <= 0:
        return -1.0, -1.0
    rows, columns = np.indices(ink.shape)
    return float((rows * ink).sum() / total), float((columns * ink).sum() / total)


def enough(held: int, of: int) -> bool:
    """Whether so many of the pictures are enough."""
    return held >= ceil(ENOUGH * of)


def as_batch(tensor: Array) -> Array | None:
    """A tensor of 784 numbers as the network takes it, float32 (1, 1, 28, 28); None if it is not one picture."""
    if tensor.size != SIDE * SIDE or tensor.dtype.kind not in "fiu":
        return None
    return np.nan_to_num(tensor.astype(np.float32)).reshape(1, 1, SIDE, SIDE)


def problems(probes: tuple[Probe, ...]) -> str:
    """The first thing that kept the function from giving a tensor, in words; empty if nothing did."""
    for probe in probes:
        if probe.status == "error":
            return f"it raises {' '.join(probe.error.split())[:200]}"
        if probe.status == "wrong-type":
            return f"it gives back a {probe.type_name or 'thing'} where a tensor is expected"
    return ""


# --- our own preprocessing: what a picture can be made into


def prepared(path: Path) -> Array:
    """A picture of a digit as MNIST would show it, float32 (1, 1, 28, 28), light on dark, 0 to 1.

    Raises:
        DataError: it cannot be read, or shows nothing.
    """
    ink = _ink(_grey(path))
    rows, columns = np.flatnonzero((ink > 0.5).any(axis=1)), np.flatnonzero((ink > 0.5).any(axis=0))
    if not rows.size:
        raise DataError(f"{path}: shows no ink")
    piece = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = DIGIT_SIDE / max(piece.shape)
    size = max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale))
    small = np.asarray(Image.fromarray(piece).resize(size, Image.Resampling.BOX))
    return _placed(small / small.max())


def _grey(path: Path) -> Array:
    """Grey values (rows, columns), 0 to 255; what is transparent shows white paper."""
    try:
        with Image.open(path) as picture:
            layered = picture.convert("RGBA")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path}: cannot be read as a picture: {error}") from error
    sheet = Image.new("RGBA", layered.size, "white")
    return np.asarray(Image.alpha_composite(sheet, layered).convert("L"), dtype=np.float64)


def _ink(grey: Array) -> Array:
    """Ink, 0 to 1: what deviates from a plane of light through the border."""
    rows, columns = np.indices(grey.shape)
    terms: Array = np.stack([np.ones(grey.size), rows.ravel(), columns.ravel()], axis=1)
    border = np.ones(grey.shape, dtype=bool)
    border[2:-2, 2:-2] = False
    plane = np.linalg.lstsq(terms[border.ravel()], grey[border], rcond=None)[0]
    deviation = grey - (terms @ plane).reshape(grey.shape)
    if -deviation.min() > deviation.max():
        deviation = -deviation
    strength: Array = np.clip(deviation / max(float(np.percentile(deviation, 99.5)), 1e-9), 0, 1)
    return np.where(strength > INK, strength, 0)


def _placed(digit: Array) -> Array:
    """A digit on an empty sheet, its centre of mass in the middle as nearly as it fits."""
    row, column = centre(digit)
    top = int(np.clip(round(MIDDLE - row), 0, SIDE - digit.shape[0]))
    left = int(np.clip(round(MIDDLE - column), 0, SIDE - digit.shape[1]))
    sheet: Array = np.zeros((1, 1, SIDE, SIDE), dtype=np.float32)
    sheet[0, 0, top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return sheet


ASPECTS: Mapping[str, Any] = {
    "shape 1x1x28x28": shape_held,
    "values from 0 to 1": range_held,
    "light on dark": polarity_held,
    "centred": centre_held,
}
