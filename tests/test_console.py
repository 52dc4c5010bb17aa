"""What the operator sees while a class is marked."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from graders.console import LiveWatcher, PlainWatcher, class_table, points, printable, summary, watcher
from graders.execution import Progress
from graders.records import Outcome, Run, StudentLine
from tests.factory import make_check, make_result


def plain_console() -> Console:
    """A console that is no terminal and keeps what is printed."""
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    """All that was printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(st.text())
def test_no_text_steers_the_terminal(text: str) -> None:
    """Whatever a folder is called, nothing unprintable and nothing that reorders text reaches the terminal."""
    safe = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u200f" for c in safe)


def test_printable_text_stays() -> None:
    """Umlauts, Chinese and emoji are shown as they are."""
    assert printable("Zoë, 王芳 🙂") == "Zoë, 王芳 🙂"


def test_points_have_no_needless_zeros() -> None:
    """3.00 is written 3."""
    assert [points(value) for value in (3.0, 2.5, 0.25, 50)] == ["3", "2.5", "0.25", "50"]


def test_a_summary_tells_what_is_open() -> None:
    """Checks for a person and checks of our own fault are told beside the points."""
    checks = (make_check(), make_check(Outcome.REVIEW, 0), make_check(Outcome.HARNESS_ERROR, 0))
    assert summary(make_result(checks=checks)) == "1 of 50 points, 1 for a person, 1 NOT CHECKED (our fault)"


def test_a_log_gets_one_line_a_student() -> None:
    """Without a terminal: what is to do, then a line for each student, and nothing for single cells."""
    console = plain_console()
    watch = watcher(console)
    assert isinstance(watch, PlainWatcher)
    with watch:
        watch.planned(3, 2)
        watch.started("ann")
        watch.progress(Progress(student="ann", notebook="1.ipynb", cell=1, cells=2, seconds=1, limit=9))
        watch.finished("ann", make_result())
        watch.finished("b\x1b[2Job", make_result())
    lines = printed(console).splitlines()
    assert lines[0] == "3 submissions: 2 to mark, 1 unchanged since they were marked"
    assert lines[1].startswith("[1/2] ann: 1 of 50 points (about ")
    assert lines[2] == "[2/2] b\\x1b[2Job: 1 of 50 points"


def test_a_terminal_gets_a_row_for_each_student_at_work() -> None:
    """Student, notebook, cell and limit are shown while the work goes on, and a line stays when it is done."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    watch = watcher(console)
    assert isinstance(watch, LiveWatcher)
    with watch:
        watch.planned(2, 2)
        watch.started("[bold]ann")
        watch.progress(Progress(student="[bold]ann", notebook="1.ipynb", cell=3, cells=7, seconds=65, limit=600))
        console.print(watch._picture())
        watch.finished("[bold]ann", make_result())
    text = printed(console)
    assert "[bold]ann" in text
    assert "3 of 7" in text
    assert "1:05" in text
    assert "1 of 50 points" in text


def test_the_class_table_says_what_each_status_means() -> None:
    """A status is told in words, and markup in an id is shown, not obeyed."""
    line = StudentLine(id="[red]x", status="review", score=3, max_score=50, result="r", report="p")
    run = Run(
        lab="lab5", lab_version="1", lab_hash="0", profile="quick", sandbox="none", environment={},
        started="a", finished="b", students=(line,),
    )  # fmt: skip
    console = plain_console()
    console.print(class_table(run))
    assert "[red]x" in printed(console)
    assert "a person must look" in printed(console)
