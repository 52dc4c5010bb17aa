"""Finished evidence of notebooks by what it depends on: what was run once is not run again.

A folder of the store appears under its name when it is complete, never before.
"""

import hashlib
import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from graders.execution.files import link_tree, sha256_of
from graders.notebooks.cells import grade_id

WAIT_SECONDS = 0.2

_guard = threading.Lock()
_locks: dict[Path, threading.Lock] = {}


def key_of(parts: Any) -> str:
    """sha256 over anything that JSON can say."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sources_of(node: NotebookNode) -> list[list[str | None]]:
    """What a notebook's run depends on: types, sources and nbgrader's ids of its cells, not what they once printed."""
    return [[cell.cell_type, cell.source, grade_id(cell)] for cell in node.cells]


def hashes_of(paths: Iterable[Path]) -> list[list[str]]:
    """Names and sha256 of files."""
    return [[path.name, sha256_of(path)] for path in paths]


@cache
def hash_of_code(folders: tuple[Path, ...]) -> str:
    """sha256 over all files below some folders of labmark's own."""
    found = [(root, path) for root in folders for path in sorted(root.rglob("*")) if path.is_file()]
    return key_of([[str(p.relative_to(r)), sha256_of(p)] for r, p in found if "__pycache__" not in p.parts])


class Store:
    """The store of one run, shared by all its students and threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "notebooks"

    @contextmanager
    def locked(self, key: str, check: Callable[[], None]) -> Iterator[None]:
        """Let one thread at a time work on a key; `check` is called while waiting, and may raise."""
        with _guard:
            lock = _locks.setdefault(self._folder / key, threading.Lock())
        while not lock.acquire(timeout=WAIT_SECONDS):
            check()
        try:
            yield
        finally:
            lock.release()

    def get(self, key: str, target: Path) -> bool:
        """Put the evidence of a key into a folder; False where there is none."""
        kept = self._folder / key
        if not kept.is_dir():
            return False
        link_tree(kept, target)
        return True

    def put(self, key: str, evidence: Path) -> None:
        """Keep the evidence of a key."""
        part = self._folder / f".{uuid.uuid4().hex}"
        part.mkdir(parents=True)
        try:
            link_tree(evidence, part)
            self._keep(part, key)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _keep(self, part: Path, key: str) -> None:
        try:
            part.rename(self._folder / key)
        except OSError:
            # Another process was quicker with the same.
            if not (self._folder / key).is_dir():
                raise
