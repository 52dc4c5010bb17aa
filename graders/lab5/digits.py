"""What students say of the ten digit pictures: predictions in printed text, misclassified ones in prose."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COUNT = 10
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_FILE = re.compile(r"(?<!\w)(\d)\.(?:png|jpe?g|gif|bmp)\b", re.IGNORECASE)
_DIGIT = re.compile(r"(?<![\w.])(\d)(?![\w%]|\.\d)")
_SAID = re.compile(
    r"(?:predict\w*|classified|recogni[sz]\w*|output\w*|guess\w*|vorhersage|erkannt)\D*?(\d)(?!\d|\.\d)", re.I
)
_TRUTH = re.compile(
    r"(?:actual\w*|true|truth|label\w*|target\w*|expected|real|correct|should be)\W*(?:\w+\W+)??(\d)(?!\d)", re.I
)
_RIGHT = re.compile(r"\b(?:correct(?:ly)?|right(?:ly)?|accurate(?:ly)?|properly|richtig|korrekt)\b", re.I)
_WRONG = re.compile(
    r"\b(?:mis\w+|wrong(?:ly)?|incorrect(?:ly)?|not\s+\w*\s*correct(?:ly)?|errors?|mistakes?|falsch\w*|fail\w*)\b", re.I
)
_EXCEPT = re.compile(
    r"\b(?:except(?:\s+for)?|apart\s+from|besides|all\s+but|but\s+not|other\s+than|außer|bis\s+auf)\b", re.I
)
_TAKEN_FOR = re.compile(
    r"\s*(?:,?\s*which\b[^.;]*?)?(?:\b(?:as|for|to\s+be|like|als|für|into)|→|->|=>|➜)\s*"
    r"(?:(?:an?|the|digit|number|eine?)\s+)*[\"'`]?\d(?![\w.]*\.png)[\"'`]?(?![\w%])",
    re.I,
)
_NONE = re.compile(
    r"\b(?:none|zero|nothing|never|not\s+(?:a\s+single|any|one)|no\s+(?:one|\w*\s?(?:images?|digits?|pictures?|mis\w+|errors?"
    r"|mistakes?))|kein\w*)\b",
    re.I,
)
_OF_TEN = re.compile(
    r"(?<![\w.])(\d{1,2})\s*(?:(?:images?|digits?|pictures?)\s+)?(?:of|out\s+of|/|von|from|in)\s*"
    r"(?:the\s+|all\s+|our\s+|den\s+|my\s+)*(?:10\b|⟨10⟩)",
    re.I,
)
_NOUN = (
    r"(?:images?|pictures?|digits?|numbers?|ones|of\s+them|samples?|bilde?r?|ziffern?"
    r"|mis\w+|wrong|incorrect|errors?|mistakes?)"
)
_COUNTED = re.compile(
    r"(?<![\w.,])(?<!\band\s)(?<!digit\s)(?<!digits\s)(?<!image\s)(?<!images\s)(?<!number\s)(?<!\d,\s)(?<!&\s)(?<!the\s)"
    rf"(\d{{1,2}})\s+(?:(?!is\b|was\b|as\b)\w+\s+)??{_NOUN}\b",
    re.I,
)
_SPELLED = re.compile(r"⟨(\d+)⟩")


@dataclass(frozen=True)
class Misread:
    """What an answer says of misclassified pictures.

    Attributes:
        count: How many.
        which: Their digits; None where the answer does not name them.
    """

    count: int
    which: frozenset[int] | None


def ten_digits(value: Any) -> tuple[int, ...] | None:
    """A variable that holds ten digits, flat or each in a list of its own; None if it is not that."""
    if not isinstance(value, list):
        return None
    flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in value]
    if len(flat) == 1 and isinstance(flat[0], list):
        flat = flat[0]
    if len(value) == 1 and isinstance(value[0], list):
        flat = value[0]
    if len(flat) != COUNT or not all(_is_digit(one) for one in flat):
        return None
    return tuple(int(one) for one in flat)


def _is_digit(one: Any) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool) and one in range(COUNT)


def printed_digits(text: str) -> dict[int, int]:
    """Predictions in printed text: a list, a tensor, one a line with or without its number, or in sentences.

    Returns:
        Number of the picture -> digit that was printed for it; empty where the text cannot be read so.
    """
    text = re.sub(r"(?:torch\.)?tensor\(|array\(|device='[^']*'|dtype=[\w.]+|np\.int64\(", " ", text)
    return _from_lists(text) or _from_files(text) or _from_lines(text) or _from_numbered(text) or _from_run(text)


def is_plain(text: str) -> bool:
    """Whether there is no doubt about what the text says: a list, ten lines with file names, one digit a line."""
    return bool(_from_lists(text)) or len(_from_files(text)) == COUNT or bool(_from_lines(text))


def holds_digits(text: str) -> bool:
    """Whether a person might find ten predictions in the text."""
    return len(_DIGIT.findall(text)) >= COUNT


def _from_lists(text: str) -> dict[int, int]:
    """The last bracketed list of ten digits; one that is only counting, 0 to 9, if there is no other."""
    found = []
    for match in re.finditer(r"\[[\d\s,.\[\])(]*\]", text):
        numbers = re.findall(r"\d+", re.sub(r"(\d)\.(?!\d)", r"\1", match[0]))
        if len(numbers) == COUNT and all(len(number) == 1 for number in numbers):
            found.append([int(number) for number in numbers])
    if not found:
        return {}
    told = [one for one in found if one != list(range(COUNT))] or found
    return dict(enumerate(told[-1]))


def _from_files(text: str) -> dict[int, int]:
    found = {}
    for line in text.splitlines():
        files = _FILE.findall(line)
        if len(files) == 1 and (digit := _line_digit(_FILE.sub(" ", line))) is not None:
            found[int(files[0])] = digit
    return found


def _from_lines(text: str) -> dict[int, int]:
    digits = [digit for line in text.splitlines() if (digit := _line_digit(line)) is not None]
    return dict(enumerate(digits)) if len(digits) == COUNT else {}


def _from_numbered(text: str) -> dict[int, int]:
    """Ten lines of two digits each: "picture 3 looks like a 8". The one that counts from 0 to 9 is the number."""
    pairs = [(int(found[0]), int(found[1])) for line in text.splitlines() if len(found := _DIGIT.findall(line)) == 2]
    if len(pairs) != COUNT:
        return {}
    counting = list(range(COUNT))
    if [first for first, _ in pairs] == counting:
        return dict(pairs)
    if [second for _, second in pairs] == counting:
        return {second: first for first, second in pairs}
    return {}


def _from_run(text: str) -> dict[int, int]:
    digits = [int(digit) for digit in _DIGIT.findall(text)]
    return dict(enumerate(digits)) if len(digits) == COUNT else {}


def _line_digit(line: str) -> int | None:
    """The one predicted digit that a line tells."""
    if said := _SAID.search(line):
        return int(said[1])
    digits = _DIGIT.findall(_TRUTH.sub(" ", line))
    return int(digits[-1]) if len(digits) == 1 else None


def misread(text: str) -> Misread | None:
    """Read a written answer to "how many and which are misclassified".

    Returns:
        What it says, or None where it cannot be read with confidence or contradicts itself.
    """
    text = re.sub(r"[*_`#$]", "", text)
    if re.fullmatch(r"\W*\d\W*", text):
        return None  # a bare digit: a number of pictures, or one of them?
    text = re.sub(rf"\b({'|'.join(_WORDS)})\b", lambda m: f"⟨{_WORDS.index(m[1].lower()) + 1}⟩", text, flags=re.I)
    counts: set[int] = set()
    which: set[int] = set()
    for clause in _clauses(text):
        _read_clause(clause, counts, which)
    return _agreed(counts, which)


def _clauses(text: str) -> list[str]:
    text = re.sub(r"(\d)\.(png|jpe?g)", r"\1\2", text, flags=re.I)
    pieces = re.split(r"[;\n:]|[.!](?=\s|$)|,?\s*\b(?:but(?!\s+not\b)|while|whereas|however|aber|und\s+zwar)\b", text)
    halves = [half for piece in pieces for half in (piece.split(",") if _two_sided(piece) else [piece])]
    return [re.sub(r"(?<!\w)(\d)(png|jpe?g)", r"\1", piece, flags=re.I) for piece in halves if piece.strip()]


def _two_sided(clause: str) -> bool:
    """Whether it tells right ones and wrong ones at once: "9/10 correct, 6 is wrong"."""
    return bool(_RIGHT.search(clause) and _WRONG.search(clause) and not _EXCEPT.search(clause))


def _read_clause(clause: str, counts: set[int], which: set[int]) -> None:
    """Add what a clause says of wrong pictures."""
    right = bool(_RIGHT.search(clause)) and not _WRONG.search(clause)
    clause = _TAKEN_FOR.sub(" ", clause)
    excepted = _EXCEPT.split(clause, maxsplit=1)
    if len(excepted) == 2:
        counts.update(int(number) for number in _SPELLED.findall(excepted[1]))
        which.update(int(digit) for digit in _DIGIT.findall(excepted[1]))
        return
    clause, said = _take_counts(clause)
    counts.update(COUNT - number if right else number for number in said)
    digits = {int(digit) for digit in _DIGIT.findall(re.sub(r"\b10\b", " ", clause))}
    if right:
        if not digits and not said and re.search(r"\b(?:all|every\w*|alle|100\s*%)", clause, re.I):
            counts.add(0)
        return
    which.update(digits)
    if not digits and not said and _NONE.search(clause):
        counts.add(0)


def _take_counts(clause: str) -> tuple[str, set[int]]:
    """The clause without its numbers of pictures, and those."""
    bare = _SPELLED.sub(r"\1", clause)
    if (of_ten := _OF_TEN.search(bare)) or (of_ten := _COUNTED.search(bare)):
        return _SPELLED.sub(" ", bare[: of_ten.start()] + " " + bare[of_ten.end() :]), {int(of_ten[1])}
    return _SPELLED.sub(" ", clause), {int(number) for number in _SPELLED.findall(clause)} - {COUNT}


def _agreed(counts: set[int], which: set[int]) -> Misread | None:
    if len(counts) > 1 or (counts and which and counts != {len(which)}) or not (counts or which):
        return None
    if which:
        return Misread(len(which), frozenset(which))
    count = next(iter(counts))
    return Misread(count, frozenset() if count == 0 else None)


def wrong_ones(predictions: Sequence[int]) -> frozenset[int]:
    """The pictures whose prediction is not their own digit: picture k shows a k."""
    return frozenset(number for number, digit in enumerate(predictions) if digit != number)
