"""Which check a grader marks.

The id is kept on the function, not in a pytest mark: a module of graders may then be imported under any pytest
configuration, also one that knows no mark of ours.
"""

from collections.abc import Callable
from typing import Any, TypeVar

_ATTRIBUTE = "__labmark_check__"
G = TypeVar("G", bound=Callable[..., Any])


def check(id_: str) -> Callable[[G], G]:
    """Say which check of the lab a grader marks.

    Args:
        id_: The check's id in `lab.toml`, for instance "part1/shape".
    """

    def decorate(grader: G) -> G:
        setattr(grader, _ATTRIBUTE, id_)
        return grader

    return decorate


def check_of(grader: Callable[..., Any]) -> str | None:
    """The id of the check that a function marks; None if it is no grader."""
    found = getattr(grader, _ATTRIBUTE, None)
    return found if isinstance(found, str) else None
