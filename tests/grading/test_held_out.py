"""The images that no student had."""

from pathlib import Path

import numpy as np
import pytest

from graders.errors import DataError
from graders.grading.held_out import IMAGES, LABELS, held_out, told
from graders.idx import write_idx
from graders.lab import load_lab


def test_images_are_as_to_tensor_gives_them(tmp_path: Path) -> None:
    """Bytes 0 and 255 become 0 and 1; a channel is added; labels are integers."""
    write_idx(tmp_path / IMAGES, np.array([[[0, 255], [51, 0]]], dtype=np.uint8))
    write_idx(tmp_path / LABELS, np.array([7], dtype=np.uint8))
    found = held_out(tmp_path)
    assert found.images.dtype == np.float32
    assert found.images.tolist() == [[[[0.0, 1.0], [pytest.approx(0.2), 0.0]]]]
    assert found.labels.tolist() == [7]


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    """A number of labels that is not that of the images is a data error."""
    write_idx(tmp_path / IMAGES, np.zeros((2, 2, 2), dtype=np.uint8))
    write_idx(tmp_path / LABELS, np.array([7], dtype=np.uint8))
    with pytest.raises(DataError, match="shape"):
        held_out(tmp_path)


def test_the_labs_own_are_there() -> None:
    """The lab's held-out set has 1,000 images of ten digits."""
    lab = load_lab()
    found = held_out(lab.folder / lab.data.held_out)
    assert found.images.shape == (1000, 1, 28, 28)
    assert set(found.labels.tolist()) == set(range(10))


def test_a_seed_moves_the_images_a_little() -> None:
    """The same seed gives the same bytes, another seed others; labels stay with their images; 0 moves nothing."""
    lab = load_lab()
    folder = lab.folder / lab.data.held_out
    plain, moved, other = (held_out(folder, seed) for seed in (0, 7, 8))
    assert np.array_equal(plain.images, held_out(folder).images)
    held_out.cache_clear()
    assert np.array_equal(moved.images, held_out(folder, 7).images)
    assert not np.array_equal(moved.images, other.images)
    assert np.bincount(moved.labels).tolist() == np.bincount(plain.labels).tolist()
    for digit in range(10):
        means = [one.images[one.labels == digit].mean(axis=0) for one in (plain, moved)]
        assert np.abs(means[0] - means[1]).max() < 0.1


def test_readers_are_told_the_seed() -> None:
    """The sentence names the seed, and says so where nothing was moved."""
    assert "seed 7" in told(7)
    assert "as they are stored" in told(0)
