"""Given cells are put back as they were given before a submission is run: what was done to them is told, not run."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from nbformat import NotebookNode

from graders.lab import NotebookSpec
from graders.notebooks.cells import grade_id, is_locked
from graders.notebooks.match import match_cells
from graders.notebooks.strip import residue


@dataclass(frozen=True)
class Edit:
    """A given code cell that a submission changed.

    Attributes:
        index: Of the cell in the submission.
        template: Index of the given cell in the template.
        submitted: What the student's version said.
    """

    index: int
    template: int
    submitted: str


def given_edits(spec: NotebookSpec, template: NotebookNode, submission: NotebookNode) -> list[Edit]:
    """Find the given code cells that were changed in more than spaces; those of older editions are not looked at.

    Only cells that still carry the template's id are compared: a cell that merely resembles a given one may be of
    another edition of the lab, whose own cells fit together.
    """
    given = match_cells(spec, template, submission).given
    edits = []
    for index, place in sorted(given.items()):
        mine, theirs = submission.cells[index], template.cells[place]
        if theirs.cell_type == "code" and is_locked(theirs) and _same_id(mine, theirs) and _differ(mine, theirs):
            edits.append(Edit(index=index, template=place, submitted=mine.source))
    return edits


def restore_given(template: NotebookNode, submission: NotebookNode, edits: Sequence[Edit]) -> NotebookNode:
    """Return a copy of the submission in which the edited cells read as they were given; positions stay."""
    restored = deepcopy(submission)
    for edit in edits:
        cell, given = restored.cells[edit.index], template.cells[edit.template]
        cell.source = given.source
        if cell.cell_type != "code":
            restored.cells[edit.index] = deepcopy(given)
            restored.cells[edit.index].id = cell.id
    return restored


def _same_id(mine: NotebookNode, theirs: NotebookNode) -> bool:
    return grade_id(theirs) in (grade_id(mine), mine.id) or bool(mine.id == theirs.id)


def _differ(mine: NotebookNode, theirs: NotebookNode) -> bool:
    return bool(mine.cell_type != theirs.cell_type) or residue(mine.source) != residue(theirs.source)
