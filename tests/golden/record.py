"""Write what a marking of the sample class gave as the expected results: python -m tests.golden.record OUT.

Read every line of the difference before committing it: these files say which mark a person gets.
"""

import json
import sys
from pathlib import Path
from typing import Any

from graders.engines.files import read_result, read_run
from graders.records import Result
from tests.sample_class.cases import CASES

GOLDEN = Path(__file__).parent


def condensed(result: Result) -> dict[str, Any]:
    """What a case promises: the score, how each notebook ended, and of each check outcome, points, code and cell."""
    return {
        "score": result.score,
        "notebooks": {one.name: one.status for one in result.notebooks},
        "checks": {
            check.id: [
                check.outcome.value,
                check.points,
                check.code,
                check.cell.number if check.cell is not None else None,
            ]
            for check in result.checks
        },
    }


def expected(student: str) -> dict[str, Any]:
    """The stored result of a case."""
    stored: dict[str, Any] = json.loads((GOLDEN / student / "expected.json").read_text(encoding="utf-8"))
    return stored


def as_text(case: dict[str, Any]) -> str:
    """One check a line, so that a difference is easy to read."""
    lines = [f'  "{name}": {json.dumps(value)}' for name, value in case["checks"].items()]
    body = ",\n".join(f" {line}" for line in lines)
    notebooks = json.dumps(case["notebooks"])
    return f'{{\n "score": {case["score"]},\n "notebooks": {notebooks},\n "checks": {{\n{body}\n }}\n}}\n'


def record(out: Path) -> None:
    """Write expected.json for every case that the run in `out` has a result of."""
    run = read_run(out)
    if run is None:
        sys.exit(f"{out} holds no finished run")
    for line in run.students:
        result = read_result((out / line.result).parent)
        if result is not None and line.id in {case.student for case in CASES}:
            folder = GOLDEN / line.id
            folder.mkdir(exist_ok=True)
            (folder / "expected.json").write_text(as_text(condensed(result)), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    record(Path(sys.argv[1]))
