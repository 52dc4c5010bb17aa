"""Processes are found and ended, wherever they went."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graders.execution.environment import ABSENT, fingerprint
from graders.execution.processes import descendants, end_run, peak_mb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A runner of its own, the child of which starts a process in a session of its own and ends at once.
TREE = """
import subprocess, sys, time
from graders.execution.processes import adopt_orphans
adopt_orphans()
inner = "import subprocess; print(subprocess.Popen(['sleep', '300'], start_new_session=True).pid, flush=True)"
subprocess.run([sys.executable, '-c', inner])
time.sleep(300)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A runner with an orphan below it."""
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", TREE],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={"PYTHONPATH": root, "MARK": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    yield process, int(process.stdout.readline())
    end_run(process, str(tmp_path))
    process.stdout.close()


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


def test_orphans_are_ended_with_the_run(tree: tuple[subprocess.Popen[bytes], int], tmp_path: Path) -> None:
    """A process whose parent has died is still below the runner, and goes with it."""
    process, orphan = tree
    assert orphan in descendants(process.pid)
    end_run(process, str(tmp_path))
    assert gone(orphan)
    assert process.poll() is not None


def test_what_outlives_the_runner_is_found_by_its_mark(
    tree: tuple[subprocess.Popen[bytes], int], tmp_path: Path
) -> None:
    """Where the runner itself was killed, its processes are known by their environment."""
    process, orphan = tree
    process.kill()
    process.wait()
    assert not gone(orphan)
    end_run(process, str(tmp_path))
    time.sleep(0.05)
    assert gone(orphan)


def test_peak_memory_counts_the_whole_tree(tree: tuple[subprocess.Popen[bytes], int]) -> None:
    """The peak of a process with children is more than that of a child alone."""
    process, orphan = tree
    whole, child = peak_mb(process.pid), peak_mb(orphan)
    assert whole is not None
    assert child is not None
    assert whole > child > 0
    assert peak_mb(2**22 + 1) is None


def test_fingerprint_names_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are read, and a package that is not there is told."""
    monkeypatch.setattr("graders.execution.environment.PACKAGES", ("numpy", "no-such-package"))
    found = fingerprint()
    assert set(found) == {"python", "machine", "numpy", "no-such-package"}
    assert found["no-such-package"] == ABSENT
    assert found["numpy"][0].isdigit()
