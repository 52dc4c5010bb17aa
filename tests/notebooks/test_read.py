"""Reading notebooks that strangers wrote."""

import json
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.notebooks.read import MIB, ReadNotebook, UnreadableNotebook, read_notebook


def read(tmp_path: Path, content: object, limit: int = MIB) -> ReadNotebook:
    """Write content to a file and read it."""
    path = tmp_path / "a.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_notebook(path, limit)


def make(*cells: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A notebook of format 4.5."""
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **changes}


def code(source: object = "1", **changes: Any) -> dict[str, Any]:
    """A code cell."""
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": source, **changes}


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5])
def test_every_format_4_becomes_valid_4_5(tmp_path: Path, minor: int) -> None:
    """A cell without an id gets one, and nbformat finds nothing wrong."""
    found = read(tmp_path, make(code(["a = 1\n", "a"]), nbformat_minor=minor)).node
    nbformat.validate(found)
    assert (found.nbformat_minor, found.cells[0].source) == (5, "a = 1\na")


def test_format_3_becomes_4_5(tmp_path: Path) -> None:
    """Worksheets, headings, inputs and outputs of format 3 get their names of today."""
    sheet = [
        {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["Title"]},
        {
            "cell_type": "code",
            "input": ["print(1)"],
            "language": "python",
            "prompt_number": 4,
            "outputs": [
                {"output_type": "stream", "stream": "stdout", "text": ["1\n"]},
                {"output_type": "pyout", "prompt_number": 4, "text": ["2"], "metadata": {}},
                {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["t"]},
            ],
        },
    ]
    found = read(tmp_path, {"worksheets": [{"cells": sheet}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0})
    nbformat.validate(found.node)
    heading, program = found.node.cells
    assert (heading.cell_type, heading.source) == ("markdown", "## Title")
    assert (program.source, program.execution_count) == ("print(1)", 4)
    assert [one.output_type for one in program.outputs] == ["stream", "execute_result", "error"]
    assert program.outputs[1].data == {"text/plain": "2"}
    assert "notebook format 3 was read as 4.5" in found.notes


def test_a_newer_minor_is_a_note(tmp_path: Path) -> None:
    """Format 4.9 is read for what it shares with 4.5."""
    found = read(tmp_path, make(code(), nbformat_minor=9))
    assert any("4.9" in note for note in found.notes)


def test_extras_are_notes_not_failures(tmp_path: Path) -> None:
    """Colab's errorDetails, unknown keys and missing metadata leave a valid notebook."""
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": [], "errorDetails": {"a": 1}}
    cell = code(outputs=[error, "junk", {"output_type": "nonsense"}], colab={"x": 1})
    del cell["metadata"]
    found = read(tmp_path, make(cell, metadata={"colab": {}, "kernelspec": {"name": 3}}))
    nbformat.validate(found.node)
    assert any("errorDetails" in note and "colab" in note for note in found.notes)
    assert [one.output_type for one in found.node.cells[0].outputs] == ["error"]


def test_ids_are_repaired_the_same_way_each_time(tmp_path: Path) -> None:
    """Duplicate and invalid ids get new ones that depend on the file only."""
    content = make(code("a", id="x"), code("b", id="x"), code("c", id="no good!"), code("d"), code("d"))
    ids = [cell.id for cell in read(tmp_path, content).node.cells]
    assert ids[0] == "x"
    assert len(set(ids)) == 5
    assert ids == [cell.id for cell in read(tmp_path, content).node.cells]


def test_metadata_that_matter_are_kept(tmp_path: Path) -> None:
    """Nbgrader's object, tags and locks stay; the kernel's name stays."""
    meta = {"nbgrader": {"grade_id": "a", "solution": True}, "tags": ["t"], "deletable": False, "scrolled": "odd"}
    kernel = {"name": "python3", "display_name": "Python 3"}
    node = read(tmp_path, make(code(metadata=meta), metadata={"kernelspec": kernel})).node
    assert node.cells[0].metadata == {key: meta[key] for key in ("nbgrader", "tags", "deletable")}
    assert node.metadata.kernelspec == kernel


def test_a_picture_pasted_into_an_answer_is_kept(tmp_path: Path) -> None:
    """Attachments of text cells are part of what a student wrote."""
    cell = {"cell_type": "markdown", "metadata": {}, "source": "![a](attachment:a.png)"}
    cell["attachments"] = {"a.png": {"image/png": "aGk="}}
    node = read(tmp_path, make(cell)).node
    nbformat.validate(node)
    assert node.cells[0].attachments == {"a.png": {"image/png": "aGk="}}


def test_a_byte_order_mark_is_a_note(tmp_path: Path) -> None:
    """Windows editors begin UTF-8 with a mark."""
    found = read(tmp_path, b"\xef\xbb\xbf" + json.dumps(make(code())).encode())
    assert found.notes[0] == "the file began with a byte order mark"


def test_half_characters_can_be_written_again(tmp_path: Path) -> None:
    r"""A lone \ud800 is JSON on the way in, but would not be UTF-8 on the way out."""
    text = json.dumps(make(code("X")))
    node = read(tmp_path, text.replace('"X"', r'"\ud800"').encode()).node
    assert node.cells[0].source == "�"
    json.dumps(node, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "not text in UTF-8"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'{"cells": [\n  1, }', "line 2, column 6"),
        (b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> main\n]}', "merge conflicts"),
        (b'{"a": 1, "a": 2}', "a key occurs twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[" * 5000 + b"]" * 5000, "nested too deep"),
        (b"1" * 5000, "too long"),
        (b'{"a": 1e999}', "1e999"),
        (b"[]", "not a notebook"),
        (b"{}", "`cells` are missing"),
        (b'{"cells": {}}', "not a list"),
        (b'{"nbformat": 3, "worksheets": [1]}', "`worksheets` are missing"),
        (b'{"nbformat": 2, "cells": []}', "notebook format 2"),
        (b'{"nbformat": true, "cells": []}', "notebook format True"),
        (b'{"cells": [1]}', "item 1 of its cells"),
        (b'{"cells": [{"cell_type": "code", "source": 5}]}', "source of cell 1 is not text"),
        (json.dumps(make(*[code()] * 2001)).encode(), "2001 cells"),
    ],
)
def test_what_is_no_notebook_is_told_in_a_sentence(tmp_path: Path, content: bytes, expected: str) -> None:
    """The sentence names the file and what is wrong with it, on one line."""
    with pytest.raises(UnreadableNotebook, match=expected) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith("a.ipynb ")
    assert message[-1] in ".?"
    assert "\n" not in message


def test_too_large_says_how_to_make_it_smaller(tmp_path: Path) -> None:
    """The cap is of bytes on disk."""
    with pytest.raises(UnreadableNotebook, match="Clear its outputs"):
        read(tmp_path, make(code("x" * 1000)), limit=500)


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A link could point at anything."""
    (tmp_path / "real.ipynb").write_text(json.dumps(make(code())))
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    with pytest.raises(UnreadableNotebook, match="not a regular file"):
        read_notebook(tmp_path / "link.ipynb", MIB)


def test_deep_metadata_are_refused(tmp_path: Path) -> None:
    """What is nested deeper than 50 levels would stop whoever copies it."""
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    with pytest.raises(UnreadableNotebook, match="nested deeper"):
        read(tmp_path, make(code(metadata={"nbgrader": {"grade_id": deep}})))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from(["code", "markdown", "raw", "heading", "html", "odd"]) | JSON
OUTPUTS = st.sampled_from(["stream", "display_data", "execute_result", "error", "pyout", "pyerr"]) | JSON
OUTPUT = st.fixed_dictionaries(
    {"output_type": OUTPUTS},
    optional=dict.fromkeys(("name", "text", "data", "metadata", "ename", "traceback", "execution_count"), JSON),
)
CELL = st.fixed_dictionaries(
    {"cell_type": KINDS, "source": st.text(max_size=9) | st.lists(st.text(max_size=5), max_size=2)},
    optional={
        "id": st.sampled_from(["a", "a b"]) | JSON,
        "metadata": st.fixed_dictionaries({}, optional=dict.fromkeys(("nbgrader", "tags", "editable"), JSON)) | JSON,
        "outputs": st.lists(OUTPUT, max_size=3) | JSON,
        "attachments": JSON,
        "execution_count": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELL, max_size=4), metadata=JSON, minor=JSON)
def test_whatever_is_read_is_valid_or_refused(tmp_path: Path, cells: Any, metadata: Any, minor: Any) -> None:
    """Any JSON gives a notebook that nbformat accepts without a warning, or a sentence; never another exception."""
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}
    try:
        found = read(tmp_path, content)
    except UnreadableNotebook:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbformat.validate(found.node)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    """Junk never raises anything but the one exception."""
    with pytest.raises(UnreadableNotebook):
        read(tmp_path, data)
