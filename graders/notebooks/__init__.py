"""Notebooks as files: read a stranger's, make the students' from the reference, match the one with the other.

`read` reads a file strictly and `upgrade` makes it format 4.5; `cells` knows nbgrader's metadata; `strip` knows
solution regions and stubs; `release` makes the template; `match` finds the cells that answer a task, `answers` what
they say; `restore` puts given cells back. Nothing here runs a cell.
"""

from graders.notebooks.answers import printed_by_task, read_answers
from graders.notebooks.match import match_tasks
from graders.notebooks.read import ReadNotebook, UnreadableNotebook, read_notebook
from graders.notebooks.release import (
    build_template,
    notebook_bytes,
    solved_notebook,
    stale_files,
    template_notebook,
)
from graders.notebooks.restore import Edit, given_edits, restore_given

__all__ = [
    "Edit",
    "ReadNotebook",
    "UnreadableNotebook",
    "build_template",
    "given_edits",
    "match_tasks",
    "notebook_bytes",
    "printed_by_task",
    "read_answers",
    "read_notebook",
    "restore_given",
    "solved_notebook",
    "stale_files",
    "template_notebook",
]
