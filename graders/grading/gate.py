"""What the lab's description and the bare state of a notebook already decide, before a grader runs."""

from graders.evidence import Evidence
from graders.grading.work import Work
from graders.lab import CheckSpec, Lab
from graders.records import Verdict


def gate(lab: Lab, check: CheckSpec, evidence: Evidence) -> Verdict | None:
    """The verdict on a check that needs no grader, or None.

    A check is `not-attempted` where every task of it was left as in the template; a check that names no task,
    where every task of its notebook was: code that was given out earns nobody a point by itself. A code task
    without a cell goes to its grader: the work may have been done elsewhere in the notebook.

    Raises:
        EvidenceError: a file that must be read for this is malformed.
    """
    notebook = evidence.notebooks.get(check.notebook)
    if notebook is None:
        return Verdict.harness_error(f"The evidence says nothing about {check.notebook}; run it again.")
    if stopped := _notebook_verdict(notebook.run.status, check.notebook, notebook.run.message):
        return stopped
    work = Work(lab, check, notebook)
    tasks = check.tasks or _all_tasks(lab, check)
    if tasks and all(_left_alone(work, task) for task in tasks):
        what = _titles(lab, check) if check.tasks else check.notebook
        return Verdict.not_attempted(f"{what}: nothing was handed in, everything is as it was given out.")
    if check.manual:
        return Verdict.review("MANUAL_REVIEW", "A person marks this answer.", answer=work.text)
    return None


def _notebook_verdict(status: str, name: str, message: str) -> Verdict | None:
    if status == "missing":
        return Verdict.not_attempted(f"{name} was not handed in.", code="NOTEBOOK_MISSING")
    if status == "unreadable":
        return Verdict.failed("NOTEBOOK_UNREADABLE", message or f"{name} cannot be read as a notebook.")
    if status == "harness-error":
        return Verdict.harness_error(message or f"{name} could not be run, for a reason that is ours; run it again.")
    return None


def _left_alone(work: Work, task: str) -> bool:
    answer = work.answer(task)
    return not answer.touched and (answer.found or answer.kind == "written")


def _all_tasks(lab: Lab, check: CheckSpec) -> tuple[str, ...]:
    return tuple(task.id for task in lab.notebook(check.notebook).tasks)


def _titles(lab: Lab, check: CheckSpec) -> str:
    return "; ".join(lab.task(task).title for task in check.tasks)
