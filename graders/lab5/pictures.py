"""The lab's ten digit pictures, and which recorded inputs show them."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from graders.errors import DataError
from graders.evidence import Array
from graders.grading import Work

ALIKE = 0.995
"""Correlation from which two pictures are the same but for brightness and contrast (or inverted)."""


@lru_cache(maxsize=4)
def _read(paths: tuple[Path, ...]) -> Array:
    pictures = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                pictures.append(np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{path}: cannot be read as a picture: {error}") from error
    return np.stack(pictures)[:, None]


def digit_images(work: Work) -> Array:
    """The ten pictures as ToTensor gives them: float32 (10, 1, 28, 28), number k shows a k.

    Raises:
        DataError: a picture of the reference folder is missing or damaged.
    """
    names = sorted(name for name in work.lab.assets if Path(name).stem.isdigit())
    return _read(tuple(work.lab.root / "assets" / name for name in names))


def variants(work: Work) -> dict[int, list[Array]]:
    """How each picture went through the student's network: recorded inputs that show it, (1, 28, 28) each.

    Students may scale or normalise the pictures in their own way, so a recorded input shows picture k where it is
    alike but for brightness and contrast.
    """
    images = digit_images(work)
    shown = [
        item.astype(np.float32)
        for batch in work.notebook.inputs.values()
        if batch.ndim == 4 and batch.shape[1:] == images.shape[1:]
        for item in batch
    ]
    return {k: [one for one in shown if abs(correlation(one, images[k])) > ALIKE] for k in range(len(images))}


def correlation(one: Array, other: Array) -> float:
    """Pearson's correlation of two pictures of one size; 0 where one is flat or not finite."""
    first, second = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
