"""Tests of traces: tracebacks of cells do not search all modules."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from graders.runtime.traces import know_cells


def test_inspect_finds_a_cells_module_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file of a cell is in Python's table of files as soon as the cell is compiled, and its name is given back."""
    monkeypatch.setattr(inspect, "modulesbyfile", {})
    name = str(tmp_path / "4711.py")
    shell = SimpleNamespace(compile=SimpleNamespace(cache=lambda code, number=0: name))
    know_cells(shell)
    assert shell.compile.cache("f()", number=3) == name
    frame = compile("import sys; frame = sys._getframe()", name, "exec")
    space: dict[str, object] = {}
    exec(frame, space)
    found = inspect.getmodule(space["frame"], name)
    assert found is not None
    assert found.__name__ == "__main__"
