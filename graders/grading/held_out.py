"""Images that no student had: what accuracies are recomputed on.

Each marking of a class sees them a little different: in another order, shifted by at most a quarter of a pixel, a
little darker. Whoever got hold of the files could not have a network that knows the answers by heart. A whole pixel
would cost a network that was trained for a short time five points of percent and more; this costs one at most.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graders.errors import DataError
from graders.idx import read_idx

IMAGES = "held-out-images-idx3-ubyte.gz"
LABELS = "held-out-labels-idx1-ubyte.gz"

JITTERED = (
    "The held-out pictures, on which accuracies were measured, were moved by at most a quarter of a pixel and slightly "
    "darkened, seed {seed}: the same for the whole class, and others for a class that is marked with another seed."
)
AS_STORED = "The held-out pictures, on which accuracies were measured, were shown as they are stored (seed 0)."

PARTS = 8
"""Of a pixel: shifts are counted in eighths."""
FARTHEST = 2
"""Of `PARTS`, in each of the four directions."""
FULL = 256
DARKEST = 240
"""Of `FULL`: pixels keep at least this share of their brightness."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out images.

    Attributes:
        images: float32 (n, 1, rows, columns), 0 to 1, as torchvision's ToTensor gives them.
        labels: int64 (n,).
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def told(seed: int) -> str:
    """What every reader of a mark is told about the images under a seed."""
    return JITTERED.format(seed=seed) if seed else AS_STORED


@lru_cache(maxsize=4)
def held_out(folder: Path, seed: int | None = None) -> HeldOut:
    """Read the held-out images of a lab, once per process.

    Args:
        folder: Where they lie.
        seed: Of the jitter; None or 0 for the images as they are.

    Raises:
        DataError: a file is missing or damaged, or the two do not belong together.
    """
    pictures, labels = read_idx(folder / IMAGES), read_idx(folder / LABELS)
    if pictures.ndim != 3 or labels.ndim != 1 or len(pictures) != len(labels) or not len(labels):
        raise DataError(f"{folder}: {IMAGES} has shape {pictures.shape}, {LABELS} has {labels.shape}")
    if seed:
        pictures, labels = jittered(pictures, labels, seed)
    images = (pictures[:, None] / np.float32(255)).astype(np.float32)
    return HeldOut(images=images, labels=labels.astype(np.int64))


def jittered(
    pictures: NDArray[np.uint8], labels: NDArray[np.uint8], seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images in another order, each shifted a little and a little darker.

    Integers only, drawn as raw bits of PCG64: the same seed gives the same bytes on every machine and with every
    numpy. Between pixels the values are interpolated linearly; what is shifted in is 0.

    Args:
        pictures: (n, rows, columns).
        labels: (n,).
        seed: At least 0.

    Returns:
        Both, in the new order.
    """
    count = len(pictures)
    order, down, right, shade = np.random.PCG64(seed).random_raw(4 * count).reshape(4, count)
    out = pictures.astype(np.int64)
    for axis, drawn in ((1, down), (2, right)):
        out = _shifted(out, (drawn % np.uint64(2 * FARTHEST + 1)).astype(np.int64) - FARTHEST, axis)
    kept = DARKEST + (shade % np.uint64(FULL - DARKEST + 1)).astype(np.int64)
    out = out * kept[:, None, None] // (FULL * PARTS * PARTS)
    new = np.argsort(order, kind="stable")
    return out.astype(np.uint8)[new], labels[new]


def _shifted(pictures: NDArray[np.int64], parts: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """Each image (rows, columns) shifted by its own number of `PARTS` along an axis; values times `PARTS`."""
    frame = [(0, 0), (0, 0), (0, 0)]
    frame[axis] = (1, 1)
    padded = np.pad(pictures, frame)
    inner = (slice(None), slice(1, -1), slice(None)) if axis == 1 else (slice(None), slice(None), slice(1, -1))
    before, after = np.roll(padded, 1, axis)[inner], np.roll(padded, -1, axis)[inner]
    size = np.abs(parts)[:, None, None]
    shifted: NDArray[np.int64] = pictures * (PARTS - size) + np.where((parts > 0)[:, None, None], before, after) * size
    return shifted
