"""The sample class, marked for real in the quick profile: every case gets the mark that it must get."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from graders.console import PlainWatcher
from graders.engines.files import read_result, to_json
from graders.engines.local import Options, grade_class, regrade
from graders.lab import DEFAULT_LAB, load_lab
from graders.records import Outcome, Result, Run
from tests.golden.record import GOLDEN, condensed, expected
from tests.sample_class.build import write_class
from tests.sample_class.cases import CASES

pytestmark = pytest.mark.slow

PERFECT = ("02-perfect", "03-sequential", "06-pool-before-relu", "15-by-hand", "17-from-colab")


class Marked:
    """The sample class and where it was marked."""

    def __init__(self, folder: Path) -> None:
        self.submissions = folder / "submissions"
        self.out = folder / "marks"
        self.students = write_class(self.submissions)
        self.run = self.grade()

    def grade(self, *only: str, fresh: bool = False) -> Run:
        """Mark the class, or some of it, in the quick profile."""
        options = Options(profile="quick", jobs=os.cpu_count() or 1, only=only, fresh=fresh, seed=7)
        with PlainWatcher(Console(stderr=True)) as watch:
            return grade_class(self.submissions, self.out, load_lab(), DEFAULT_LAB, options, watch)

    def result(self, student: str) -> Result:
        """The student's result.json."""
        found = read_result(self.out / "students" / student)
        assert found is not None
        return found

    def text(self, student: str) -> str:
        """The student's result without what may differ from run to run."""
        return to_json(self.result(student).model_copy(update={"timing": None}))


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """The class, marked once for all tests of this module."""
    # A relative path, as people type it: kernels and readers work in folders of their own.
    return Marked(Path(os.path.relpath(tmp_path_factory.mktemp("class"))))


def test_every_case_has_an_expected_result() -> None:
    """No case is marked without anybody having said what is right, and no expectation is left over."""
    stored = {path.parent.name for path in GOLDEN.glob("*/expected.json")}
    assert stored == {case.student for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.student)
def test_the_case_gets_its_mark(marked: Marked, case: object) -> None:
    """Score, state of each notebook, and outcome, points, code and cell of every check are the expected ones."""
    student = case.student  # type: ignore[attr-defined]
    assert condensed(marked.result(student)) == expected(student)


@pytest.mark.parametrize("student", PERFECT)
def test_a_right_submission_gets_all_points_that_no_person_gives(marked: Marked, student: str) -> None:
    """However it is written, a right solution passes every automatic check."""
    left = [c for c in marked.result(student).checks if c.outcome is not Outcome.PASSED]
    assert {check.id for check in left} == {"5.3/filters-discussion", "5.4/discussion"}
    assert {check.outcome for check in left} == {Outcome.REVIEW}


def test_the_untouched_template_gets_nothing(marked: Marked) -> None:
    """Handing in the template earns no point, and no check is blamed on the student's code."""
    result = marked.result("04-untouched")
    assert result.score == 0
    assert {check.outcome for check in result.checks} == {Outcome.NOT_ATTEMPTED}


def test_reports_of_everybody_are_there(marked: Marked) -> None:
    """Each student has a report, and the class page links them."""
    page = (marked.out / "class.html").read_text(encoding="utf-8")
    for student in marked.students:
        assert (marked.out / "students" / student / "report.html").stat().st_size > 2000
        assert f"students/{student}/report.html" in page
    assert len((marked.out / "grades.csv").read_text(encoding="utf-8").splitlines()) == len(marked.students) + 1


def test_the_same_command_does_nothing_twice(marked: Marked) -> None:
    """A second marking of the same class leaves every result as it is, times included."""
    before = {student: (marked.out / "students" / student / "result.json").read_bytes() for student in marked.students}
    marked.grade()
    for student, content in before.items():
        assert (marked.out / "students" / student / "result.json").read_bytes() == content


def test_running_again_gives_the_same_bytes_but_for_times(marked: Marked) -> None:
    """Everything done afresh for one student: the same result.json but for `timing`."""
    before = marked.text("02-perfect")
    marked.grade("02-perfect", fresh=True)
    assert marked.text("02-perfect") == before


def test_grading_again_from_evidence_gives_the_same_bytes_but_for_times(marked: Marked) -> None:
    """`labmark regrade` runs no notebook and comes to the same marks."""
    before = {student: marked.text(student) for student in marked.students}
    regrade(marked.out, load_lab(), DEFAULT_LAB, os.cpu_count() or 1, PlainWatcher(Console(stderr=True)))
    assert {student: marked.text(student) for student in marked.students} == before
