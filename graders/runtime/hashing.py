"""Hashes of images that stay the same whatever affine scale the images were prepared in.

The kernel takes them of the batches that a network trains on, graders of the images that it may not train on.

An image is reduced to three levels a pixel, by where the pixel lies between the image's darkest and its brightest.
`ToTensor`, `Normalize` and their like keep that place but for rounding. The levels part at sqrt(2) - 1 and
2 - sqrt(2) of the way: a pixel of an image of bytes lies at a fraction p/q with q <= 255, and those keep a distance
of about 1 / (2 sqrt(2) q^2) > 5e-6 from sqrt(2) (Hurwitz 1891; Markov 1879), which is far above the rounding of
float32. The two are symmetric, so that an inverted image has the levels upside down; of the two ways up, the one
with more dark than bright is taken.

The levels are hashed to 64 bits by a multilinear function with fixed random coefficients modulo 2^64 (Carter and
Wegman, Universal Classes of Hash Functions, 1979; Lemire and Kaser, Strongly universal string hashing is fast, 2014).
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = np.float32(2**0.5 - 1), np.float32(2 - 2**0.5)


def image_hashes(images: NDArray[np.generic]) -> NDArray[np.int64]:
    """The hashes of images of numbers.

    Args:
        images: (n, ...), real numbers; each row is one image.

    Returns:
        One hash for each image, (m,); an image of one shade, or with NaN in it, has none.
    """
    rows = images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float32, copy=False)
    low = rows.min(axis=1, keepdims=True, initial=np.inf)
    with np.errstate(all="ignore"):  # what is not finite is left out below
        span = rows.max(axis=1, keepdims=True, initial=-np.inf) - low
    told = np.flatnonzero(np.isfinite(span[:, 0]) & (span[:, 0] > 0))
    if len(told) < len(rows):
        rows, low, span = rows[told], low[told], span[told]
    bright = (rows > low + HIGH * span).view(np.int8)
    levels = bright + (rows > low + LOW * span).view(np.int8)
    upside_down = levels.sum(axis=1, dtype=np.int64) > rows.shape[1]
    levels[upside_down] = 2 - levels[upside_down]
    return np.asarray(levels.astype(np.int64) @ _coefficients(rows.shape[1]))


@lru_cache(maxsize=4)
def _coefficients(count: int) -> NDArray[np.int64]:
    """Fixed random odd numbers: SplitMix64 (Steele, Lea and Flood, Fast splittable generators, 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (mixed ^ (mixed >> np.uint64(31)) | np.uint64(1)).view(np.int64)
