"""A small lab of two notebooks with graders of its own."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from graders.grading import Graded, grade_evidence
from graders.lab import Lab
from tests.grading.building import EvidenceFolder

_numbers = itertools.count()
IMPORTS = """
from graders.errors import EvidenceError
from graders.grading import *
from graders.models import NotExportable
from graders.records import Verdict
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two checks with a grader and a manual one, in a notebook of three tasks; one check in another notebook."""
    checks = [
        {"id": "a/one", "visibility": "public", "notebook": "a.ipynb", "tasks": ["first"], "points": 2},
        {"id": "a/two", "visibility": "hidden", "notebook": "a.ipynb", "tasks": ["first", "second"], "points": 3},
        {
            "id": "a/essay",
            "visibility": "public",
            "notebook": "a.ipynb",
            "tasks": ["essay"],
            "points": 1,
            "manual": True,
        },
        {"id": "b/none", "visibility": "public", "notebook": "b.ipynb", "tasks": [], "points": 1},
    ]
    tasks = [{"id": name, "kind": "code", "title": f"Task {name}"} for name in ("first", "second")]
    profile = {"title": "quick", "data": "embedded", "epochs": 1, "thresholds": {"a/one": 0.5}}
    seconds = {"cell_seconds": 1, "notebook_seconds": 1, "submission_seconds": 1}
    sizes = ("submission_mb", "notebook_mb", "output_mb", "file_mb", "evaluation_mb")
    return Lab.model_validate(
        {
            "schema": "labmark/lab/1",
            "id": "small",
            "version": "1",
            "title": "A small lab",
            "max_score": 7,
            "graders": "small",
            "seed": 1,
            "input_shape": [1, 28, 28],
            "data": {"dataset": "none", "embedded": "data", "held_out": "data"},
            "limits": dict.fromkeys(sizes, 1),
            "profiles": {"quick": profile | seconds},
            "notebooks": [
                {
                    "file": "a.ipynb",
                    "title": "A",
                    "tasks": [*tasks, {"id": "essay", "kind": "written", "title": "Essay"}],
                },
                {"file": "b.ipynb", "title": "B", "tasks": [{"id": "other", "kind": "code", "title": "Task other"}]},
            ],
            "checks": [{"title": one["id"], "category": "answer", **one} for one in checks],
            "root": tmp_path,
        }
    )


@pytest.fixture
def evidence(tmp_path: Path, lab: Lab) -> EvidenceFolder:
    """Evidence in which both code tasks were touched and every cell ran."""
    folder = EvidenceFolder(tmp_path / "evidence", lab)
    folder["a.ipynb"].answer("first")
    folder["a.ipynb"].answer("second")
    folder["b.ipynb"].answer("other")
    return folder


@pytest.fixture
def graders(tmp_path: Path) -> Callable[..., Path]:
    """Writes graders: the body of each of the three, `return Verdict.passed("fine")` if not given."""

    def write(one: str = "", two: str = "", none: str = "", *, public: str = "", imports: str = IMPORTS) -> Path:
        folder, number = tmp_path / "graders", next(_numbers)
        fine = 'return Verdict.passed("fine")'
        texts = {
            "public": f"{_grader('a/one', one or fine)}{_grader('b/none', none or fine)}{public}",
            "hidden": _grader("a/two", two or fine),
        }
        for visibility, text in texts.items():
            (folder / visibility).mkdir(parents=True)
            (folder / visibility / f"test_small_{visibility}_{number}.py").write_text(imports + text, encoding="utf-8")
        return folder

    return write


def _grader(id_: str, body: str) -> str:
    name = id_.replace("/", "_")
    return f'\n@check("{id_}")\ndef test_{name}(notebook, flags, lab, profile, evidence):\n    {body}\n'


@pytest.fixture
def grade(lab: Lab, evidence: EvidenceFolder, graders: Callable[..., Path]) -> Callable[..., Graded]:
    """Writes the evidence, grades it with graders of these bodies."""

    def run(one: str = "", two: str = "", none: str = "") -> Graded:
        return grade_evidence(evidence.write(), lab, profile="quick", folder=graders(one, two, none))

    return run
