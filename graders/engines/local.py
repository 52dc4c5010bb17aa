"""The engine of this machine: threads that run students' notebooks, processes that mark them."""

import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Protocol

from graders.engines.files import RESULT, RUN, read_result, read_run, to_json, write_atomically
from graders.engines.keys import graders_hash
from graders.engines.plan import Need, Plan, Settings, choose, claim_folder, make_plans
from graders.engines.student import MarkJob, now, status
from graders.engines.workers import Markers
from graders.errors import DataError, EvidenceError, HarnessError, Interrupted, LabError, UsageError
from graders.execution import Progress, data_fingerprint, execute_submission, fingerprint, prepare
from graders.intake import find_submissions
from graders.lab import Lab
from graders.records import NO_SANDBOX, Record, Result, Run, StudentLine
from graders.reports import write_class_report, write_grades_csv

WORK = Path(".labmark")


class Watcher(Protocol):
    """Who wants to know how the work goes on. Called from several threads."""

    def planned(self, total: int, todo: int) -> None:
        """So many students in all, so many with work to do."""

    def started(self, student: str) -> None:
        """Work on a student begins."""

    def progress(self, progress: Progress) -> None:
        """A cell has finished."""

    def finished(self, student: str, result: Result) -> None:
        """A student is marked."""


class Options(Record):
    """How to mark a class. `only` empty means everybody; `data` is a folder with all of MNIST.

    `seed` is that of the held-out images' jitter; None for the folder's own.
    """

    profile: str
    jobs: int
    only: tuple[str, ...] = ()
    fresh: bool = False
    data: Path | None = None
    seed: int | None = None


def grade_class(folder: Path, out: Path, lab: Lab, lab_file: Path, options: Options, watch: Watcher) -> Run:
    """Run, mark and report a class; what was finished before and has not changed is left as it is.

    Args:
        folder: One folder a student.
        out: Where run.json, class.html and students/ go.
        lab: What to mark.
        lab_file: Its lab.toml, for the marking processes.
        options: How.
        watch: Told how the work goes on.

    Raises:
        LabmarkError: something only the operator can mend.
        KeyboardInterrupt: after everything in flight was ended; finished students stay on disk.
    """
    started = now()
    settings = Settings(lab=lab.id, profile=options.profile, seed=options.seed)
    lab.profile(options.profile)
    submissions = find_submissions(folder, lab)
    chosen = choose(submissions, options.only)
    settings = claim_folder(out, settings, fresh=options.fresh)
    seed = settings.seed or 0
    data = prepare(lab, options.profile, options.data, out / WORK / "data" / options.profile)
    environment = fingerprint()
    plans = make_plans(submissions, lab, out, settings, data=data_fingerprint(data), environment=environment)
    wanted = {one.student for one in chosen}
    mine = tuple(plan for plan in plans if plan.submission.student in wanted)
    if options.fresh:
        shutil.rmtree(out / WORK / "store", ignore_errors=True)
        mine = tuple(plan.model_copy(update={"need": Need.RUN}) for plan in mine)
    _Marking(lab, lab_file, options.profile, environment, out, data, seed, watch).all(mine, options.jobs)
    return _write_class([plan.folder for plan in plans], lab, options.profile, environment, seed, out, started)


def regrade(out: Path, lab: Lab, lab_file: Path, jobs: int, watch: Watcher) -> Run:
    """Mark a class again from stored evidence; no notebook is run.

    Raises:
        UsageError: there is no finished run in `out`.
    """
    started = now()
    run = read_run(out)
    if run is None:
        raise UsageError(f"{out / RUN} is not there: `labmark grade SUBMISSIONS -o {out}` makes it")
    watch.planned(len(run.students), len(run.students))
    results = {line.id: read_result((out / line.result).parent) for line in run.students}
    marked_by = graders_hash(lab)
    with Markers(jobs) as markers, ThreadPoolExecutor(jobs) as threads:

        def again(line: StudentLine) -> None:
            before = results[line.id]
            watch.started(line.id)
            if before is None:
                raise UsageError(f"{out / line.result} cannot be read: run `labmark grade` again")
            job = MarkJob(
                student=line.id,
                folder=(out / line.result).parent,
                lab_file=lab_file,
                profile=run.profile,
                evidence_key=before.provenance.evidence_key,
                graders_hash=marked_by,
                environment=before.provenance.environment,
                seed=run.held_out_seed,
                started=before.timing.started,
            )
            watch.finished(line.id, _marked(job, markers))

        for future in as_completed([threads.submit(again, line) for line in run.students]):
            future.result()
    folders = [(out / line.result).parent for line in run.students]
    return _write_class(folders, lab, run.profile, run.environment, run.held_out_seed, out, started)


class _Marking:
    """Everything that is the same for all students of one marking."""

    def __init__(
        self,
        lab: Lab,
        lab_file: Path,
        profile: str,
        environment: dict[str, str],
        out: Path,
        data: Path,
        seed: int,
        watch: Watcher,
    ) -> None:
        self.lab = lab
        self.lab_file = lab_file
        self.profile = profile
        self.environment = environment
        self.out = out
        self.data = data
        self.seed = seed
        self.watch = watch
        self.marked_by = graders_hash(lab)
        self.stop = threading.Event()

    def all(self, plans: Sequence[Plan], jobs: int) -> None:
        """Do what the plans say, `jobs` students at a time."""
        todo = [plan for plan in plans if plan.need is not Need.NOTHING]
        self.watch.planned(len(plans), len(todo))
        if not todo:
            return
        with Markers(min(jobs, len(todo))) as markers, ThreadPoolExecutor(jobs) as threads:
            futures: list[Future[None]] = [threads.submit(self.one, plan, markers) for plan in todo]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self.stop.set()
                threads.shutdown(wait=True, cancel_futures=True)
                raise

    def one(self, plan: Plan, markers: Markers) -> None:
        """Run (if needed) and mark one student."""
        if self.stop.is_set():
            return
        student = plan.submission.student
        self.watch.started(student)
        job = MarkJob(
            student=student,
            folder=plan.folder,
            lab_file=self.lab_file,
            profile=self.profile,
            evidence_key=plan.key,
            graders_hash=self.marked_by,
            environment=self.environment,
            seed=self.seed,
            started=now(),
        )
        if plan.need is Need.RUN:
            job = job.model_copy(update={"fault": self._run(plan)})
        if not self.stop.is_set():
            self.watch.finished(student, _marked(job, markers))

    def _run(self, plan: Plan) -> str:
        """Run the notebooks; the sentence of our own fault, or an empty one."""
        plan.folder.mkdir(parents=True, exist_ok=True)
        (plan.folder / RESULT).unlink(missing_ok=True)
        try:
            execute_submission(
                plan.submission,
                self.lab,
                profile=self.profile,
                folder=plan.folder / "evidence",
                data=self.data,
                store=self.out / WORK / "store",
                report=self.watch.progress,
                stop=self.stop,
            )
        except Interrupted:
            self.stop.set()
        except (HarnessError, EvidenceError, OSError) as error:
            # A broken lab or missing data concerns everybody: those stop the class and are told to the operator.
            return f"the run could not be made ({type(error).__name__}: {error})"
        return ""


def _marked(job: MarkJob, markers: Markers) -> Result:
    """Mark one student, whatever happens: only what concerns the whole class is raised."""
    try:
        return markers.mark(job)
    except (LabError, DataError):
        raise
    except Exception as error:  # noqa: BLE001 - told in this student's result as our fault, and tried again next time
        fault = f"marking broke down over it ({type(error).__name__}: {error})"
        return markers.mark(job.model_copy(update={"fault": fault}))


def _write_class(
    folders: Sequence[Path],
    lab: Lab,
    profile: str,
    environment: dict[str, str],
    seed: int,
    out: Path,
    started: str,
) -> Run:
    read = [(folder, read_result(folder)) for folder in folders]
    # A student who was not asked for (--only) may still have a result of another profile: never mixed in.
    results = [(folder, one) for folder, one in read if one is not None and one.provenance.profile == profile]
    lines = tuple(
        StudentLine(
            id=result.student,
            status=status(result),
            score=result.score,
            max_score=result.max_score,
            result=(folder / RESULT).relative_to(out).as_posix(),
            report=(folder / "report.html").relative_to(out).as_posix(),
        )
        for folder, result in results
    )
    run = Run(
        lab=lab.id,
        lab_version=lab.version,
        lab_hash=lab.hash,
        profile=profile,
        sandbox=NO_SANDBOX,
        environment=environment,
        held_out_seed=seed,
        started=started,
        finished=now(),
        students=lines,
    )
    marks = [result for _, result in results]
    write_class_report(run, marks, lab, out)
    write_grades_csv(run, marks, lab, out / "grades.csv")
    write_atomically(out / RUN, to_json(run))
    return run
