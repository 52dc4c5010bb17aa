"""Compares a network's stages with a specification: what is the same, different, missing, too much, out of place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from graders.models.alignment import aligned
from graders.models.canonical import normalised
from graders.models.notation import Stage
from graders.models.rows import OK, Row
from graders.models.sentences import sentences
from graders.models.structure import Item, Parallel, Plan, Tangle, leaves, with_shapes
from graders.models.wording import label, words


@dataclass(frozen=True)
class Comparison:
    """A network's stages beside the specification.

    Attributes:
        rows: In order, both sides aligned; the branches of a block one after the other, then their merge.
        share: (same + half of those of the right kind with other parameters - extra ones), at least 0, over the number
            of stages expected. A stage out of place counts once, as missing.
        equal: All is the same.
        sentences: For the student, in the words of their own layers; the first difference first.
        code: Of the first difference; "OK" if there is none.
    """

    rows: tuple[Row, ...]
    share: float
    equal: bool
    sentences: tuple[str, ...]
    code: str

    @property
    def details(self) -> dict[str, Any]:
        """JSON for the reports: `stages`, a row each, and `sentences`."""
        return {"stages": [_row_details(row) for row in self.rows], "sentences": list(self.sentences)}


def _row_details(row: Row) -> dict[str, Any]:
    return {
        "status": row.status,
        "moved": row.moved,
        "expected": _side(row.expected) if row.status != "extra" else None,
        "found": _side(row.found) if row.is_here else None,
        "path": [list(pair) for pair in row.path],
        "block": row.block,
        "lanes": list(row.lanes),
    }


def _side(one: Stage | None) -> dict[str, Any] | None:
    if one is None:
        return None
    shape = None if one.shape_out is None else list(one.shape_out)
    return {"name": one.module, "words": words(one), "label": label(one), "shape": shape}


def compare(expected: Sequence[Item], found: Sequence[Item]) -> Comparison:
    """Align a network's plan with a specification and say what differs.

    Args:
        expected: The specification; it is put into canonical form here.
        found: The canonical stages of a network, in a chain (`stages`) or with their branches (`plan_of`).

    Raises:
        ValueError: nothing is expected.
    """
    if not leaves(expected):
        raise ValueError("a specification needs at least one stage")
    here = leaves(found)
    wanted = with_shapes(_normal(expected), here[0].shape_in if here else None)
    rows = _crossing(_moved(aligned(wanted, _normal(found))), found)
    same = sum(row.status == "same" for row in rows)
    half = sum(0.5 for row in rows if row.status == "different" and _alike(row))
    extra = sum(row.status == "extra" and not row.moved for row in rows)
    differences = [row for row in rows if row.status != "same"]
    return Comparison(
        rows=rows,
        share=max(0.0, same + half - extra) / len(leaves(wanted)),
        equal=not differences,
        sentences=sentences(rows),
        code=differences[0].code if differences else OK,
    )


def _normal(plan: Sequence[Item]) -> Plan:
    """Every run of stages in canonical form."""
    found: list[Item] = []
    run: list[Stage] = []
    for item in plan:
        if isinstance(item, Stage):
            run.append(item)
            continue
        found += normalised(run)
        run = []
        found.append(
            Parallel(tuple(_normal(branch) for branch in item.branches), item.merge)
            if isinstance(item, Parallel)
            else item
        )
    return (*found, *normalised(run))


def _alike(row: Row) -> bool:
    return row.expected is not None and row.found is not None and row.expected.kind == row.found.kind


def _moved(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Mark pairs of a missing and an extra stage that are the same: out of place. Merges stay where they are."""
    marked = list(rows)
    for place, row in enumerate(rows):
        if row.status != "missing" or row.expected is None or row.block is not None:
            continue
        for other, candidate in enumerate(marked):
            twin = candidate.found
            free = candidate.status == "extra" and not candidate.moved and candidate.block is None
            if free and twin and row.expected.same_as(twin):
                marked[place] = replace(row, found=twin, moved=True)
                marked[other] = replace(candidate, expected=row.expected, moved=True)
                break
    return tuple(marked)


def _crossing(rows: Sequence[Row], found: Sequence[Item]) -> tuple[Row, ...]:
    """Mark the rows of stages whose ways cross."""
    tangled = {id(one) for one in _tangled(found)}
    return tuple(replace(row, crossing=True) if row.is_here and id(row.found) in tangled else row for row in rows)


def _tangled(plan: Sequence[Item]) -> list[Stage]:
    inner = [branch for item in plan if isinstance(item, Parallel) for branch in item.branches]
    here = [one for item in plan if isinstance(item, Tangle) for one in item.stages]
    return here + [one for branch in inner for one in _tangled(branch)]
