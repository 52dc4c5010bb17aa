"""What cells print, as it comes in: kept up to a limit, whatever the kernel sends.

Every message is a stranger's: types are checked, text is made fit for UTF-8, kinds of data that no reader of ours
shows are left out. Text that a carriage return or `clear_output` has overwritten is dropped at once, so progress
bars do not count; only what the notebook would hold does.
"""

from typing import Any

from nbformat import NotebookNode, v4

SHOWN = frozenset(
    {
        "application/json",
        "image/jpeg",
        "image/png",
        "image/svg+xml",
        "text/html",
        "text/latex",
        "text/markdown",
        "text/plain",
    }
)
ERROR_CHARACTERS = 2000
TRACEBACK_CHARACTERS = 20_000
# Every output counts as this many bytes more than its texts, so that empty ones cannot pile up for ever.
OUTPUT_BYTES = 64


def clean_text(value: Any, limit: int | None = None) -> str:
    """A string fit for UTF-8, of at most `limit` characters; empty for anything that is no string."""
    text = value if isinstance(value, str) else ""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")


class Outputs:
    """Collects the outputs of one cell after the other.

    Args:
        limit: Bytes that all outputs of the notebook may hold together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._cell: list[_Stream | _Fixed] = []
        self._displays: dict[str, list[_Fixed]] = {}
        self._clear_pending = False
        self.exceeded = False

    def begin(self) -> None:
        """Start with the next cell."""
        self._cell = []
        self._displays = {}
        self._clear_pending = False

    def nodes(self) -> list[NotebookNode]:
        """The current cell's outputs, as the notebook format has them."""
        return [one.node() for one in self._cell]

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take in one message of the iopub channel; kinds that show nothing, or come too late, are passed over."""
        if self.exceeded:
            return
        if kind == "clear_output":
            self._clear_pending = True
            if not content.get("wait"):
                self._clear()
        elif kind == "update_display_data":
            self._update(content)
        elif kind in ("stream", "display_data", "execute_result", "error"):
            if self._clear_pending:
                self._clear()
            self._add(kind, content)

    def _clear(self) -> None:
        self._used -= sum(one.size for one in self._cell)
        self.begin()

    def _add(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._add_text("stderr" if content.get("name") == "stderr" else "stdout", clean_text(content.get("text")))
        elif kind == "error":
            self._keep(_Fixed(_error(content)))
        else:
            fixed = _Fixed(_display(kind, content))
            transient = content.get("transient")
            name = transient.get("display_id") if isinstance(transient, dict) else None
            if self._keep(fixed) and isinstance(name, str):
                self._displays.setdefault(name, []).append(fixed)

    def _keep(self, one: "_Fixed") -> bool:
        if self._used + one.size > self._limit:
            self.exceeded = True
            return False
        self._used += one.size
        self._cell.append(one)
        return True

    def _add_text(self, name: str, text: str) -> None:
        last = self._cell[-1] if self._cell else None
        if not isinstance(last, _Stream) or last.name != name:
            last = _Stream(name)
            self._cell.append(last)
            self._used += last.size
        before = last.size
        room = self._limit - self._used + before
        self.exceeded |= not last.write(text, room)
        self._used += last.size - before

    def _update(self, content: dict[str, Any]) -> None:
        transient = content.get("transient")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        for one in self._displays.get(name, ()) if isinstance(name, str) else ():
            fresh = _Fixed(_display(one.content["output_type"], content))
            if self._used + fresh.size - one.size > self._limit:
                self.exceeded = True
            elif one in self._cell:
                self._used += fresh.size - one.size
                one.replace(fresh)


class _Fixed:
    """An output that is there as a whole."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.size = OUTPUT_BYTES + _size(content)

    def replace(self, other: "_Fixed") -> None:
        self.content["data"], self.size = other.content["data"], other.size

    def node(self) -> NotebookNode:
        return v4.new_output(**self.content)


class _Stream:
    """Printed text: finished lines, and the line that a carriage return may still overwrite."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = OUTPUT_BYTES
        self._lines: list[str] = []
        self._line = ""

    def write(self, text: str, room: int) -> bool:
        """Add text; False, with the first part kept, where more than `room` bytes would then be held."""
        finished, newline, line = (self._line + text).rpartition("\n")
        finished = "".join(f"{_overwritten(one)}\n" for one in finished.split("\n")) if newline else ""
        line = _overwritten(line)
        fixed = self.size - len(self._line.encode())
        if fixed + len((finished + line).encode()) > room:
            finished = (finished + line).encode()[: max(0, room - fixed)].decode("utf-8", "ignore")
            line, fits = "", False
        else:
            fits = True
        self._lines.append(finished)
        self._line = line
        self.size = fixed + len((finished + line).encode())
        return fits

    def node(self) -> NotebookNode:
        return v4.new_output("stream", name=self.name, text="".join(self._lines) + self._line)


def _overwritten(line: str) -> str:
    """What is left of a line after its carriage returns; one at the very end has yet to take effect."""
    shown = line.rstrip("\r")
    return shown[shown.rfind("\r") + 1 :] + ("\r" if len(shown) < len(line) else "")


def _error(content: dict[str, Any]) -> dict[str, Any]:
    raw = content.get("traceback")
    kept: list[str] = []
    room = TRACEBACK_CHARACTERS
    for part in raw if isinstance(raw, list) else ():
        kept.append(clean_text(part, room))
        room -= len(kept[-1])
    return {
        "output_type": "error",
        "ename": clean_text(content.get("ename"), ERROR_CHARACTERS),
        "evalue": clean_text(content.get("evalue"), ERROR_CHARACTERS),
        "traceback": kept,
    }


def _display(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    raw = content.get("data")
    shown = {mime: value for mime, value in raw.items() if mime in SHOWN} if isinstance(raw, dict) else {}
    data = {mime: clean_text(value) for mime, value in shown.items() if isinstance(value, str)}
    count = content.get("execution_count")
    extra = {"execution_count": count if type(count) is int else None} if kind == "execute_result" else {}
    return {"output_type": kind, "data": data, "metadata": {}, **extra}


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_size(one) for one in value.values())
    if isinstance(value, list):
        return sum(_size(one) for one in value)
    return len(value.encode()) if isinstance(value, str) else 0
