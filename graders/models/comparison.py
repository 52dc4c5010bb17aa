"""Compares a network's stages with a specification: what is the same, different, missing, too much, out of place."""

from collections.abc import Sequence
from dataclasses import dataclass

from graders.models.canonical import normalised
from graders.models.notation import ACTIVATIONS, Stage, with_shapes
from graders.models.rows import OK, Row
from graders.models.wording import sentences


@dataclass(frozen=True)
class Comparison:
    """A network's stages beside the specification.

    Attributes:
        rows: In order, both sides aligned.
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


def compare(expected: Sequence[Stage], found: Sequence[Stage]) -> Comparison:
    """Align a network's stages with a specification and say what differs.

    Args:
        expected: The specification; it is put into canonical form here.
        found: The canonical stages of a network (`stages`).

    Raises:
        ValueError: nothing is expected.
    """
    if not expected:
        raise ValueError("a specification needs at least one stage")
    shape = found[0].shape_in if found else None
    wanted = with_shapes(normalised(expected), shape)
    rows = _moved(_aligned(wanted, normalised(found)))
    same = sum(row.status == "same" for row in rows)
    half = sum(0.5 for row in rows if row.status == "different" and _alike(row))
    extra = sum(row.status == "extra" and not row.moved for row in rows)
    differences = [row for row in rows if row.status != "same"]
    return Comparison(
        rows=rows,
        share=max(0.0, same + half - extra) / len(wanted),
        equal=not differences,
        sentences=sentences(rows),
        code=differences[0].code if differences else OK,
    )


def _alike(row: Row) -> bool:
    return row.expected is not None and row.found is not None and row.expected.kind == row.found.kind


def family(one: Stage) -> str:
    """Stages of one family may stand for one another as "different" rather than missing and extra."""
    if one.kind in ACTIVATIONS:
        return "activation"
    return next((word for word in ("conv", "pool", "dropout", "norm") if word in one.kind), one.kind)


def _cost(expected: Stage, found: Stage) -> float:
    """Of an alignment: 0 the same, up to 1.5 for one family, more than leaving both out for strangers."""
    if expected.same_as(found):
        return 0
    if family(expected) != family(found):
        return 3
    if expected.kind != found.kind:
        return 1.5
    differing: int = sum(found.params.get(name) != value for name, value in expected.params.items())
    return 1 + 0.4 * differing / max(1, len(expected.params))


def _aligned(expected: Sequence[Stage], found: Sequence[Stage]) -> list[Row]:
    """The cheapest edit script, by dynamic programming from the end; leaving out a stage on either side costs 1."""
    rows, columns = len(expected), len(found)
    cost = [[float(rows - i + columns - j) for j in range(columns + 1)] for i in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            pair = _cost(expected[i], found[j]) + cost[i + 1][j + 1]
            cost[i][j] = min(pair, 1 + cost[i + 1][j], 1 + cost[i][j + 1])
    script: list[Row] = []
    i = j = 0
    while i < rows or j < columns:
        if i < rows and j < columns and cost[i][j] == _cost(expected[i], found[j]) + cost[i + 1][j + 1]:
            same = expected[i].same_as(found[j])
            script.append(Row("same" if same else "different", expected[i], found[j]))
            i, j = i + 1, j + 1
        elif i < rows and cost[i][j] == 1 + cost[i + 1][j]:
            script.append(Row("missing", expected[i], None))
            i += 1
        else:
            script.append(Row("extra", None, found[j]))
            j += 1
    return script


def _moved(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Mark pairs of a missing and an extra stage that are the same: out of place."""
    marked = list(rows)
    for place, row in enumerate(rows):
        if row.status != "missing" or row.expected is None:
            continue
        for other, candidate in enumerate(marked):
            twin = candidate.found
            if candidate.status == "extra" and not candidate.moved and twin and row.expected.same_as(twin):
                marked[place] = Row("missing", row.expected, twin, moved=True)
                marked[other] = Row("extra", row.expected, twin, moved=True)
                break
    return tuple(marked)
