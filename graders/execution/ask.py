"""One request to the kernel, followed to its end: a reply, a death, a limit."""

import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from graders.execution.kernel import Kernel, Message
from graders.execution.outputs import Outputs

# A kernel that was interrupted has so long to come back.
BACK_SECONDS = 5.0
# A reply and the kernel's "idle" come together; where one is lost, output was lost with it.
PAIR_SECONDS = 5.0
MEASURE_SECONDS = 1.0


class Ended(Enum):
    """What ended a request."""

    REPLIED = auto()
    DIED = auto()
    TIMEOUT = auto()
    FLOOD = auto()


@dataclass(frozen=True)
class Ask:
    """How a request ended.

    Attributes:
        ended: Why.
        recovered: Whether the kernel can be asked again.
        content: Of its reply; empty without one.
    """

    ended: Ended
    recovered: bool
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`ok`, or what the kernel calls it otherwise."""
        found = self.content.get("status")
        return found if isinstance(found, str) else ""

    @property
    def count(self) -> int | None:
        """The execution count of the reply."""
        found = self.content.get("execution_count")
        return found if type(found) is int else None

    @property
    def quits(self) -> bool:
        """Whether the code has asked the kernel to end, as `quit()` does."""
        payload = self.content.get("payload")
        asked = [one for one in payload if isinstance(one, dict)] if isinstance(payload, list) else []
        return any(one.get("source") == "ask_exit" and not one.get("keepkernel") for one in asked)


async def ask(kernel: Kernel, code: str, seconds: float, *, outputs: Outputs | None = None, quiet: bool = False) -> Ask:
    """Have code run and wait for the end of it.

    Args:
        kernel: A kernel that is ready.
        code: Source of a cell.
        seconds: It is interrupted after so long, and five seconds later ended together with the kernel.
        outputs: Where its outputs go; more than fit end it in the same way.
        quiet: Leave no trace in the history.
    """
    request = _Request(kernel, kernel.execute(code, quiet=quiet), outputs)
    deadline = time.monotonic() + seconds
    while not request.complete and kernel.exit_status is None:
        await request.listen()
        if request.torn or (outputs is not None and outputs.exceeded):
            return await request.break_off(Ended.FLOOD)
        if time.monotonic() > deadline:
            return await request.break_off(Ended.FLOOD if request.half else Ended.TIMEOUT)
    if not request.complete:
        await request.listen()
    kernel.measure()
    return Ask(Ended.REPLIED if request.complete else Ended.DIED, request.complete, request.content)


class _Request:
    """What has come back for one request so far."""

    def __init__(self, kernel: Kernel, sent: str, outputs: Outputs | None) -> None:
        self._kernel = kernel
        self._sent = sent
        self._outputs = outputs
        self._heard = time.monotonic()
        self._measured = self._heard
        self._replied = False
        self._idle = False
        self.content: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """Whether the reply and, where outputs are wanted, the last of them are there."""
        return self._replied and (self._idle or self._outputs is None)

    @property
    def half(self) -> bool:
        """Whether only one of the two is there."""
        return self._replied != self._idle and self._outputs is not None

    @property
    def torn(self) -> bool:
        """Whether one of the two is missing for good: the kernel has sent more than the sockets hold."""
        return self.half and time.monotonic() - self._heard > PAIR_SECONDS

    async def listen(self) -> None:
        """Take in what comes within a tenth of a second."""
        if await self._kernel.receive(self._take_reply, self._take_output):
            self._heard = time.monotonic()
        if time.monotonic() - self._measured > MEASURE_SECONDS:
            self._kernel.measure()
            self._measured = time.monotonic()

    async def break_off(self, ended: Ended) -> Ask:
        """Interrupt, again every second, and end the kernel if that does not help."""
        self._kernel.measure()
        deadline, again = time.monotonic() + BACK_SECONDS, 0.0
        while not self.complete and not self.torn and self._kernel.exit_status is None:
            if time.monotonic() > deadline:
                await self._kernel.kill()
                return Ask(ended, recovered=False, content=self.content)
            if time.monotonic() > again:
                await self._kernel.interrupt()
                again = time.monotonic() + 1
            await self.listen()
        return Ask(ended, recovered=self._kernel.exit_status is None, content=self.content)

    def _take_reply(self, message: Message) -> None:
        if self._is_mine(message) and message.get("msg_type") == "execute_reply":
            content = message.get("content")
            self.content = content if isinstance(content, dict) else {}
            self._replied = True

    def _take_output(self, message: Message) -> None:
        content = message.get("content")
        if not self._is_mine(message) or not isinstance(content, dict):
            return
        kind = message.get("msg_type")
        if kind == "status":
            self._idle |= content.get("execution_state") == "idle"
        elif self._outputs is not None and isinstance(kind, str):
            self._outputs.take(kind, content)

    def _is_mine(self, message: Message) -> bool:
        parent = message.get("parent_header")
        return isinstance(parent, dict) and parent.get("msg_id") == self._sent
