"""Grades the graders: the reference, the template and all cases, in warm processes side by side."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from graders.errors import HarnessError
from graders.execution import prepare
from graders.execution.forked import STARTED_WITH
from graders.lab import Lab
from graders.records import Outcome, Record
from graders.verification.cases import Case, Cases, fast_notebooks, load_cases
from graders.verification.judging import Judged
from graders.verification.running import REFERENCE, TEMPLATE, Bench, Setup

FAST_PROFILE, FULL_PROFILE = "smoke", "quick"


class Verification(Record):
    """What came of it.

    Attributes:
        score: The reference's points, of `most` that graders can give without a person.
        template: The points of a template that nobody worked on.
        seconds: Wall-clock time of everything.
    """

    profile: str
    fast: bool
    judged: tuple[Judged, ...]
    score: float
    most: float
    template: float
    seconds: float

    def of(self, kind: str) -> tuple[Judged, ...]:
        """The cases of one kind."""
        return tuple(one for one in self.judged if one.kind == kind)

    def good(self, kind: str) -> int:
        """How many of one kind went as they must."""
        return sum(one.good for one in self.of(kind))

    @property
    def ok(self) -> bool:
        """Whether the graders did all that they must."""
        return all(one.good for one in self.judged) and self.score == self.most and self.template == 0

    def summary(self) -> dict[str, Any]:
        """What `labmark verify --json` prints."""
        return {
            "mutants": len(self.of("mutant")),
            "killed": self.good("mutant"),
            "variants": len(self.of("variant")),
            "kept": self.good("variant"),
            "reviews": len(self.of("review")),
            "reviewed": self.good("review"),
            "reference": {"score": self.score, "max_score": self.most},
            "template": {"score": self.template},
            "profile": self.profile,
            "wrong": [{"id": one.id, "kind": one.kind, "why": one.why} for one in self.judged if not one.good],
            "seconds": self.seconds,
        }


def verify(
    lab: Lab,
    lab_file: Path,
    *,
    work: Path,
    jobs: int,
    only: Sequence[str] = (),
    full: bool = False,
    profile: str | None = None,
    told: Callable[[int, int, Judged], None],
) -> Verification:
    """Run and judge the reference, the template and the cases.

    Args:
        lab: What is marked.
        lab_file: Its lab.toml, for the processes.
        work: Folder for images and finished runs; what is there is used again.
        jobs: Cases at the same time.
        only: Ids of cases; all if empty.
        full: Run all notebooks of each case, in fresh processes, as `labmark grade` does.
        profile: How much is trained; by default little in the fast form.
        told: Called after each case: so many done, of so many, and the last one.

    Raises:
        LabError: the cases are not in order.
        HarnessError: a process died.
    """
    started = time.monotonic()
    cases = load_cases(lab)
    chosen = cases.chosen(only, full=full)
    name = profile or (FULL_PROFILE if full else FAST_PROFILE)
    data = prepare(lab, name, None, work / "data" / name)
    setup = Setup(lab_file=lab_file, profile=name, data=data, store=work / "store", fast=not full)
    tasks = [(case, _notebooks(case, cases, lab, full)) for case in chosen]
    sets = _sets(lab, full)
    with _pool(setup, jobs) as pool:
        # The reference first: whoever runs a case finds its runs in the store.
        reference = _total(pool, REFERENCE, sets)
        template = _total(pool, TEMPLATE, sets)
        judged = tuple(_judged(pool, tasks, told))
    most = sum(check.points for check in lab.checks if not check.manual)
    return Verification(
        profile=name,
        fast=not full,
        judged=judged,
        score=reference,
        most=most,
        template=template,
        seconds=round(time.monotonic() - started, 1),
    )


def _notebooks(case: Case, cases: Cases, lab: Lab, full: bool) -> tuple[str, ...]:
    return tuple(spec.file for spec in lab.notebooks) if full else fast_notebooks(case, cases, lab)


def _sets(lab: Lab, full: bool) -> tuple[tuple[str, ...], ...]:
    """Notebooks that are run together: in the fast form, those that are given a file run without its maker.

    They then work with the reference's own file, which was trained for longer than the fast form takes.
    """
    names = tuple(spec.file for spec in lab.notebooks)
    given = {name for handoff in lab.handoffs for name in handoff.to}
    if full or not given:
        return (names,)
    return tuple(name for name in names if name not in given), tuple(name for name in names if name in given)


def write_messages(found: Verification, table: str, out: Path) -> None:
    """Write matrix.txt, and messages.json: what a student would read about each fault."""
    said = {
        one.id: {"story": one.story, "code": line.code, "message": line.message, "sentences": list(line.sentences)}
        for one in found.judged
        if (line := one.of_owner) is not None
    }
    (out / "matrix.txt").write_text(f"{table}\n", encoding="utf-8")
    (out / "messages.json").write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


# --- the processes


_bench: Bench | None = None


def _begin(setup: Setup) -> None:
    global _bench
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bench = Bench(setup)


def _ready() -> Bench:
    if _bench is None:
        raise HarnessError("this process was not warmed up")
    return _bench


def _points(name: str, notebooks: tuple[str, ...]) -> float:
    checks = _ready().baseline(name, notebooks).values()
    return sum(check.points for check in checks if check.outcome is not Outcome.HARNESS_ERROR)


def _case(case_id: str, notebooks: tuple[str, ...]) -> Judged:
    return _ready().judge(case_id, notebooks)


@contextmanager
def _pool(setup: Setup, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are warmed up; started with the variables that a kernel of its own would be started with."""
    before = {name: os.environ.get(name) for name in STARTED_WITH}
    os.environ.update(STARTED_WITH)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=(setup,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _total(pool: ProcessPoolExecutor, name: str, sets: Sequence[tuple[str, ...]]) -> float:
    futures = [pool.submit(_points, name, one) for one in sets]
    return round(sum(future.result() for future in futures), 2)


def _judged(
    pool: ProcessPoolExecutor,
    tasks: Sequence[tuple[Case, tuple[str, ...]]],
    told: Callable[[int, int, Judged], None],
) -> list[Judged]:
    """All cases, in the order of the files."""
    futures: dict[Future[Judged], str] = {pool.submit(_case, case.id, names): case.id for case, names in tasks}
    done: dict[str, Judged] = {}
    for future in as_completed(futures):
        done[futures[future]] = future.result()
        told(len(done), len(tasks), done[futures[future]])
    return [done[case.id] for case, _ in tasks]
