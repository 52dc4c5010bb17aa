"""A kernel of our own making: sockets in a private folder, a clean environment, an end that is certain."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from graders.errors import HarnessError
from graders.execution.job import LOG_CHARACTERS, MODULE, START_SECONDS, Job
from graders.execution.processes import Process, die_with_parent, end_descendants, limit_files, peak_mb

POLL_MILLISECONDS = 100
# So many messages at a stretch, then the clock is looked at again.
BATCH = 200
# The path of a Unix socket has at most 107 bytes (unix(7)); our names end in "/kernel-ipc-5".
SOCKET_PATH = 107
SOCKET_NAME = len("/kernel-ipc-5")
# A larger message is refused by the socket: far more than the limit of output, far less than memory.
MESSAGE_BYTES = 64 * 2**20

# What a stranger's bytes on a socket make jupyter_client raise: bad signature, missing part, wrong type, deep JSON.
BAD_MESSAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

Message = dict[str, Any]


class IpcKernelManager(AsyncKernelManager):  # type: ignore[misc] # jupyter_client is not typed for us
    """Starts one given command as the kernel, reachable through sockets in a folder instead of ports."""

    def __init__(self, room: Path, argv: list[str]) -> None:
        self._spec = KernelSpec(argv=argv, display_name="Python 3", language="python", interrupt_mode="signal")
        # Absolute paths: with relative ones the kernel, which runs elsewhere, would make other sockets.
        super().__init__(
            transport="ipc", connection_file=str(room / "connection.json"), ip=str(room / "kernel-ipc"), kernel_name=""
        )

    @property
    def kernel_spec(self) -> Any:
        """The one kernel that there is; no kernel of the machine is looked up."""
        return self._spec


class Kernel:
    """One kernel: started, asked, interrupted, ended.

    Args:
        job: Says how to start it.
    """

    def __init__(self, job: Job) -> None:
        if len(str(job.room).encode()) + SOCKET_NAME > SOCKET_PATH:
            raise HarnessError(f"the folder {job.room} has too long a path for sockets; set TMPDIR to a short one")
        self._job = job
        self._log = job.room / "kernel.log"
        argv = [job.python, "-m", MODULE, "-f", "{connection_file}"]
        self._manager = IpcKernelManager(job.room, argv)
        self._context = zmq.asyncio.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        self._client: Any = None
        self._process: Process | None = None
        self._poller = zmq.asyncio.Poller()
        self._killed = False
        self.peak_mb: float | None = None

    async def start(self) -> None:
        """Start the kernel and wait until it answers.

        Raises:
            HarnessError: it did not; with the end of what it said.
        """
        self._process = await self._launch()
        self._client = self._manager.client(context=self._context)
        self._client.start_channels(hb=False, stdin=False)
        self._client.allow_stdin = False
        try:
            await self._answered()
        except TimeoutError as error:
            raise HarnessError(f"the kernel did not start: {self._said()}") from error
        for channel in (self._client.shell_channel, self._client.iopub_channel):
            self._poller.register(channel.socket, zmq.POLLIN)

    async def _launch(self) -> Process:
        with self._log.open("wb") as log:
            await self._manager.start_kernel(
                cwd=str(self._job.work),
                env=dict(self._job.environment),
                stdout=log,
                stderr=log,
                preexec_fn=self._in_the_child,
            )
        process: Process = self._manager.provisioner.process
        return process

    def _in_the_child(self) -> None:
        die_with_parent()
        limit_files(self._job.file_bytes)

    async def _answered(self) -> None:
        """Wait for a reply and for the first word on iopub, without which outputs could be missed.

        Raises:
            TimeoutError: the kernel has ended, or does not answer in time.
        """
        async with asyncio.timeout(START_SECONDS):
            while True:
                self._client.kernel_info()
                for channel in (self._client.shell_channel, self._client.iopub_channel):
                    if not await _any_message(channel):
                        break
                else:
                    return
                if self.exit_status is not None:
                    raise TimeoutError

    def _said(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text[-LOG_CHARACTERS:] or "it said nothing"

    @property
    def exit_status(self) -> int | None:
        """The exit status of the kernel, negative for a signal; None while it lives."""
        return self._process.poll() if self._process is not None else None

    @property
    def own_exit(self) -> int | None:
        """The exit status of a kernel that ended by itself; None for one that lives or was killed by us."""
        return None if self._killed else self.exit_status

    def execute(self, code: str, *, quiet: bool = False) -> str:
        """Send code; the id of the request. Quiet code leaves no trace in the history and no count."""
        sent = self._client.execute(code, silent=quiet, store_history=not quiet, allow_stdin=False, stop_on_error=False)
        return str(sent)

    async def receive(self, on_reply: Callable[[Message], None], on_output: Callable[[Message], None]) -> int:
        """Hand over messages that are there or come within a tenth of a second; how many there were."""
        ready = dict(await self._poller.poll(POLL_MILLISECONDS))
        taken = 0
        pairs = ((self._client.iopub_channel, on_output), (self._client.shell_channel, on_reply))
        for channel, handle in pairs:
            if channel.socket in ready:
                taken += await _drain(channel, handle)
        return taken

    def measure(self) -> None:
        """Look at the memory of the kernel and of what it started."""
        if self._process is not None and (peak := peak_mb(self._process.pid)) is not None:
            self.peak_mb = max(peak, self.peak_mb or 0.0)

    async def interrupt(self) -> None:
        """What Ctrl-C does, to the kernel and its children."""
        if self.exit_status is None:
            await self._manager.interrupt_kernel()

    async def kill(self) -> None:
        """End the kernel and all that it started."""
        if self._process is not None and self.exit_status is None:
            self._killed = True
            end_descendants(self._process.pid)
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def end(self) -> None:
        """End what still runs and close the sockets."""
        await self.kill()
        if self._client is not None:
            self._client.stop_channels()
        await self._manager.cleanup_resources()
        self._context.destroy(linger=0)


async def _any_message(channel: Any) -> bool:
    try:
        await channel.get_msg(timeout=1)
    except Empty:
        return False
    return True


async def _drain(channel: Any, handle: Callable[[Message], None]) -> int:
    for count in range(BATCH):
        try:
            message = await channel.get_msg(timeout=0)
        except Empty:
            return count
        except BAD_MESSAGE:
            continue
        handle(message)
    return BATCH
