"""Exceptions as the kernel tells them."""

from typing import Any

import pytest

from graders.execution.traces import cell_error

FRAMES = [
    "\x1b[31m-----\x1b[39m",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 2\x1b[39m\n",
    "Cell In[1], line 9, in f()\n",
    "Cell In[4], line 5, in <lambda>()\n",
    "File /usr/lib/x.py:77, in g()\n",
]


def test_innermost_line_of_the_cell_itself() -> None:
    """Lines of other cells and of files are passed over; colours are taken out."""
    error = cell_error({"ename": "E", "evalue": "\x1b[31mred\x1b[0m", "traceback": FRAMES}, 4)
    assert (error.name, error.value, error.line) == ("E", "red", 5)


def test_lines_count_from_the_first_of_the_cell() -> None:
    """Empty lines before the code, which IPython does not count, are added."""
    assert cell_error({"ename": "E", "traceback": FRAMES}, 4, "\n  \ncode").line == 7


def test_line_of_a_syntax_error() -> None:
    """Where no traceback names the cell, a SyntaxError's own words do; those of others do not count."""
    evalue = "invalid syntax (123.py, line 3)"
    assert cell_error({"ename": "SyntaxError", "evalue": evalue}, 1).line == 3
    assert cell_error({"ename": "ValueError", "evalue": evalue}, 1).line is None


@pytest.mark.parametrize(
    "content",
    [{}, {"ename": 3, "evalue": [], "traceback": "x"}, {"ename": None, "traceback": [1, None]}],
)
def test_anything_gives_a_record(content: dict[str, Any]) -> None:
    """A reply may hold anything, or nothing."""
    error = cell_error(content, None)
    assert (error.name, error.line) == ("unknown", None)


def test_long_words_are_cut() -> None:
    """At most 2,000 characters of a message are kept."""
    assert len(cell_error({"ename": "E" * 1000, "evalue": "x" * 5000}, 1).value) == 2000
