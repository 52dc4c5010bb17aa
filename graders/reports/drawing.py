"""Two networks side by side, what is expected and what was found, laid out as boxes and lines for an SVG.

Stages that stand for one another are at the same height. Branches lie side by side in lanes, their merge below them.
Differences are told by shape and words besides colour: a dashed box is missing, a double one too much, and each
says so. The template `drawing.html.j2` writes the SVG, so that all text is escaped where all other text is.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from graders.reports.detail import Detail

MAX_STAGES = 150
MAX_WIDTH = 8
"""Lanes side by side."""

# In pixels of the SVG.
BOX, LANE_GAP, MIDDLE, MARGIN = 148, 14, 30, 12
LINE, PADDING, EDGE, FORK = 15, 7, 30, 16
HEAD, FOOT = 46, 46
SHORTCUT = 40
CHARACTERS = 22
MOST_LINES = 4

Solidity = Literal["solid", "ghost", "extra", "different"]
Status = Literal["same", "different", "missing", "extra"]
TAGS = {"different": "≠ differs", "missing": "− missing", "extra": "+ extra"}
WORDS = {"same": "✓ same", **TAGS}


class Side(Detail):
    """A stage on one side: what the student calls it, in a sentence, in a box, and the shape of its output."""

    words: str
    label: str
    name: str = ""
    shape: Annotated[Sequence[int], Field(max_length=8)] | None = None

    @property
    def size(self) -> str:
        """The shape as people write it."""
        return "×".join(map(str, self.shape)) if self.shape else ""

    @property
    def full(self) -> str:
        """For the table: with the student's name for it."""
        return f"{self.name}: {self.words}" if self.name else self.words


class Stage(Detail):
    """One row of the comparison; see `graders.models.Row` for path, block and lanes."""

    status: Status
    moved: bool = False
    expected: Side | None = None
    found: Side | None = None
    path: Annotated[Sequence[Annotated[Sequence[int], Field(min_length=2, max_length=2)]], Field(max_length=16)] = ()
    block: int | None = None
    lanes: Annotated[Sequence[Status], Field(max_length=64)] = ()

    @property
    def tag(self) -> str:
        """The difference in a word with its symbol."""
        if self.moved:
            return "⇅ elsewhere" if self.status == "missing" else "⇅ moved"
        return WORDS[self.status]


@dataclass(frozen=True)
class Line:
    """A line of text in a box."""

    text: str
    y: float
    kind: Literal["tag", "name", "label"]


@dataclass(frozen=True)
class Box:
    """A stage; x and y are of its upper left corner."""

    x: float
    y: float
    height: float
    kind: Solidity
    lines: tuple[Line, ...]
    width: float = BOX

    @property
    def middle(self) -> float:
        """Where arrows end and text is centred."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Arrow:
    """A line along some points; dashed ones belong to a branch that is missing."""

    points: tuple[tuple[float, float], ...]
    head: bool = True
    dashed: bool = False

    @property
    def path(self) -> str:
        """For the attribute d: straight from point to point."""
        steps = [point for place, point in enumerate(self.points) if not place or point != self.points[place - 1]]
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in steps)

    @property
    def tip(self) -> str:
        """The triangle at its end."""
        x, y = self.points[-1]
        return f"M{x:g} {y:g}l-4 -7h8z"


@dataclass(frozen=True)
class Note:
    """Text beside an arrow: a shape; `off` where another is expected."""

    x: float
    y: float
    text: str
    off: bool = False


@dataclass
class Drawing:
    """Everything to be drawn, in pixels."""

    width: float
    height: float
    centres: tuple[float, float]
    described: str
    same: bool
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class _Leaf:
    row: Stage
    y: float
    height: float


@dataclass(frozen=True)
class _Block:
    lanes: tuple["_Lane", ...]
    merge: _Leaf
    fork: float
    join: float


@dataclass(frozen=True)
class _Lane:
    status: Status
    steps: tuple["_Leaf | _Block", ...]
    x: float  # its middle, from the middle of the column
    width: float


_Steps = tuple[_Leaf | _Block, ...]
_Points = tuple[tuple[float, float], ...]


def draw(rows: Sequence[Stage]) -> Drawing:
    """Lay out a comparison.

    Args:
        rows: In order; the rows of a block come right before its merge.

    Raises:
        ValueError: there are too many for a drawing, or their blocks do not fit together.
    """
    if len(rows) > MAX_STAGES:
        raise ValueError(f"there are {len(rows)}, too many for a drawing")
    lane, end = _laid_out(rows, 0, HEAD, "same")
    if lane.width > MAX_WIDTH * (BOX + LANE_GAP):
        raise ValueError("there are too many branches side by side for a drawing")
    left = MARGIN + lane.width / 2
    centres = (left, left + lane.width + MIDDLE)
    width = 2 * lane.width + MIDDLE + 2 * MARGIN
    same = all(row.status == "same" for row in rows)
    drawing = Drawing(width, end + FOOT, centres, _described(rows), same)
    for found, centre in enumerate(centres):
        side = _SidePen(drawing, found=bool(found))
        last = side.steps(lane.steps, centre, ((centre, HEAD - EDGE + 6),))
        drawing.arrows.append(Arrow((*last, (centre, end + 24))))
    return drawing


def _described(rows: Sequence[Stage]) -> str:
    """The drawing in words, for those who do not see it."""
    counts = {word: sum(row.status == word for row in rows) for word in WORDS}
    parts = [f"{count} {'the same' if word == 'same' else word}" for word, count in counts.items() if count]
    start = "Boxes joined by arrows: the expected network on the left, yours on the right, stages that stand for"
    return f"{start} one another at the same height. Of {len(rows)} rows: {', '.join(parts)}. A table follows."


def _laid_out(rows: Sequence[Stage], depth: int, y: float, status: Status) -> tuple[_Lane, float]:
    """Rows from top to bottom; the y after the last one is without the line that follows."""
    steps: list[_Leaf | _Block] = []
    width: float = BOX if rows else SHORTCUT
    place = 0
    while place < len(rows):
        end = _end_of_block(rows, place, depth)
        if end is None:
            step: _Leaf | _Block = _leaf(rows[place], y)
            y = _bottom(step) + EDGE
            place += 1
        else:
            step, inner = _block(rows[place : end + 1], depth, y)
            y, width = _bottom(step) + EDGE, max(width, inner)
            place = end + 1
        steps.append(step)
    return _Lane(status, tuple(steps), 0, width), y - EDGE if rows else y


def _end_of_block(rows: Sequence[Stage], place: int, depth: int) -> int | None:
    """The merge of the block that begins here; None for a stage."""
    row = rows[place]
    if len(row.path) <= depth:
        return place if row.lanes else None
    block = row.path[depth][0]
    for end in range(place, len(rows)):
        if rows[end].block == block and len(rows[end].path) == depth:
            return end
        if len(rows[end].path) <= depth or rows[end].path[depth][0] != block:
            break
    raise ValueError("their branches do not fit together")


def _block(rows: Sequence[Stage], depth: int, y: float) -> tuple[_Block, float]:
    """The lanes of a block side by side and its merge below; also its width."""
    merge = rows[-1]
    lanes, ends = [], []
    for number, status in enumerate(merge.lanes):
        here = [row for row in rows[:-1] if row.path[depth][1] == number]
        lane, end = _laid_out(here, depth + 1, y + FORK, status)
        lanes.append(lane)
        ends.append(end)
    if sum(row.path[depth][1] >= len(lanes) or row.path[depth][1] < 0 for row in rows[:-1]):
        raise ValueError("a branch is not told of where it ends")
    width = sum(lane.width for lane in lanes) + LANE_GAP * (len(lanes) - 1)
    x = -width / 2
    placed = []
    for lane in lanes:
        placed.append(_Lane(lane.status, lane.steps, x + lane.width / 2, lane.width))
        x += lane.width + LANE_GAP
    bottom = max(ends)
    return _Block(tuple(placed), _leaf(merge, bottom + EDGE + FORK), y, bottom + EDGE - 6), width


def _bottom(step: _Leaf | _Block) -> float:
    leaf = step.merge if isinstance(step, _Block) else step
    return leaf.y + leaf.height


def _leaf(row: Stage, y: float) -> _Leaf:
    lines = max(len(_texts(row, found=False)), len(_texts(row, found=True)))
    return _Leaf(row, y, lines * LINE + 2 * PADDING)


def _texts(row: Stage, *, found: bool) -> list[tuple[str, Literal["tag", "name", "label"]]]:
    """The lines in a stage's box on one side, with what they are."""
    side = row.found if found else row.expected
    tag = [(row.tag, "tag")] if row.status != "same" and found else []
    if side is None:
        side = row.expected if found and row.status == "missing" else None
    if side is None:
        return []
    name = [(_cut(side.name, CHARACTERS), "name")] if side.name else []
    label = [(text, "label") for text in _wrapped(side.label)]
    return [*tag, *name, *label]  # type: ignore[list-item]


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and _columns(f"{lines[-1]} {word}") > CHARACTERS:
            lines.append("")
        lines[-1] = _cut(f"{lines[-1]} {word}".strip(), CHARACTERS)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], _cut(f"{lines[MOST_LINES - 1]} …", CHARACTERS)]
    return lines


def _columns(text: str) -> int:
    """How many columns a text takes: wide characters two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cut(text: str, columns: int) -> str:
    if _columns(text) <= columns:
        return text
    kept = ""
    for char in text:
        if _columns(kept + char) > columns - 1:
            break
        kept += char
    return f"{kept}…"


class _SidePen:
    """Draws one side: boxes, and lines through everything that this side does not have."""

    def __init__(self, drawing: Drawing, *, found: bool) -> None:
        self.drawing, self.found = drawing, found

    def steps(self, steps: _Steps, x: float, line: _Points, *, ghost: bool = False) -> _Points:
        """Draw steps around the middle `x`; `line` has come so far, and what is returned goes on."""
        for step in steps:
            if isinstance(step, _Block):
                line = self.block(step, x, line, ghost=ghost)
            else:
                line = self.stage(step, x, line, ghost=ghost)
        return line

    def stage(self, leaf: _Leaf, x: float, line: _Points, *, ghost: bool) -> _Points:
        row = leaf.row
        side = row.found if self.found else row.expected
        texts = _texts(row, found=self.found)
        if texts:
            kind: Solidity = "solid"
            if self.found and row.status != "same":
                kind = {"missing": "ghost", "extra": "extra"}.get(row.status, "different")  # type: ignore[assignment]
            top = leaf.y + PADDING + LINE - 4 + (leaf.height - 2 * PADDING - len(texts) * LINE) / 2
            lines = tuple(Line(text, top + place * LINE, what) for place, (text, what) in enumerate(texts))
            self.drawing.boxes.append(Box(x - BOX / 2, leaf.y, leaf.height, kind, lines))
        if side is None or ghost:
            return line
        self.drawing.arrows.append(Arrow((*line, (x, leaf.y))))
        bottom = leaf.y + leaf.height
        self.note(row, side, x, bottom)
        return ((x, bottom),)

    def note(self, row: Stage, side: Side, x: float, y: float) -> None:
        """The shape below a box."""
        other = row.expected if self.found else None
        off = bool(other and other.size and side.size and other.size != side.size)
        if side.size:
            self.drawing.notes.append(Note(x + 6, y + 14, f"≠ {side.size}" if off else side.size, off))

    def block(self, block: _Block, x: float, line: _Points, *, ghost: bool) -> _Points:
        """Branches; those that this side does not have are left out on the left and dashed on the right."""
        absent = "missing" if self.found else "extra"
        ends: list[_Points] = []
        for lane in block.lanes:
            middle = x + lane.x
            ways: _Points = ((x, block.fork), (middle, block.fork))
            if ghost or (lane.status == absent and self.found):
                self.drawing.arrows.append(
                    Arrow((*ways, (middle, block.join), (x, block.join)), head=False, dashed=True)
                )
                self.steps(lane.steps, middle, (), ghost=True)
            elif lane.status != absent:
                end = self.steps(lane.steps, middle, (*line, *ways))
                ends.append((*end, (middle, block.join), (x, block.join)))
        merge = block.merge
        here = merge.row.found if self.found else merge.row.expected
        for end in ends[:-1] if here is not None else []:
            self.drawing.arrows.append(Arrow(end, head=False))
        return self.stage(merge, x, ends[-1] if ends else line, ghost=ghost)
