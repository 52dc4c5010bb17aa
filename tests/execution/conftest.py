"""A small lab with two notebooks, one of which hands a file to the other, run by a kernel that needs no torch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from nbformat import NotebookNode

from graders.evidence import Evidence
from graders.execution import Progress, execute_submission
from graders.lab import Lab
from graders.notebooks import notebook_bytes
from graders.records import Submission
from tests.execution.tiny import LIMITS, SECONDS, STUB, WEIGHTS, Execute, Submit, notebook, spec


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The lab; its graders' folder lies in the temporary folder as well."""
    monkeypatch.setattr("graders.lab.PACKAGE", tmp_path)
    root, pictures = tmp_path / "reference", tmp_path / "tiny" / "pictures"
    (root / "assets").mkdir(parents=True)
    pictures.mkdir(parents=True)
    (root / "assets" / "hello.txt").write_text("hello")
    (pictures / "a.png").write_bytes(b"picture")
    (pictures / "expected.json").write_text("secret")
    (root / "one.ipynb").write_bytes(notebook_bytes(notebook("make")))
    (root / "two.ipynb").write_bytes(notebook_bytes(notebook("use")))
    torch.save({"w": torch.zeros(3)}, root / WEIGHTS)
    check = {"id": "one/made", "title": "Made", "points": 1, "category": "c", "visibility": "public"}
    return Lab.model_validate(
        {
            "schema": "labmark/lab/1",
            "id": "tiny",
            "version": "1",
            "title": "Tiny",
            "max_score": 1,
            "graders": "tiny",
            "seed": 7,
            "input_shape": [1, 2, 2],
            "assets": ["hello.txt"],
            "data": {"dataset": "some.package.DIGITS", "embedded": "data", "held_out": "data"},
            "limits": LIMITS,
            "profiles": {
                "quick": {"title": "q", "data": "embedded", "epochs": 1, "thresholds": {}, **SECONDS},
                "full": {"title": "f", "data": "full", "epochs": 0, "thresholds": {}, **SECONDS},
            },
            "notebooks": [
                spec("one.ipynb", "make", collect=[WEIGHTS, "note.txt"], variables=["answer"]),
                spec("two.ipynb", "use", probes=[{"function": "look", "inputs": "pictures"}]),
            ],
            "handoffs": [
                {"file": WEIGHTS, "kind": "state_dict", "from": "one.ipynb", "to": ["two.ipynb"], "reference": WEIGHTS}
            ],
            "checks": [{**check, "notebook": "one.ipynb", "tasks": ["make"]}],
            "root": root,
        }
    )


@pytest.fixture
def submit(tmp_path: Path) -> Submit:
    """Makes a submission out of notebooks and other files."""

    def make(student: str = "ann", extras: dict[str, Path] | None = None, **notebooks: NotebookNode) -> Submission:
        folder = tmp_path / "in" / student
        folder.mkdir(parents=True, exist_ok=True)
        found = {}
        for name, node in notebooks.items():
            found[f"{name}.ipynb"] = folder / f"{name}.ipynb"
            found[f"{name}.ipynb"].write_bytes(notebook_bytes(node))
        return Submission(student=student, folder=folder, notebooks=found, extras=extras or {})

    return make


@pytest.fixture
def execute(tmp_path: Path, lab: Lab) -> Execute:
    """Runs a submission with the stub runtime and reads its evidence."""
    data = tmp_path / "images"
    data.mkdir()
    (data / "images").write_bytes(b"images")

    def run(submission: Submission, lab: Lab = lab, **options: Any) -> Evidence:
        folder = tmp_path / "out" / submission.student / "evidence"
        told: list[Progress] = options.pop("told", [])
        execute_submission(
            submission,
            lab,
            profile="quick",
            folder=folder,
            data=data,
            store=tmp_path / "store",
            report=told.append,
            runtime=STUB,
            **options,
        )
        return Evidence(folder)

    return run
