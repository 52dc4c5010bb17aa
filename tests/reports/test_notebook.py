"""Executed notebooks as pages."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.errors import EvidenceError
from graders.evidence import Evidence, Journal
from graders.lab import Lab
from graders.reports.notebook import markdown, read_cells, shortened, text_of, write_notebook_page

Pages = Callable[[str], Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=[]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
CELL = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON, "source": JSON},
    optional={
        "outputs": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"output_type": st.sampled_from(["stream", "error", "display_data"]) | JSON},
                optional={"text": JSON, "data": JSON, "traceback": JSON, "ename": JSON},
            ),
            max_size=3,
        )
    },
)


@pytest.fixture
def page(evidence: Path, lab: Lab, tmp_path: Path) -> str:
    """The page of part B, whose third cell failed."""
    path = tmp_path / "b.html"
    write_notebook_page(Evidence(evidence).notebooks["b_part.ipynb"], lab.notebook("b_part.ipynb"), lab, path)
    return path.read_text(encoding="utf-8")


def test_failed_cell_is_marked(page: str, safe_page: Pages) -> None:
    """The journal's error stands at the top with a link to its cell, and at the cell."""
    parsed = safe_page(page)
    assert parsed.text.count("raised an error in line 1: FileNotFoundError: gone⟨U+202E⟩") == 2
    assert {"href": "#cell-3"} in parsed.all("a")
    assert any(attrs.get("id") == "cell-3" for attrs in parsed.all("div"))
    assert "Task: The discussion task" in parsed.text


def test_outputs_are_text_or_pictures(page: str, safe_page: Pages) -> None:
    """Colours go, HTML is left out and told, a picture is one only by its bytes."""
    parsed = safe_page(page)
    assert "<pre>red</pre>" in page
    assert "An output of type text/html is not shown." in parsed.text
    assert "An output of type image/png is not shown." in parsed.text
    assert len(parsed.all("img")) == 1
    assert "<script>alert(1)</script>" in parsed.text
    assert "&lt;script&gt;" in page


def test_heading_of_a_text_cell_is_one_level_down(page: str, safe_page: Pages) -> None:
    """The page has one first heading of its own."""
    assert [tag for tag, _ in safe_page(page).tags if tag in {"h1", "h2"}].count("h1") == 1
    assert "<h2>Heading" in page


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("[a](javascript:alert(1))", '<p><a rel="noopener noreferrer">a</a></p>'),
        ("<script>alert(1)</script>b", "b"),
        ("![a dog](https://a.example/x.png)", '<p><img alt="a dog"></p>'),
        ("![a cat](attachment:x.png)", '<p><img alt="a cat"></p>'),
        ("<b onclick='x()' style='position:fixed'>b</b>", "<p><b>b</b></p>"),
        ("###### six", "<h6>six</h6>"),
    ],
)
def test_markdown_is_cleaned(source: str, html: str) -> None:
    """What markdown lets through is cleaned: no scripts, handlers, styles, pictures from elsewhere."""
    assert markdown(source).strip() == html


@pytest.mark.parametrize("source", ["[x][1]\n\n![][1]\n\n[1]: attachment:x.png", "x" * 60_000])
def test_markdown_that_cannot_be_rendered_is_shown_as_written(source: str) -> None:
    """An attachment that is not there, or an endless text, is shown unrendered."""
    assert markdown(source).startswith("<pre>")


@pytest.mark.parametrize("unit", ["> ", "- ", "[", "*", "<b>", "`", "((", "!["])
def test_markdown_nested_without_end_is_no_crash(unit: str) -> None:
    """Thousands of nested quotes, lists or brackets give some text, soon."""
    assert isinstance(markdown(unit * 2000 + "x"), str)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"cells": 3}',
        b'{"cells": [3]}',
        b'{"cells": [], "cells": []}',
        b'{"cells": [NaN]}',
        b"[" * 100_000,
        b"\xff",
        json.dumps({"cells": [{}] * 2001}).encode(),
    ],
)
def test_what_is_no_notebook_is_refused(data: bytes, lab: Lab, tmp_path: Path) -> None:
    """Malformed, doubled, endless or oversized JSON is an error that the page tells."""
    path = tmp_path / "executed.ipynb"
    path.write_bytes(data)
    with pytest.raises(EvidenceError):
        read_cells(path, lab.notebooks[0], Journal(notebook="a_part.ipynb"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cells=st.lists(CELL, max_size=3))
def test_any_cells_give_a_safe_page(
    cells: list[dict[str, Any]],
    evidence: Path,
    lab: Lab,
    tmp_path: Path,
    safe_page: Pages,
    make_notebook: Callable[[Path, list[dict[str, Any]]], Path],
) -> None:
    """Whatever JSON stands in the cells, the page is written, well-formed and inert."""
    make_notebook(evidence / "a_part", cells)
    notebook = Evidence(evidence).notebooks["a_part.ipynb"]
    write_notebook_page(notebook, lab.notebooks[0], lab, tmp_path / "a.html")
    html = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script" not in html.lower()
    assert 'id="cell-' not in html


def test_long_texts_keep_both_ends() -> None:
    """Of a flood the beginning and the end are shown, and how much lies between."""
    text = shortened("a" * 50 + "b" * 50, 20)
    assert text == "a" * 10 + "\n… 80 characters left out …\n" + "b" * 10


def test_text_of_odd_types_is_empty() -> None:
    """Only strings and lists of strings are text."""
    assert text_of(["a", 3, "b"]) == "ab"
    assert text_of({"a": 1}) == ""
