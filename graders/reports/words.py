"""The wording of the reports: outcomes, categories, numbers, places."""

from typing import NamedTuple

from graders.records import CellRef, Outcome


class OutcomeWords(NamedTuple):
    """How an outcome is shown: a symbol and a word that each suffice, and the name of a colour."""

    symbol: str
    word: str
    tone: str


OUTCOMES: dict[Outcome, OutcomeWords] = {
    Outcome.PASSED: OutcomeWords("✓", "passed", "good"),
    Outcome.PARTIAL: OutcomeWords("◐", "partly passed", "half"),
    Outcome.FAILED: OutcomeWords("✗", "failed", "bad"),
    Outcome.BLOCKED: OutcomeWords("⊘", "blocked", "held"),
    Outcome.NOT_ATTEMPTED: OutcomeWords("○", "not attempted", "none"),
    Outcome.REVIEW: OutcomeWords("✎", "a person will look", "wait"),
    Outcome.REJECTED: OutcomeWords("!", "rejected", "bad"),
    Outcome.HARNESS_ERROR: OutcomeWords("↻", "our fault", "wait"),
}

STATUSES: dict[str, OutcomeWords] = {
    "graded": OutcomeWords("✓", "graded", "good"),
    "review": OutcomeWords("✎", "needs review", "wait"),
    "unreadable": OutcomeWords("✗", "could not be read", "bad"),
    "harness-error": OutcomeWords("↻", "our fault: mark again", "wait"),
}

# What a hidden check says instead of its message: the same for everybody, whatever came out.
CATEGORIES: dict[str, str] = {
    "accuracy": "A network is evaluated again on images that it has never seen.",
    "answer": "A written answer is compared with what follows from the task or from your own network.",
    "architecture": "The structure of a network is compared with the task.",
    "discussion": "A written answer is read.",
    "function": "A function that you wrote is called with inputs of our own.",
    "prediction": "Your network's predictions are computed again and compared.",
    "state_dict": "Saved weights are compared with the network that they came from.",
    "tensor": "Arrays that you computed are compared with the network that they came from.",
    "training": "The records of a training are checked against its result.",
}

NOTEBOOKS: dict[str, OutcomeWords] = {
    "complete": OutcomeWords("✓", "ran to the end", "good"),
    "errors": OutcomeWords("◐", "ran with errors", "half"),
    "incomplete": OutcomeWords("⊘", "stopped early", "bad"),
    "crashed": OutcomeWords("✗", "crashed", "bad"),
    "time-limit": OutcomeWords("✗", "ran out of time", "bad"),
    "output-limit": OutcomeWords("✗", "printed too much", "bad"),
    "missing": OutcomeWords("○", "not handed in", "none"),
    "unreadable": OutcomeWords("✗", "could not be read", "bad"),
    "harness-error": OutcomeWords("↻", "our fault", "wait"),
}


def category_sentence(category: str) -> str:
    """What a hidden check of that category looks at."""
    return CATEGORIES.get(category, "This check looks at your work beyond the examples given.")


def notebook_words(status: str) -> OutcomeWords:
    """How the end of a notebook's run is shown."""
    return NOTEBOOKS.get(status, OutcomeWords("○", status, "none"))


def number(value: float) -> str:
    """Points: at most two decimals, no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def points_word(value: float) -> str:
    """Points with their noun."""
    return "1 point" if value == 1 else f"{number(value)} points"


def counted(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(share: float) -> str:
    """A share as per cent, one decimal."""
    return f"{share * 100:.1f} %"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def listed(names: list[str], most: int = 3) -> str:
    """Names in quotation marks; beyond `most` only their count."""
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def place(cell: CellRef | None, *, home: str | None, tasks: dict[str, str]) -> str:
    """Where to look: "cell [7], line 3"; the notebook only if it is another than `home`, empty for None."""
    if cell is None:
        return ""
    parts = [] if cell.notebook == home else [cell.notebook]
    if cell.number is not None:
        parts.append(f"cell [{cell.number}]")
    elif cell.task is not None:
        parts.append(f"answer to “{tasks.get(cell.task, cell.task)}”")
    if cell.line is not None:
        parts.append(f"line {cell.line}")
    return ", ".join(parts)
