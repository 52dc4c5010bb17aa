"""Tests of the hashes of images."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.runtime.hashing import image_hashes


def _digits(seed: int, count: int = 20) -> np.ndarray:
    """Images of bytes on black ground, with a brightest pixel that differs."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 28, 28)) * (random.random((count, 28, 28)) < 0.2)
    return (images * random.integers(128, 256, (count, 1, 1)) // 255).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(0.05, 4), st.booleans())
def test_a_scale_does_not_matter(seed: int, mean: float, deviation: float, inverted: bool) -> None:
    """ToTensor and Normalize with any mean and deviation, in float32 as torch does it, also of inverted images."""
    images = _digits(seed)
    floats = images.astype(np.float32) / np.float32(255)
    prepared = ((1 - floats if inverted else floats) - np.float32(mean)) / np.float32(deviation)
    assert (image_hashes(prepared[:, None]) == image_hashes(images)).all()


def test_other_images_have_other_hashes() -> None:
    """Also those that differ in one pixel or by a shift."""
    images = _digits(1, 200)
    touched = images.copy()
    brightest = images.max(axis=(1, 2))
    touched[:, 14, 14] = np.where(touched[:, 14, 14] > brightest // 2, 0, brightest)
    everything = np.concatenate([images, touched, np.roll(images, 1, axis=2)])
    assert len(np.unique(image_hashes(everything))) == 600


def test_the_hash_is_the_same_for_ever() -> None:
    """Evidence is graded again in later years."""
    assert image_hashes(np.arange(784).reshape(1, 28, 28)).tolist() == [-5774451929125975898]


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan, np.inf])
def test_an_image_without_contrast_has_no_hash(value: float) -> None:
    """Images of one shade, and broken ones, are no pictures; and nobody hears of it."""
    images = np.stack([np.full((28, 28), value), _digits(2, 1)[0]])
    images[0, 0, 0] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(image_hashes(images)) == 1
        assert len(image_hashes(images[:0])) == 0
