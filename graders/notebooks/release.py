"""The students' template, made from the reference: the same bytes on every machine."""

import tempfile
import warnings
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from graders.errors import LabError
from graders.lab import Lab, NotebookSpec, Task
from graders.notebooks.cells import checksum, grade_id, is_graded, is_locked, is_solution, schema_faults
from graders.notebooks.read import MIB, UnreadableNotebook, read_notebook
from graders.notebooks.strip import (
    HIDDEN_TESTS,
    SOLUTION,
    STUBS,
    Kind,
    has_region,
    keep_solutions,
    strip_hidden_tests,
    strip_solutions,
)

IGNORED = (".ipynb_checkpoints", "__pycache__")


def build_template(lab: Lab, folder: Path) -> list[Path]:
    """Write the template: every notebook stripped, and the lab's assets beside them.

    Everything is built before anything is replaced; files that are not part of the template stay.

    Returns:
        The files of the template, in the lab's order.

    Raises:
        LabError: a reference notebook or asset is missing or wrong; then nothing was written.
    """
    files = template_files(lab)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".labmark-", dir=folder) as built:
        for name, data in files.items():
            (Path(built) / name).write_bytes(data)
        for name in files:
            (Path(built) / name).replace(folder / name)
    return [folder / name for name in files]


def stale_files(lab: Lab, folder: Path) -> list[str]:
    """Say how a folder differs from the template: a clause for every differing, missing or extra file.

    Raises:
        LabError: as `build_template`.
    """
    files = template_files(lab)
    sentences = []
    for name, data in files.items():
        path = folder / name
        if not path.is_file():
            sentences.append(f"{name} is missing")
        elif path.read_bytes() != data:
            sentences.append(f"{name} is not what {lab.root.name}/ gives today")
    present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    extra = [name for name in present if name not in files and name not in IGNORED]
    return sentences + [f"{name} is not part of the template" for name in extra]


def template_files(lab: Lab) -> dict[str, bytes]:
    """The template by file name.

    Raises:
        LabError: a reference notebook or asset is missing or wrong.
    """
    files = {spec.file: notebook_bytes(template_notebook(lab, spec)) for spec in lab.notebooks}
    for name in lab.assets:
        path = lab.root / "assets" / name
        if not path.is_file():
            raise LabError.at(
                lab.root / "lab.toml", "assets", f"assets/{name} is not there", "Add it, or take it off the list"
            )
        files[name] = path.read_bytes()
    return files


def template_notebook(lab: Lab, spec: NotebookSpec) -> NotebookNode:
    """What students get of one reference notebook.

    Solution regions become stubs (the whole cell, where an answer cell has none), hidden tests, outputs and counts
    go, nbgrader's checksums are computed, given cells cannot be edited and no cell with an id be deleted.

    Raises:
        LabError: the notebook is missing, or breaks a rule of the lab, of nbformat or of nbgrader.
    """
    node = reference_notebook(lab, spec)
    for index, cell in enumerate(node.cells, 1):
        _strip_cell(cell, f"{spec.file}, cell {index}")
    faults = _task_faults(node, spec) + schema_faults(node)
    if faults:
        raise LabError.at(spec.file, "nbgrader metadata", "; ".join(faults), "Mend them in the reference notebook")
    return node


def solved_notebook(lab: Lab, spec: NotebookSpec) -> NotebookNode:
    """A perfect submission: the template with the reference's solutions, without their markers.

    Raises:
        LabError: as `template_notebook`.
    """
    node, reference = template_notebook(lab, spec), reference_notebook(lab, spec)
    for index, (cell, solved) in enumerate(zip(node.cells, reference.cells, strict=True), 1):
        where = f"{spec.file}, cell {index}"
        cell.source = keep_solutions(strip_hidden_tests(solved.source, where), where)
    return node


def reference_notebook(lab: Lab, spec: NotebookSpec) -> NotebookNode:
    """The instructor's notebook, as it is.

    Raises:
        LabError: it is missing or unreadable.
    """
    path = lab.root / spec.file
    if not path.is_file():
        raise LabError.at(
            path, "file", "the reference notebook is not there", "Add it, or mend notebooks.file in lab.toml"
        )
    try:
        return read_notebook(path, lab.limits.notebook_mb * MIB).node
    except UnreadableNotebook as error:
        raise LabError.at(path, "file", str(error).rstrip("."), "Open it in Jupyter and save it") from error


def notebook_bytes(node: NotebookNode) -> bytes:
    """The one way in which labmark writes a notebook: keys sorted, indent 1, UTF-8, one newline at the end.

    Raises:
        LabError: it is not a valid notebook.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            nbformat.validate(node)
    except (nbformat.ValidationError, Warning) as error:
        raise LabError(f"not a valid notebook: {str(error).splitlines()[0]}") from error
    text: str = nbformat.v4.writes(node)
    return (text + "\n").encode()


def _strip_cell(cell: NotebookNode, where: str) -> None:
    """Strip one cell in place."""
    kind: Kind = "code" if cell.cell_type == "code" else "written"
    if has_region(cell.source, SOLUTION) and not is_solution(cell):
        raise LabError.at(where, "nbgrader.solution", "a solution region in a cell that is no answer", "Set it to true")
    if has_region(cell.source, HIDDEN_TESTS) and not is_graded(cell):
        raise LabError.at(where, "nbgrader.grade", "hidden tests in a cell that is not graded", "Set it to true")
    source = strip_hidden_tests(cell.source, where)
    if is_solution(cell):
        whole = not has_region(source, SOLUTION)
        source = "\n".join(STUBS[kind]) if whole else strip_solutions(source, kind, where)
    cell.source = source
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if grade_id(cell) is not None:
        _seal(cell)


def _seal(cell: NotebookNode) -> None:
    """Add what nbgrader adds to a student's version of a cell."""
    cell.metadata.nbgrader.update(checksum=checksum(cell), cell_type=cell.cell_type)
    cell.metadata.deletable = False
    cell.metadata.pop("editable", None)
    if is_locked(cell):
        cell.metadata.editable = False


def _task_faults(node: NotebookNode, spec: NotebookSpec) -> list[str]:
    """How lab.toml's tasks and the notebook's answer cells disagree."""
    answers = [cell for cell in node.cells if is_solution(cell)]
    ids = [grade_id(cell) for cell in answers]
    tasks = {task.id: task for task in spec.tasks}
    faults = [f"task {name} of lab.toml has no answer cell" for name in tasks if name not in ids]
    faults += [f"answer cell {name} is no task of lab.toml" for name in ids if name not in tasks]
    faults += [
        fault for cell in answers if (task := tasks.get(grade_id(cell) or "")) for fault in _kind_fault(cell, task)
    ]
    order = [name for name in ids if name in tasks]
    if not faults and order != list(tasks):
        faults.append(f"the answer cells stand in the order {', '.join(map(str, order))}, the tasks of lab.toml do not")
    return faults


def _kind_fault(cell: NotebookNode, task: Task) -> list[str]:
    expected = "code" if task.kind == "code" else "markdown"
    return [] if cell.cell_type == expected else [f"task {task.id} is {task.kind}, its cell is {cell.cell_type}"]
