"""MNIST's file format."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.errors import DataError
from graders.idx import read_idx, write_idx


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=4), packed=st.booleans())
def test_what_is_written_is_read(tmp_path: Path, shape: list[int], packed: bool) -> None:
    """Shape and bytes survive, also of an empty array."""
    array = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
    path = tmp_path / ("a.gz" if packed else "a")
    write_idx(path, array)
    found = read_idx(path)
    assert found.shape == array.shape
    assert np.array_equal(found, array)


def test_the_header_is_big_endian(tmp_path: Path) -> None:
    """The bytes are those that the format's description prints for labels."""
    write_idx(tmp_path / "a", np.array([7, 8], np.uint8))
    assert (tmp_path / "a").read_bytes() == b"\x00\x00\x08\x01\x00\x00\x00\x02\x07\x08"


def test_gzip_is_byte_stable(tmp_path: Path) -> None:
    """No time stamp: bytes 4 to 8 of a gzip file are zero."""
    write_idx(tmp_path / "a.gz", np.zeros((2, 2), np.uint8))
    assert (tmp_path / "a.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_what_was_read_cannot_be_changed(tmp_path: Path) -> None:
    """Every reader of the data sees the same pixels."""
    write_idx(tmp_path / "a", np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        read_idx(tmp_path / "a")[0] = 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x08", "not an IDX file"),
        (b"\x00\x01\x08\x01\x00\x00\x00\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "not an IDX file"),
        (b"\x00\x00\x08\x00", "not an IDX file"),
        (b"\x00\x00\x08\x05" + b"\0" * 20, "not an IDX file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "holds 3 bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x01abc", "holds 3 bytes"),
        (b"\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffabc", "holds 3 bytes"),
        (b"\x00\x00\x08\x02\x00\x00", "its header promises"),
    ],
)
def test_damaged_files_are_told(tmp_path: Path, data: bytes, expected: str) -> None:
    """Wrong magic, another type, too many dimensions, too few or too many bytes, a header cut short."""
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_idx(tmp_path / "a")


@pytest.mark.parametrize("data", [None, b"no gzip", gzip.compress(b"x" * 1000)[:20]])
def test_files_that_cannot_be_opened_are_told(tmp_path: Path, data: bytes | None) -> None:
    """A missing file, one that is no gzip, one that was cut off."""
    if data is not None:
        (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "a.gz")


def test_gzip_whose_inside_is_damaged_is_told(tmp_path: Path) -> None:
    """A flipped byte anywhere in a packed file is a damaged file, not a crash."""
    whole = gzip.compress(bytes(range(256)) * 40)
    for place in range(10, len(whole)):
        data = bytearray(whole)
        data[place] ^= 0xFF
        (tmp_path / "a.gz").write_bytes(bytes(data))
        with pytest.raises(DataError):
            read_idx(tmp_path / "a.gz")
