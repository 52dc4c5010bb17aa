"""The reference notebooks: valid, complete, and workable for a student once the solutions are gone."""

import ast
import json
from collections.abc import Iterator

import nbformat
import pytest
from nbformat import NotebookNode

from graders.lab import NotebookSpec, Task, load_lab
from graders.notebooks import notebook_bytes, solved_notebook, template_notebook
from graders.notebooks.cells import grade_id, is_locked, nbgrader, schema_faults
from graders.notebooks.strip import HIDDEN_TESTS, has_region, is_stub, strip_hidden_tests

LAB = load_lab()
SPECS = pytest.mark.parametrize("spec", LAB.notebooks, ids=lambda spec: spec.stem)
TASKS = pytest.mark.parametrize(
    ("spec", "task"), [pytest.param(spec, task, id=task.id) for spec in LAB.notebooks for task in spec.tasks]
)


def read(spec: NotebookSpec) -> NotebookNode:
    """A reference notebook as it is on disk."""
    return nbformat.reads((LAB.root / spec.file).read_text(encoding="utf-8"), as_version=4)


def cells() -> Iterator[NotebookNode]:
    """All cells of all reference notebooks."""
    for spec in LAB.notebooks:
        yield from read(spec).cells


def answer(node: NotebookNode, task: Task) -> NotebookNode:
    """The one cell that answers the task."""
    (cell,) = [cell for cell in node.cells if grade_id(cell) == task.id]
    return cell


@SPECS
def test_file_is_valid_and_written_the_usual_way(spec: NotebookSpec) -> None:
    """A notebook is valid nbformat 4.5, and its bytes are those that labmark itself would write."""
    data = (LAB.root / spec.file).read_bytes()
    node = nbformat.from_dict(json.loads(data))
    assert (node.nbformat, node.nbformat_minor) == (4, 5)
    assert node.metadata.kernelspec.name == "python3"
    assert notebook_bytes(node) == data


@SPECS
def test_nothing_was_run(spec: NotebookSpec) -> None:
    """Reference notebooks hold neither outputs nor execution counts."""
    code = [cell for cell in read(spec).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@SPECS
def test_nbgrader_accepts_the_metadata(spec: NotebookSpec) -> None:
    """Every cell carries metadata of nbgrader's schema 3 that its tools accept, and a readable id that equals it."""
    node = read(spec)
    assert schema_faults(node) == []
    assert [cell.id for cell in node.cells] == [grade_id(cell) for cell in node.cells]
    assert all(nbgrader(cell)["cell_type"] == cell.cell_type for cell in node.cells)


def test_grade_ids_are_unique_in_the_lab() -> None:
    """No id occurs twice, not even in two notebooks."""
    ids = [grade_id(cell) for cell in cells()]
    assert len(ids) == len(set(ids))


@SPECS
def test_every_cell_is_an_answer_or_given(spec: NotebookSpec) -> None:
    """What is no answer to a task of lab.toml is locked and can be neither edited nor deleted."""
    tasks = {task.id for task in spec.tasks}
    for cell in read(spec).cells:
        if grade_id(cell) not in tasks:
            assert is_locked(cell)
            assert (cell.metadata.deletable, cell.metadata.editable) == (False, False)


@TASKS
def test_task_has_its_answer_cell(spec: NotebookSpec, task: Task) -> None:
    """A task has one answer cell: markdown with the check's points if written, else code that is not graded by hand."""
    cell = answer(read(spec), task)
    meta = nbgrader(cell)
    written = task.kind == "written"
    assert cell.cell_type == ("markdown" if written else "code")
    assert (meta["solution"], meta["grade"], meta["locked"]) == (True, written, False)
    if written:
        assert meta["points"] == sum(check.points for check in LAB.checks if check.tasks == (task.id,))


@TASKS
def test_template_is_a_stub_that_parses(spec: NotebookSpec, task: Task) -> None:
    """What a student gets of an answer cell is a stub, or valid Python that holds one and no solution."""
    stub = answer(template_notebook(LAB, spec), task).source
    solution = answer(solved_notebook(LAB, spec), task).source
    assert stub != solution
    if task.kind == "written":
        assert stub == "YOUR ANSWER HERE"
    else:
        ast.parse(stub)
        assert "# YOUR CODE HERE\n" in stub
        assert stub.rstrip().endswith("raise NotImplementedError()")


@TASKS
def test_reference_answers_the_task(spec: NotebookSpec, task: Task) -> None:
    """The reference's own answer is no stub, and is valid Python where it is code."""
    source = answer(solved_notebook(LAB, spec), task).source
    assert not is_stub(source)
    if task.kind == "code":
        ast.parse(source)


@SPECS
def test_given_code_parses(spec: NotebookSpec) -> None:
    """Given code is plain Python, without magics, also once hidden tests are gone."""
    for cell in template_notebook(LAB, spec).cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)


def test_hidden_tests_leave_a_test_behind() -> None:
    """There are hidden tests, and a cell that loses them still tests something."""
    hidden = [cell.source for cell in cells() if has_region(cell.source, HIDDEN_TESTS)]
    assert hidden
    for source in hidden:
        kept = [node for node in ast.walk(ast.parse(strip_hidden_tests(source))) if isinstance(node, ast.Assert)]
        assert kept


@SPECS
def test_names_relied_on_are_told(spec: NotebookSpec) -> None:
    """Every variable, tensor, function and file that is collected is named to the student, in code style."""
    text = "\n".join(cell.source for cell in template_notebook(LAB, spec).cells if cell.cell_type == "markdown")
    names = (*spec.variables, *spec.tensors, *spec.collect, *(probe.function for probe in spec.probes))
    assert [name for name in names if f"`{name}" not in text] == []


def test_points_told_to_students_are_the_labs() -> None:
    """The first notebook's table of points agrees with lab.toml, part by part."""
    table = read(LAB.notebooks[0]).cells[0].source
    told = {line.split("`")[1]: float(line.split("|")[-2]) for line in table.splitlines() if ".ipynb`" in line}
    points = {
        spec.file: sum(check.points for check in LAB.checks if check.notebook == spec.file) for spec in LAB.notebooks
    }
    assert told == points
