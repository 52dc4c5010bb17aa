"""Files that an earlier notebook makes and a later one reads: which copy a notebook is given.

An error of an earlier part is not punished twice: where it left no usable file, the submitted one is taken, and
failing that the reference's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nbformat import NotebookNode

from graders.errors import LabError
from graders.execution.examine import READABLE, Kept
from graders.execution.pickles import names_of_classes
from graders.lab import Handoff, Lab
from graders.records import Submission

NOTEBOOK = "__main__."
Origin = Literal["part", "submitted", "reference"]


@dataclass(frozen=True)
class Given:
    """A file that a notebook is given.

    Attributes:
        note: A sentence for everybody, where it is not what the run itself has made.
        whole: Class of the whole pickled model that it stands in for; empty if it stands in for none.
    """

    kept: Kept
    origin: Origin
    note: str = ""
    whole: str = ""


Examine = Callable[[Path, str, Origin], Kept | str]
"""Copy a file and say what it holds: path, name for the copy, origin; a text, a clause, says why it was not taken."""


def choose_handoffs(
    lab: Lab, notebook: str, submission: Submission, written: Mapping[str, Kept], examine: Examine, code: str
) -> tuple[Given, ...]:
    """Choose a copy of every file that a notebook is to be given.

    Args:
        lab: Says which files, and where the reference's copies lie.
        notebook: File name of the notebook.
        submission: For files that were handed in.
        written: Files that earlier notebooks of this run have written, by name.
        examine: Looks at a file.
        code: Sources of the notebook: a checkpoint is given only to one that knows its key.

    Raises:
        LabError: not even the reference's copy can be used.
    """
    return tuple(
        _choose(lab, one, notebook, submission, written, examine, code) for one in lab.handoffs if notebook in one.to
    )


def _choose(
    lab: Lab,
    handoff: Handoff,
    notebook: str,
    submission: Submission,
    written: Mapping[str, Kept],
    examine: Examine,
    code: str,
) -> Given:
    reasons: list[str] = []
    whole = ""
    for origin, found in _candidates(lab, handoff, submission, written, examine):
        problem = found if isinstance(found, str) else _problem(found, handoff, code)
        if not isinstance(found, str) and not problem:
            entry = found.entry.model_copy(update={"origin": origin})
            return Given(replace(found, entry=entry), origin, _note(handoff, notebook, origin, reasons), whole)
        reasons.append(problem)
        whole = whole or ("" if isinstance(found, str) else _whole(found))
    path = lab.root / handoff.reference
    raise LabError.at(path, f"handoffs[{handoff.file}].reference", reasons[-1], "Make it anew from the reference")


def code_of(node: NotebookNode) -> str:
    """All code of a notebook, one cell after the other."""
    return "\n".join(cell.source for cell in node.cells if cell.cell_type == "code")


def _candidates(
    lab: Lab, handoff: Handoff, submission: Submission, written: Mapping[str, Kept], examine: Examine
) -> Iterator[tuple[Origin, Kept | str]]:
    part = written.get(handoff.file)
    yield "part", part or "it wrote no such file"
    submitted = submission.extras.get(handoff.file)
    yield "submitted", examine(submitted, handoff.file, "submitted") if submitted else "no such file was handed in"
    yield "reference", examine(lab.root / handoff.reference, handoff.file, "reference")


def _whole(kept: Kept) -> str:
    """The class, defined in the notebook, of a whole pickled model; empty for any other file."""
    names = names_of_classes(kept.path) if kept.entry.kind == "module" else ()
    return next((name.removeprefix(NOTEBOOK) for name in names if name.startswith(NOTEBOOK)), "")


def _problem(kept: Kept, handoff: Handoff, code: str) -> str:
    """Why a file cannot be handed on; empty if it can.

    A checkpoint, or the state_dict of a wrapped model, is the right file for a notebook that unpacks it, and for no
    other.
    """
    entry = kept.entry
    if handoff.kind == "state_dict" and entry.kind in READABLE:
        if not entry.needs or any(word in code for word in entry.needs):
            return ""
        return entry.problem or f"its names begin with '{entry.needs[0]}', which the notebook does not take off"
    if entry.problem or entry.kind == handoff.kind:
        return entry.problem
    return f"it is no {handoff.kind}"


def _note(handoff: Handoff, notebook: str, origin: Origin, reasons: list[str]) -> str:
    if origin == "part":
        return ""
    part = f"{handoff.from_} left no usable one in this run ({_clause(reasons[0])})"
    if origin == "submitted":
        return f"{notebook} was run on the {handoff.file} that was handed in: {part}."
    also = f"and what was handed in cannot be used either ({_clause(reasons[1])})"
    return f"{notebook} was run on the lab's own {handoff.file}: {part}, {also}. This costs no points in this part."


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
