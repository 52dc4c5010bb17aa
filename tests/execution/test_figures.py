"""Pictures out of executed notebooks."""

import base64
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from graders.execution import figures
from graders.execution.figures import PNG_START, write_figures


def picture(data: bytes) -> NotebookNode:
    """An output with a picture."""
    return v4.new_output("display_data", data={"image/png": base64.b64encode(data).decode()})


def test_pictures_are_numbered_by_code_cell(tmp_path: Path) -> None:
    """Names say the cell's number and the picture's; what is no PNG is left out."""
    text = v4.new_markdown_cell("text")
    broken = v4.new_output("display_data", data={"image/png": "no base64!"})
    printed = v4.new_output("stream", text="printed")
    first = v4.new_code_cell("", outputs=[printed, broken])
    second = v4.new_code_cell("", outputs=[picture(PNG_START + b"a"), picture(b"<svg>"), picture(PNG_START + b"b")])
    assert write_figures(v4.new_notebook(cells=[text, first, second]), tmp_path) == 2
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"2-1.png": PNG_START + b"a", "2-2.png": PNG_START + b"b"}


def test_number_and_size_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Huge pictures and too many of them are left out."""
    monkeypatch.setattr(figures, "MAX_FIGURES", 2)
    monkeypatch.setattr(figures, "MAX_FIGURE_BYTES", 20)
    cell = v4.new_code_cell("", outputs=[picture(PNG_START + bytes(100)), *[picture(PNG_START)] * 3])
    assert write_figures(v4.new_notebook(cells=[cell]), tmp_path / "figures") == 2
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["1-1.png", "1-2.png"]
