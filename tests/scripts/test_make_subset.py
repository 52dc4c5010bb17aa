"""The embedded images: how they are drawn, and that the committed ones are what they claim."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from graders.errors import DataError
from graders.idx import read_idx, write_idx
from graders.lab import load_lab
from scripts.make_subset import choose, make_subset

DATA = load_lab().folder / "data" / "mnist"


def test_subsets_are_balanced_disjoint_and_repeatable() -> None:
    """As many of every digit, no image twice, the same seed the same choice."""
    labels = np.random.default_rng(0).integers(0, 10, 2000).astype(np.uint8)
    first, second = choose(labels, (100, 50), 3)
    assert np.bincount(labels[first]).tolist() == [10] * 10
    assert np.bincount(labels[second]).tolist() == [5] * 10
    assert len({*first.tolist(), *second.tolist()}) == 150
    assert choose(labels, (100, 50), 3)[0].tolist() == first.tolist()
    assert choose(labels, (100, 50), 4)[0].tolist() != first.tolist()


def test_too_few_images_are_told() -> None:
    """A digit that is rare names itself."""
    with pytest.raises(ValueError, match="only 1 images of the digit 0"):
        choose(np.arange(10, dtype=np.uint8), (20,), 1)


def tiny_mnist(folder: Path) -> None:
    """Four files of MNIST's form, each image filled with its own number."""
    for prefix, count in (("train", 10_000), ("t10k", 2_000)):
        numbers = np.arange(count)
        images = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8).reshape(count, 1, 2)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", (numbers % 10).astype(np.uint8))


def test_files_images_and_indices_belong_together(tmp_path: Path) -> None:
    """Held-out images are those of their indices, test images are others, labels follow; twice the same bytes."""
    tiny_mnist(tmp_path)
    written = make_subset(tmp_path, tmp_path / "out")
    out = tmp_path / "out"
    numbers = {}
    for prefix in ("train", "test", "held-out"):
        images = read_idx(out / f"{prefix}-images-idx3-ubyte.gz").reshape(-1, 2).astype(int)
        numbers[prefix] = images[:, 0] * 256 + images[:, 1]
        assert (numbers[prefix] % 10).tolist() == read_idx(out / f"{prefix}-labels-idx1-ubyte.gz").tolist()
    assert numbers["held-out"].tolist() == json.loads((out / "held-out-indices.json").read_text())
    assert not set(numbers["held-out"]) & set(numbers["test"])
    assert {name: len(set(found)) for name, found in numbers.items()} == {
        "train": 10_000,
        "test": 1_000,
        "held-out": 1_000,
    }
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in make_subset(tmp_path, out)] == before


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        make_subset(tmp_path, tmp_path / "out")


def test_the_committed_files_have_their_checksums() -> None:
    """SHA256SUMS names every file of data, and every sum is right."""
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == {path.name for path in DATA.iterdir()} - {"SHA256SUMS", "README.md"}
    for name, expected in sums.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == expected


@pytest.mark.parametrize(("prefix", "count"), [("train", 10_000), ("test", 1_000), ("held-out", 1_000)])
def test_the_committed_images_are_mnists(prefix: str, count: int) -> None:
    """28 x 28, as many of every digit, light ink on a dark ground."""
    images, labels = (
        read_idx(DATA / f"{prefix}-images-idx3-ubyte.gz"),
        read_idx(DATA / f"{prefix}-labels-idx1-ubyte.gz"),
    )
    assert images.shape == (count, 28, 28)
    assert np.bincount(labels).tolist() == [count // 10] * 10
    assert 25 < images.mean() < 45


def test_no_held_out_image_is_given_to_students() -> None:
    """Neither by its place nor by its pixels."""
    seen = {image.tobytes() for part in ("train", "test") for image in read_idx(DATA / f"{part}-images-idx3-ubyte.gz")}
    assert not any(image.tobytes() in seen for image in read_idx(DATA / "held-out-images-idx3-ubyte.gz"))
