"""Which cells of a submission answer which task: by id, then by content, then by position.

A submission may have lost its metadata, and its cells may have been inserted, split, copied, moved or deleted; it may
also have been written from an older edition of the lab, whose given cells read differently. So given cells are
recognised first; between two of them, what is left of the submission is laid beside what is left of the template.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise

from nbformat import NotebookNode

from graders.lab import NotebookSpec
from graders.notebooks.cells import grade_id, is_solution, nbgrader
from graders.notebooks.strip import is_stub, residue

DEFINITION = re.compile(r"^(?:class|def)\s+(\w+)", re.MULTILINE)
WORD = re.compile(r"\w+(?:\.\w+)*")
QUOTED = re.compile(r"`([^`\n]+)`")
LONGEST = 20_000
"""Characters of a cell that are compared; enough to know it again."""

SAME = 0.9
"""Similarity from which a cell is a copy of a given one."""
ALIKE = 0.3
"""Similarity from which a cell is taken for a given one that was edited, or is of an older edition."""
FORBIDDEN = -1.0


@dataclass(frozen=True)
class CellView:
    """A cell as it is compared."""

    index: int
    cell: NotebookNode = field(repr=False)

    @property
    def code(self) -> bool:
        """Whether it is a code cell."""
        return bool(self.cell.cell_type == "code")

    @cached_property
    def text(self) -> str:
        """Source without stub lines and empty lines, spaces run together."""
        return residue(self.cell.source[:LONGEST])

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the source."""
        return frozenset(WORD.findall(self.cell.source[:LONGEST]))

    @cached_property
    def defined(self) -> frozenset[str]:
        """Classes and functions that it defines."""
        return frozenset(DEFINITION.findall(self.cell.source[:LONGEST])) if self.code else frozenset()

    @cached_property
    def stub(self) -> bool:
        """Whether it says no more than a stub."""
        return is_stub(self.cell.source)

    @property
    def foreign(self) -> bool:
        """Whether nbgrader knows it as something else than an answer."""
        return bool(nbgrader(self.cell)) and not is_solution(self.cell)

    def alike(self, other: "CellView") -> float:
        """Share of words in common, 0 to 1 (Dice); what is defined counts as much again."""
        words = _dice(self.words, other.words)
        defined = self.defined | other.defined
        return (words + _dice(self.defined, other.defined)) / 2 if defined else words


def _dice(mine: frozenset[str], theirs: frozenset[str]) -> float:
    total = len(mine) + len(theirs)
    return 2 * len(mine & theirs) / total if total else 0.0


@dataclass(frozen=True)
class Target:
    """A cell of the template: a given one, or the place of a task's answer."""

    profile: CellView
    names: frozenset[str]
    """nbgrader's id and the cell's own."""
    task: str | None = None
    hints: frozenset[str] = frozenset()
    """Words that an answer is likely to use: of its stub, and in backquotes in the text before it."""


@dataclass
class Matching:
    """What is known so far.

    Attributes:
        tasks: Index of a submission's cell -> task.
        given: Index of a submission's cell -> index of the template's given cell.
        weak: Cells taken for a given one by their place only.
    """

    tasks: dict[int, str] = field(default_factory=dict)
    given: dict[int, int] = field(default_factory=dict)
    weak: set[int] = field(default_factory=set)

    def knows(self, index: int) -> bool:
        """Whether the cell has been matched with something."""
        return index in self.tasks or index in self.given or index in self.weak


def match_tasks(spec: NotebookSpec, template: NotebookNode, submission: NotebookNode) -> dict[int, str]:
    """Find the cells that answer the notebook's tasks.

    Args:
        spec: The notebook in lab.toml.
        template: As students got it (see `graders.notebooks.release.template_notebook`).
        submission: As it was read.

    Returns:
        Index of a submission's cell -> task id, in the order of the cells. A task may have several cells, or none.
    """
    return dict(sorted(match_cells(spec, template, submission).tasks.items()))


def match_cells(spec: NotebookSpec, template: NotebookNode, submission: NotebookNode) -> Matching:
    """Match a submission's cells with the template's; arguments as for `match_tasks`."""
    targets = _targets(spec, template)
    cells = [CellView(index, cell) for index, cell in enumerate(submission.cells)]
    found = Matching()
    _by_id(targets, cells, found)
    _by_definition(targets, cells, found)
    anchors = _anchors(targets, cells, found)
    for rows, columns in _gaps(anchors, targets, cells):
        _by_position([t for t in rows if t.task not in found.tasks.values()], columns, found)
    _adopt(targets, cells, found)
    return found


def _targets(spec: NotebookSpec, template: NotebookNode) -> list[Target]:
    tasks = {task.id for task in spec.tasks}
    targets, asked = [], set[str]()
    for index, cell in enumerate(template.cells):
        profile, name = CellView(index, cell), grade_id(cell)
        names = frozenset({name, cell.id} - {None})
        if name in tasks:
            hints = frozenset(asked | set(WORD.findall(profile.text)))
            targets.append(Target(profile, names, name, hints))
            asked = set()
        else:
            targets.append(Target(profile, names))
            quoted = QUOTED.findall(cell.source) if cell.cell_type == "markdown" else []
            asked = (asked if cell.cell_type == "markdown" else set()) | {
                w for text in quoted for w in WORD.findall(text)
            }
    return targets


def _by_id(targets: list[Target], cells: list[CellView], found: Matching) -> None:
    """Look at nbgrader's id first, at the cell's own where that says nothing."""
    known = {name: target for target in targets for name in target.names}
    for one in cells:
        target = known.get(grade_id(one.cell) or "") or known.get(one.cell.id)
        if target is None:
            continue
        if target.task is not None:
            found.tasks[one.index] = target.task
        elif target.profile.index not in found.given.values():
            found.given[one.index] = target.profile.index


def _by_definition(targets: list[Target], cells: list[CellView], found: Matching) -> None:
    """An answer that defines what only the task's stub defines, wherever it stands."""
    given = {name for target in targets if target.task is None for name in target.profile.defined}
    for target in targets:
        names = target.profile.defined - given
        if target.task is None or not names or not _open(target.task, cells, found):
            continue
        for one in cells:
            if names & one.defined and not found.knows(one.index) and not one.foreign:
                found.tasks[one.index] = target.task


def _open(task: str, cells: list[CellView], found: Matching) -> bool:
    """Whether no cell of the task holds more than a stub."""
    return all(cells[index].stub for index, name in found.tasks.items() if name == task)


def _anchors(targets: list[Target], cells: list[CellView], found: Matching) -> list[tuple[int, int]]:
    """Pairs (template, submission) of equal cells, in order; those of given cells are noted in `found`."""
    sought = set(found.tasks.values())
    left = [
        f"task {t.task}" if t.task in sought else _key(t.profile, t.profile.index, found.given.values())
        for t in targets
    ]
    right = []
    for one in cells:
        if one.index in found.tasks:
            right.append(f"task {found.tasks[one.index]}")
        else:
            right.append(_key(one, found.given.get(one.index, -1), found.given.values()))
    pairs = []
    for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        for row, column in zip(range(block.a, block.a + block.size), range(block.b, block.b + block.size), strict=True):
            if targets[row].task is None:
                found.given.setdefault(column, row)
            elif column not in found.tasks:
                continue  # an untouched stub: its place decides, stubs look alike
            pairs.append((row, column))
    return pairs


def _key(one: CellView, place: int, known: Iterable[int]) -> str:
    return f"given {place}" if place in known else f"{one.cell.cell_type} {one.text}"


def _gaps(
    anchors: list[tuple[int, int]], targets: list[Target], cells: list[CellView]
) -> list[tuple[list[Target], list[CellView]]]:
    """What stands between anchors, in template and submission."""
    edges = [(-1, -1), *anchors, (len(targets), len(cells))]
    return [(targets[a + 1 : c], cells[b + 1 : d]) for (a, b), (c, d) in pairwise(edges) if c > a + 1 and d > b + 1]


def _by_position(rows: list[Target], columns: list[CellView], found: Matching) -> None:
    """Lay both side by side, in order, so that the sum of the scores is highest (Needleman and Wunsch, 1970)."""
    rows = [row for row in rows if row.profile.index not in found.given.values()]
    columns = [column for column in columns if not found.knows(column.index)]
    scores = [[_score(row, column) for column in columns] for row in rows]
    best = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for r in range(len(rows) - 1, -1, -1):
        for c in range(len(columns) - 1, -1, -1):
            both = best[r + 1][c + 1] + scores[r][c] if scores[r][c] > 0 else FORBIDDEN
            best[r][c] = max(best[r + 1][c], best[r][c + 1], both)
    r = c = 0
    while r < len(rows) and c < len(columns):
        if scores[r][c] > 0 and best[r][c] == best[r + 1][c + 1] + scores[r][c]:
            _take(rows[r], columns[c], found)
            r, c = r + 1, c + 1
        elif best[r][c] == best[r + 1][c]:
            r += 1
        else:
            c += 1


def _take(target: Target, one: CellView, found: Matching) -> None:
    if target.task is not None:
        found.tasks[one.index] = target.task
    elif target.profile.alike(one) >= ALIKE:
        found.given[one.index] = target.profile.index
    else:
        found.weak.add(one.index)


def _score(target: Target, one: CellView) -> float:
    """How well a cell fits a place, above 0; FORBIDDEN where it cannot be."""
    if target.profile.code != one.code:
        return FORBIDDEN
    if target.task is None:
        alike = target.profile.alike(one)
        # Text may be worded anew from edition to edition; code that is nothing like the given is the student's own.
        return FORBIDDEN if is_solution(one.cell) or (one.code and alike < ALIKE) else alike + 0.05
    if one.foreign:
        return FORBIDDEN
    hinted = len(target.hints & one.words) / len(target.hints) if target.hints and one.code else 0.0
    return 0.1 + 0.5 * is_solution(one.cell) + 0.3 * one.stub + hinted


def _adopt(targets: list[Target], cells: list[CellView], found: Matching) -> None:
    """Give inserted and split-off cells to the task of their kind that they stand beside, between two given cells."""
    codes = {target.task: target.profile.code for target in targets if target.task}
    given = [target.profile for target in targets if target.task is None]
    settled = dict(found.tasks)
    for one in cells:
        if found.knows(one.index) or one.foreign or one.cell.cell_type == "raw" or one.stub:
            continue
        if any(other.code == one.code and other.alike(one) >= SAME for other in given):
            continue
        owner = _owner(one, {i: task for i, task in settled.items() if codes[task] == one.code}, cells, found)
        if owner is not None:
            found.tasks[one.index] = owner


def _owner(one: CellView, settled: Mapping[int, str], cells: list[CellView], found: Matching) -> str | None:
    """The task before the cell, else the one after it; text must follow the answer directly, or be all there is."""
    start = max((index for index in found.given if index < one.index), default=-1)
    end = min((index for index in found.given if index > one.index), default=len(cells))
    before = max((index for index in settled if start < index < one.index), default=None)
    after = min((index for index in settled if one.index < index < end), default=None)
    for index in (before, after):
        if index is None:
            continue
        task = settled[index]
        follows = index == before and found.tasks.get(one.index - 1) == task
        if one.code or follows or _open(task, cells, found):
            return task
    return None
