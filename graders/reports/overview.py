"""`class.html`: the class at a glance, for the instructor."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markupsafe import Markup

from graders.lab import Lab
from graders.records import Check, Outcome, Result, Run, StudentLine, Visibility
from graders.reports.charts import histogram
from graders.reports.pages import render
from graders.reports.words import OUTCOMES, STATUSES, OutcomeWords, counted, number

BINS = 10
MOST_CODES = 12


@dataclass(frozen=True)
class Row:
    """A student's line of the class; links are paths below the run's folder, empty where there is no page."""

    id: str
    score: float
    max_score: float
    status: OutcomeWords
    waiting: int
    flags: int
    report: str
    instructor: str


@dataclass(frozen=True)
class Segment:
    """A part of a check's bar: how many students had this outcome; `start` and `width` in per cent."""

    words: OutcomeWords
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class CheckRow:
    """A check's line: what became of it in the class, and the mean share of its points."""

    title: str
    id: str
    hidden: bool
    segments: tuple[Segment, ...]
    mean: float | None


@dataclass(frozen=True)
class CodeRow:
    """How often a code was given, and by which checks."""

    code: str
    count: int
    checks: tuple[str, ...]


def write_class_report(run: Run, results: Sequence[Result], lab: Lab, folder: Path) -> None:
    """Write the overview of one marking.

    Args:
        run: The marking, with one line a student.
        results: The marks, in any order; a student without one keeps the line of `run`.
        lab: The lab that was marked.
        folder: The run's folder, where `class.html` goes.
    """
    by_id = {result.student: result for result in results}
    rows = tuple(_row(line, by_id.get(line.id)) for line in sorted(run.students, key=lambda line: line.id))
    scores = [row.score for row in rows]
    render(
        folder / "class.html",
        "class.html.j2",
        run=run,
        lab=lab,
        rows=rows,
        mean=statistics.fmean(scores) if scores else 0.0,
        median=statistics.median(scores) if scores else 0.0,
        waiting=sum(1 for row in rows if row.waiting),
        unmarked=sum(1 for line in run.students if line.status == "harness-error"),
        chart=_chart(scores, lab.max_score),
        checks=_check_rows(results, lab),
        codes=_codes(results),
    )


def _row(line: StudentLine, result: Result | None) -> Row:
    instructor = f"{line.report.rpartition('/')[0]}/instructor.html" if line.report else ""
    checks = result.checks if result else ()
    return Row(
        id=line.id,
        score=line.score,
        max_score=line.max_score,
        status=STATUSES[line.status],
        waiting=sum(1 for check in checks if check.outcome is Outcome.REVIEW),
        flags=len(result.flags) if result else 0,
        report=line.report,
        instructor=instructor,
    )


def _chart(scores: Sequence[float], max_score: float) -> Markup | None:
    if not scores:
        return None
    edges = [max_score * place / BINS for place in range(BINS + 1)]
    counts = [0] * BINS
    for score in scores:
        counts[min(BINS - 1, max(0, int(score / max_score * BINS)))] += 1
    bins = zip(pairwise(edges), counts, strict=True)
    parts = [f"{number(a)} to {number(b)} points: {counted(count, 'student')}" for (a, b), count in bins if count]
    median = statistics.median(scores)
    described = f"Distribution of totals. {'; '.join(parts)}. Median: {number(median)}."
    return histogram("totals", counts, edges, median, described=described)


def _check_rows(results: Sequence[Result], lab: Lab) -> tuple[CheckRow, ...]:
    by_check: dict[str, list[Check]] = {}
    for result in results:
        for check in result.checks:
            by_check.setdefault(check.id, []).append(check)
    known = {spec.id for spec in lab.checks}
    order = [spec.id for spec in lab.checks if spec.id in by_check] + sorted(set(by_check) - known)
    return tuple(_check_row(by_check[id_]) for id_ in order)


def _check_row(checks: Sequence[Check]) -> CheckRow:
    counts = Counter(check.outcome for check in checks)
    segments, start = [], 0.0
    for outcome, words in OUTCOMES.items():
        if counts[outcome]:
            width = 100 * counts[outcome] / len(checks)
            segments.append(Segment(words, counts[outcome], start, width))
            start += width
    shares = [
        one.points / one.max_points for one in checks if one.outcome is not Outcome.HARNESS_ERROR and one.max_points
    ]
    first = checks[0]
    return CheckRow(
        title=first.title,
        id=first.id,
        hidden=first.visibility is Visibility.HIDDEN,
        segments=tuple(segments),
        mean=statistics.fmean(shares) if shares else None,
    )


def _codes(results: Sequence[Result]) -> tuple[CodeRow, ...]:
    """The most frequent codes of checks that did not pass."""
    counts: Counter[str] = Counter()
    titles: dict[str, dict[str, None]] = {}
    for result in sorted(results, key=lambda one: one.student):
        for check in result.checks:
            if check.outcome is not Outcome.PASSED:
                counts[check.code] += 1
                titles.setdefault(check.code, {})[check.title] = None
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(CodeRow(code, count, tuple(titles[code])) for code, count in ranked[:MOST_CODES])
