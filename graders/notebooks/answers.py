"""What a notebook holds for each task, read without running it: answers, and what its cells have printed."""

from collections.abc import Mapping

from nbformat import NotebookNode

from graders.evidence import Answer, Answers
from graders.lab import NotebookSpec, Task
from graders.notebooks.cells import code_numbers, grade_id
from graders.notebooks.match import match_tasks
from graders.notebooks.strip import is_untouched

LONGEST = 20_000
"""Characters kept of what the cells of one task have printed."""
CUT = "\n[...]\n"


def read_answers(spec: NotebookSpec, template: NotebookNode, submission: NotebookNode) -> Answers:
    """Read a submission's answers and what its stored outputs claim; `printed` is left empty.

    Args:
        spec: The notebook in lab.toml.
        template: As students got it.
        submission: As it was read.
    """
    matched = match_tasks(spec, template, submission)
    stubs = {grade_id(cell): cell.source for cell in template.cells}
    answers = {task.id: _answer(task, stubs[task.id], matched, submission) for task in spec.tasks}
    return Answers(answers=answers, claimed=printed_by_task(submission, matched))


def printed_by_task(notebook: NotebookNode, tasks: Mapping[int, str]) -> dict[str, str]:
    """Text that the code cells of each task have printed or shown; tasks that printed nothing are left out.

    Args:
        notebook: With outputs.
        tasks: Index of a cell -> task, as `match_tasks` gives it for this notebook.

    Returns:
        Streams and plain text, as a terminal would leave them; the middle is cut out of what is longer than 20,000
        characters.
    """
    texts: dict[str, list[str]] = {}
    for index, task in sorted(tasks.items()):
        if index < len(notebook.cells) and notebook.cells[index].cell_type == "code":
            texts.setdefault(task, []).extend(_texts(notebook.cells[index]))
    return {task: _shortened("\n".join(parts)) for task, parts in texts.items() if parts}


def _answer(task: Task, stub: str, matched: Mapping[int, str], submission: NotebookNode) -> Answer:
    indexes = [index for index, name in matched.items() if name == task.id]
    touched = [i for i in indexes if not is_untouched(submission.cells[i].source, stub, task.kind)]
    shown, numbers = touched or indexes, code_numbers(submission)
    return Answer(
        kind=task.kind,
        found=bool(indexes),
        touched=bool(touched),
        text="\n\n".join(submission.cells[index].source for index in shown),
        number=next((numbers[index] for index in shown if index in numbers), None) if task.kind == "code" else None,
    )


def _texts(cell: NotebookNode) -> list[str]:
    found = []
    for output in cell.get("outputs", []):
        text = output.get("text") if output.output_type == "stream" else output.get("data", {}).get("text/plain")
        if isinstance(text, str) and text.strip():
            found.append("\n".join(_overwritten(line) for line in text.removesuffix("\n").split("\n")))
    return found


def _overwritten(line: str) -> str:
    """What is left of a line in which a progress bar went back to the start: its last state."""
    return line.rstrip("\r").rpartition("\r")[2]


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - len(CUT)) // 2
    return text[:half] + CUT + text[-half:]
