"""Why something is missing from the evidence: whose cell took it away.

The first faulty cell that explains it is named. A cell that stopped because a name is not defined passes the
blame on to the earlier faulty cell that would have defined that name: a syntax error in the cell of a class
explains every NameError below it.

A check's own work is its last task: what its earlier tasks lack, or an error in one of their cells, is a prerequisite
that is missing and blocks the check.
"""

import re
from dataclasses import dataclass

from graders.evidence import JournalCell
from graders.grading.work import MissingError, Work
from graders.records import CellRef, Verdict

MAX_ERROR_TEXT = 200
ENDINGS = {
    "timeout": ("TIME_LIMIT", "ran past the time limit"),
    "exit": ("INCOMPLETE", "ended the notebook's run (SystemExit: sys.exit or exit was called)"),
    "crashed": ("CRASHED", "crashed the kernel"),
    "output-limit": ("OUTPUT_LIMIT", "printed more than is allowed"),
}
_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
# "(3483332297.py, line 13)", "(<string>, line 1)": how a SyntaxError's own words end. The file is one of the kernel's.
_PLACE = re.compile(r"\s*\((?:<[^<>]*>|[^\s()]+), line (\d+)\)$")


@dataclass(frozen=True)
class Blame:
    """A cell at fault. `code` is empty for a plain exception; `said` completes "cell [7] ..."."""

    code: str
    said: str
    cell: JournalCell | None
    reference: CellRef | None


def explain(missing: MissingError, work: Work) -> Verdict:
    """Turn something missing into a verdict.

    Returns:
        `not-attempted` where the check's own task was left as in the template, `failed` where its cell is at fault
        or nobody is, else `blocked`, naming the cell.
    """
    untouched = work.untouched()
    if work.own_task in untouched:
        titles = ", ".join(work.lab.task(task).title for task in untouched)
        return Verdict.not_attempted(f"Expected {missing.what}; nothing was handed in for: {titles}.")
    blame = _left(untouched, work) or _culprit(missing, work)
    if blame is None:
        hint = f" {missing.hint}" if missing.hint else ""
        message = f"Expected {missing.what}; the run of {work.notebook.run.name} left none.{hint}"
        return Verdict.failed("EVIDENCE_MISSING", message, cell=work.whereabouts())
    message = f"Expected {missing.what}, but {blame.said}."
    if blame.reference and blame.reference.task is not None and blame.reference.task == work.own_task:
        return Verdict.failed(blame.code or "CELL_ERROR", message, cell=blame.reference)
    return Verdict.blocked(blame.code or "BLOCKED", message, cell=blame.reference)


def described(cell: JournalCell) -> str:
    """What a faulty cell did: "cell [7] stopped with NameError: name 'x' is not defined (line 3)"."""
    if cell.status in ENDINGS:
        return f"cell [{cell.number}] {ENDINGS[cell.status][1]}"
    if cell.error is None:
        return f"cell [{cell.number}] stopped with an error"
    words = " ".join(cell.error.value.split())
    place = _PLACE.search(words)
    number = cell.error.line or (place and place[1])
    value = _PLACE.sub("", words).rstrip(".")
    value = value if len(value) <= MAX_ERROR_TEXT else f"{value[:MAX_ERROR_TEXT]}..."
    line = f" (line {number})" if number else ""
    return f"cell [{cell.number}] stopped with {cell.error.name}{': ' if value else ''}{value}{line}"


def _left(untouched: tuple[str, ...], work: Work) -> Blame | None:
    """The first earlier task of the check whose cell is as in the template."""
    task = next((one for one in untouched if work.answer(one).found), None)
    if task is None:
        return None
    where = CellRef(notebook=work.notebook.run.name, number=work.answer(task).number, task=task)
    return Blame("", f"the task before it, {work.lab.task(task).title}, was left as in the template", None, where)


def _culprit(missing: MissingError, work: Work) -> Blame | None:
    own = work.own_cells()
    faulty = [cell for cell in work.cells if _is_faulty(cell)]
    last = [cell for cell in faulty if cell.task is not None and cell.task == work.own_task]
    if ours := last or [cell for cell in faulty if cell in own]:
        return _root(ours[0], faulty, work)
    if any(cell.status == "not-run" for cell in own or work.cells):
        return _ending(work)
    # A cell after the check's own did not take away what that one should have left: it may be a victim itself.
    before = [cell for cell in faulty if not own or cell.number < own[-1].number]
    if naming := [cell for cell in before if _mentions(work.source(cell), missing.names)]:
        return _root(naming[0], faulty, work)
    if faulty and not own:
        return _root(faulty[0], faulty, work)
    return None


def _is_faulty(cell: JournalCell) -> bool:
    return cell.status not in ("ok", "not-run")


def _mentions(source: str, names: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source) for name in names)


def _root(cell: JournalCell, faulty: list[JournalCell], work: Work) -> Blame:
    while earlier := _definer(cell, faulty, work):
        cell = earlier
    if cell.error and cell.error.name == "NotImplementedError" and (stub := _stub_before(cell, work)):
        return stub
    code = ENDINGS[cell.status][0] if cell.status in ENDINGS else ""
    return Blame(code, described(cell), cell, work.reference(cell))


def _definer(cell: JournalCell, faulty: list[JournalCell], work: Work) -> JournalCell | None:
    match = _UNDEFINED.search(cell.error.value) if cell.error and cell.error.name == "NameError" else None
    if match is None:
        return None
    defines = re.compile(
        rf"(?m)^[^#\n]*(?:\b(?:class|def)\s+{match[1]}\b|\bimport\b.*\b{match[1]}\b|\b{match[1]}\b\s*(?:=(?!=)|,|:\s*\w+\s*=))"
    )
    return next((one for one in faulty if one.number < cell.number and defines.search(work.source(one))), None)


def _stub_before(cell: JournalCell, work: Work) -> Blame | None:
    """The untouched task whose `raise NotImplementedError()` the cell ran into."""
    for task in work.lab.notebook(work.check.notebook).tasks:
        answer = work.answer(task.id)
        if task.kind == "code" and answer.found and not answer.touched and (answer.number or 0) <= cell.number:
            where = CellRef(notebook=work.notebook.run.name, number=answer.number, task=task.id)
            return Blame("", f"the task before it, {task.title}, was left as in the template", cell, where)
    return None


def _ending(work: Work) -> Blame | None:
    """What ended the run before its last cell."""
    journal = work.notebook.journal
    cell = next((one for one in work.cells if one.number == journal.stop_cell), None)
    if cell is None:
        cell = next((one for one in work.cells if one.status in ENDINGS), None)
    if cell is None:
        code, where = journal.stop or "INCOMPLETE", f"the run of {journal.notebook} ended before its last cell"
        return Blame(code, where, None, None)
    return Blame(journal.stop or ENDINGS.get(cell.status, ("INCOMPLETE",))[0], _ended(cell), cell, work.reference(cell))


def _ended(cell: JournalCell) -> str:
    return described(cell) if cell.status in ENDINGS else f"the run ended at cell [{cell.number}]"
