"""A lab of one small notebook, and the real one, for the tests of notebooks."""

import json
from pathlib import Path
from typing import Any

import pytest

from graders.lab import Lab, load_lab

LAB = """
schema = "labmark/lab/1"
id = "tiny"
version = "1"
title = "Tiny"
max_score = 3
graders = "tiny"
seed = 1
input_shape = [1, 2, 2]
assets = ["picture.png"]

[data]
dataset = "some.Dataset"
embedded = "data"
held_out = "data"

[limits]
submission_mb = 1
notebook_mb = 1
output_mb = 1
file_mb = 1
evaluation_mb = 1

[profiles.quick]
title = "quick"
data = "embedded"
epochs = 1
cell_seconds = 1
notebook_seconds = 1
submission_seconds = 1
thresholds = {}

[[notebooks]]
file = "tiny.ipynb"
title = "Tiny"
collect = ["out.weights"]
tasks = [
  { id = "question", kind = "written", title = "A question" },
  { id = "program", kind = "code", title = "A program" },
]

[[checks]]
id = "t/question"
title = "A question"
points = 1
category = "answer"
visibility = "public"
notebook = "tiny.ipynb"
tasks = ["question"]

[[checks]]
id = "t/program"
title = "A program"
points = 2
category = "function"
visibility = "hidden"
notebook = "tiny.ipynb"
tasks = ["program"]
"""


def cell(kind: str, name: str, source: str, **flags: Any) -> dict[str, Any]:
    """A cell as it stands in a file, with nbgrader's flags."""
    meta = {"grade": False, "locked": True, "solution": False, "grade_id": name, "schema_version": 3, **flags}
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"nbgrader": meta}, "source": source}
    if kind == "code":
        made.update(execution_count=3, outputs=[{"output_type": "stream", "name": "stdout", "text": "old\n"}])
    return made


def tiny_cells() -> list[dict[str, Any]]:
    """The cells of the tiny reference notebook."""
    answer = {"locked": False, "solution": True}
    program = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    tests = "assert double(1) == 2\n### BEGIN HIDDEN TESTS\nassert double(2) == 4\n### END HIDDEN TESTS"
    return [
        cell("markdown", "intro", "# Tiny\nHow many maps does `conv` make?"),
        cell("markdown", "question", "32, a secret", grade=True, points=1, **answer),
        cell("code", "setup", "import math"),
        cell("markdown", "ask", "Write `double`."),
        cell("code", "program", program, **answer),
        cell("code", "test", tests, grade=True, points=2),
    ]


def notebook(cells: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A notebook of format 4.5."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5, **changes}


def write_lab(root: Path, cells: list[dict[str, Any]], text: str = LAB) -> Lab:
    """Write a reference folder and load it."""
    (root / "assets").mkdir(parents=True, exist_ok=True)
    (root / "assets" / "picture.png").write_bytes(b"png")
    (root / "lab.toml").write_text(text)
    (root / "tiny.ipynb").write_text(json.dumps(notebook(cells)))
    return load_lab(root / "lab.toml")


@pytest.fixture
def tiny(tmp_path: Path) -> Lab:
    """The tiny lab."""
    return write_lab(tmp_path / "reference", tiny_cells())


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this repository."""
    return load_lab()
