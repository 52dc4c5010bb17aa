"""Processes of a run: peak memory, and an end for all of them, whatever they did to get away.

A student's code may start processes, put them into sessions of their own or let their parent die. On Linux the
runner is made the reaper of everything below it, so that its tree stays complete while it lives; what is left after
that is found by a mark in its environment. Elsewhere only the process groups that we made are ended.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PROC = Path("/proc")
LINUX = sys.platform == "linux"
KILL_SECONDS = 5.0
# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None


class Process(Protocol):
    """What is asked of a child process, whether it was started afresh or forked."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it lives longer than `timeout` seconds.
        """

    def kill(self) -> None:
        """End it."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Be killed as soon as the thread that started this process is gone (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_files(size: int) -> None:
    """Refuse core dumps, and files of more than `size` bytes, from here on and in every child."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(extra: int) -> None:
    """Allow `extra` bytes of address space more than this process uses now."""
    fields = _status(os.getpid())
    if "VmSize" in fields:
        size = int(fields["VmSize"].split()[0]) * 1024 + extra
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def peak_mb(pid: int) -> float | None:
    """Peak resident memory in MiB of a process and its living descendants, added up; None where it cannot be read."""
    peaks = [_status(one).get("VmHWM") for one in (pid, *descendants(pid))]
    known = [int(peak.split()[0]) for peak in peaks if peak]
    return round(sum(known) / 1024, 1) if known else None


def descendants(pid: int) -> tuple[int, ...]:
    """Children, their children and so on, without those that have ended already."""
    children: dict[int, list[int]] = {}
    for one, fields in _all():
        if not fields.get("State", "").startswith("Z"):
            children.setdefault(int(fields.get("PPid", "0")), []).append(one)
    found: list[int] = []
    rest = list(children.get(pid, ()))
    while rest:
        one = rest.pop()
        found.append(one)
        rest.extend(children.get(one, ()))
    return tuple(found)


def end_descendants(pid: int) -> None:
    """Kill everything below a process, until nothing is left or five seconds have gone."""
    _until_gone(lambda: descendants(pid))


def end_run(process: Process, mark: str) -> None:
    """End a runner and everything that it or the kernel started.

    Args:
        process: The runner, leader of its own process group.
        mark: Text that the environment of every process of this run holds, and of no other.
    """
    if process.poll() is None:
        end_descendants(process.pid)
        send(process.pid, signal.SIGKILL, group=True)
        process.wait()
    _until_gone(lambda: _marked(mark))


def _until_gone(find: Callable[[], Iterable[int]]) -> None:
    """Kill what `find` gives, again and again: a process may have forked in between."""
    deadline = time.monotonic() + KILL_SECONDS
    while (left := tuple(find())) and time.monotonic() < deadline:
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.02)


def send(pid: int, what: signal.Signals, *, group: bool = False) -> None:
    """Send a signal to a process or its group; nothing happens where it has gone already."""
    with suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, what)


def _marked(mark: str) -> Iterator[int]:
    for pid, fields in _all():
        if pid != os.getpid() and not fields.get("State", "").startswith("Z"):
            with suppress(OSError):
                if mark.encode() in (PROC / str(pid) / "environ").read_bytes():
                    yield pid


def _all() -> Iterator[tuple[int, dict[str, str]]]:
    if not LINUX:
        return
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _status(int(entry.name))):
            yield int(entry.name), fields


def _status(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status (see proc_pid_status(5)); empty where there is none."""
    try:
        text = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in lines}
