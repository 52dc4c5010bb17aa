"""The evidence of one check's notebook, as graders ask for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from graders.errors import EvidenceError
from graders.evidence import (
    Answer,
    Array,
    JournalCell,
    ModelEvent,
    NotebookEvidence,
    Snapshot,
    read_bytes,
    strict_json,
)
from graders.lab import CheckSpec, Lab
from graders.records import CellRef, Outcome, Verdict

T = TypeVar("T")
MAX_NOTEBOOK_BYTES = 64 * 2**20


class MissingError(Exception):
    """What a grader needs is not in the evidence; the plugin finds out why (see `blame`).

    Args:
        what: The thing, as the end of "Expected ...": "a trained model of class Net".
        names: Words that the cell which makes it would hold: class, variable or file names.
        hint: How to make it appear, a sentence.
    """

    def __init__(self, what: str, names: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(what, names, hint)
        self.what, self.names, self.hint = what, names, hint


@dataclass(frozen=True)
class Found:
    """A model event and the state of the model then."""

    event: ModelEvent
    snapshot: Snapshot


class Work:
    """What one notebook's run left, seen from one check.

    Args:
        lab: The lab.
        check: The check that is being graded.
        notebook: Evidence of its notebook.
    """

    def __init__(self, lab: Lab, check: CheckSpec, notebook: NotebookEvidence) -> None:
        self.lab = lab
        self.check = check
        self.notebook = notebook

    # --- what was asked and answered

    def answer(self, task: str) -> Answer:
        """What the submission holds for a task; an absent cell reads as not found and not touched."""
        kind = self.lab.task(task).kind
        return self.notebook.answers.answers.get(task, Answer(kind=kind, found=False, touched=False))

    @property
    def text(self) -> str:
        """The check's written answers, joined by a blank line."""
        return "\n\n".join(self.answer(task).text for task in self.check.tasks).strip()

    @property
    def own_task(self) -> str | None:
        """The task that is the check's own work, its last; those before it are prerequisites."""
        return self.check.tasks[-1] if self.check.tasks else None

    def untouched(self) -> tuple[str, ...]:
        """The check's tasks that were left as in the template, or have no cell at all."""
        return tuple(task for task in self.check.tasks if not self.answer(task).touched)

    def printed(self) -> str:
        """What the check's code cells printed in this run."""
        return self._outputs(self.notebook.answers.printed)

    def claimed(self) -> str:
        """What the submitted file says that they printed: a claim, never scored."""
        return self._outputs(self.notebook.answers.claimed)

    def _outputs(self, texts: dict[str, str]) -> str:
        return "\n".join(texts[task] for task in self.check.tasks if task in texts)

    # --- models

    def models(self, *moments: str, class_name: str | None = None) -> tuple[Found, ...]:
        """All model events of these moments (none named: of all) and class, in order."""
        return tuple(
            Found(event, self.notebook.snapshot(event))
            for event in self.notebook.events
            if (not moments or event.moment in moments) and class_name in (None, event.class_name)
        )

    def model(self, *moments: str, class_name: str) -> Found:
        """The last model of a class, at the first of these moments for which there is one.

        Raises:
            MissingError: there is no such model.
        """
        for moment in moments:
            if found := self.models(moment, class_name=class_name):
                return found[-1]
        wanted = {"trained": "trained ", "loaded": "reloaded ", "saved": "saved "}.get(moments[0], "")
        raise MissingError(f"a {wanted}model of class {class_name}", (class_name,))

    # --- requirements

    def require(self, value: T | None, what: str, names: Sequence[str] = (), hint: str = "") -> T:
        """Hand `value` on.

        Raises:
            MissingError: it is None.
        """
        if value is None:
            raise MissingError(what, tuple(names), hint)
        return value

    def tensor(self, name: str) -> Array | None:
        """A tensor variable of the end of the notebook, if it was kept."""
        return self.notebook.tensors.get(name)

    # --- cells

    @property
    def cells(self) -> tuple[JournalCell, ...]:
        """The code cells as they were run."""
        return self.notebook.journal.cells

    def own_cells(self) -> tuple[JournalCell, ...]:
        """The code cells that answer the check's tasks."""
        return tuple(cell for cell in self.cells if cell.task in self.check.tasks)

    def cell_of(self, execution_count: int) -> JournalCell | None:
        """The cell that ran under that execution count."""
        return next((cell for cell in self.cells if cell.execution_count == execution_count), None)

    def reference(self, cell: JournalCell | None) -> CellRef | None:
        """How messages point to a cell."""
        if cell is None:
            return None
        line = cell.error.line if cell.error else None
        return CellRef(notebook=self.notebook.run.name, number=cell.number, task=cell.task, line=line)

    def whereabouts(self) -> CellRef | None:
        """Where the check's work is, or would be: the cell of its last task that has one."""
        if own := sorted(self.own_cells(), key=lambda cell: cell.task != self.own_task):
            return CellRef(notebook=self.notebook.run.name, number=own[0].number, task=own[0].task)
        for task in reversed(self.check.tasks):
            answer = self.answer(task)
            if answer.found:
                return CellRef(notebook=self.notebook.run.name, number=answer.number, task=task)
        return None

    def located(self, verdict: Verdict) -> Verdict:
        """A verdict with the place of the check's work, where there is something to look for and none is named."""
        if verdict.outcome is Outcome.PASSED or verdict.cell is not None:
            return verdict
        return verdict.model_copy(update={"cell": self.whereabouts()})

    def source(self, cell: JournalCell) -> str:
        """Source of a cell as it was run; its first line where the executed notebook was lost."""
        return self._sources.get(cell.index, cell.first_line)

    @cached_property
    def _sources(self) -> dict[int, str]:
        if self.notebook.folder is None or not (self.notebook.folder / "executed.ipynb").exists():
            return {}
        data = strict_json(read_bytes(self.notebook.folder / "executed.ipynb", MAX_NOTEBOOK_BYTES), "executed.ipynb")
        cells = data.get("cells") if isinstance(data, dict) else None
        if not isinstance(cells, list):
            raise EvidenceError("executed.ipynb: has no list of cells")
        return {index: _joined(cell.get("source")) for index, cell in enumerate(cells) if isinstance(cell, dict)}


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else json.dumps(source)
