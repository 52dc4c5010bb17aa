"""The cheapest edit script between two plans, by dynamic programming.

Leaving out a stage costs 1 on either side, a stage that differs between 1 and 1.5 (less than leaving out both).
Branches face branches by the cheapest assignment. Where only one side branches, one of its branches may face a part of
the other side's way, and the rest of the branches and their merge are missing or too much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from graders.models.notation import ACTIVATIONS, Stage
from graders.models.rows import Path, Row, Status
from graders.models.structure import ASSOCIATIVE, MERGES, Item, Parallel, Plan, Tangle

MAX_ASSIGNED = 7
"""Branches of one block that are tried in every order; of more, only the order in which they stand."""
_TIE = 1e-3
"""Of scripts that cost the same, the one with more stages that are the same is taken."""
_FAMILIES = ("conv", "pool", "dropout", "norm")


@dataclass(frozen=True)
class _Pair:
    """A stage faces a stage, or nothing."""

    expected: Stage | None
    found: Stage | None


@dataclass(frozen=True)
class _Lane:
    status: Status
    script: "_Script"


@dataclass(frozen=True)
class _Block:
    lanes: tuple[_Lane, ...]
    merge: _Pair


@dataclass(frozen=True)
class _Script:
    """Steps and what they cost; `to` is where the next step of a longer script begins."""

    cost: float
    steps: tuple[_Pair | _Block, ...] = ()


@dataclass(frozen=True)
class _Move:
    """A step, its cost, and how many items it uses up on either side."""

    cost: float
    step: _Pair | _Block
    expected: int
    found: int


def aligned(expected: Sequence[Item], found: Sequence[Item]) -> tuple[Row, ...]:
    """Rows of both plans, each stage beside the one that it stands for."""
    script = _script(_opened(expected), _opened(found))
    return tuple(_rows(script.steps, (), "same", count()))


def same(expected: Stage, found: Stage) -> bool:
    """Whether both do the same; joining along the channels is what `cat` does where nothing is said."""
    if expected.kind == found.kind == "cat":
        return bool(expected.params.get("axis", 1) == found.params.get("axis", 1))
    return expected.same_as(found)


def family(one: Stage) -> str:
    """Stages of one family may stand for one another as "different" rather than missing and extra."""
    if one.kind in ACTIVATIONS:
        return "activation"
    if one.kind in MERGES:
        return "merge"
    return next((word for word in _FAMILIES if word in one.kind), one.kind)


def _cost(expected: Stage, found: Stage) -> float:
    """Of two stages that face: about 0 if they are the same, up to 1.5 for one family, 3 for strangers."""
    if same(expected, found):
        return -_TIE
    if family(expected) != family(found):
        return 3
    if expected.kind != found.kind:
        return 1.5
    names = {*expected.params, *found.params}
    differing: int = sum(found.params.get(name) != expected.params.get(name) for name in names)
    return 1 + 0.4 * differing / max(1, len(names))


def _size(plan: Sequence[Item]) -> int:
    """What it costs to leave a plan out."""
    return sum(_lane_sizes(item) + 1 if isinstance(item, Parallel) else 1 for item in plan)


def _lane_sizes(block: Parallel) -> int:
    return sum(max(1, _size(branch)) for branch in block.branches)


def _opened(plan: Sequence[Item]) -> Plan:
    """A plan in which the stages of a tangle simply follow one another."""
    found: list[Item] = []
    for item in plan:
        match item:
            case Tangle():
                found.extend(item.stages)
            case Parallel():
                found.append(Parallel(tuple(_opened(branch) for branch in item.branches), item.merge))
            case Stage():
                found.append(item)
    return tuple(found)


def _script(expected: Plan, found: Plan) -> _Script:
    """The cheapest script, from the end to the beginning."""
    rows, columns = len(expected), len(found)
    best: dict[tuple[int, int], tuple[float, _Move | None]] = {(rows, columns): (0.0, None)}
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            for move in _moves(expected, i, found, j):
                total = move.cost + best[i + move.expected, j + move.found][0]
                if (i, j) not in best or total < best[i, j][0] - 1e-9:
                    best[i, j] = (total, move)
    steps: list[_Pair | _Block] = []
    i = j = 0
    while (taken := best[i, j][1]) is not None:
        steps.append(taken.step)
        i, j = i + taken.expected, j + taken.found
    return _Script(best[0, 0][0], tuple(steps))


def _moves(expected: Plan, i: int, found: Plan, j: int) -> Iterator[_Move]:
    """What the next step may be; of equal cost, the first is taken."""
    one = expected[i] if i < len(expected) else None
    other = found[j] if j < len(found) else None
    if isinstance(one, Stage) and isinstance(other, Stage):
        yield _Move(_cost(one, other), _Pair(one, other), 1, 1)
    elif isinstance(one, Parallel) and isinstance(other, Parallel):
        yield _block(one, other)
    if one is not None:
        yield _alone(one, "missing")
    if other is not None:
        yield _alone(other, "extra")
    if isinstance(one, Parallel):
        yield from _one_way(one, found[j:], "missing")
    if isinstance(other, Parallel):
        yield from _one_way(other, expected[i:], "extra")


def _alone(item: Item, status: Status) -> _Move:
    """An item that faces nothing."""
    used = (1, 0) if status == "missing" else (0, 1)
    if isinstance(item, Parallel):
        lanes = tuple(_lane_alone(branch, status) for branch in item.branches)
        return _Move(_size((item,)), _Block(lanes, _pair_alone(item.merge, status)), *used)
    if isinstance(item, Stage):
        return _Move(1, _pair_alone(item, status), *used)
    raise TypeError("a tangle is opened before it is aligned")


def _pair_alone(one: Stage, status: Status) -> _Pair:
    return _Pair(one, None) if status == "missing" else _Pair(None, one)


def _lane_alone(branch: Plan, status: Status) -> _Lane:
    moves = [_alone(item, status) for item in branch]
    return _Lane(status, _Script(max(1, _size(branch)), tuple(move.step for move in moves)))


def _one_way(block: Parallel, way: Plan, status: Status) -> Iterator[_Move]:
    """One branch of a block faces the beginning of the other side's way; the rest faces nothing."""
    for length in range(1, len(way) + 1):
        if isinstance(way[length - 1], Parallel):
            return
        for number, branch in enumerate(block.branches):
            if not branch or length > 2 * _size(branch) + 2:
                continue
            script = _script(branch, way[:length]) if status == "missing" else _script(way[:length], branch)
            lanes = [_lane_alone(other, status) for other in block.branches]
            lanes[number] = _Lane("same", script)
            used = (1, length) if status == "missing" else (length, 1)
            cost = sum(lane.script.cost for lane in lanes) + 1
            yield _Move(cost, _Block(tuple(lanes), _pair_alone(block.merge, status)), *used)


def _block(expected: Parallel, found: Parallel) -> _Move:
    """Branches face branches."""
    pairs = [[_script(one, other) for other in found.branches] for one in expected.branches]
    missing = [_lane_alone(branch, "missing") for branch in expected.branches]
    extra = [_lane_alone(branch, "extra") for branch in found.branches]
    free = {expected.merge.kind, found.merge.kind} <= ASSOCIATIVE and max(len(missing), len(extra)) <= MAX_ASSIGNED
    partners = _assigned(pairs, missing, extra, free)
    lanes = [
        missing[place] if partner is None else _Lane("same", pairs[place][partner])
        for place, partner in enumerate(partners)
    ]
    lanes += [lane for place, lane in enumerate(extra) if place not in partners]
    merge = _Pair(expected.merge, found.merge)
    cost = sum(lane.script.cost for lane in lanes) + _cost(expected.merge, found.merge)
    return _Move(cost, _Block(tuple(lanes), merge), 1, 1)


def _assigned(
    pairs: Sequence[Sequence[_Script]], missing: Sequence[_Lane], extra: Sequence[_Lane], free: bool
) -> tuple[int | None, ...]:
    """For each expected branch the number of the one that it faces; if not `free`, in the order in which they stand."""
    # Branches already given away -> the cheapest way to have come so far.
    states: dict[tuple[int, ...], tuple[float, tuple[int | None, ...]]] = {(): (0.0, ())}
    for place, lane in enumerate(missing):
        later: dict[tuple[int, ...], tuple[float, tuple[int | None, ...]]] = {}
        for used, (cost, partners) in states.items():
            options: list[tuple[float, int | None]] = [
                (pairs[place][other].cost, other)
                for other in range(len(extra))
                if other not in used and (free or not used or other > used[-1])
            ]
            for price, other in [*options, (lane.script.cost, None)]:
                key = used if other is None else tuple(sorted((*used, other)))
                if key not in later or cost + price < later[key][0] - 1e-9:
                    later[key] = (cost + price, (*partners, other))
        states = later
    rest = {used: sum(lane.script.cost for n, lane in enumerate(extra) if n not in used) for used in states}
    return min(states.items(), key=lambda item: item[1][0] + rest[item[0]])[1][1]


def _rows(steps: Sequence[_Pair | _Block], path: Path, lane: Status, numbers: "count[int]") -> Iterator[Row]:
    for step in steps:
        if isinstance(step, _Pair):
            yield Row(_status(step), step.expected, step.found, path=path, lane=lane)
            continue
        block = next(numbers)
        for number, one in enumerate(step.lanes):
            yield from _rows(
                one.script.steps, (*path, (block, number)), lane if lane != "same" else one.status, numbers
            )
        lanes = tuple(one.status for one in step.lanes)
        merge = step.merge
        status = _status(merge)
        empty = any(one.status != "same" and not one.script.steps for one in step.lanes)
        if status == "same" and empty:
            # A shortcut more or less has no stage of its own: its merge differs.
            status = "different"
        yield Row(status, merge.expected, merge.found, path=path, lane=lane, block=block, lanes=lanes)


def _status(pair: _Pair) -> Status:
    if pair.expected is None:
        return "extra"
    if pair.found is None:
        return "missing"
    return "same" if same(pair.expected, pair.found) else "different"
