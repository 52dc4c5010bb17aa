"""The images that notebooks see, laid out as the data set's own class expects them.

A student never sees a held-out image: the embedded set comes without them, and from the whole of the data set
they are taken out of the test split.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graders.errors import DataError, EvidenceError
from graders.evidence import read_bytes, strict_json
from graders.idx import read_idx, write_idx
from graders.lab import Lab

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
EMBEDDED_TEST = ("test-images-idx3-ubyte", "test-labels-idx1-ubyte")
HELD_OUT_INDICES = "held-out-indices.json"
MAX_INDICES_BYTES = 2**20

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def prepare(lab: Lab, profile: str, full: Path | None, folder: Path) -> Path:
    """Lay out the images of a profile below `folder`, in place of what was there.

    Args:
        lab: Says where the embedded set lies and which class reads the folder.
        profile: Name of the profile; says whether the embedded or the full set is used, and how much of it.
        full: Folder with the full set: as torchvision downloads it (`MNIST/raw`), or the IDX files themselves, each
            plain or gzip. Not read for a profile that trains on the embedded images.
        folder: Root to make; the class's own folder and `raw` are made below it.

    Returns:
        The root, to be handed to the data set's class.

    Raises:
        DataError: a file is missing or damaged.
        UsageError: the lab has no such profile.
    """
    wanted = lab.profile(profile)
    if wanted.data == "embedded":
        home = lab.folder / lab.data.embedded
        train, test = _split(home, TRAIN), _split(home, EMBEDDED_TEST)
    else:
        home = _full_home(full)
        train, test = _split(home, TRAIN), _without_held_out(_split(home, TEST), lab)
    raw = folder / lab.data.dataset.rpartition(".")[2] / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for names, split, count in ((TRAIN, train, wanted.images), (TEST, test, wanted.test_images)):
        for name, array in zip(names, split, strict=True):
            _write_read_only(raw / name, array[: count or None])
    return folder


def data_fingerprint(folder: Path) -> str:
    """sha256 over the names and contents of everything that `prepare` laid out.

    Raises:
        DataError: nothing is there.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    if not found:
        raise DataError(f"{folder}: no images are laid out here")
    total = hashlib.sha256()
    for path in found:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _full_home(full: Path | None) -> Path:
    remedy = "Fetch it with `python scripts/fetch_mnist.py DIR`, then name DIR with --data or LABMARK_DATA"
    if full is None:
        raise DataError(f"this profile trains on the full data set, and no folder with it was named. {remedy}")
    for home in (full / "MNIST" / "raw", full / "raw", full):
        if any((home / f"{TRAIN[0]}{ending}").is_file() for ending in ("", ".gz")):
            return home
    raise DataError(f"{full}: no {TRAIN[0]} below this folder. {remedy}")


def _split(home: Path, names: tuple[str, str]) -> Split:
    images, labels = (_read(home, name) for name in names)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(f"{home}: {names[0]} holds {images.shape} images, {names[1]} {labels.shape} labels")
    return images, labels


def _read(home: Path, name: str) -> NDArray[np.uint8]:
    plain = home / name
    return read_idx(plain if plain.is_file() else home / f"{name}.gz")


def _without_held_out(test: Split, lab: Lab) -> Split:
    path = lab.folder / lab.data.held_out / HELD_OUT_INDICES
    if not path.is_file():
        raise DataError(f"{path}: missing, so held-out images cannot be kept from the students")
    count = len(test[0])
    try:
        held_out = strict_json(read_bytes(path, MAX_INDICES_BYTES), path.name)
    except EvidenceError as error:
        raise DataError(f"{path}: {error}") from error
    known = isinstance(held_out, list) and all(type(i) is int and 0 <= i < count for i in held_out)
    if not known or not held_out:
        raise DataError(f"{path}: expected a list of indices below {count}, the number of test images")
    keep = np.ones(count, dtype=bool)
    keep[np.array(held_out, dtype=np.intp)] = False
    return test[0][keep], test[1][keep]


def _write_read_only(path: Path, array: NDArray[np.uint8]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    write_idx(part, array)
    part.chmod(0o444)
    part.replace(path)
