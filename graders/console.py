"""How a marking looks while it goes on: a live table on a terminal, plain lines elsewhere."""

import re
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from graders.execution import Progress
from graders.records import Outcome, Result, Run
from graders.verification.judging import Judged

# C0 and C1 controls, and the marks that reorder text: a student's file name must not steer the terminal.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Text of a stranger made safe for a terminal: control and bidi characters become `\x..` escapes."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def points(value: float) -> str:
    """Points without needless zeros: 3, 2.5, 0.75."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def summary(result: Result) -> str:
    """A result in one line: points and how many checks are open."""
    review = sum(check.outcome is Outcome.REVIEW for check in result.checks)
    ours = sum(check.outcome is Outcome.HARNESS_ERROR for check in result.checks)
    words = f"{points(result.score)} of {points(result.max_score)} points"
    words += f", {review} for a person" if review else ""
    return words + (f", {ours} NOT CHECKED (our fault)" if ours else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Pace:
    """How long the rest may take, from what has been finished."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.todo = 0
        self.done = 0

    def left(self) -> str:
        """Time left in words, empty until there is something to go by."""
        if not self.done or self.done >= self.todo:
            return ""
        seconds = (time.monotonic() - self.begun) / self.done * (self.todo - self.done)
        return f"about {_clock(seconds)} left"


class PlainWatcher:
    """One line a student, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def planned(self, total: int, todo: int) -> None:
        """Say what there is to do."""
        self._pace.todo = todo
        unchanged = f", {total - todo} unchanged since they were marked" if total > todo else ""
        self._line(f"{total} submissions: {todo} to mark{unchanged}")

    def started(self, student: str) -> None:
        """Nothing: a line at the end is enough."""

    def progress(self, progress: Progress) -> None:
        """Nothing: cells would flood a log."""

    def finished(self, student: str, result: Result) -> None:
        """One line with the points and the time left."""
        with self._lock:
            self._pace.done += 1
            left = self._pace.left()
            self._line(
                f"[{self._pace.done}/{self._pace.todo}] {printable(student)}: {summary(result)}"
                + (f" ({left})" if left else "")
            )


class LiveWatcher:
    """A bar for the class and a row for each student at work: notebook, cell, time left of its limit."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._lock = threading.Lock()
        self._at_work: dict[str, Progress | None] = {}
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bar.add_task("Marking", total=None, left="")
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _picture(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=bool(self._at_work))
        for heading in ("student", "notebook", "cell", "used", "limit"):
            table.add_column(heading, overflow="ellipsis", no_wrap=True)
        with self._lock:
            rows = sorted(self._at_work.items())
        for student, now in rows:
            name = escape(printable(student))
            if now is None:
                table.add_row(name, "…", "", "", "")
            else:
                cell = f"{now.cell} of {now.cells}"
                table.add_row(name, escape(now.notebook), cell, _clock(now.seconds), _clock(now.limit))
        return Group(self._bar, table)

    def planned(self, total: int, todo: int) -> None:
        """Set the bar to what there is to do."""
        self._pace.todo = todo
        self._bar.update(self._task, total=todo)
        if total > todo:
            self._console.print(f"{total - todo} of {total} submissions are unchanged since they were marked.")

    def started(self, student: str) -> None:
        """Show a row for the student."""
        with self._lock:
            self._at_work[student] = None

    def progress(self, progress: Progress) -> None:
        """Update the student's row."""
        with self._lock:
            self._at_work[progress.student] = progress

    def finished(self, student: str, result: Result) -> None:
        """Take the row away and leave one line behind."""
        with self._lock:
            self._at_work.pop(student, None)
            self._pace.done += 1
            self._bar.update(self._task, completed=self._pace.done, left=self._pace.left())
        self._console.print(f"{printable(student)}: {summary(result)}", markup=False, highlight=False)


def watcher(console: Console) -> PlainWatcher | LiveWatcher:
    """The watcher that fits where the output goes."""
    return LiveWatcher(console) if console.is_terminal else PlainWatcher(console)


def class_table(run: Run) -> Table:
    """The class at a glance: student, points, status."""
    table = Table(title=f"{run.lab} {run.lab_version}, profile {run.profile}", title_justify="left")
    table.add_column("student")
    table.add_column("points", justify="right")
    table.add_column("of", justify="right")
    table.add_column("status")
    words = {
        "graded": "marked",
        "review": "marked; a person must look at some checks",
        "unreadable": "nothing readable was handed in",
        "harness-error": "NOT fully checked (our fault): run the command again",
    }
    for line in run.students:
        table.add_row(escape(printable(line.id)), points(line.score), points(line.max_score), words[line.status])
    return table


class CaseLines:
    """Progress of `labmark verify`: a bar on a terminal, a line for each case that went wrong, and every tenth."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self.task = self.bar.add_task("warming up, then the reference", total=None)

    def __enter__(self) -> Callable[[int, int, Judged], None]:
        """Show the bar, on a terminal."""
        if self.console.is_terminal:
            self.bar.start()
        return self.told

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self.bar.stop()

    def told(self, done: int, total: int, last: Judged) -> None:
        """One more case is done."""
        self.bar.update(self.task, completed=done, total=total, description=last.id)
        if not last.good:
            self.console.print(escape(f"WRONG {last.kind} {last.id}: {last.why}"))
        elif not self.console.is_terminal and (done % 10 == 0 or done == total):
            self.console.print(f"{done} of {total} cases")


def case_watcher(console: Console) -> CaseLines:
    """Who tells the operator how `labmark verify` goes on."""
    return CaseLines(console)
