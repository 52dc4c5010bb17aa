"""Runs and marks one case, in a process that was warmed up once."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graders.errors import HarnessError
from graders.execution import Progress, execute_submission
from graders.execution.forked import fork, inspect_weights, run_job, warm
from graders.execution.job import LOG_CHARACTERS
from graders.execution.submission import RUNTIME
from graders.grading import grade_evidence
from graders.lab import Lab, load_lab
from graders.notebooks.release import template_notebook
from graders.records import Check, Record, Submission
from graders.verification.cases import (
    Cases,
    Notebooks,
    Training,
    edited,
    load_cases,
    solved,
    without,
    write_submission,
)
from graders.verification.judging import Judged, judge

REFERENCE, TEMPLATE = "reference", "template"


@dataclass(frozen=True)
class Setup:
    """What is the same for all cases: small enough to send to a process.

    Attributes:
        data: The images of the profile, laid out.
        store: Of finished runs, shared by all cases.
        fast: Whether notebooks are run in forks of this process instead of processes of their own.
    """

    lab_file: Path
    profile: str
    data: Path
    store: Path
    fast: bool


class Marked(Record):
    """What the checks of the notebooks that were run say, and the seconds to run and to mark."""

    checks: tuple[Check, ...]
    seconds: tuple[float, float]


class Bench:
    """Everything that one process needs to run cases, made once.

    Args:
        setup: Which lab, which profile, how.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.lab: Lab = load_lab(setup.lab_file)
        self.cases: Cases = load_cases(self.lab)
        self._solved = solved(self.lab)
        self._marks: dict[tuple[str, tuple[str, ...], tuple[Training, ...]], dict[str, Check]] = {}
        self._library: tempfile.TemporaryDirectory[str] | None = None
        if setup.fast:
            self._library = tempfile.TemporaryDirectory(prefix="labmark-warm-")
            warm(RUNTIME, Path(self._library.name))

    def template(self) -> Notebooks:
        """The notebooks as students get them."""
        return {spec.file: template_notebook(self.lab, spec) for spec in self.lab.notebooks}

    def baseline(self, name: str, notebooks: Sequence[str], needless: tuple[Training, ...] = ()) -> Mapping[str, Check]:
        """What the reference or the template gets for these notebooks, run without the others; marked once.

        Args:
            name: `REFERENCE` or `TEMPLATE`.
            notebooks: Those to be run.
            needless: Trainings that are left out, with their checks.
        """
        key = (name, tuple(notebooks), needless)
        if key not in self._marks:
            content = self._solved if name == REFERENCE else self.template()
            checks, _ = self._mark(name, without(needless, content), notebooks)
            self._marks[key] = {check.id: check for check in _without(needless, checks)}
        return self._marks[key]

    def judge(self, case_id: str, notebooks: Sequence[str]) -> Judged:
        """Run a case's notebooks, mark them, and hold the marks against the reference's.

        Args:
            case_id: Of the case.
            notebooks: Those to be run; the others are left out of the submission.
        """
        case = next(one for one in self.cases.cases if one.id == case_id)
        needless = self.cases.needless(case) if self.setup.fast else ()
        content = without(needless, edited(case, self.cases, self._solved))
        try:
            reference = self.baseline(REFERENCE, notebooks, needless)
            checks, seconds = self._mark(case.id, content, notebooks)
        except HarnessError as error:  # one case that breaks something must not hide what the others show
            why = f"it could not be run or marked: {error}"
            return Judged(id=case.id, kind=case.kind, owner=case.owner, story=case.story, good=False, why=why, lines=())
        return judge(case, reference, _without(needless, checks), seconds)

    def _mark(
        self, name: str, content: Notebooks, notebooks: Sequence[str]
    ) -> tuple[tuple[Check, ...], tuple[float, float]]:
        with tempfile.TemporaryDirectory(prefix="labmark-verify-") as scratch:
            folder = Path(scratch)
            if not self.setup.fast:
                marked = self._mark_in(folder, name, content, notebooks)
            else:
                # In a fork: marking takes gradients, for which torch starts threads, and then nothing can be forked.
                marked = self._apart(folder, lambda: self._mark_in(folder, name, content, notebooks))
        return marked.checks, marked.seconds

    def _apart(self, folder: Path, work: Callable[[], "Marked"]) -> "Marked":
        answer, log = folder / "marked.json", folder / "marked.log"
        with log.open("wb") as said:
            process = fork(lambda: _write(answer, work()), said.fileno(), said.fileno())
            if process.wait():
                raise HarnessError(f"a case could not be marked: {log.read_text(encoding='utf-8')[-LOG_CHARACTERS:]}")
        return Marked.model_validate_json(answer.read_bytes())

    def _mark_in(self, folder: Path, name: str, content: Notebooks, notebooks: Sequence[str]) -> "Marked":
        started = time.monotonic()
        submission = Submission(
            student=name,
            folder=folder / "submission",
            notebooks=write_submission(content, folder / "submission", notebooks),
            extras=self._files(notebooks),
        )
        forked = {"launch": run_job, "inspect": inspect_weights} if self.setup.fast else {}
        execute_submission(
            submission,
            self.lab,
            profile=self.setup.profile,
            folder=folder / "evidence",
            data=self.setup.data,
            store=self.setup.store,
            report=_ignore,
            **forked,  # type: ignore[arg-type] # two functions by their names
        )
        ran = time.monotonic()
        graded = grade_evidence(folder / "evidence", self.lab, profile=self.setup.profile)
        seconds = (round(ran - started, 2), round(time.monotonic() - ran, 2))
        return Marked(checks=self._of(graded.checks, notebooks), seconds=seconds)

    def _files(self, notebooks: Sequence[str]) -> dict[str, Path]:
        """What the parts that are left out would have written, as files of the submission: the reference's."""
        return {one.file: self.lab.root / one.reference for one in self.lab.handoffs if one.from_ not in notebooks}

    def _of(self, checks: Sequence[Check], notebooks: Sequence[str]) -> tuple[Check, ...]:
        run = {spec.id for spec in self.lab.checks if spec.notebook in notebooks}
        return tuple(check for check in checks if check.id in run)


def _without(trainings: Sequence[Training], checks: Sequence[Check]) -> tuple[Check, ...]:
    dropped = {check for training in trainings for check in training.checks}
    return tuple(check for check in checks if check.id not in dropped)


def _write(path: Path, marked: Marked) -> None:
    path.write_text(marked.model_dump_json(), encoding="utf-8")


def _ignore(_: Progress) -> None:
    """Cases take seconds: nobody follows their cells."""
