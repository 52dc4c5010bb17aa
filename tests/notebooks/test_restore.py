"""Given cells are put back."""

from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from graders.lab import Lab
from graders.notebooks.release import solved_notebook, template_notebook
from graders.notebooks.restore import given_edits, restore_given


def pair(tiny: Lab) -> tuple[NotebookNode, NotebookNode]:
    """Template and perfect submission."""
    spec = tiny.notebooks[0]
    return template_notebook(tiny, spec), solved_notebook(tiny, spec)


def test_an_edited_given_cell_is_put_back(tiny: Lab) -> None:
    """The edit is told with the student's version; the submission itself stays as it is."""
    template, node = pair(tiny)
    node.cells[2].source = "import math\nmath.pi = 3"
    (edit,) = given_edits(tiny.notebooks[0], template, node)
    assert (edit.index, edit.template, edit.submitted) == (2, 2, "import math\nmath.pi = 3")
    restored = restore_given(template, node, [edit])
    assert restored.cells[2].source == "import math"
    assert node.cells[2].source != "import math"


def test_a_given_cell_turned_into_text_is_code_again(tiny: Lab) -> None:
    """Switching a test off by its type does not switch it off."""
    template, node = pair(tiny)
    node.cells[5] = new_markdown_cell("assert double(1) == 2", id=node.cells[5].id)
    restored = restore_given(template, node, given_edits(tiny.notebooks[0], template, node))
    assert (restored.cells[5].cell_type, restored.cells[5].source) == ("code", "assert double(1) == 2")


def test_answers_spaces_and_text_are_left_alone(tiny: Lab) -> None:
    """A student's own cells, empty lines and reworded explanations are no edits."""
    template, node = pair(tiny)
    node.cells[2].source = "\nimport   math\n\n"
    node.cells[0].source = "# My notes"
    assert given_edits(tiny.notebooks[0], template, node) == []


def test_a_cell_of_another_edition_is_left_alone(tiny: Lab) -> None:
    """It resembles a given cell, but carries another id: its own notebook may need it as it is."""
    template, node = pair(tiny)
    older = deepcopy(node)
    for index, cell in enumerate(older.cells):
        cell.metadata, cell.id = NotebookNode(), f"x{index}"
    older.cells[2].source = "import math, numpy"
    assert given_edits(tiny.notebooks[0], template, older) == []
