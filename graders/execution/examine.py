"""Looks at files that a run leaves or is given: a copy of our own, and what it holds.

A weights file is looked at by a process of its own; what was found is kept by the file's content.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from graders.evidence import FileEntry, read_record
from graders.execution.files import Copied, RefusedFile, copy_out, open_folder
from graders.execution.store import hashes_of, key_of
from graders.execution.weights import Finding
from graders.lab import PACKAGE, Lab, Limits

EXAMINE_SECONDS = 120.0
MIB = 2**20
BROKE_DOWN = f"The process that was to read it broke down over it, or took longer than {EXAMINE_SECONDS:g} s"
FINDING = "finding.json"
TENSORS = "tensors.safetensors"
READABLE = ("state_dict", "checkpoint")
"""Kinds of weights files whose tensors are kept."""
READERS = tuple(Path(__file__).with_name(name) for name in ("weights.py", "formats.py", "pickles.py"))

FileOrigin = Literal["written", "part", "submitted", "reference"]

Inspect = Callable[[Path, Path, Limits], Finding | None]
"""Say what a weights file holds: the file, where its tensors go, the lab's limits; None where that breaks down."""


@dataclass(frozen=True)
class Kept:
    """A file in a copy of our own, and what it holds.

    Attributes:
        path: The copy.
        entry: What it is; `origin` says where it comes from.
        tensors: Its tensors as safetensors, where it is a state_dict or holds one.
    """

    path: Path
    entry: FileEntry
    tensors: Path | None = None


def clean_environment(home: Path) -> dict[str, str]:
    """An environment for our own child processes: nothing of the user's but what an interpreter may need to start."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {
        **kept,
        **one_thread,
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "PYTHONPATH": str(PACKAGE.parent),
    }


class Examiner:
    """Looks at the files of a lab's runs.

    Args:
        lab: Says which files hold weights, and how large a file may be.
        store: Where findings are kept by content, an absolute path; the same content is looked at once.
        inspect: Looks at one weights file.
    """

    def __init__(self, lab: Lab, store: Path, inspect: Inspect) -> None:
        self._inspect = inspect
        self._limits = lab.limits
        self._weights = {one.file for one in lab.handoffs if one.kind == "state_dict"}
        # What an older reader has found is not what this one would find.
        self._store = store / "weights" / key_of(hashes_of(READERS))[:16]

    def copy(self, path: Path, target: Path, origin: FileOrigin) -> Kept | str:
        """Copy a file and look at the copy; a text, a clause, says why it was not taken."""
        try:
            with open_folder(path.parent) as folder:
                copied = copy_out(folder, path.name, target, self._limits.file_mb * MIB)
        except RefusedFile as reason:
            return str(reason)
        return self._look(target, copied, origin)

    def _look(self, path: Path, copied: Copied, origin: FileOrigin) -> Kept:
        facts: dict[str, Any] = {"name": path.name, "size": copied.size, "sha256": copied.sha256, "origin": origin}
        if path.name not in self._weights:
            return Kept(path, FileEntry(kind="data", **facts))
        known = self._store / copied.sha256
        if not (known / FINDING).is_file():
            self._examine_into(known, path)
        if not (known / FINDING).is_file():
            return Kept(path, FileEntry(kind="unreadable", problem=BROKE_DOWN, **facts))
        finding = read_record(known / FINDING, Finding)
        tensors = known / TENSORS if finding.kind in READABLE else None
        return Kept(path, FileEntry(**finding.model_dump(), **facts), tensors)

    def _examine_into(self, known: Path, path: Path) -> None:
        """Store what a file holds; nothing where the process broke down, so that it is tried again the next time."""
        known.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=known.parent) as name:
            folder = Path(name)
            finding = self._inspect(path, folder / TENSORS, self._limits)
            if finding is None:
                return
            (folder / FINDING).write_text(finding.model_dump_json(), encoding="utf-8")
            known.mkdir(exist_ok=True)
            # The finding last: it says that the rest is there. Two threads at once write the same.
            for one in (TENSORS, FINDING):
                if (folder / one).is_file():
                    (folder / one).replace(known / one)


def in_a_child(path: Path, out: Path, limits: Limits) -> Finding | None:
    """Look at a weights file in a fresh process; None where that breaks down or takes too long."""
    command = [sys.executable, "-m", "graders.execution.weights", str(path), str(out)]
    command += [str(limits.file_mb), str(limits.evaluation_mb)]
    try:
        done = subprocess.run(
            command,
            env=clean_environment(out.parent),
            cwd=out.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=EXAMINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    try:
        return Finding.model_validate_json(done.stdout)
    except ValidationError:
        return None
