"""Read a notebook file that a stranger wrote: strictly as JSON, kindly as a notebook."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from graders.errors import EvidenceError, LabmarkError
from graders.evidence import strict_json
from graders.notebooks.upgrade import MalformedError, upgrade

MIB = 2**20
UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
CONFLICT = re.compile(rb"^(<{7} |>{7} )", re.MULTILINE)


class UnreadableNotebook(LabmarkError):  # noqa: N818 - a fact about a file, told to the student as a record
    """The file is not a notebook; the message is a plain sentence for the student."""


@dataclass(frozen=True)
class ReadNotebook:
    """A notebook as it was read.

    Attributes:
        node: Valid nbformat 4.5, every cell with an id of its own.
        notes: What was normalised on the way, in clauses.
    """

    node: NotebookNode
    notes: tuple[str, ...] = ()


def read_notebook(path: Path, max_bytes: int) -> ReadNotebook:
    """Read a notebook of format 3 or 4; the file is never changed.

    Args:
        path: A regular file; a symbolic link is refused.
        max_bytes: Size that is refused when exceeded.

    Raises:
        UnreadableNotebook: it is no notebook, and why.
    """
    data, notes = _bytes(path, max_bytes), []
    if data.startswith(UTF8_MARK):
        data = data.removeprefix(UTF8_MARK)
        notes.append("the file began with a byte order mark")
    raw = _parse(data, path.name)
    try:
        node, more = upgrade(raw)
    except MalformedError as error:
        raise UnreadableNotebook(f"{path.name} cannot be read as a notebook: {error}.") from error
    return ReadNotebook(node=node, notes=(*notes, *more))


def _bytes(path: Path, max_bytes: int) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise UnreadableNotebook(f"{path.name} is not a regular file. Hand in the notebook itself, not a link to it.")
    size = path.stat().st_size
    if size > max_bytes:
        raise UnreadableNotebook(
            f"{path.name} has {size / MIB:.1f} MiB; at most {max_bytes / MIB:.0f} MiB can be read. "
            "Clear its outputs (Edit > Clear All Outputs), save it and hand it in again."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableNotebook(f"{path.name} cannot be opened: {error.strerror}.") from error


def _parse(data: bytes, name: str) -> Any:
    if not data.strip():
        raise UnreadableNotebook(f"{name} is empty. Save the notebook in Jupyter and hand it in again.")
    if data.startswith(UTF16_MARKS):
        raise UnreadableNotebook(
            f"{name} is text in UTF-16; a notebook is UTF-8. Save it from Jupyter, not from an editor."
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableNotebook(
            f"{name} is not text in UTF-8 (byte {error.start + 1}). It is damaged, or a file of another kind, renamed."
        ) from error
    try:
        return strict_json(data, name)
    except EvidenceError as error:
        raise UnreadableNotebook(_fault(data, name, error)) from error


def _fault(data: bytes, name: str, error: EvidenceError) -> str:
    """Say in a sentence for the student what keeps the text from being a notebook."""
    cause, start = error.__cause__, data.lstrip()[:200].lower()
    if CONFLICT.search(data):
        return (
            f"{name} looks like a file with unresolved merge conflicts (lines of <<<<<<< and >>>>>>>). "
            "Resolve them in git, open the notebook in Jupyter to see that it works, and hand it in again."
        )
    if start.startswith((b"<!doctype", b"<html")):
        return f"{name} is a web page, not a notebook. Download the notebook itself (.ipynb)."
    if isinstance(cause, json.JSONDecodeError):
        return (
            f"{name} is not a notebook that can be read: its JSON breaks off at line {cause.lineno}, "
            f"column {cause.colno} ({cause.msg}). Was the file cut off or edited by hand?"
        )
    return f"{name} is not a notebook that can be read: {str(error).removeprefix(name + ': ')}."
