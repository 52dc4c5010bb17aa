"""Write the sample class into a folder: python -m tests.sample_class.build FOLDER [STUDENT ...]."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from graders.lab import load_lab
from graders.notebooks.release import solved_notebook, template_notebook
from tests.sample_class.cases import CASES, Case, Notebooks


def write_case(case: Case, folder: Path) -> None:
    """Write one student's folder; a folder that is there is written over, so that builds repeat."""
    lab = load_lab()
    start = solved_notebook if case.start == "solved" else template_notebook
    notebooks: Notebooks = {spec.file: start(lab, spec) for spec in lab.notebooks}
    for edit in case.edits:
        edit(notebooks)
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in notebooks.items():
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    for change in case.files:
        change(folder)


def write_class(folder: Path, students: Iterable[str] = ()) -> list[str]:
    """Write the class, or some students of it; returns their ids."""
    wanted = set(students)
    cases = [case for case in CASES if not wanted or case.student in wanted]
    for case in cases:
        write_case(case, folder / case.student)
    return [case.student for case in cases]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = write_class(Path(sys.argv[1]), sys.argv[2:])
    print(f"{len(names)} submissions in {sys.argv[1]}")
