"""Processes that mark: they import torch once and outlive the death of one of them."""

import signal
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
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._lock = Lock()
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        # spawn: a fork of a parent with threads may inherit a held lock.
        return ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts)

    def mark(self, job: MarkJob) -> Result:
        """Mark one student, in another process.

        A worker that dies (memory, a crash in native code) costs nobody a point: the job is tried once more in
        a fresh pool, and if that dies too, every check of this student becomes a harness error.
        """
        for _ in range(2):
            pool = self._pool
            try:
                return pool.submit(mark, job).result()
            except BrokenProcessPool:
                self._replace(pool)
        fault = "the marking process died twice while it looked at this submission"
        pool = self._pool
        return pool.submit(mark, job.model_copy(update={"fault": fault})).result()

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
