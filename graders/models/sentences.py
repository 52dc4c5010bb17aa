"""Sentences for a student about what differs, in the words of their own layers."""

from collections.abc import Callable, Iterator, Sequence

from graders.models.differences import differing
from graders.models.naming import Names
from graders.models.notation import ACTIVATIONS, Shape, Stage, by
from graders.models.rows import MISSING_ACTIVATION, MISSING_STAGE, Row, Status
from graders.models.wording import article, axis, listed, merged, words

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NEUTRAL = ("dropout", "norm", "constant", "bias")
MOST = 4
"""Stages too much that are named in one sentence."""
SHORTCUT = "a shortcut that hands its input on unchanged"


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """A sentence for each difference, in the order of the network; neighbours that are missing share one."""
    return tuple(_Report(rows).all())


class _Report:
    """Goes through the rows once; what is told together with something else is marked in `told`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.names = Names(rows)
        self.told: set[int] = set()
        self.blocks: set[tuple[int, Status]] = set()

    def all(self) -> Iterator[str]:
        """The sentences, with a capital at the start unless that is a layer's name, and a full stop."""
        starts = set(self.names.starts())
        for place, row in enumerate(self.rows):
            if row.status == "same" or place in self.told:
                continue
            for text in self.about(place, row):
                is_name = text.partition(" ")[0] in starts
                yield f"{text if is_name else text[0].upper() + text[1:]}."
        if crossing := [row.found for row in self.rows if row.crossing and row.found is not None]:
            yield self.tangled(crossing)

    def about(self, place: int, row: Row) -> Iterator[str]:
        """What there is to say where a row differs."""
        if row.lane != "same":
            yield from self.branch(*self.outermost(row))
        elif row.block is not None:
            for status in ("missing", "extra"):
                if status in row.lanes:
                    yield from self.branch(row.block, status)
            if row.expected and row.found and row.status == "different":
                yield from self.merge(place, row.expected, row.found)
        elif row.status == "missing":
            yield self.out_of_place(place, row) if row.moved else self.missing(place)
        elif row.status == "different" and row.expected and row.found:
            yield self.different(place, row.expected, row.found)
        elif not row.moved:
            yield self.surplus(place)

    # --- single stages

    def missing(self, place: int) -> str:
        """Stages that are not there, with those right after them that are not there either."""
        group = self.group(place, lambda row: row.code in (MISSING_STAGE, MISSING_ACTIVATION))
        wanted = [article(row.expected) for row in self.rows[place : place + group] if row.expected]
        following = self.names.next(place + group - 1)
        if following is None:
            rest = "yours ends there"
        else:
            way = "into" if "pool" in following.kind else "to"
            known = following.module in self.names.unique
            rest = f"yours goes straight {way} {self.names.name(following) if known else article(following)}"
        verb = "is" if group == 1 else "are"
        return f"{self.names.after(place)}, {listed(wanted)} {verb} expected; {rest}{self.so(place, group, ', so ')}"

    def surplus(self, place: int) -> str:
        """Stages too much, with those right after them."""
        group = self.group(place, lambda row: row.status == "extra" and not row.moved and row.lane == "same")
        found = [row.found for row in self.rows[place : place + group] if row.found is not None]
        named = [f"an extra {self.known(one)}" for one in found]
        more = listed([*named[:MOST], f"{len(named) - MOST} more stages"] if len(named) > MOST + 1 else named)
        before = self.names.previous(place)
        if before is not None and self.names.next(place + group - 1) is None:
            end = f"at the end, after {self.names.name(before)}"
            return f"your network has {more} {end}; what {self.names.short(before)} gives is expected as it is"
        none = "none is" if group == 1 else "they are not"
        return (
            f"your network has {more} {self.names.after(place)}; {none} expected there{self.so(place, group, ', so ')}"
        )

    def out_of_place(self, place: int, row: Row) -> str:
        """A stage that is elsewhere."""
        there = next(at for at, other in enumerate(self.rows) if other.status == "extra" and other.found is row.found)
        wanted = article(row.expected) if row.expected else ""
        return f"{self.names.after(place)}, {wanted} is expected; yours comes {self.names.after(there)}"

    def different(self, place: int, expected: Stage, found: Stage) -> str:
        """Another stage of the same family, or the same with other parameters."""
        if expected.kind != found.kind:
            return self.swapped(place, expected, found)
        text = f"{self.subject(place, found)} {differing(expected, found)}"
        size = _resized(expected, found) if self.alone(place) else ""
        inputs = "" if found.kind == "linear" else self.so(place, 1, ", and " if size else ", so ")
        return f"{text}{f', so {size}' if size else ''}{inputs}"

    def swapped(self, place: int, expected: Stage, found: Stage) -> str:
        """A stage of the same family; activations that are swapped all over are told once."""
        twins = [
            at
            for at, row in enumerate(self.rows)
            if row.status == "different" and row.lane == "same" and row.expected and row.found
            if (row.expected.kind, row.found.kind) == (expected.kind, found.kind) and found.kind in ACTIVATIONS
        ]
        if len(twins) < 2:
            start = self.names.after(place)
            return f"{start}, {article(expected)} is expected; yours has {self.with_name(found)} there"
        self.told.update(twins)
        before = [self.names.previous(at) for at in twins]
        where = listed([self.names.short(one) if one else "the start" for one in before])
        return f"after {where}, {article(expected)} is expected each time; yours has {article(found)} there"

    # --- branches

    def outermost(self, row: Row) -> tuple[int, Status]:
        """The outermost block of which a row's branch is missing or too much."""
        lanes = {one.block: one.lanes for one in self.rows if one.block is not None}
        block, number = next((block, number) for block, number in row.path if lanes[block][number] != "same")
        return block, lanes[block][number]

    def branch(self, block: int, status: Status) -> Iterator[str]:
        """The branches of a block that are missing or too much, told once."""
        if (block, status) in self.blocks:
            return
        self.blocks.add((block, status))
        place = next(at for at, row in enumerate(self.rows) if row.block == block)
        lanes = self.rows[place].lanes
        ways = [self.described(self.names.lane(block, n), status) for n, one in enumerate(lanes) if one == status]
        kept = [self.names.landmark(self.names.lane(block, n)) for n, one in enumerate(lanes) if one != status]
        if not kept:
            yield self.all_alone(place, ways, status)
            return
        marks = [self.names.name(one) for one in kept if one is not None]
        where = f"beside {listed(marks)}" if marks else self.names.after(place)
        number = "another branch" if len(ways) == 1 else f"{_counted(len(ways))} more branches"
        how = self.together(place, sum(one != "extra" for one in lanes), sum(one != "missing" for one in lanes))
        if status == "missing":
            yield f"{where}, {number} {'is' if len(ways) == 1 else 'are'} expected: {'; '.join(ways)}. {how}"
        else:
            yield f"{where}, your network has {number}: {'; '.join(ways)}. {how}"

    def together(self, place: int, expected: int, found: int) -> str:
        """How the branches of a block should come together."""
        row = self.rows[place]
        if row.status == "missing" and row.expected:
            return f"The branches are then to be {merged(row.expected)}; yours is a single way{self.on_it(place)}"
        if row.status == "extra":
            return "A single way is expected there"
        return f"{_counted(expected).capitalize()} branches are expected there, yours has {_counted(found)}"

    def on_it(self, place: int) -> str:
        """Layers of a missing branch that the network has elsewhere."""
        lanes = [(self.rows[place].block, number) for number in range(len(self.rows[place].lanes))]
        moved = [row.found for row in self.rows if row.moved and row.status == "missing" and {*lanes} & {*row.path}]
        known = [one.module for one in moved if one is not None and one.module in self.names.unique]
        return f", with {listed(known)} on it" if known else ""

    def all_alone(self, place: int, ways: list[str], status: Status) -> str:
        """A block that faces nothing on the other side."""
        row = self.rows[place]
        merge = row.expected if status == "missing" else row.found
        how = merged(merge) if merge else ""
        following = self.names.next(place)
        if status == "missing":
            rest = f"goes straight to {self.names.name(following)}" if following else "ends there"
            start = f"{self.names.after(place)}, {_counted(len(ways))} branches are expected that are then {how}"
            return f"{start}: {_ways(ways)}. Yours {rest}"
        start = f"{self.names.after(place)}, your network has {_counted(len(ways))} branches that are then {how}"
        return f"{start}: {_ways(ways)}. No branches are expected there"

    def described(self, lane: Sequence[Row], status: Status) -> str:
        """A branch in words."""
        if status == "missing":
            stages = [article(row.expected) for row in lane if row.expected is not None and row.status == "missing"]
        else:
            stages = [self.with_name(row.found) for row in lane if row.found is not None]
        return ", then ".join(stages) if stages else SHORTCUT

    def merge(self, place: int, expected: Stage, found: Stage) -> Iterator[str]:
        """Branches that come together in another way."""
        row = self.rows[place]
        marks = [self.names.landmark(self.names.lane(row.block or 0, n)) for n in range(len(row.lanes))]
        known = [self.names.short(one) for one in marks if one is not None]
        who = f"the branches with {listed(known)}" if known else f"the branches {self.names.after(place)}"
        size = _resized(expected, found, whole=True) if self.alone(place) else ""
        so = f"{f', so {size}' if size else ''}{self.so(place, 1, ', and ' if size else ', so ')}"
        if expected.kind == found.kind == "cat" and axis(expected) != axis(found):
            yield f"{who} are joined along {axis(found)} where {axis(expected)} are expected{so}"
        elif expected.kind != found.kind:
            yield f"{who} are {merged(found)}; they are expected to be {merged(expected)}{so}"

    def tangled(self, crossing: Sequence[Stage]) -> str:
        """What could only be compared stage by stage."""
        first, last = self.names.name(crossing[0]), self.names.name(crossing[-1])
        text = f"from {first} to {last} the ways through your network cross, so that they are no separate branches"
        return (
            f"{text[0].upper()}{text[1:]}; there its stages were compared one by one, in the order in which they run."
        )

    # --- words

    def group(self, place: int, belongs: Callable[[Row], bool]) -> int:
        """How many rows from here on, on the same way, belong together; they are told."""
        count = 1
        while place + count < len(self.rows) and belongs(self.rows[place + count]):
            if self.rows[place + count].path != self.rows[place].path or self.rows[place + count].moved:
                break
            count += 1
        self.told.update(range(place, place + count))
        return count

    def known(self, one: Stage) -> str:
        return f"{words(one)} ({one.module})" if one.module else words(one)

    def with_name(self, one: Stage) -> str:
        return f"{article(one)} ({one.module})" if one.module else article(one)

    def subject(self, place: int, found: Stage) -> str:
        """The stage as the start of a sentence, without the parameters that are about to be told."""
        if found.module in self.names.unique:
            return self.names.short(found)
        if self.names.is_layer(found):
            return self.names.used(found)
        plain = "dropout" if found.kind == "dropout" else words(found).partition(" with ")[0]
        if "kernel" in found.params:
            plain = plain.split(f" {by(found.params['kernel'])}")[0]
        twins = [one for one in self.names.found if one.kind == found.kind]
        if len(twins) == 1:
            return plain if found.kind.endswith("dropout") else f"the {plain}"
        return f"the {plain} {self.names.after(place)}"

    # --- consequences

    def alone(self, place: int) -> bool:
        """Whether no difference before these rows changes a size."""
        return all(_harmless(row) for row in self.rows[:place])

    def so(self, place: int, group: int, link: str) -> str:
        """What follows for the next linear layer, where that is the doing of these rows alone."""
        if all(_harmless(row) for row in self.rows[place : place + group]) or not self.alone(place):
            return ""
        for row in self.rows[place + group :]:
            expected, found = row.expected, row.found
            if row.status in ("same", "different") and expected and found and "linear" == expected.kind == found.kind:
                wanted, given = _inputs(expected.shape_in), _inputs(found.shape_in)
                if wanted is None or given is None or wanted == given:
                    return ""
                return f"{link}{self.names.short(found)} gets {given} inputs where {wanted} are expected"
            if not _harmless(row):
                return ""
        return ""


def _ways(ways: list[str]) -> str:
    return "each a shortcut that hands its input on unchanged" if set(ways) == {SHORTCUT} else "; ".join(ways)


def _counted(number: int) -> str:
    return _COUNTS[number] if number < len(_COUNTS) else str(number)


def _harmless(row: Row) -> bool:
    """Whether a row has no difference that could change a size."""
    kinds = [one.kind for one in (row.expected, row.found) if one is not None]
    return row.status == "same" or all(kind in ACTIVATIONS or any(word in kind for word in _NEUTRAL) for kind in kinds)


def _inputs(shape: Shape | None) -> int | None:
    return shape[-1] if shape else None


def _resized(expected: Stage, found: Stage, *, whole: bool = False) -> str:
    """What a wrong parameter does to the size of the picture (or of all of the output), if anything."""
    ours, theirs = expected.shape_out, found.shape_out
    if not ours or not theirs or (len(ours) < 2 and not whole):
        return ""
    if not whole:
        ours, theirs = ours[1:], theirs[1:]
    return f"its output is {by(theirs)} where {by(ours)} is expected" if ours != theirs else ""
