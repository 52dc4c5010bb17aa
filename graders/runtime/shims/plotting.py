"""Plots as notebooks ask for them: subplots counted with floats, backends that need a window or a widget."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import FigureBase
from matplotlib.gridspec import GridSpecBase

from ..patching import Patches
from ..session import Session

INLINE = ("inline", "agg", "module://matplotlib_inline.backend_inline")
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


def draw_inline(session: Session, patches: Patches, shell: Any) -> None:
    """Let `%matplotlib notebook`, `widget`, `qt` and the like draw inline: nobody is there to look at a window."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def enable_matplotlib(gui: Any = None) -> Any:
            __tracebackhide__ = True
            if isinstance(gui, str) and gui.lower() not in INLINE:
                session.notes.tell("%matplotlib asked for windows or widgets; plots were drawn inline.")
                gui = "inline"
            return original(gui)

        return enable_matplotlib

    patches.wrap(shell, "enable_matplotlib", make)
