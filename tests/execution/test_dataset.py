"""Images laid out for notebooks, from a small set made here."""

import json
from pathlib import Path

import numpy as np
import pytest

from graders.errors import DataError, UsageError
from graders.execution import data_fingerprint, prepare
from graders.idx import read_idx, write_idx
from graders.lab import Lab

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def write_set(home: Path, names: tuple[str, ...], ending: str = ".gz") -> None:
    """Ten images of 2x2 and their labels, train and test; each image holds its own number."""
    home.mkdir(parents=True)
    labels = np.arange(10, dtype=np.uint8)
    images = np.repeat(labels, 4).reshape(10, 2, 2)
    for name in names:
        write_idx(home / f"{name}{ending}", images if "images" in name else labels)


@pytest.fixture
def data(lab: Lab) -> Path:
    """The graders' folder of data, with an embedded set and two held-out test images."""
    write_set(lab.folder / "data", (*NAMES[:2], "test-images-idx3-ubyte", "test-labels-idx1-ubyte"))
    (lab.folder / "data" / "held-out-indices.json").write_text(json.dumps([3, 8]))
    return lab.folder / "data"


@pytest.mark.usefixtures("data")
def test_embedded_images_are_laid_out(lab: Lab, tmp_path: Path) -> None:
    """The class's own folder holds four plain files that nobody may write; a second time gives the same."""
    folder = prepare(lab, "quick", None, tmp_path / "laid")
    raw = folder / "DIGITS" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(NAMES)
    assert {path.stat().st_mode & 0o777 for path in raw.iterdir()} == {0o444}
    assert read_idx(raw / NAMES[2]).shape == (10, 2, 2)
    before = data_fingerprint(folder)
    assert data_fingerprint(prepare(lab, "quick", None, tmp_path / "laid")) == before


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("inner", "ending"), [("MNIST/raw", ""), ("raw", ".gz"), (".", ".gz")])
def test_held_out_images_are_left_out(lab: Lab, tmp_path: Path, inner: str, ending: str) -> None:
    """Of the full set, wherever its files lie, the held-out test images do not reach the student."""
    write_set(tmp_path / "full" / inner, NAMES, ending)
    raw = prepare(lab, "full", tmp_path / "full", tmp_path / "laid") / "DIGITS" / "raw"
    assert read_idx(raw / NAMES[3]).tolist() == [0, 1, 2, 4, 5, 6, 7, 9]
    assert read_idx(raw / NAMES[2])[:, 0, 0].tolist() == [0, 1, 2, 4, 5, 6, 7, 9]
    assert len(read_idx(raw / NAMES[0])) == 10


@pytest.mark.usefixtures("data")
def test_full_set_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    """Without a folder, or with one that holds no images, the remedy is named."""
    for full in (None, tmp_path):
        with pytest.raises(DataError, match="--data or LABMARK_DATA"):
            prepare(lab, "full", full, tmp_path / "laid")


@pytest.mark.parametrize("indices", ["[10]", "[-1]", "[true]", "{}", "[1.0]", "[]", "nonsense"])
def test_indices_that_make_no_sense(lab: Lab, data: Path, tmp_path: Path, indices: str) -> None:
    """A damaged list of held-out images is never read as "none"."""
    write_set(tmp_path / "full", NAMES)
    (data / "held-out-indices.json").write_text(indices)
    with pytest.raises(DataError, match=r"held-out-indices\.json"):
        prepare(lab, "full", tmp_path / "full", tmp_path / "laid")


@pytest.mark.parametrize("missing", ["held-out-indices.json", "train-labels-idx1-ubyte.gz"])
def test_missing_files_are_named(lab: Lab, data: Path, tmp_path: Path, missing: str) -> None:
    """A file that is not there is named."""
    (data / missing).unlink()
    write_set(tmp_path / "full", NAMES)
    profile = "full" if missing.endswith("json") else "quick"
    with pytest.raises(DataError, match=missing):
        prepare(lab, profile, tmp_path / "full", tmp_path / "laid")


def test_images_and_labels_must_agree(lab: Lab, data: Path, tmp_path: Path) -> None:
    """More images than labels is damage, not data."""
    write_idx(data / "train-labels-idx1-ubyte.gz", np.zeros(9, np.uint8))
    with pytest.raises(DataError, match="labels"):
        prepare(lab, "quick", None, tmp_path / "laid")


def test_nothing_laid_out(lab: Lab, tmp_path: Path) -> None:
    """An empty folder has no fingerprint, an unknown profile no images."""
    with pytest.raises(DataError, match="no images"):
        data_fingerprint(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no profile 'other'"):
        prepare(lab, "other", None, tmp_path)
