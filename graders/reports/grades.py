"""`grades.csv`: one row a student, one column a check."""

import csv
from collections.abc import Sequence
from pathlib import Path

from graders.lab import Lab
from graders.records import Outcome, Result, Run, StudentLine
from graders.reports.words import number

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_grades_csv(run: Run, results: Sequence[Result], lab: Lab, path: Path) -> None:
    """Write the table of grades, sorted by student.

    Columns: student, status, score, max_score, then the points of every check of the lab. A check that could not
    be marked through our own fault, or that has no result, has an empty cell.
    """
    by_id = {result.student: result for result in results}
    checks = [spec.id for spec in lab.checks]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "status", "score", "max_score", *map(neutral, checks)])
        for line in sorted(run.students, key=lambda line: line.id):
            writer.writerow(_row(line, by_id.get(line.id), checks))


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula: what begins like one gets a leading apostrophe."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _row(line: StudentLine, result: Result | None, checks: Sequence[str]) -> list[str]:
    marked = (
        {} if result is None else {one.id: one for one in result.checks if one.outcome is not Outcome.HARNESS_ERROR}
    )
    points = [number(marked[id_].points) if id_ in marked else "" for id_ in checks]
    return [neutral(line.id), line.status, number(line.score), number(line.max_score), *points]
