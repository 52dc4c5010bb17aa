"""Images that no student had: what accuracies are recomputed on."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graders.errors import DataError
from graders.idx import read_idx

IMAGES = "held-out-images-idx3-ubyte.gz"
LABELS = "held-out-labels-idx1-ubyte.gz"


@dataclass(frozen=True)
class HeldOut:
    """Held-out images.

    Attributes:
        images: float32 (n, 1, rows, columns), 0 to 1, as torchvision's ToTensor gives them.
        labels: int64 (n,).
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@lru_cache(maxsize=4)
def held_out(folder: Path) -> HeldOut:
    """Read the held-out images of a lab, once per process.

    Raises:
        DataError: a file is missing or damaged, or the two do not belong together.
    """
    pictures, labels = read_idx(folder / IMAGES), read_idx(folder / LABELS)
    if pictures.ndim != 3 or labels.ndim != 1 or len(pictures) != len(labels) or not len(labels):
        raise DataError(f"{folder}: {IMAGES} has shape {pictures.shape}, {LABELS} has {labels.shape}")
    images = (pictures[:, None] / np.float32(255)).astype(np.float32)
    return HeldOut(images=images, labels=labels.astype(np.int64))
