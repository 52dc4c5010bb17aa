"""The wording."""

import pytest

from graders.records import CellRef, Outcome
from graders.reports import words


def test_every_outcome_has_its_own_symbol_and_word() -> None:
    """No two outcomes look alike, so that colour is never needed."""
    assert set(words.OUTCOMES) == set(Outcome)
    assert len({one.symbol for one in words.OUTCOMES.values()}) == len(Outcome)
    assert len({one.word for one in words.OUTCOMES.values()}) == len(Outcome)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (3.25, "3.25"), (2.5, "2.5"), (50.0, "50"), (0.1 + 0.2, "0.3")]
)
def test_number(value: float, text: str) -> None:
    """Points have at most two decimals and no trailing zeros."""
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125.4, "2 min 05 s")]
)
def test_duration(seconds: float, text: str) -> None:
    """Short times have a decimal, long ones minutes."""
    assert words.duration(seconds) == text


def test_place_names_cell_and_line() -> None:
    """Within its own notebook a cell needs no file name; elsewhere it does."""
    cell = CellRef(notebook="a.ipynb", number=7, line=3)
    assert words.place(cell, home="a.ipynb", tasks={}) == "cell [7], line 3"
    assert words.place(cell, home="b.ipynb", tasks={}) == "a.ipynb, cell [7], line 3"
    assert words.place(None, home="a.ipynb", tasks={}) == ""


def test_place_of_a_written_answer_is_its_task() -> None:
    """Text cells have no number; the task's title says where."""
    cell = CellRef(notebook="a.ipynb", task="shape")
    assert words.place(cell, home="a.ipynb", tasks={"shape": "Shape"}) == "answer to “Shape”"


def test_long_lists_are_counted() -> None:
    """Beyond three names only the number of the others is told."""
    assert words.listed(["a", "b"]) == "“a”, “b”"
    assert words.listed(list("abcde")) == "“a”, “b”, “c” and 2 more"
