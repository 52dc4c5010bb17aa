"""Marking processes outlive the death of one of them."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from graders.engines.student import MarkJob
from graders.engines.workers import Markers
from graders.records import Outcome, Result
from tests.factory import make_check, make_result


def dies_over_bob(job: MarkJob) -> Result:
    """What a crash in native code does to a marking process, for one student."""
    if job.student == "bob" and not job.fault:
        os.kill(os.getpid(), signal.SIGKILL)
    outcome = Outcome.HARNESS_ERROR if job.fault else Outcome.PASSED
    return make_result(job.student, (make_check(outcome, message=job.fault),))


def job_of(student: str) -> MarkJob:
    """A job that names the student; the rest is not looked at."""
    return MarkJob(
        student=student,
        folder=Path(student),
        lab_file=Path("lab.toml"),
        profile="quick",
        evidence_key="k",
        graders_hash="h",
        environment={},
    )


def test_a_dying_process_costs_only_its_own_student_and_no_points() -> None:
    """The culprit gets harness errors; everybody who was in the same pool is marked as usual."""
    students = ("ann", "bob", "cem", "dia")
    with Markers(2, dies_over_bob) as markers, ThreadPoolExecutor(4) as threads:
        results = dict(zip(students, threads.map(markers.mark, map(job_of, students)), strict=True))
    outcomes = {student: result.checks[0].outcome for student, result in results.items()}
    assert outcomes.pop("bob") is Outcome.HARNESS_ERROR
    assert set(outcomes.values()) == {Outcome.PASSED}
    assert "died twice" in results["bob"].checks[0].message
