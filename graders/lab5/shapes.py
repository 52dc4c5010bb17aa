r"""Shapes of feature maps in free text: "32x24x24", "[128, 32, 24, 24]", "32 maps of size 24 by 24" and so on.

The text is cleaned (LaTeX, HTML, markdown, units), working such as "28-5+1=24" is put aside, and what remains is
read as
- chains of three or four numbers: maps, height, width; or height, width, maps; a batch before either;
- pairs of numbers beside a number of maps;
- numbers beside the words for maps, height and width.
What a person might read as right is never called wrong: several different shapes, right numbers in an odd order
and numbers without a shape are `unclear`.
"""

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto

Shape = tuple[int, int, int]

_MAPS = (
    r"(?:feature|output|activation|response)?[\s-]*(?:maps?|channels?|filters?|features?|kernels?|planes?|depth|kan[aä]len?"
    r"|karten|merkmalskarten|filtern?|canaux|canales|mapas|cartes)\b"
)
_HEIGHT = r"(?:height|high|tall|rows?|h|h[oö]he|hoch|zeilen|hauteur|alto)"
_WIDTH = r"(?:width|wide|columns?|cols?|w|breite|breit|spalten|largeur|ancho)"
_NUMBER = r"\(*(?<![\w.])\d+\)*(?!\w)"
_RUN = re.compile(rf"{_NUMBER}(?:[ \t]*[-+/x][ \t]*{_NUMBER})+")
_TIMES = re.compile(
    r"(?<=\d)[ \t]*(?:[x×✕✖⨯∗·⋅•хX*]|[- ](?:by|times|mal|par|por|auf)[- ])[ \t]*(?=\(*\d)", re.IGNORECASE
)
_LIST = re.compile(r"(?<![\w.])\d+(?:[ \t]*[,;][ \t]*\d+)+(?!\w)")
_SPACED = re.compile(r"(?<![\w.])\d+(?:[ \t]+\d+){2,3}(?![\w.]\d)(?!\w)")
_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_UNITS)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_SPELLED = re.compile(rf"\b(?:({'|'.join(_TENS)})[ -])?({'|'.join(_WORDS)})\b")


class Reading(Enum):
    """How an answer reads."""

    RIGHT = auto()
    SWAPPED = auto()
    """Right but for height and width, which are exchanged."""
    NO_MAPS = auto()
    """Right height and width; the number of maps is not said."""
    WRONG = auto()
    UNCLEAR = auto()
    EMPTY = auto()
    """No number at all."""


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        maps: Number of maps.
        height: Of a map, in pixels.
        width: Of a map, in pixels.
        given: Numbers of the question itself: sizes of image and kernel, batch.
    """

    maps: int
    height: int
    width: int
    given: frozenset[int]

    @property
    def right(self) -> Shape:
        """Maps, height, width."""
        return self.maps, self.height, self.width

    @property
    def swapped(self) -> Shape:
        """Maps, width, height."""
        return self.maps, self.width, self.height


@dataclass
class _Parts:
    """What was found in a text.

    `rest` is the text with chains replaced by '§' and working by '¤'; `worked` has the results of working in its place.
    """

    rest: str
    worked: str = ""
    chains: list[tuple[int, ...]] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)

    def take(self, numbers: tuple[int, ...]) -> None:
        if len(numbers) == 2:
            self.pairs.append((numbers[0], numbers[1]))
        else:
            self.chains.append(numbers)


def read_shape(text: str, question: Question) -> tuple[Reading, str]:
    """Read a written answer.

    Args:
        text: The answer, any markdown.
        question: What is right.

    Returns:
        How it reads, and the shape that was read, for the message ("" if none).
    """
    cleaned = clean(text)
    if not re.search(r"\d", cleaned):
        return Reading.EMPTY, ""
    parts = _parts(cleaned)
    chains = {shape for chain in parts.chains if (shape := _ordered(chain, question))}
    # A shape of the question's own numbers, such as the input's, is the answer only where there is no other.
    own = {shape for shape in chains if not set(shape) <= question.given}
    shapes = own or _composed(parts, question) or chains
    if not shapes:
        return _pair_only(parts, question, cleaned)
    return _judged(shapes, parts, question, cleaned)


def clean(text: str) -> str:
    """The text without markup, with ' x ' for every sign of multiplication and digits for spelled numbers."""
    text = html.unescape(text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>", " ", text)
    text = re.sub(r"\\(?:times|cdot|ast)(?![a-zA-Z])", " x ", text)
    text = re.sub(r"\\(?:text|mathrm|mathbf|left|right|quad|,|;|!|\s|(?=[*()\[\]_]))", "", text)
    text = re.sub(r"(\d+)\s*(?:²|\^\s*\{?2\}?|\*\*\s*2\b)", r"\1 x \1", text)
    text = re.sub(r"\*\*|__|[`$~]", "", text).translate(str.maketrans("{}−–", "  --"))
    text = _SPELLED.sub(lambda m: str(_WORDS.get(m[1] or "", 0) + _WORDS[m[2]]), text.lower())
    text = re.sub(r"(?<=\d)\.0+\b", "", text)
    text = re.sub(r"(?<=\d)[ \t]*(?:px|pixels?)\b", "", text)
    return _TIMES.sub(" x ", text)


def _parts(text: str) -> _Parts:
    parts = _Parts(rest="")

    def run(match: re.Match[str]) -> str:
        pieces = [piece.strip() for piece in re.split(r"[-+/]", match[0])]
        arithmetic = len(pieces) > 1
        for piece in pieces:
            numbers = tuple(int(n) for n in re.findall(r"\d+", piece))
            if len(numbers) >= (3 if arithmetic else 2) and (not arithmetic or not re.search(r"[()]", piece)):
                parts.take(numbers)
        return " ¤ " if arithmetic else " § "

    def listed(match: re.Match[str]) -> str:
        parts.take(tuple(int(n) for n in re.findall(r"\d+", match[0])))
        return " § "

    rest = _RUN.sub(run, text)
    parts.worked = re.sub(r"¤[ \t)\]]*=+[ \t]*(?=\d)", "", rest)
    rest = re.sub(r"¤[ \t)\]]*=+[ \t]*\d+(?![ \t]*[,;][ \t]*\d)", "¤", rest)
    parts.rest = _SPACED.sub(listed, _LIST.sub(listed, rest))
    return parts


def _ordered(chain: tuple[int, ...], question: Question) -> Shape | None:
    if len(chain) not in (3, 4):
        return None
    first, second, third = chain[-3:]
    last = (third, first, second)
    if last in (question.right, question.swapped) and (first, second, third) != question.right:
        return last
    return first, second, third


def _composed(parts: _Parts, question: Question) -> set[Shape]:
    """Shapes from a pair and a number of maps, or from labelled numbers."""
    pairs = _pairs(parts, question)
    # Results of working, as in "height 28-7+1 = 22", count only where nothing else is said.
    for text in () if pairs else (parts.rest, parts.worked):
        height, width = _labelled(text, _HEIGHT), _labelled(text, _WIDTH)
        if len(height) == len(width) == 1:
            pairs = {(next(iter(height)), next(iter(width)))}
            break
    sides = {side for pair in pairs for side in pair}
    counts = _counts(parts.rest) or _numbers(parts.rest) - question.given - sides
    if len(counts) > 1 and question.maps not in counts:
        return set()
    return {(count, *pair) for count in counts for pair in pairs}


def _pairs(parts: _Parts, question: Question) -> set[tuple[int, int]]:
    found = set(parts.pairs)
    return {pair for pair in found if not set(pair) <= question.given} or found


def _counts(rest: str) -> set[int]:
    before = re.findall(rf"(?<![\w.])(\d+)\W{{1,3}}(?:(?:§|[^\W\d]+)\W{{1,2}}){{0,2}}?{_MAPS}", rest)
    after = re.findall(rf"\b{_MAPS}\W{{0,3}}(?:(?:is|are|of|sind|ist)\b)?\W{{0,3}}(\d+)(?!\w)", rest)
    return {int(number) for number in before or after}


def _labelled(rest: str, words: str) -> set[int]:
    both = re.findall(rf"\b{_HEIGHT}\W+(?:and|und|&)?\W*{_WIDTH}\b\D{{0,15}}?(\d+)", rest)
    after = re.findall(rf"(?<![\w.]){words}\b\s*(?:is|of|ist|von|=|:)*\s*(\d+)(?!\w)", rest)
    before = re.findall(rf"(?<![\w.])(\d+)\W{{1,2}}(?:in\s+)?{words}\b", rest)
    return {int(number) for number in both or after or before}


def _numbers(rest: str) -> set[int]:
    return {int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.]*\w)", rest)}


def _pair_only(parts: _Parts, question: Question, text: str) -> tuple[Reading, str]:
    pairs = _pairs(parts, question)
    if len(pairs) != 1 or question.maps in _numbers(text):
        return Reading.UNCLEAR, ""
    pair = next(iter(pairs))
    shown = f"{pair[0]}x{pair[1]}"
    if pair in (question.right[1:], question.swapped[1:]):
        return (Reading.NO_MAPS if pair == question.right[1:] else Reading.UNCLEAR), shown
    return (Reading.UNCLEAR if parts.chains or _numbers(parts.rest) - question.given else Reading.WRONG), shown


def _judged(shapes: set[Shape], parts: _Parts, question: Question, text: str) -> tuple[Reading, str]:
    shown = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
    if len(shapes) > 1:
        return Reading.UNCLEAR, shown
    shape = next(iter(shapes))
    if _width_first(text):
        shape = (shape[0], shape[2], shape[1])
    if shape == question.right:
        return Reading.RIGHT, shown
    if shape == question.swapped:
        return Reading.SWAPPED, shown
    wanted = Counter(question.right)
    odd_order = any(not wanted - Counter(chain) for chain in (*parts.chains, shape))
    said_too = any(pair in (question.right[1:], question.swapped[1:]) for pair in parts.pairs)
    other = shape[1:] != question.right[1:]
    return (Reading.UNCLEAR if odd_order or (said_too and other) else Reading.WRONG), shown


def _width_first(text: str) -> bool:
    return bool(re.search(rf"\b{_WIDTH}\b\W*(?:x|,|and|by|und)\W*{_HEIGHT}\b", text))
