"""The kill matrix: which check found which fault, as plain text, and the figures below it."""

from collections.abc import Iterator, Sequence

from graders.grading.intervals import wilson
from graders.verification.judging import Judged, Line
from graders.verification.verify import Verification

SIGNS = {"owner": "●", "blocked": "○", "lost": "✗", "same": "·"}
MISSED = "!"
LEGEND = "● found by its check   ○ blocked downstream   ✗ points lost elsewhere   ! not found   · untouched"


def matrix(judged: Sequence[Judged], checks: Sequence[str]) -> str:
    """Faults by checks, a line each; a check's number stands above its column, its id below the table."""
    width = max((len(one.id) for one in judged), default=0)
    numbers = [f"{place:2d}" for place in range(1, len(checks) + 1)]
    lines = [" " * width + "  " + " ".join(numbers)]
    for one in judged:
        by_check = {line.check: line for line in one.lines}
        signs = [f" {_sign(by_check.get(check))}" for check in checks]
        lines.append(f"{one.id:<{width}}  {' '.join(signs)}".rstrip())
    lines += ["", *(f"{number} {check}" for number, check in zip(numbers, checks, strict=True)), "", LEGEND]
    return "\n".join(lines)


def _sign(line: Line | None) -> str:
    if line is None:
        return " "
    if line.mark == "owner" and line.points >= line.expected:
        return MISSED
    return SIGNS[line.mark]


def figures(found: Verification) -> Iterator[str]:
    """What to read first: how many faults were found, how many right solutions kept their points."""
    mutants, variants = found.of("mutant"), found.of("variant")
    yield f"reference  {found.score:g} of {found.most:g} points"
    yield f"template   {found.template:g} points"
    yield f"mutants    {found.good('mutant')} of {len(mutants)} killed{_rate(found.good('mutant'), len(mutants))}"
    kept = found.good("variant")
    yield f"variants   {kept} of {len(variants)} keep every point{_false_fails(len(variants) - kept, len(variants))}"
    reviews = found.of("review")
    yield f"reviews    {found.good('review')} of {len(reviews)} left to a person"
    form = "the edited notebooks alone" if found.fast else "all notebooks"
    yield f"profile {found.profile}, {form}, {found.seconds:g} s"


def _rate(good: int, total: int) -> str:
    return f", kill rate {good / total:.1%}" if total else ""


def _false_fails(lost: int, total: int) -> str:
    if not total:
        return ""
    return f", false-fail rate {lost / total:.1%} (at most {wilson(lost, total)[1]:.1%} at 95 % confidence)"
