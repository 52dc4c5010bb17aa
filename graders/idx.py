"""MNIST's IDX files: big-endian header, then unsigned bytes.

Source of the format: http://yann.lecun.com/exdb/mnist/ ("THE IDX FILE FORMAT"): two zero bytes, the type of the
items (8 = unsigned byte), the number of dimensions, then each dimension as a 32-bit integer.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graders.errors import DataError

UNSIGNED_BYTE = 8
MAX_DIMENSIONS = 4


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzip or plain.

    Returns:
        Images of shape (n, rows, columns) or labels of shape (n,), read-only.

    Raises:
        DataError: the file is missing or is not such a file.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE or not 1 <= data[3] <= MAX_DIMENSIONS:
        raise DataError(f"{path}: not an IDX file of unsigned bytes")
    start = 4 + 4 * data[3]
    shape = struct.unpack(f">{data[3]}I", data[4:start].ljust(4 * data[3], b"\0"))
    if len(data) - start != int(np.prod(shape, dtype=object)):
        raise DataError(f"{path}: holds {len(data) - start} bytes where its header promises {shape}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write unsigned bytes as an IDX file; gzip (without a time stamp, so byte-stable) if the name ends in .gz."""
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
