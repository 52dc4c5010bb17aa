"""Files that a stranger may have prepared: opened without following links, copied within limits."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK = 2**20
NOT_FOUND = "not there"


@dataclass(frozen=True)
class Copied:
    """A file as it was copied."""

    size: int
    sha256: str


class RefusedFile(Exception):  # noqa: N818 - a fact about a file, told in the evidence
    """A file is not taken; the message is the reason, the end of a sentence that begins with its name."""


@contextmanager
def open_folder(path: Path | str, inside: int | None = None) -> Iterator[int]:
    """A descriptor of a folder that is no symbolic link, closed at the end.

    Args:
        path: The folder; its name only, with `inside`.
        inside: Descriptor of the folder that holds it.

    Raises:
        RefusedFile: it is no folder, or a link to one.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(path, flags, dir_fd=inside)
    except OSError as error:
        raise RefusedFile(_reason(error)) from error
    try:
        yield folder
    finally:
        os.close(folder)


def copy_out(folder: int, name: str, target: Path, limit: int) -> Copied:
    """Copy a regular file out of an open folder.

    Args:
        folder: Descriptor of the folder.
        name: Of the file, without any folder.
        target: Where it goes; a new file.
        limit: Bytes that it may have.

    Raises:
        RefusedFile: it is missing, a link, a device, has more than one name, or is too large.
    """
    try:
        # O_NONBLOCK: a pipe without a writer would be waited for otherwise.
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise RefusedFile(_reason(error)) from error
    try:
        _check(os.fstat(source), limit)
        return _copy(source, target, limit)
    finally:
        os.close(source)


def _check(facts: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise RefusedFile("not a regular file")
    if facts.st_nlink != 1:
        raise RefusedFile("has another name elsewhere (a hard link)")
    if facts.st_size > limit:
        raise RefusedFile(f"larger than {limit / CHUNK:g} MiB")


def _copy(source: int, target: Path, limit: int) -> Copied:
    size, digest = 0, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        # One byte more than allowed tells a file that has grown since it was looked at.
        while chunk := os.read(source, min(CHUNK, limit + 1 - size)):
            size += len(chunk)
            digest.update(chunk)
            out.write(chunk)
    if size > limit:
        target.unlink()
        raise RefusedFile(f"larger than {limit / CHUNK:g} MiB")
    return Copied(size=size, sha256=digest.hexdigest())


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return NOT_FOUND
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a symbolic link, or not where a file was expected"
    return f"cannot be opened ({error.strerror})"


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def link_tree(source: Path, target: Path) -> None:
    """Give every file of a folder of ours a second name below another folder."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink():
            link_or_copy(path, target / path.relative_to(source))


def sha256_of(path: Path) -> str:
    """sha256 of a file of ours, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
