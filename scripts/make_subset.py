"""Make the embedded images of a lab from the four original files of MNIST.

    python scripts/make_subset.py SOURCE [TARGET]

SOURCE holds `train-images-idx3-ubyte` and its three companions, plain or gzip (scripts/fetch_mnist.py gets
them). TARGET is a folder of data, by default graders/lab5/data/mnist. Written are, as gzip without a time stamp:

    train-*     10,000 of MNIST's training images: what students train on in the quick profile
    test-*       1,000 of MNIST's test images: what students test on
    held-out-*   1,000 other test images: what the graders measure on; never in a student's box

with held-out-indices.json (their places in MNIST's test set, in order: a run on all of MNIST leaves them out) and
SHA256SUMS. Images are drawn with a fixed seed, as many of every digit; the same source gives the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from graders.errors import LabmarkError
from graders.idx import read_idx

SEED = 20260701
DIGITS = 10
TRAIN, TEST, HELD_OUT = 10_000, 1_000, 1_000
TARGET = Path(__file__).resolve().parent.parent / "graders" / "lab5" / "data" / "mnist"
INDICES = "held-out-indices.json"
SUMS = "SHA256SUMS"

Bytes = NDArray[np.uint8]


def choose(labels: Bytes, counts: tuple[int, ...], seed: int) -> list[NDArray[np.int64]]:
    """Draw disjoint random subsets with as many of every digit.

    Args:
        labels: Shape (n,), digits 0 to 9.
        counts: Size of each subset, a multiple of ten.
        seed: Of the generator.

    Returns:
        Indices of each subset in a random order (a prefix of it is a fair sample too).

    Raises:
        ValueError: there are too few images of a digit.
    """
    generator = np.random.default_rng(seed)
    drawn: list[list[NDArray[np.int64]]] = [[] for _ in counts]
    for digit in range(DIGITS):
        places = generator.permutation(np.flatnonzero(labels == digit))
        if len(places) < sum(counts) // DIGITS:
            raise ValueError(f"only {len(places)} images of the digit {digit}, {sum(counts) // DIGITS} are needed")
        start = 0
        for subset, count in zip(drawn, counts, strict=True):
            subset.append(places[start : start + count // DIGITS])
            start += count // DIGITS
    return [generator.permutation(np.concatenate(subset)) for subset in drawn]


def make_subset(source: Path, target: Path) -> list[Path]:
    """Write the subset.

    Returns:
        The files written, SHA256SUMS last.

    Raises:
        DataError: a source file is missing or damaged.
    """
    images, labels = _pair(source, "train")
    test_images, test_labels = _pair(source, "t10k")
    (train,) = choose(labels, (TRAIN,), SEED)
    test, held_out = choose(test_labels, (TEST, HELD_OUT), SEED + 1)
    files = {}
    for prefix, pictures, digits, places in (
        ("train", images, labels, train),
        ("test", test_images, test_labels, test),
        ("held-out", test_images, test_labels, held_out),
    ):
        files[f"{prefix}-images-idx3-ubyte.gz"] = _packed(pictures[places])
        files[f"{prefix}-labels-idx1-ubyte.gz"] = _packed(digits[places])
    files[INDICES] = (json.dumps([int(place) for place in held_out]) + "\n").encode()
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    target.mkdir(parents=True, exist_ok=True)
    for name, data in {**files, SUMS: sums.encode()}.items():
        (target / name).write_bytes(data)
    return [target / name for name in (*files, SUMS)]


def _pair(source: Path, prefix: str) -> tuple[Bytes, Bytes]:
    """Images and labels of one of MNIST's two parts."""
    return _read(source, f"{prefix}-images-idx3-ubyte"), _read(source, f"{prefix}-labels-idx1-ubyte")


def _read(source: Path, name: str) -> Bytes:
    packed = source / f"{name}.gz"
    return read_idx(packed if packed.is_file() else source / name)


def _packed(array: Bytes) -> bytes:
    """IDX in gzip at its strongest, without name or time stamp; the operating system's byte is 255 (unknown)."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as packer:
        packer.write(header + np.ascontiguousarray(array).tobytes())
    return buffer.getvalue()


def main() -> int:
    """Run the command line; 0 done, 2 a source file is missing or damaged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with the four files of MNIST")
    parser.add_argument("target", type=Path, nargs="?", default=TARGET, help="folder to write to")
    args = parser.parse_args()
    try:
        written = make_subset(args.source, args.target)
    except LabmarkError as error:
        print(f"make_subset: {error}", file=sys.stderr)
        return 2
    for path in written:
        print(f"{path.stat().st_size:>10,}  {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
