"""What the metadata of a cell say: nbgrader's flags in its schemas 0 to 3, read without trusting their types.

Source: nbgrader's cell metadata, https://nbgrader.readthedocs.io/en/stable/contributor_guide/metadata.html
"""

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

SCHEMA_VERSION = 3
GRADE_ID = re.compile(r"[a-zA-Z0-9_\-]+")
REQUIRED = ("schema_version", "grade", "locked", "solution")
ALLOWED = {*REQUIRED, "task", "grade_id", "points", "checksum", "cell_type"}
FIRST_LINE = 80


def nbgrader(cell: NotebookNode) -> dict[str, Any]:
    """The cell's nbgrader object; empty where there is none."""
    found = cell.get("metadata", {}).get("nbgrader")
    return found if isinstance(found, dict) else {}


def _flag(cell: NotebookNode, name: str) -> bool:
    return nbgrader(cell).get(name) is True


def grade_id(cell: NotebookNode) -> str | None:
    """The id that nbgrader gave the cell, None where it has none."""
    found = nbgrader(cell).get("grade_id")
    return found if isinstance(found, str) and GRADE_ID.fullmatch(found) else None


def is_solution(cell: NotebookNode) -> bool:
    """Whether the cell is the student's to fill in."""
    return _flag(cell, "solution")


def is_graded(cell: NotebookNode) -> bool:
    """Whether the cell is worth points in nbgrader."""
    return _flag(cell, "grade")


def is_locked(cell: NotebookNode) -> bool:
    """Whether the cell is given: marked as locked, or a graded test that is no answer; an answer never is."""
    return not is_solution(cell) and (is_graded(cell) or _flag(cell, "locked"))


def points(cell: NotebookNode) -> float:
    """Points in nbgrader; 0 where the cell is not graded or its points are no number (schema 0 writes text)."""
    found = nbgrader(cell).get("points")
    if not is_graded(cell) or isinstance(found, bool):
        return 0.0
    try:
        number = float(found) if isinstance(found, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def checksum(cell: NotebookNode) -> str:
    """Compute nbgrader's checksum of a cell with a grade_id.

    The md5, in hexadecimal, of these texts in UTF-8, one directly after the other: the source; the cell's type; `True`
    or `False` for graded, for solution and for locked (as `is_locked` has it, so never for a solution);
    the grade_id; and, of a graded cell, its points as Python writes a float (`2.0`).
    """
    parts = [cell.source, cell.cell_type, *(str(f(cell)) for f in (is_graded, is_solution, is_locked))]
    parts.append(grade_id(cell) or "")
    if is_graded(cell):
        parts.append(str(points(cell)))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def first_line(source: str) -> str:
    """The first line that says something, at most 80 characters: code before comments, text before rulers."""
    lines = [line.strip() for line in source.splitlines() if line.strip(" \t#-*_=")]
    code = [line for line in lines if not line.startswith("#")]
    return (code or lines or [""])[0][:FIRST_LINE]


def code_numbers(node: NotebookNode) -> dict[int, int]:
    """Index among all cells -> position among the code cells, from 1."""
    code = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
    return {index: number for number, index in enumerate(code, 1)}


def schema_faults(node: NotebookNode) -> list[str]:
    """What nbgrader's own tools would refuse in a notebook of schema 3, a clause for each fault."""
    faults, seen = [], set()
    for index, cell in enumerate(node.cells):
        if "nbgrader" not in cell.metadata:
            continue
        name = grade_id(cell)
        faults += [f"cell {index + 1} ({name or 'no grade_id'}): {fault}" for fault in _cell_faults(cell)]
        if name is not None and name in seen:
            faults.append(f"cell {index + 1}: grade_id {name} occurs twice")
        seen.add(name)
    return faults


def _cell_faults(cell: NotebookNode) -> Iterator[str]:
    meta = nbgrader(cell)
    missing, extra = [key for key in REQUIRED if key not in meta], sorted(set(meta) - ALLOWED)
    if missing:
        yield f"nbgrader lacks {', '.join(missing)}"
    if extra:
        yield f"nbgrader has unknown keys {', '.join(extra)}"
    if meta.get("schema_version") != SCHEMA_VERSION:
        yield f"nbgrader.schema_version is {meta.get('schema_version')}, expected {SCHEMA_VERSION}"
    if not all(isinstance(meta.get(key, False), bool) for key in ("grade", "locked", "solution", "task")):
        yield "grade, locked, solution and task must be true or false"
    if grade_id(cell) is None:
        yield "grade_id is missing or has other characters than letters, digits, _ and -"
    if is_graded(cell) and (isinstance(meta.get("points"), bool) or not isinstance(meta.get("points"), int | float)):
        yield "a graded cell needs points"
    if cell.cell_type == "markdown" and not _flag(cell, "task") and is_graded(cell) != is_solution(cell):
        yield "a markdown cell must be graded and a solution, or neither"
