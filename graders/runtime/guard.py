"""The one rule of all spies: a fault of ours never breaks the student's cell. It becomes a sentence instead."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

MAX_NOTES = 200
MAX_CHARACTERS = 500

P = ParamSpec("P")
R = TypeVar("R")


def one_line(text: str, limit: int = MAX_CHARACTERS) -> str:
    """The text with all white space as single blanks, cut to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Notes:
    """The sentences of shims.json: each once, in the order of first use, at most 200 of them."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.dirty = True

    def tell(self, sentence: str) -> None:
        """Keep a sentence for the report, unless it has been told."""
        line = one_line(sentence)
        if line not in self.sentences and len(self.sentences) < MAX_NOTES:
            self.sentences.append(line)
            self.dirty = True

    def internal(self, where: str, error: BaseException) -> None:
        """Keep a fault of ours."""
        self.tell(f"internal: {where}: {type(error).__name__}: {error}")


class _Noting(Protocol):
    @property
    def notes(self) -> Notes: ...


S = TypeVar("S", bound=_Noting)


def guarded(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R | None]:
    """Turn any exception of a spy's method into a sentence; the method then returns None.

    The method's object must have `notes`. KeyboardInterrupt and SystemExit pass.
    """

    @functools.wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a spy meets student's objects, which may raise anything
            self.notes.internal(method.__qualname__, error)
            return None

    return wrapper
