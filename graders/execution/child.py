"""Runs a job in a child process and sees to it that nothing of it is left."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from graders.errors import EvidenceError
from graders.evidence import Journal, read_record
from graders.execution.examine import clean_environment
from graders.execution.job import GRACE_SECONDS, LOG_CHARACTERS, CellDone, Job, RunReport
from graders.execution.processes import Process, end_run

LOG = "runner.log"
WAIT_SECONDS = 0.2
END_SECONDS = 10.0
CHUNK = 2**16

RunJob = Callable[[Job, str, Callable[[], None], Callable[[CellDone], None]], RunReport]
"""`run_job`, or a stand-in for it: job, mark, check, announce."""


def run_job(job: Job, mark: str, check: Callable[[], None], announce: Callable[[CellDone], None]) -> RunReport:
    """Run a job to its end.

    Args:
        job: What to run.
        mark: Text in the environment of every process of the run, and of no other.
        check: Called several times a second; what it raises ends the run.
        announce: Called as each code cell ends.

    Returns:
        The runner's report; one with a `fault` where the runner itself broke down or did not end.
    """
    path = job.room / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    with (job.room / LOG).open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "graders.execution.runner", str(path)],
            env=clean_environment(job.room),
            cwd=job.room,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    return follow(process, process.stdout, job, mark, check, announce)


def follow(
    process: Process,
    said: IO[bytes] | None,
    job: Job,
    mark: str,
    check: Callable[[], None],
    announce: Callable[[CellDone], None],
) -> RunReport:
    """Follow a runner to its end, as `run_job` does.

    Args:
        process: The runner, leader of its own process group.
        said: What it prints; closed at the end.
        job: What it runs.
        mark: As for `run_job`, and so are `check` and `announce`.
        check: Called several times a second.
        announce: Called as each code cell ends.
    """
    pipe = said.fileno() if said is not None else -1
    try:
        in_time = _follow(process, pipe, time.monotonic() + job.notebook_seconds + GRACE_SECONDS, check, announce)
    finally:
        end_run(process, mark)
        if said is not None:
            said.close()
    return _report(job, process.poll() if in_time else None)


def _follow(
    process: Process,
    pipe: int,
    deadline: float,
    check: Callable[[], None],
    announce: Callable[[CellDone], None],
) -> bool:
    """Read what the runner prints until it ends; False where it does not end in time."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            check()
            if not selector.select(WAIT_SECONDS):
                continue
            chunk = os.read(pipe, CHUNK)
            if not chunk:
                return _ended(process)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _announce(line, announce)
    return False


def _announce(line: bytes, announce: Callable[[CellDone], None]) -> None:
    try:
        done = CellDone.model_validate_json(line)
    except ValidationError:
        return  # printed by some package, not by the runner
    announce(done)


def _ended(process: Process) -> bool:
    """Whether a process that has closed its output ends as well."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _report(job: Job, status: int | None) -> RunReport:
    """The runner's report; `status` is its exit status, None where it did not end in time."""
    if status is None:
        fault = "the process that runs the notebook did not end by itself"
    else:
        try:
            return read_record(job.report, RunReport)
        except EvidenceError:
            fault = f"the process that runs the notebook {_broke_down(status, job.room / LOG)}"
    return RunReport(journal=Journal(notebook=job.notebook), fault=fault)


def _broke_down(status: int, log: Path) -> str:
    if status < 0:
        names = {-one: one.name for one in signal.Signals}
        name = names.get(status, f"signal {-status}")
        return f"was ended by {name}: there was too little memory, or a cell of the notebook did it"
    try:
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-LOG_CHARACTERS:]
    except OSError as error:
        # No sandbox: the notebook can remove the folder that the log lies in.
        said = f"its log cannot be read ({error.strerror})"
    return f"broke down: {said or 'it said nothing'}"
