"""Runs all notebooks of one student, in the lab's order, and leaves `evidence/`."""

import shutil
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from graders.errors import Interrupted
from graders.evidence import Answers, EvidenceIndex, Journal, NotebookRun, read_record
from graders.evidence.schema import NotebookStatus
from graders.execution.child import RunJob, run_job
from graders.execution.dataset import data_fingerprint
from graders.execution.environment import fingerprint
from graders.execution.examine import Examiner, Inspect, Kept, in_a_child
from graders.execution.handoffs import Origin, choose_handoffs, code_of
from graders.execution.job import CRASHED, TIME_LIMIT, CellDone
from graders.execution.notebook import (
    JOURNAL,
    MIB,
    Setting,
    Task,
    not_run,
    probe_inputs,
    read_executed,
    run_notebook,
    write_journal,
    written_files,
)
from graders.execution.progress import Progress
from graders.execution.store import Store, hash_of_code, hashes_of, key_of, sources_of
from graders.execution.verdicts import describe
from graders.lab import PACKAGE, Lab, NotebookSpec
from graders.notebooks import (
    UnreadableNotebook,
    given_edits,
    match_tasks,
    printed_by_task,
    read_answers,
    read_notebook,
    restore_given,
    template_notebook,
)
from graders.notebooks.cells import code_numbers
from graders.records import NO_SANDBOX, Submission

RUNTIME = PACKAGE / "runtime"
CODE = (PACKAGE / "execution", PACKAGE / "notebooks", PACKAGE / "evidence")
LEAST_SECONDS = 1.0
# Status of runs that would end in the same way again.
REPEATABLE: tuple[NotebookStatus, ...] = ("complete", "errors")

Ending = tuple[NotebookStatus, str]


def execute_submission(
    submission: Submission,
    lab: Lab,
    *,
    profile: str,
    folder: Path,
    data: Path,
    store: Path,
    report: Callable[[Progress], None],
    python: str = sys.executable,
    stop: threading.Event | None = None,
    runtime: Path = RUNTIME,
    reseed: int = 0,
    launch: RunJob = run_job,
    inspect: Inspect = in_a_child,
) -> EvidenceIndex:
    """Run a student's notebooks and write what they leave behind.

    May be called from several threads at once. A student's fault is told in the evidence, never raised.

    Args:
        submission: The files as they came in.
        lab: What is to be run.
        profile: Name of the profile: how much is trained, and the limits.
        folder: `students/<id>/evidence`, put in place of what was there only when all of it is finished.
        data: The images, as `prepare` laid them out.
        store: Shared by all students of a run; a notebook that was run before on the same things is not run again.
        report: Told as cells end; called in this thread.
        python: Interpreter of the kernels.
        stop: When set, everything is ended and nothing is written.
        runtime: The package that enters the kernels.
        reseed: Not 0: every seed that a notebook sets starts other random numbers, others for each of these numbers.
        launch: Runs one notebook; `forked` has one that is quicker, for trusted notebooks only.
        inspect: Looks at one weights file.

    Raises:
        Interrupted: `stop` was set.
        LabError: the lab's own files are not as they should be.
        UsageError: the lab has no such profile.
        DataError: no images are laid out.
    """
    # Kernels and other processes of the run work in folders of their own, where relative paths lead elsewhere.
    folder, data, store = folder.absolute(), data.absolute(), store.absolute()
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    part.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="labmark-given-") as scratch:
            run = _Run(
                submission=submission,
                setting=Setting(lab, profile, data, runtime, python, partial(_check, stop), reseed, launch),
                store=Store(store),
                examiner=Examiner(lab, store, inspect),
                part=part,
                scratch=Path(scratch),
                report=report,
            )
            index = run.all()
        (part / "evidence.json").write_text(index.model_dump_json(by_alias=True), encoding="utf-8")
        _put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return index


def _check(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Interrupted("the run was called off")


def _put_in_place(part: Path, folder: Path) -> None:
    old = part.with_name(f"{part.name}-old")
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@dataclass
class _Run:
    """The run of one student, notebook by notebook.

    Attributes:
        part: The evidence in the making.
        scratch: For copies of files that are handed to notebooks.
        written: Files that notebooks of this run have written, by name.
        notes: Sentences for everybody who reads the mark.
        used: Seconds of the submission's limit.
    """

    submission: Submission
    setting: Setting
    store: Store
    examiner: Examiner
    part: Path
    scratch: Path
    report: Callable[[Progress], None]
    written: dict[str, Kept] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    used: float = 0

    def all(self) -> EvidenceIndex:
        """Run all notebooks."""
        runs = tuple(self.one(spec) for spec in self.setting.lab.notebooks)
        return EvidenceIndex(
            student=self.submission.student,
            key=key_of([[run.name, run.key, run.status] for run in runs]),
            profile=self.setting.profile_name,
            sandbox=NO_SANDBOX,
            notebooks=runs,
            notes=(*self.submission.notes, *self.notes),
        )

    def one(self, spec: NotebookSpec) -> NotebookRun:
        """Run one notebook, if it is there and can be read."""
        self.setting.check()
        path = self.submission.notebooks.get(spec.file)
        if path is None:
            return NotebookRun(name=spec.file, status="missing", message=f"{spec.file} was not handed in.")
        try:
            read = read_notebook(path, self.setting.lab.limits.notebook_mb * MIB)
        except UnreadableNotebook as error:
            return NotebookRun(name=spec.file, status="unreadable", message=str(error))
        self.notes += [f"{spec.file}: {note}." for note in read.notes]
        template = template_notebook(self.setting.lab, spec)
        task = self._task(spec, template, read.node)
        target = self.part / spec.stem
        run = self._in_time(task, target)
        self.written |= written_files(target)
        _write_answers(read_answers(spec, template, read.node), task, target, self.setting.lab)
        return run

    def _task(self, spec: NotebookSpec, template: NotebookNode, node: NotebookNode) -> Task:
        edits = given_edits(spec, template, node)
        numbers = code_numbers(node)
        for edit in edits:
            cell = f"cell [{numbers[edit.index]}]" if edit.index in numbers else "a cell"
            self.notes.append(f"{spec.file}: {cell} is given and had been edited; it was run as it was given.")
        profile = self.setting.profile
        return Task(
            spec=spec,
            node=restore_given(template, node, edits),
            tasks=match_tasks(spec, template, node),
            given=choose_handoffs(
                self.setting.lab, spec.file, self.submission, self.written, self._examine, code_of(node)
            ),
            seconds=min(profile.notebook_seconds, profile.submission_seconds - self.used),
        )

    def _examine(self, path: Path, name: str, origin: Origin) -> Kept | str:
        folder = self.scratch / uuid.uuid4().hex
        folder.mkdir()
        if origin == "reference" and path.is_file():
            # The lab's own file may be a link: it is nobody's trap.
            path = shutil.copyfile(path, folder / f"own-{name}")
        return self.examiner.copy(path, folder / name, origin)

    def _in_time(self, task: Task, target: Path) -> NotebookRun:
        handoffs = {one.kept.entry.name: one.origin for one in task.given}
        run = NotebookRun(
            name=task.spec.file, status="time-limit", message="", folder=task.spec.stem, handoffs=handoffs
        )
        if task.seconds < LEAST_SECONDS:
            write_journal(not_run(task, TIME_LIMIT), target)
            seconds = self.setting.profile.submission_seconds
            message = f"The notebooks before it used up the {seconds} s of a submission; it was not run."
            return run.model_copy(update={"message": message})
        self.notes += [one.note for one in task.given if one.note]
        key = self._key(task)
        with self.store.locked(key, self.setting.check):
            status, message = self._stored(task, key, target) or self._fresh(task, key, target)
        return run.model_copy(update={"status": status, "message": message, "key": key})

    def _stored(self, task: Task, key: str, target: Path) -> Ending | None:
        if not self.store.get(key, target):
            return None
        journal = read_record(target / JOURNAL, Journal)
        self._tell(task, CellDone(cell=len(journal.cells), cells=len(journal.cells), seconds=journal.seconds))
        return self._ending(task, journal)

    def _fresh(self, task: Task, key: str, target: Path) -> Ending:
        cells = sum(cell.cell_type == "code" for cell in task.node.cells)
        self._tell(task, CellDone(cell=0, cells=cells, seconds=0))
        report = run_notebook(task, self.setting, self.examiner, target, partial(self._tell, task))
        if report.fault:
            write_journal(not_run(task, None), target)
            return "harness-error", f"It could not be run, and that is not the student's fault: {report.fault}"
        ending = self._ending(task, report.journal)
        if report.unfinished and report.journal.stop != CRASHED:
            what = "what the notebook left at its end could not all be recorded"
            self.notes.append(f"{task.spec.file}: {what} ({report.unfinished}).")
        timely = all(cell.status != "timeout" for cell in report.journal.cells)
        if ending[0] in REPEATABLE and timely and not report.unfinished:
            self.store.put(key, target)
        return ending

    def _ending(self, task: Task, journal: Journal) -> Ending:
        self.used += journal.seconds
        return describe(journal, self.setting.profile, self.setting.lab.limits, task.seconds)

    def _tell(self, task: Task, done: CellDone) -> None:
        self.report(
            Progress(
                student=self.submission.student,
                notebook=task.spec.file,
                cell=done.cell,
                cells=done.cells,
                seconds=done.seconds,
                limit=task.seconds,
            )
        )

    def _key(self, task: Task) -> str:
        """What the evidence of the notebook depends on, the time that it may take left aside."""
        setting, lab = self.setting, self.setting.lab
        probes = [[one.function, hashes_of(one.pictures)] for one in probe_inputs(lab, task.spec)]
        given = [[one.origin, one.kept.entry.name, one.kept.entry.sha256, one.whole] for one in task.given]
        assets = hashes_of(lab.root / "assets" / name for name in lab.assets)
        return key_of(
            {
                "notebook": [task.spec.file, sources_of(task.node), sorted(task.tasks.items())],
                "files": [given, assets, probes],
                "lab": [lab.hash, setting.profile_name, data_fingerprint(setting.data)],
                "environment": [setting.python, fingerprint(), setting.reseed],
                "code": hash_of_code((setting.runtime, *CODE)),
            }
        )


def _write_answers(answers: Answers, task: Task, target: Path, lab: Lab) -> None:
    """Write answers.json: never out of the store, since it holds what the submitted file claims."""
    executed = read_executed(target, lab)
    printed = printed_by_task(executed, task.tasks) if executed is not None else {}
    whole = answers.model_copy(update={"printed": printed})
    (target / "answers.json").write_text(whole.model_dump_json(by_alias=True), encoding="utf-8")
