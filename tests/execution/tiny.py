"""Notebooks of a small lab, for tests of running them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4

from graders.evidence import Evidence
from graders.records import Submission

Submit = Callable[..., Submission]
Execute = Callable[..., Evidence]

STUB = Path(__file__).parent / "stub_runtime"
WEIGHTS = "net.weights"
LIMITS = {"submission_mb": 50, "notebook_mb": 5, "output_mb": 1, "file_mb": 2, "evaluation_mb": 1024}
SECONDS = {"cell_seconds": 20, "notebook_seconds": 60, "submission_seconds": 120}


def answer(task: str, source: str) -> NotebookNode:
    """A code cell that answers a task."""
    flags = {"schema_version": 3, "grade": False, "solution": True, "locked": False, "grade_id": task}
    return v4.new_code_cell(source, metadata={"nbgrader": flags}, id=task)


def notebook(task: str, *sources: str) -> NotebookNode:
    """A notebook of code cells, the first of which answers a task."""
    cells = [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources[1:], 1)]
    return v4.new_notebook(cells=[answer(task, sources[0] if sources else "1"), *cells])


def spec(file: str, task: str, **more: Any) -> dict[str, Any]:
    """A notebook of the lab with one task."""
    return {"file": file, "title": file, "tasks": [{"id": task, "kind": "code", "title": task}], **more}
