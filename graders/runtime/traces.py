"""Tracebacks in a moment: `inspect` is told at once what it would search thousands of modules for."""

import functools
import inspect
from pathlib import Path
from typing import Any


def know_cells(shell: Any) -> None:
    """Let `inspect` know that the code of cells belongs to `__main__`.

    To draw a traceback IPython asks `inspect.getmodule` for each frame. For a cell, whose file no module has, that
    goes through all of sys.modules, several times: half a minute for the thousand frames of an endless recursion.
    """
    cache = shell.compile.cache

    @functools.wraps(cache)
    def known(*args: Any, **kwargs: Any) -> Any:
        name = cache(*args, **kwargs)
        # Where getmodule looks first; Python's own table of the files that it has found (CPython, Lib/inspect.py).
        inspect.modulesbyfile[str(Path(name).absolute())] = "__main__"
        return name

    shell.compile.cache = known
