"""Runs notebooks in forks of a warm process: for TRUSTED notebooks only, never for a student's.

A fork inherits all that its parent has in memory, and reads whatever the parent can read: there is no clean
interpreter between labmark and the notebook. It is offered to `labmark verify`, which runs edits of the reference, and
to nothing else. What it saves is the start: two interpreters and torch, six seconds a notebook.

The chain is that of a real run, only forked: a runner that drives papermill, and below it a kernel, which is the
real one and is spoken to through the same sockets; so the evidence is the same. Whoever forks has one thread only.

    warm(runtime, library)      once, in the process that forks
    run_job, inspect_weights    for `execute_submission(launch=..., inspect=...)`, in that process or a fork of it
"""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from graders.errors import HarnessError
from graders.execution.child import LOG, follow
from graders.execution.examine import EXAMINE_SECONDS
from graders.execution.job import MODULE, CellDone, Job, RunReport
from graders.execution.kernel import Kernel
from graders.execution.processes import LINUX, Process, die_with_parent, limit_files, send
from graders.execution.runner import carry_out
from graders.execution.weights import Finding, inspect
from graders.lab import Limits

POLL_SECONDS = 0.005
MIB = 2**20
# Set before the interpreter of the warm process starts: what a kernel of its own would be started with.
STARTED_WITH = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def warm(runtime: Path, library: Path) -> None:
    """Load once what every kernel needs.

    Args:
        runtime: The package that enters the kernels.
        library: A folder of this process's own, which goes on the path of modules.

    Raises:
        HarnessError: this process was not started with the variables of `STARTED_WITH`.
    """
    if any(os.environ.get(name) != value for name, value in STARTED_WITH.items()):
        raise HarnessError(f"a warm process must be started with {STARTED_WITH}")
    (library / MODULE).symlink_to(runtime)
    sys.path.insert(0, str(library))
    # Whoever started this process may have chosen another way of starting processes than a fresh kernel has.
    multiprocessing.set_start_method(None, force=True)
    importlib.import_module(f"{MODULE}.kernel").prepare()


def run_job(job: Job, mark: str, check: Callable[[], None], announce: Callable[[CellDone], None]) -> RunReport:
    """Run a job of a TRUSTED notebook to its end; as `child.run_job` otherwise.

    Raises:
        HarnessError: `warm` was not called, or this process has more than one thread.
    """
    if f"{MODULE}.kernel" not in sys.modules:
        raise HarnessError("notebooks can only be run in forks of a warm process")
    said, printed = os.pipe()
    with (job.room / LOG).open("wb") as log:
        runner = fork(partial(_run, job), printed, log.fileno())
    os.close(printed)
    return follow(runner, os.fdopen(said, "rb"), job, mark, check, announce)


def _run(job: Job) -> None:
    kernel = ForkedKernel(job)
    carry_out(job, lambda _: kernel)


def inspect_weights(path: Path, out: Path, limits: Limits) -> Finding | None:
    """Look at a weights file in a fork, under its memory limit; None where that breaks down or takes too long."""

    def look() -> None:
        finding = inspect(path, out, limits.file_mb * MIB, limits.evaluation_mb * MIB)
        sys.stdout.write(finding.model_dump_json())

    with tempfile.TemporaryFile() as said:
        process = fork(look, said.fileno(), None)
        try:
            process.wait(EXAMINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
        said.seek(0)
        try:
            return Finding.model_validate_json(said.read())
        except ValidationError:
            return None


class ForkedProcess:
    """A fork of this process, with what `subprocess.Popen` offers of a child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it lives."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it lives longer than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout if timeout is not None else None
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            time.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """End it and its group, and wait for that."""
        if self.poll() is None:
            send(self.pid, signal.SIGKILL, group=True)
            self.wait()


def fork(work: Callable[[], None], stdout: int, stderr: int | None) -> ForkedProcess:
    """Do something in a fork of this process, in a session of its own, which dies with this one.

    Args:
        work: What the fork does; an exception goes to its stderr and makes its exit status 1.
        stdout: Descriptor that takes what it prints.
        stderr: Likewise; None leaves it as it is.

    Raises:
        HarnessError: this process has more than one thread: a fork might inherit a lock that nobody will open.
    """
    threads = len(os.listdir("/proc/self/task")) if LINUX else 1  # noqa: PTH208 - a count is all
    if threads > 1:
        raise HarnessError(f"a process with {threads} threads cannot be forked safely")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return ForkedProcess(pid)
    status = 1
    try:
        os.setsid()
        die_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nothing.fileno(), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr if stderr is not None else 2, 2)
        _renew_torch()
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, nothing of the parent's may go on in the fork
        traceback.print_exc(file=sys.__stderr__)  # a kernel puts something else in its place
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        os._exit(status)


def _renew_torch() -> None:
    """Have torch make a new thread pool, while this fork still has one thread.

    It does so at the first call that sets a number of threads, and without a lock; left to the threads that a first
    backward() starts, each of which makes such a call, one of them sometimes meets no pool and aborts the process.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(torch.get_num_threads())


class ForkedKernel(Kernel):
    """A kernel that is a fork of the warm process; everything else of it is as in a real run.

    It is forked when it is made, which must be before this process has an event loop: that would go on in the fork.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._manager.write_connection_file()
        with self._log.open("wb") as log:
            self._forked = fork(self._become_kernel, log.fileno(), log.fileno())

    async def _launch(self) -> Process:
        return self._forked

    def _become_kernel(self) -> None:
        job = self._job
        limit_files(job.file_bytes)
        ours = {"", str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
        sys.path[:] = [job.environment["PYTHONPATH"], *(one for one in sys.path if one not in ours)]
        os.environ.clear()
        os.environ.update(job.environment, JPY_PARENT_PID=str(os.getppid()))  # as jupyter_client does
        os.chdir(job.work)
        tempfile.tempdir = None  # the parent's choice; the environment names another
        sys.argv = [MODULE, "-f", self._manager.connection_file]
        kernel: Any = importlib.import_module(f"{MODULE}.kernel")
        kernel.launch(sys.argv[1:])

    async def interrupt(self) -> None:
        """What Ctrl-C does, to the kernel and its children."""
        if self._process is not None and self.exit_status is None:
            send(self._process.pid, signal.SIGINT, group=True)
