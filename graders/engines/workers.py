"""Processes that mark: they import torch once and outlive the death of one of them."""

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from threading import Lock
from types import TracebackType
from typing import Self

from graders.engines.student import MarkJob, mark
from graders.records import Result


def _ignore_interrupts() -> None:
    # Ctrl-C reaches the whole terminal group; the parent decides what is finished and what is not.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Markers:
    """A pool of marking processes.

    Args:
        jobs: How many run at the same time.
        work: What they do with a job; a function that can be pickled.
    """

    def __init__(self, jobs: int, work: Callable[[MarkJob], Result] = mark) -> None:
        self._jobs = jobs
        self._work = work
        self._lock = Lock()
        self._pool = _new_pool(jobs)

    def mark(self, job: MarkJob) -> Result:
        """Mark one student, in another process.

        A worker that dies (memory, a crash in native code) costs nobody a point. It takes the jobs of its whole pool
        with it, so each of those is tried again in a process of its own; only the one that dies there too becomes
        a result of harness errors.
        """
        pool = self._pool
        try:
            return pool.submit(self._work, job).result()
        except BrokenProcessPool:
            self._replace(pool)
        try:
            return self._alone(job)
        except BrokenProcessPool:
            fault = "the marking process died twice while it looked at this submission"
            return self._alone(job.model_copy(update={"fault": fault}))

    def _alone(self, job: MarkJob) -> Result:
        with _new_pool(1) as pool:
            return pool.submit(self._work, job).result()

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = _new_pool(self._jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _new_pool(jobs: int) -> ProcessPoolExecutor:
    # spawn: a fork of a parent with threads may inherit a held lock.
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts)
