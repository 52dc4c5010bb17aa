"""The table of grades."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.lab import Lab
from graders.records import Result, Run
from graders.reports import write_grades_csv
from graders.reports.grades import FORMULA, neutral

Results = Callable[..., Result]
Runs = Callable[..., Run]


def rows(path: Path) -> list[list[str]]:
    """The file read back."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_one_row_a_student(lab: Lab, tmp_path: Path, make_run: Runs, make_result: Results) -> None:
    """Columns are the lab's checks; rows are sorted; what we could not mark is an empty cell."""
    results = [make_result("b"), make_result("a", score=7.5)]
    write_grades_csv(make_run(*results, statuses={"a": "review"}), results, lab, tmp_path / "grades.csv")
    table = rows(tmp_path / "grades.csv")
    assert table[0] == ["student", "status", "score", "max_score", *(check.id for check in lab.checks)]
    assert table[1][:4] == ["a", "review", "7.5", "26"]
    assert table[2] == ["b", "graded", "11.25", "26", "1", "0", "3.25", "5", "1", "0", "0", "", "0", "1"]


def test_student_without_result_has_empty_cells(lab: Lab, tmp_path: Path, make_run: Runs, make_result: Results) -> None:
    """Who could not be read still has a row."""
    write_grades_csv(make_run(make_result("a"), statuses={"a": "unreadable"}), (), lab, tmp_path / "grades.csv")
    assert rows(tmp_path / "grades.csv")[1][4:] == [""] * len(lab.checks)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "  =1+1", "＝1"])
def test_formulas_are_neutralised(text: str) -> None:
    """Text that a spreadsheet would compute gets an apostrophe."""
    assert neutral(text) == f"'{text}"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(id_=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_id_reads_back(id_: str, lab: Lab, tmp_path: Path, make_run: Runs, make_result: Results) -> None:
    """Commas, quotes, line ends and any script survive; no cell begins like a formula."""
    write_grades_csv(make_run(make_result(id_)), [make_result(id_)], lab, tmp_path / "grades.csv")
    table = rows(tmp_path / "grades.csv")
    assert len(table) == 2
    assert table[1][0].removeprefix("'") == id_.removeprefix("'")
    assert not table[1][0].lstrip(" ").startswith(FORMULA)


def test_lone_surrogate_does_not_stop_a_class(lab: Lab, tmp_path: Path, make_run: Runs, make_result: Results) -> None:
    """An id that UTF-8 cannot hold is written escaped."""
    write_grades_csv(make_run(make_result("a\ud800")), (), lab, tmp_path / "grades.csv")
    assert rows(tmp_path / "grades.csv")[1][0] == "a\\ud800"
