"""The engine of this machine, with a run that takes no time in place of kernels."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graders.engines import local
from graders.engines.files import to_json, write_atomically
from graders.engines.local import Options, grade_class
from graders.engines.student import MarkJob
from graders.errors import HarnessError, LabError
from graders.execution import Progress
from graders.lab import DEFAULT_LAB, load_lab
from graders.records import Outcome, Result, Run
from tests.factory import make_check, make_result


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.plan = (0, 0)
        self.done: list[str] = []

    def planned(self, total: int, todo: int) -> None:
        """Keep the numbers."""
        self.plan = (total, todo)

    def started(self, student: str) -> None:
        """Nothing to keep."""

    def progress(self, progress: Progress) -> None:
        """Nothing to keep."""

    def finished(self, student: str, result: Result) -> None:
        """Keep who is done."""
        self.done.append(student)


class FakeMarkers:
    """Marks in this process, without graders: one check, whose outcome says whether the run failed."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def __enter__(self) -> "FakeMarkers":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def mark(self, job: MarkJob) -> Result:
        """Write a result as the real one does."""
        check = make_check(Outcome.HARNESS_ERROR if job.fault else Outcome.PASSED, message=job.fault or "right")
        result = make_result(
            job.student,
            (check,),
            evidence_key=job.evidence_key,
            graders_hash=job.graders_hash,
            profile=job.profile,
            held_out_seed=job.seed,
        )
        for name in ("report.html", "instructor.html"):
            write_atomically(job.folder / name, "")
        write_atomically(job.folder / "result.json", to_json(result))
        return result


@pytest.fixture
def marking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Run, Notes]]:
    """A class of three, and a function that marks it with a given way to run a submission."""
    for student in ("ann", "bob", "cem"):
        folder = tmp_path / "class" / student
        folder.mkdir(parents=True)
        (folder / "5_1_CNN.ipynb").write_text("{}")
    monkeypatch.setattr(local, "Markers", FakeMarkers)

    def mark(run: Callable[[str], None] = lambda student: None, **options: Any) -> tuple[Run, Notes]:
        def fake(submission: Any, lab: Any, *, folder: Path, **_: Any) -> None:
            run(submission.student)
            write_atomically(folder / "evidence.json", "{}")

        monkeypatch.setattr(local, "execute_submission", fake)
        notes = Notes()
        chosen = Options(profile="quick", jobs=options.pop("jobs", 1), **options)
        made = grade_class(tmp_path / "class", tmp_path / "out", load_lab(), DEFAULT_LAB, chosen, notes)
        return made, notes

    return mark


def test_a_class_is_marked_once(marking: Callable[..., tuple[Run, Notes]], tmp_path: Path) -> None:
    """Everybody is in run.json and grades.csv; the second time nothing is left to do."""
    run, notes = marking()
    assert notes.plan == (3, 3)
    assert sorted(notes.done) == ["ann", "bob", "cem"]
    assert [line.id for line in run.students] == ["ann", "bob", "cem"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["schema"] == "labmark/run/1"
    assert marking()[1].plan == (3, 0)


def test_one_student_again(marking: Callable[..., tuple[Run, Notes]]) -> None:
    """--only with --fresh does one student again and keeps the others in the class."""
    marking()
    run, notes = marking(only=("bob",), fresh=True)
    assert notes.done == ["bob"]
    assert [line.id for line in run.students] == ["ann", "bob", "cem"]


def test_a_failing_run_does_not_stop_the_class(marking: Callable[..., tuple[Run, Notes]]) -> None:
    """Our own fault with one student becomes harness errors of that student, and is tried again next time."""

    def fail_for_bob(student: str) -> None:
        if student == "bob":
            raise HarnessError("no kernel would start")

    run, notes = marking(fail_for_bob)
    assert {line.id: line.status for line in run.students}["bob"] == "harness-error"
    assert len(notes.done) == 3
    assert marking()[1].done == ["bob"]


def test_a_fault_while_marking_does_not_stop_the_class(
    marking: Callable[..., tuple[Run, Notes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grader or report that breaks down over one student is that student's harness error, and says what broke."""
    plain = FakeMarkers.mark

    def breaks_over_bob(self: FakeMarkers, job: MarkJob) -> Result:
        if job.student == "bob" and not job.fault:
            raise ZeroDivisionError("in a grader")
        return plain(self, job)

    monkeypatch.setattr(FakeMarkers, "mark", breaks_over_bob)
    run, notes = marking()
    assert {line.id: line.status for line in run.students} == {"ann": "graded", "bob": "harness-error", "cem": "graded"}
    assert len(notes.done) == 3


def test_a_broken_lab_stops_the_class(
    marking: Callable[..., tuple[Run, Notes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with the lab itself is told to the operator and not written into everybody's result."""

    def breaks(self: FakeMarkers, job: MarkJob) -> Result:
        raise LabError("a check without a grader")

    monkeypatch.setattr(FakeMarkers, "mark", breaks)
    with pytest.raises(LabError):
        marking()


def test_an_interruption_keeps_what_is_finished(marking: Callable[..., tuple[Run, Notes]], tmp_path: Path) -> None:
    """Ctrl-C in the middle: finished students stay, and the same command does only the rest."""

    def interrupt_at_bob(student: str) -> None:
        if student == "bob":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        marking(interrupt_at_bob)
    assert (tmp_path / "out" / "students" / "ann" / "result.json").exists()
    assert not (tmp_path / "out" / "students" / "bob" / "result.json").exists()
    again = marking()[1].done
    assert "ann" not in again
    assert "bob" in again


def test_students_are_worked_on_at_the_same_time(marking: Callable[..., tuple[Run, Notes]]) -> None:
    """With two jobs two students run side by side: each waits here until the other has come."""
    together = threading.Barrier(2, timeout=10)

    def meet(student: str) -> None:
        if student in ("ann", "bob"):
            together.wait()

    assert len(marking(meet, jobs=2)[1].done) == 3


def test_results_of_another_profile_are_not_mixed_in(marking: Callable[..., tuple[Run, Notes]], tmp_path: Path) -> None:
    """A student left over from another profile is not in the class until marked again."""
    marking()
    path = tmp_path / "out" / "students" / "cem" / "result.json"
    path.write_text(path.read_text().replace('"profile": "quick"', '"profile": "full"'))
    run, _ = marking(only=("ann",))
    assert [line.id for line in run.students] == ["ann", "bob"]
