"""The lab's test images, recognised among the images that a network was trained with."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from graders.evidence import Array
from graders.grading.held_out import IMAGES as HELD_OUT
from graders.idx import read_idx
from graders.lab import Lab
from graders.runtime.hashing import image_hashes

TRAIN, TEST = "train-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"


def count_test_images(lab: Lab, hashes: Sequence[Array]) -> int:
    """How many different test images are among images that are known by their hashes.

    Args:
        lab: Says where its images lie.
        hashes: As `image_hashes` gives them, int64 (n,) each.
    """
    if not hashes:
        return 0
    return len(np.intersect1d(np.concatenate(hashes), _test_hashes(lab.folder, lab.data.embedded, lab.data.held_out)))


@lru_cache(maxsize=4)
def _test_hashes(folder: Path, embedded: str, held_out: str) -> Array:
    """Hashes of the test and the held-out images, without those that are training images too."""
    train, test = (image_hashes(read_idx(folder / embedded / name)) for name in (TRAIN, TEST))
    never = image_hashes(read_idx(folder / held_out / HELD_OUT))
    return np.setdiff1d(np.concatenate([test, never]), train)
