"""The temporary folder of one notebook's run, and what the kernel finds in it."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graders.execution.job import MODULE

CONFIG = "LABMARK_RUNTIME"


@dataclass(frozen=True)
class Place:
    """Folders of one run.

    Attributes:
        base: Holds the others; its path stands in the environment of every process of the run, and of no other.
        room: The runner's: sockets, log, reports.
        lib: Holds the runtime, under the name that the kernel imports it by, and its settings.
        work: The kernel's working folder.
        stage: What the runtime writes.
        temporary: The kernel's folder for temporary files, caches and settings.
    """

    base: Path
    room: Path
    lib: Path
    work: Path
    stage: Path
    temporary: Path

    def furnish(self, runtime: Path, config: dict[str, Any], files: Iterable[Path]) -> None:
        """Put in the runtime and its settings, and copies of the files that the notebook may read."""
        shutil.copytree(runtime, self.lib / MODULE, ignore=shutil.ignore_patterns("__pycache__"))
        (self.lib / "config.json").write_text(json.dumps({**config, "stage": str(self.stage)}), encoding="utf-8")
        for path in files:
            shutil.copyfile(path, self.work / path.name)

    def environment(self, python: str) -> dict[str, str]:
        """The whole environment of the kernel: nothing of the user's but what an interpreter may need to start."""
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        return {
            **kept,
            "PATH": f"{Path(python).parent}:{os.defpath}",
            "LANG": "C.UTF-8",
            "HOME": str(self.work),
            "TMPDIR": str(self.temporary),
            "IPYTHONDIR": str(self.temporary / "ipython"),
            "MPLCONFIGDIR": str(self.temporary / "matplotlib"),
            "PYTHONPATH": str(self.lib),
            CONFIG: str(self.lib / "config.json"),
            "PYTHONHASHSEED": "0",
            # One thread: the same submission gives the same figures on every run.
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }


@contextmanager
def make_place() -> Iterator[Place]:
    """Make the folders, and remove them at the end."""
    with tempfile.TemporaryDirectory(prefix="labmark-", ignore_cleanup_errors=True) as name:
        base = Path(name).resolve()
        names = ("room", "lib", "work", "stage", "temporary")
        place = Place(base, *(base / one for one in names))
        for one in names:
            (base / one).mkdir()
        yield place
