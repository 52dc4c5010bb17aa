"""What a page may say of a check. A hidden check loses all that would give it away here, before any template."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graders.lab import Lab
from graders.records import Check, Outcome, Result, Visibility
from graders.reports.visuals import Advice, advice
from graders.reports.words import OUTCOMES, OutcomeWords, category_sentence, listed, place

LONG_LIST = 60
DEEP = 12


@dataclass(frozen=True)
class CheckView:
    """A check as a page shows it; `instructor` fields are empty on the student's page."""

    id: str
    title: str
    category: str
    outcome: OutcomeWords
    points: float
    max_points: float
    hidden: bool
    provisional: bool
    unmarked: bool
    message: str
    where: str = ""
    advice: tuple[Advice, ...] = ()
    code: str = ""
    answer: str = ""
    details: str = ""


@dataclass(frozen=True)
class Group:
    """The checks of one notebook."""

    title: str
    file: str
    note: str
    checks: tuple[CheckView, ...]

    @property
    def points(self) -> float:
        """Earned here."""
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> float:
        """To be had here."""
        return sum(check.max_points for check in self.checks)


@dataclass(frozen=True)
class Total:
    """The mark and what it is made of; all in points."""

    score: float
    max_score: float
    automatic: float
    provisional: float
    waiting: float
    waiting_checks: int
    unmarked: float
    unmarked_checks: int

    @property
    def lost(self) -> float:
        """Neither earned nor open."""
        return max(0.0, self.max_score - self.automatic - self.waiting - self.unmarked)


def total(result: Result) -> Total:
    """Split a result's score into what is certain, what waits for a person, and what we failed to mark."""
    review = [check for check in result.checks if check.outcome is Outcome.REVIEW]
    ours = [check for check in result.checks if check.outcome is Outcome.HARNESS_ERROR]
    provisional = sum(check.points for check in review)
    return Total(
        score=result.score,
        max_score=result.max_score,
        automatic=max(0.0, result.score - provisional),
        provisional=provisional,
        waiting=sum(check.max_points for check in review),
        waiting_checks=len(review),
        unmarked=sum(check.max_points for check in ours),
        unmarked_checks=len(ours),
    )


def groups(result: Result, lab: Lab, *, instructor: bool) -> tuple[Group, ...]:
    """The checks by notebook, in the lab's order; checks that the lab no longer knows come last."""
    homes = {spec.id: spec.notebook for spec in lab.checks}
    tasks = {task.id: task.title for notebook in lab.notebooks for task in notebook.tasks}
    notes = {one.name: one.message for one in result.notebooks if one.status != "complete"}
    found = []
    for title, file in [*((spec.title, spec.file) for spec in lab.notebooks), ("Other checks", "")]:
        here = [check for check in result.checks if homes.get(check.id, "") == file]
        views = tuple(view(check, home=file, tasks=tasks, instructor=instructor) for check in here)
        found += [Group(title, file, notes.get(file, ""), views)] if views else []
    return tuple(found)


def view(check: Check, *, home: str, tasks: dict[str, str], instructor: bool) -> CheckView:
    """A check as the instructor or the student sees it."""
    hidden = check.visibility is Visibility.HIDDEN
    told = instructor or not hidden
    return CheckView(
        id=check.id,
        title=check.title,
        category=check.category,
        outcome=OUTCOMES[check.outcome],
        points=check.points,
        max_points=check.max_points,
        hidden=hidden,
        provisional=check.outcome is Outcome.REVIEW,
        unmarked=check.outcome is Outcome.HARNESS_ERROR,
        message=check.message if told else category_sentence(check.category),
        where=place(check.cell, home=home, tasks=tasks) if told else "",
        advice=advice(check.details) if told else (),
        code=check.code if instructor else "",
        answer=_answer(check.details) if instructor else "",
        details=pretty(check.details) if instructor and check.details else "",
    )


def pretty(value: Any, indent: int = 0) -> str:
    """JSON for people: lists of plain values on one line, long ones cut, with the count of what is left out."""
    pad, inner = "  " * indent, "  " * (indent + 1)
    if indent > DEEP:
        return "…"
    if isinstance(value, dict) and value:
        rows = [
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {pretty(v, indent + 1)}" for key, v in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{pad}}}"
    if isinstance(value, list | tuple) and value:
        items = [pretty(item, indent + 1) for item in value[:LONG_LIST]]
        left = len(value) - LONG_LIST
        items += [f"… {left} more"] if left > 0 else []
        if not any(isinstance(item, dict | list | tuple) for item in value):
            return f"[{', '.join(items)}]"
        return "[\n" + ",\n".join(inner + item for item in items) + f"\n{pad}]"
    return json.dumps(value, ensure_ascii=False, default=repr)


def _answer(details: dict[str, Any]) -> str:
    answer = details.get("answer")
    return answer if isinstance(answer, str) else ""


def next_steps(checks: Sequence[Check]) -> tuple[str, ...]:
    """What to do now, in at most three sentences; names no hidden check's finding."""

    def titles(*outcomes: Outcome, visibility: Visibility | None = None) -> list[str]:
        chosen = [one for one in checks if one.outcome in outcomes and visibility in (None, one.visibility)]
        return [one.title for one in sorted(chosen, key=lambda one: one.points - one.max_points)]

    if not checks:
        return ("Nothing of this submission could be marked: see “What ran”, mend it and hand it in again.",)
    steps = []
    if blocked := titles(Outcome.BLOCKED):
        steps.append(f"Mend the cell that stopped {listed(blocked)} first: those checks could not run without it.")
    lost = (Outcome.FAILED, Outcome.PARTIAL, Outcome.REJECTED)
    if weak := titles(*lost, visibility=Visibility.PUBLIC):
        steps.append(f"Read what is said above about {listed(weak)}; most points wait there in that order.")
    if hidden := titles(*lost, visibility=Visibility.HIDDEN):
        steps.append(
            f"Go over {listed(hidden)} again with inputs of your own: hidden checks try more than the examples given."
        )
    if empty := titles(Outcome.NOT_ATTEMPTED):
        steps.append(f"Answer what is still empty: {listed(empty)}.")
    if steps:
        last = "Then restart the kernel, choose “Run all”, run “labmark check”, and hand in what you see there."
        return (*steps[:2], last)
    if titles(Outcome.REVIEW, Outcome.HARNESS_ERROR):
        return ("There is nothing for you to do: the checks that are still open will be marked without you.",)
    return ("Everything passed: there is nothing left to do.",)
