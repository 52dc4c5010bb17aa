"""nbgrader's metadata, in all its schemas and out of them."""

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from graders.notebooks.cells import (
    checksum,
    code_numbers,
    first_line,
    grade_id,
    is_graded,
    is_locked,
    is_solution,
    points,
    schema_faults,
)

FULL: dict[str, Any] = {"schema_version": 3, "grade": False, "locked": False, "solution": True, "grade_id": "a"}


def cell(kind: str = "code", source: str = "x", **meta: Any) -> Any:
    """A cell with these keys in its nbgrader object."""
    make = new_code_cell if kind == "code" else new_markdown_cell
    return make(source, metadata={"nbgrader": meta} if meta else {})


@pytest.mark.parametrize("schema", [0, 1, 2, 3])
def test_flags_are_read_in_every_schema(schema: int) -> None:
    """The names of the flags never changed."""
    one = cell(schema_version=schema, grade=True, solution=False, grade_id="cell-110a1189124033d9", points=2)
    assert (grade_id(one), is_graded(one), is_solution(one), is_locked(one)) == (
        "cell-110a1189124033d9",
        True,
        False,
        True,
    )
    assert points(one) == 2.0


def test_an_answer_is_never_locked() -> None:
    """A solution cell is the student's, whatever its locked flag says."""
    assert not is_locked(cell(solution=True, grade=True, locked=True))


def test_a_cell_without_metadata_is_nobody() -> None:
    """Plain cells have no id and no flags."""
    assert (grade_id(cell()), is_graded(cell()), is_solution(cell()), is_locked(cell())) == (None, False, False, False)


@pytest.mark.parametrize("meta", ["text", 5, None, [], {"grade_id": 7, "solution": "yes", "points": {}, "grade": 1}])
def test_forged_metadata_never_raise(meta: object) -> None:
    """Values of other types count as absent."""
    one = new_code_cell("x", metadata={"nbgrader": meta})
    assert (grade_id(one), is_solution(one), is_graded(one), points(one)) == (None, False, False, 0.0)


@pytest.mark.parametrize(
    ("given", "expected"), [(2, 2.0), ("3", 3.0), ("", 0.0), (-1, 0.0), (True, 0.0), ("nan", 0.0), (10**400, 0.0)]
)
def test_points_are_a_finite_number(given: object, expected: float) -> None:
    """Schema 0 wrote text; nothing below zero, nothing infinite."""
    assert points(cell(grade=True, points=given)) == expected


def test_checksum_is_nbgraders() -> None:
    """The values are those of nbgrader 0.9.6's compute_checksum for the same cells."""
    assert checksum(cell("code", "def f():\n    pass", **FULL)) == "bf798eca140b54022b95b5d9517cb2e1"
    graded = {**FULL, "grade": True, "points": 2, "grade_id": "b"}
    assert checksum(cell("markdown", "é", **graded)) == "a3b62343e91ec0f2f47976ba7c8b125d"


def test_checksum_tells_source_and_points_apart() -> None:
    """Whatever is hashed changes the sum."""
    graded = {**FULL, "grade": True, "points": 1}
    sums = {
        checksum(cell("code", "a", **FULL)),
        checksum(cell("code", "b", **FULL)),
        checksum(cell("code", "a", **graded)),
        checksum(cell("code", "a", **{**graded, "points": 2})),
        checksum(cell("markdown", "a", **FULL)),
    }
    assert len(sums) == 5


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# note\n\nx = 1\ny = 2", "x = 1"),
        ("# only a note", "# only a note"),
        ("\n---\n", ""),
        ("", ""),
        ("a" * 200, "a" * 80),
    ],
)
def test_first_line_says_something(source: str, expected: str) -> None:
    """Code before comments, nothing longer than a line of a report."""
    assert first_line(source) == expected


def test_code_cells_are_counted_as_jupyter_counts_them() -> None:
    """In [n] after Run all counts code cells only."""
    assert code_numbers(new_notebook(cells=[cell("markdown"), cell(), cell("markdown"), cell()])) == {1: 1, 3: 2}


def test_a_sound_notebook_has_no_faults() -> None:
    """Plain cells and full metadata are fine."""
    assert schema_faults(new_notebook(cells=[cell(), cell(**FULL)])) == []


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("code", {"schema_version": 1}, "schema_version is 1, expected 3"),
        ("code", {"extra": 1}, "unknown keys extra"),
        ("code", {"grade_id": "a b"}, "grade_id is missing or has other characters"),
        ("code", {"grade": True}, "needs points"),
        ("code", {"locked": "no"}, "true or false"),
        ("markdown", {}, "graded and a solution, or neither"),
    ],
)
def test_faults_name_the_cell_and_the_rule(kind: str, change: dict[str, Any], expected: str) -> None:
    """Each rule of nbgrader's schema 3 is told."""
    (fault,) = schema_faults(new_notebook(cells=[cell(kind, **{**FULL, **change})]))
    assert fault.startswith("cell 1 (")
    assert expected in fault


def test_an_id_that_occurs_twice_is_a_fault() -> None:
    """Nbgrader refuses duplicate ids."""
    assert schema_faults(new_notebook(cells=[cell(**FULL), cell(**FULL)])) == ["cell 2: grade_id a occurs twice"]


def test_a_missing_key_is_a_fault() -> None:
    """The four required keys must be there."""
    meta = {key: value for key, value in FULL.items() if key != "locked"}
    assert "lacks locked" in schema_faults(new_notebook(cells=[cell(**meta)]))[0]
