"""What is done for one student once the notebooks have run: grade, write the result, write the reports."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from graders import __version__
from graders.engines.files import RESULT, to_json, write_atomically
from graders.errors import EvidenceError
from graders.evidence import Evidence
from graders.grading import Graded, grade_evidence, told, ungraded
from graders.lab import Lab, load_lab
from graders.records import (
    NO_SANDBOX,
    NotebookSummary,
    NotebookTiming,
    Outcome,
    Provenance,
    Record,
    Result,
    Timing,
)
from graders.reports import write_student_reports

SANDBOX_NOTE = "The notebooks ran in processes of their own, without a sandbox."


class MarkJob(Record):
    """All that marking needs, small enough to send to a worker process.

    Attributes:
        folder: The student's folder `students/<id>`, which holds `evidence/`.
        lab_file: The lab.toml.
        seed: Of the held-out images' jitter.
        fault: Why the run could not be made, if it could not: every check is then ours to repeat.
        started: When the work for this student began, ISO 8601.
    """

    student: str
    folder: Path
    lab_file: Path
    profile: str
    evidence_key: str
    graders_hash: str
    environment: dict[str, str]
    seed: int = 0
    fault: str = ""
    started: str = Field(default_factory=lambda: now())


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def mark(job: MarkJob) -> Result:
    """Grade a student's evidence and write result.json, report.html and instructor.html.

    Raises:
        LabError: the lab or its graders do not fit together.
    """
    lab = load_lab(job.lab_file)
    root = job.folder / "evidence"
    try:
        evidence = None if job.fault else Evidence(root)
        fault = job.fault
    except EvidenceError as error:
        evidence, fault = None, f"The evidence of the run cannot be read: {error}"
    if evidence is None:
        graded = ungraded(lab, f"This could not be checked, and that is not your fault: {fault}")
    else:
        graded = grade_evidence(root, lab, profile=job.profile, seed=job.seed)
    result = _result(job, lab, evidence, graded)
    shutil.rmtree(job.folder / "notebooks", ignore_errors=True)
    write_student_reports(result, lab, root if evidence is not None else None, job.folder)
    # Last of all: a result.json on disk says that everything of this student is finished.
    write_atomically(job.folder / RESULT, to_json(result))
    return result


def _result(job: MarkJob, lab: Lab, evidence: Evidence | None, graded: Graded) -> Result:
    notebooks = evidence.notebooks.values() if evidence is not None else ()
    notes = (f"Profile {job.profile}: {lab.profile(job.profile).title}.", SANDBOX_NOTE, told(job.seed), *graded.notes)
    timings = {
        one.run.name: NotebookTiming(seconds=one.journal.seconds, peak_mb=one.journal.peak_mb)
        for one in notebooks
        if one.run.folder
    }
    return Result(
        student=job.student,
        score=graded.score,
        max_score=lab.max_score,
        checks=graded.checks,
        notebooks=tuple(
            NotebookSummary(name=one.run.name, status=one.run.status, message=one.run.message) for one in notebooks
        ),
        flags=graded.flags,
        provenance=Provenance(
            lab=lab.id,
            lab_version=lab.version,
            lab_hash=lab.hash,
            labmark=__version__,
            profile=job.profile,
            sandbox=NO_SANDBOX,
            environment=job.environment,
            evidence_key=job.evidence_key,
            graders_hash=job.graders_hash,
            held_out_seed=job.seed,
            notes=tuple(dict.fromkeys(notes)),
        ),
        timing=Timing(started=job.started, finished=now(), notebooks=timings),
    )


def status(result: Result) -> str:
    """One word for the class list: what a person has to know before trusting the number."""
    outcomes = {check.outcome for check in result.checks}
    if Outcome.HARNESS_ERROR in outcomes:
        return "harness-error"
    if result.notebooks and all(one.status in ("missing", "unreadable") for one in result.notebooks):
        return "unreadable"
    return "review" if Outcome.REVIEW in outcomes else "graded"
