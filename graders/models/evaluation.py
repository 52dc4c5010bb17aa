"""Evaluates a network in a process of its own, under a memory and a time limit.

The process is forked, so it holds a copy of all that this one holds: labels are not handed to it, but they are
in its memory if they are in ours. Only whitelisted ops run there, on checked arguments, and it answers in numbers.
"""

import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graders.errors import EvidenceError, HarnessError
from graders.evidence import Array
from graders.models.network import Network

MAX_MESSAGE = 2000
_DONE, _REFUSED = b"\0", b"\1"
_CRASHED = "the process that ran the network ended without its outputs: it crashed"


def evaluate(network: Network, images: Array, memory_mb: int, seconds: float = 120) -> Array:
    """Compute a network's outputs in a child process, with dropout off.

    Args:
        network: What to run.
        images: (n, *input_shape), n >= 1. Labels have no business here.
        memory_mb: Address space in MiB that the child may take beyond what this process has.
        seconds: Wall-clock time that it may take.

    Returns:
        (n, classes), float32; usually logits. Compare them only with outputs of this same function.

    Raises:
        EvidenceError: the network cannot be run, crashes, or takes too much time or memory.
        HarnessError: no process could be started.
    """
    size = 4 * len(images) * network.classes

    def work() -> bytes:
        return np.ascontiguousarray(network.run(images).outputs, dtype=np.float32).tobytes()

    answer = boxed(work, memory_mb, seconds, size)
    if len(answer) != size:
        raise EvidenceError(_CRASHED)
    return np.frombuffer(answer, np.float32).reshape(len(images), network.classes).copy()


def boxed(work: Callable[[], bytes], memory_mb: int, seconds: float, size: int) -> bytes:
    """Run a computation on a student's network in a child process, and give the bytes that it answers.

    Args:
        work: What to do there. It may raise EvidenceError, which then rises here.
        memory_mb: Address space in MiB that the child may take beyond what this process has.
        seconds: Wall-clock time that it may take.
        size: The most bytes that it may answer. They are the child's word: check them.

    Raises:
        EvidenceError: the network is refused, crashes, takes too much time or memory, or answers too much.
        HarnessError: no process could be started.
    """
    answer = _in_child(work, memory_mb, seconds, size)
    if answer[:1] == _REFUSED:
        raise EvidenceError(answer[1:].decode("utf-8", "replace"))
    if answer[:1] != _DONE or len(answer) > size + 1:
        raise EvidenceError(_CRASHED)
    return answer[1:]


def _in_child(work: Callable[[], bytes], memory_mb: int, seconds: float, size: int) -> bytes:
    """Fork, run, and read at most the bytes expected."""
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where threads run; the child uses none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        raise HarnessError(f"no process for the evaluation could be started: {error}") from error
    if child == 0:
        _child(work, memory_mb, seconds, writing)
    os.close(writing)
    try:
        return _answer(reading, time.monotonic() + seconds, max(size, MAX_MESSAGE) + 1)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _child(work: Callable[[], bytes], memory_mb: int, seconds: float, writing: int) -> None:
    """Run under limits and write the answer; never returns."""
    try:
        _limit(memory_mb, seconds)
        try:
            answer = _DONE + work()
        except EvidenceError as error:
            answer = _REFUSED + str(error).encode()[:MAX_MESSAGE]
        except (MemoryError, RuntimeError) as error:
            line = (str(error).splitlines() or ["out of memory"])[0]
            answer = _REFUSED + f"the network cannot be run: {line}".encode()[:MAX_MESSAGE]
        view = memoryview(answer)
        while view:
            view = view[os.write(writing, view) :]
    finally:
        # Whatever happened, the copy of our process must not go on.
        os._exit(0)


def _limit(memory_mb: int, seconds: float) -> None:
    """Limit the address space to what is taken now and `memory_mb` more, the CPU time, and core files to none."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    wanted = pages * resource.getpagesize() + memory_mb * 2**20
    for kind, value in (
        (resource.RLIMIT_AS, wanted),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(reading: int, deadline: float, most: int) -> bytes:
    """Read until the end of the pipe.

    Raises:
        EvidenceError: it takes too long or says too much.
    """
    parts: list[bytes] = []
    length = 0
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise EvidenceError("the network took too long to be evaluated")
        part = os.read(reading, 2**16)
        if not part:
            return b"".join(parts)
        parts.append(part)
        length += len(part)
        if length > most:
            raise EvidenceError("the process that ran the network wrote more than its outputs")
