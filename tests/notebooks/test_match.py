"""Which cells answer which task, whatever has become of the notebook."""

import random
import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from graders.lab import Lab, NotebookSpec
from graders.notebooks.match import match_tasks
from graders.notebooks.release import solved_notebook, template_notebook

PARTS = range(4)


@pytest.fixture(params=PARTS, ids=["part 1", "part 2", "part 3", "part 4"])
def part(request: pytest.FixtureRequest, lab: Lab) -> tuple[NotebookSpec, NotebookNode, NotebookNode]:
    """Each notebook of the lab: its description, its template, a solved submission."""
    spec = lab.notebooks[request.param]
    return spec, template_notebook(lab, spec), solved_notebook(lab, spec)


@pytest.fixture
def first(lab: Lab) -> tuple[NotebookSpec, NotebookNode, NotebookNode]:
    """Part 1 alone."""
    spec = lab.notebooks[0]
    return spec, template_notebook(lab, spec), solved_notebook(lab, spec)


def bare(node: NotebookNode) -> NotebookNode:
    """The notebook as Colab or VS Code may leave it: no metadata, new ids."""
    node = deepcopy(node)
    for index, cell in enumerate(node.cells):
        cell.metadata, cell.id = NotebookNode(), f"x{index}"
    return node


def places(spec: NotebookSpec, node: NotebookNode) -> dict[int, str]:
    """Where the tasks stand in a notebook that still has its metadata."""
    ids = {task.id for task in spec.tasks}
    found = [(index, cell.metadata.get("nbgrader", {}).get("grade_id")) for index, cell in enumerate(node.cells)]
    return {index: name for index, name in found if name in ids}


def place(node: NotebookNode, name: str) -> int:
    """Index of the cell of that grade_id."""
    return next(i for i, cell in enumerate(node.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def test_by_id(part: Any) -> None:
    """Template and solution match themselves."""
    spec, template, solved = part
    assert match_tasks(spec, template, template) == places(spec, template)
    assert match_tasks(spec, template, solved) == places(spec, template)


def test_without_metadata(part: Any) -> None:
    """Content and position are enough, solved or untouched."""
    spec, template, solved = part
    assert match_tasks(spec, template, bare(solved)) == places(spec, template)
    assert match_tasks(spec, template, bare(template)) == places(spec, template)


def test_by_the_cells_own_id(first: Any) -> None:
    """A cell whose own id is the task's needs no nbgrader metadata."""
    spec, template, solved = first
    node = bare(solved)
    node.cells[0] = new_code_cell("x = 1", id="bettercnn-save")
    assert match_tasks(spec, template, node)[0] == "bettercnn-save"


def test_a_copied_cell_belongs_to_the_task_too(first: Any) -> None:
    """Two cells of one grade_id are both its answer."""
    spec, template, solved = first
    at = place(solved, "bettercnn-train")
    node = deepcopy(solved)
    node.cells.insert(at + 1, deepcopy(node.cells[at]))
    found = match_tasks(spec, template, node)
    assert [i for i, name in found.items() if name == "bettercnn-train"] == [at, at + 1]


@pytest.mark.parametrize("lost", [False, True])
def test_a_split_cell_stays_with_its_task(first: Any, lost: bool) -> None:
    """The half that lost its id stands beside the one that kept it; both may have lost it."""
    spec, template, solved = first
    at = place(solved, "bettercnn-train")
    lines = solved.cells[at].source.split("\n")
    node = bare(solved) if lost else deepcopy(solved)
    node.cells[at].source = "\n".join(lines[: len(lines) // 2])
    node.cells.insert(at + 1, new_code_cell("\n".join(lines[len(lines) // 2 :])))
    found = match_tasks(spec, template, node)
    assert [i for i, name in found.items() if name == "bettercnn-train"] == [at, at + 1]
    assert len(found) == 6


@pytest.mark.parametrize("lost", [False, True])
def test_a_deleted_answer_is_missing_and_takes_no_other(first: Any, lost: bool) -> None:
    """The other tasks keep their cells."""
    spec, template, solved = first
    at = place(solved, "bettercnn-train")
    node = bare(solved) if lost else deepcopy(solved)
    del node.cells[at]
    expected = {i - (i > at): name for i, name in places(spec, solved).items() if i != at}
    assert match_tasks(spec, template, node) == expected


def test_an_answer_written_below_an_untouched_stub_is_found(first: Any) -> None:
    """The new text cell belongs to the question, and so does the stub."""
    spec, template, _ = first
    node = deepcopy(template)
    at = place(node, "conv1-shape")
    node.cells.insert(at + 1, new_markdown_cell("32 x 24 x 24"))
    found = match_tasks(spec, template, node)
    assert [i for i, name in found.items() if name == "conv1-shape"] == [at, at + 1]


def test_a_trial_cell_beside_a_question_is_nobodys(first: Any) -> None:
    """The lab asks students to try shapes out in code cells of their own."""
    spec, template, solved = first
    node = deepcopy(solved)
    at = place(node, "conv1-shape")
    node.cells.insert(at, new_code_cell("print(SimpleCNN().conv1(images).shape)"))
    assert at not in match_tasks(spec, template, node)


def test_cells_before_the_first_and_after_the_last_task_are_nobodys(first: Any) -> None:
    """Installing at the top and playing at the end answer nothing."""
    spec, template, solved = first
    node = deepcopy(solved)
    node.cells.insert(0, new_code_cell("!pip install torchbearer"))
    node.cells.append(new_code_cell("print('done')"))
    assert match_tasks(spec, template, node) == {i + 1: name for i, name in places(spec, solved).items()}


def test_a_class_moved_elsewhere_is_found_by_its_name(first: Any) -> None:
    """The model's cell, deleted and written anew at the top, without an id."""
    spec, template, solved = first
    node = deepcopy(solved)
    cell = node.cells.pop(place(node, "bettercnn-model"))
    node.cells.insert(3, new_code_cell(cell.source))
    assert match_tasks(spec, template, node)[3] == "bettercnn-model"


def test_a_copy_of_given_code_is_no_answer(first: Any) -> None:
    """Running the evaluation once more below one's training adds nothing to the training."""
    spec, template, solved = first
    node = deepcopy(solved)
    at = place(node, "bettercnn-train")
    node.cells.insert(at + 1, new_code_cell(node.cells[place(node, "cnn-simple-evaluate")].source))
    assert at + 1 not in match_tasks(spec, template, node)


def test_a_remark_away_from_an_answer_is_no_part_of_it(first: Any) -> None:
    """Unless the answer's own cell was left as it is: then the remark is all there is."""
    spec, template, solved = first
    at = place(solved, "conv1-shape")
    for node, part_of_it in ((deepcopy(solved), False), (deepcopy(template), True)):
        node.cells[at + 1 : at + 1] = [new_code_cell("print(1)"), new_markdown_cell("32 maps, I think")]
        assert (at + 2 in match_tasks(spec, template, node)) is part_of_it


def test_a_stub_and_a_text_above_it_are_both_the_answers(first: Any) -> None:
    """Also without any metadata."""
    spec, template, _ = first
    node = bare(template)
    at = place(template, "conv1-shape")
    node.cells.insert(at, new_markdown_cell("32 maps"))
    found = match_tasks(spec, template, node)
    assert [i for i, name in found.items() if name == "conv1-shape"] == [at, at + 1]


def test_a_test_of_another_edition_does_not_take_a_deleted_answers_place(first: Any) -> None:
    """A cell that nbgrader knows as given never answers anything."""
    spec, template, solved = first
    node = deepcopy(solved)
    meta = {"grade": True, "solution": False, "locked": True, "grade_id": "cell-77", "points": 1, "schema_version": 1}
    test = new_code_cell("torch.save(model.state_dict(), 'bettercnn.weights')", metadata={"nbgrader": meta})
    node.cells[place(node, "bettercnn-save")] = test
    assert "bettercnn-save" not in match_tasks(spec, template, node).values()


def test_a_cell_marked_as_an_answer_goes_before_one_that_is_not(first: Any) -> None:
    """An older edition's answer is known by its flag, a note beside it is none."""
    spec, template, solved = first
    node = deepcopy(solved)
    at = place(node, "conv1-shape")
    meta = {"grade": True, "solution": True, "locked": False, "grade_id": "cell-78", "points": 1, "schema_version": 1}
    node.cells[at : at + 1] = [new_markdown_cell("A note"), new_markdown_cell("32", metadata={"nbgrader": meta})]
    found = match_tasks(spec, template, node)
    assert [i for i, name in found.items() if name == "conv1-shape"] == [at + 1]


def older_edition() -> NotebookNode:
    """The lab as other words and another order of paragraphs once gave it."""
    given = {"grade": False, "locked": True, "solution": False, "schema_version": 1}

    def locked(cell: NotebookNode, name: str) -> NotebookNode:
        cell.metadata["nbgrader"] = {**given, "grade_id": name}
        return cell

    def answer(cell: NotebookNode, name: str) -> NotebookNode:
        written = cell.cell_type == "markdown"
        cell.metadata["nbgrader"] = {**given, "grade": written, "locked": False, "solution": True, "grade_id": name}
        return cell

    model = (
        "class BetterCNN(nn.Module):\n    def __init__(self):\n        ...\n    def forward(self, x):\n        return x"
    )
    simple = "class SimpleCNN(nn.Module):\n    def __init__(self):\n        self.conv1 = nn.Conv2d(1, 32, 5)"
    return new_notebook(
        cells=[
            locked(new_markdown_cell("# Convolutions\nPlease fill in the gaps."), "cell-01"),
            new_code_cell("!pip install torchbearer"),
            locked(new_code_cell("import torch\nfrom torchvision.datasets import MNIST\nset = MNIST('.')"), "cell-02"),
            locked(new_code_cell(simple), "cell-03"),
            locked(new_markdown_cell("Which shape has the first layer's output?"), "cell-04"),
            answer(new_markdown_cell("It has 32 maps, 24 x 24"), "cell-05"),
            locked(new_markdown_cell("And with another kernel, 7 x 3?"), "cell-06"),
            answer(new_markdown_cell("YOUR ANSWER HERE"), "cell-07"),
            locked(new_code_cell("model = SimpleCNN()\nTrial(model).run(epochs=10)"), "cell-08"),
            answer(new_code_cell(model), "cell-09"),
            locked(new_code_cell("BetterCNN()  # autograder", metadata={}), "cell-10"),
            answer(new_code_cell("model = BetterCNN()\nTrial(model).run(epochs=10)"), "cell-11"),
            answer(new_code_cell("torch.save(model.state_dict(), 'bettercnn.weights')"), "cell-12"),
        ]
    )


@pytest.mark.parametrize("lost", [False, True])
def test_an_older_edition_is_understood(first: Any, lost: bool) -> None:
    """Other words, other ids, schema 1 or no metadata at all: the answers are found by content and order."""
    spec, template, _ = first
    node = bare(older_edition()) if lost else older_edition()
    found = match_tasks(spec, template, node)
    expected = {
        5: "conv1-shape",
        7: "conv1-shape-7x3",
        9: "bettercnn-model",
        11: "bettercnn-train",
        12: "bettercnn-save",
    }
    assert {i: found.get(i) for i in expected} == expected
    assert lost or found == expected


def test_an_empty_submission_has_no_answers(first: Any) -> None:
    """No cells, no tasks."""
    spec, template, _ = first
    assert match_tasks(spec, template, new_notebook()) == {}


def test_thousands_of_cells_are_matched_in_seconds(first: Any) -> None:
    """A notebook as large as is read at all stops nobody."""
    spec, template, _ = first
    words = [f"w{n}" for n in range(400)]
    pick = random.Random(1)
    cells = [new_code_cell(" ".join(pick.choices(words, k=200))) for _ in range(2000)]
    started = time.perf_counter()
    match_tasks(spec, template, new_notebook(cells=cells))
    assert time.perf_counter() - started < 20


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_inserting_and_dropping_given_cells_changes_no_answer(lab: Lab, data: st.DataObject) -> None:
    """Where ids are kept, each task keeps its own cell through any number of edits around it."""
    spec = lab.notebooks[0]
    template, node = template_notebook(lab, spec), solved_notebook(lab, spec)
    wanted = [task.id for task in spec.tasks]
    kept = [c for c in node.cells if c.metadata.nbgrader.grade_id in wanted or data.draw(st.booleans())]
    node.cells = kept
    for _ in range(data.draw(st.integers(0, 4))):
        new = data.draw(st.sampled_from([new_code_cell, new_markdown_cell]))(data.draw(st.text(max_size=20)))
        node.cells.insert(data.draw(st.integers(0, len(node.cells))), new)
    found = match_tasks(spec, template, node)
    for index, cell in enumerate(node.cells):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        assert name not in wanted or found[index] == name
