"""`plt.subplot(2, num/2, i)`: Python 3 makes the middle one a float, which matplotlib now refuses."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import FigureBase
from matplotlib.gridspec import GridSpecBase

from ..patching import Patches
from ..session import Session

OWNERS = ((plt, "subplot"), (FigureBase, "add_subplot"), (GridSpecBase, "__init__"))


def mend_subplots(session: Session, patches: Patches) -> None:
    """Make whole floats integers wherever rows, columns and indices are given."""

    def whole(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            session.notes.tell("Whole floats in the rows and columns of subplots were taken for integers.")
            return int(value)
        return value

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            sizes = {key: whole(value) for key, value in kwargs.items() if key in ("nrows", "ncols")}
            return original(*map(whole, args), **{**kwargs, **sizes})

        return call

    for owner, name in OWNERS:
        patches.wrap(owner, name, make)
