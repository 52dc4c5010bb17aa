"""How the stages of a student's network are called, and where they are, so that its author finds them."""

from collections.abc import Iterator, Sequence

from graders.models.notation import ACTIVATIONS, Stage
from graders.models.rows import Path, Row
from graders.models.wording import article, inside, words

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Names:
    """Names and neighbours of the stages in the rows of a comparison."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.found = [row.found for row in rows if row.found is not None and row.is_here]
        modules = [one.module for one in self.found]
        here = {row.block for row in rows if row.block is not None and row.is_here}
        # Where the network does not branch, its stages follow one another on the way around the block.
        self.paths: list[Path] = [tuple(pair for pair in row.path if pair[0] in here) for row in rows]
        self.unique = {name for name in modules if name and modules.count(name) == 1}

    def name(self, one: Stage) -> str:
        """The stage's name: "conv2 (15 maps, 3x3)", "the second max pooling 2x2", "conv2's ReLU"."""
        if one.module in self.unique:
            return f"{_module(one)} ({inside(one)})"
        if self.is_layer(one):
            return self.used(one)
        twins = [other for other in self.found if other.same_as(one)]
        if len(twins) == 1:
            return article(one) if one.kind.endswith("dropout") or one.kind == "flatten" else f"the {words(one)}"
        before = self.previous(self.place(one))
        if one.kind in ACTIVATIONS and before is not None and before.module in self.unique:
            return f"{_module(before)}'s {words(one)}"
        if one.kind in ACTIVATIONS and before is not None and before.kind not in ACTIVATIONS:
            return f"the {words(one)} after {self.name(before)}"
        count = next(number for number, other in enumerate(twins) if other is one)
        return f"the {_ordinal(count)} {words(one)}"

    def short(self, one: Stage) -> str:
        """The name of its submodule alone, if it has one."""
        return _module(one) if one.module in self.unique else self.name(one)

    def is_layer(self, one: Stage) -> bool:
        """Whether a stage is a layer with weights that a submodule holds."""
        return bool(one.module) and "out" in one.params

    def used(self, one: Stage) -> str:
        """The name of a layer that is used more than once: "fc2 at its second use"."""
        uses = [other for other in self.found if other.module == one.module]
        number = next(number for number, other in enumerate(uses) if other is one)
        return f"{_module(one)} at its {_ordinal(number)} use"

    def place(self, one: Stage) -> int:
        """The row of a stage of the network."""
        return next(place for place, row in enumerate(self.rows) if row.found is one and row.is_here)

    def previous(self, place: int) -> Stage | None:
        """The stage of the network before a row, on the way to it; None at the start of the network or of a branch."""
        path = self.paths[place]
        for other in reversed(range(place)):
            found, way = self.rows[other].found, self.paths[other]
            if found is not None and self.rows[other].is_here and way == path[: len(way)]:
                return found if way == path else None
        return None

    def next(self, place: int) -> Stage | None:
        """The network's next stage on the way on from a row; the first of the branches where it branches."""
        path = self.paths[place]
        for other in range(place + 1, len(self.rows)):
            found, way = self.rows[other].found, self.paths[other]
            shared = min(len(way), len(path))
            if found is not None and self.rows[other].is_here and way[:shared] == path[:shared]:
                return found
        return None

    def after(self, place: int) -> str:
        """Where a row is: "after conv2 (15 maps, 3x3)", "at the start"."""
        before = self.previous(place)
        if before is not None:
            return f"after {self.name(before)}"
        path = self.paths[place]
        if not path:
            return "at the start"
        mark = self.landmark([row for row, way in zip(self.rows, self.paths, strict=True) if way[: len(path)] == path])
        return (
            f"at the start of the branch with {self.short(mark)}"
            if mark
            else "in the branch that only hands its input on"
        )

    def lane(self, block: int, number: int) -> list[Row]:
        """The rows of a branch of a block, with those of branches inside it."""
        return [row for row in self.rows if (block, number) in row.path]

    def landmark(self, rows: Sequence[Row]) -> Stage | None:
        """The stage by which a student knows a branch: its first layer, else its first stage."""
        found = [row.found for row in rows if row.found is not None and row.is_here]
        return next((one for one in found if one.module in self.unique), found[0] if found else None)

    def starts(self) -> Iterator[str]:
        """First words of sentences that stay as they are: names are kept as their author writes them."""
        for name in {one.module for one in self.found if one.module and not one.module.isdigit()}:
            yield name
            yield f"{name}'s"


def _module(one: Stage) -> str:
    """A submodule's name; one that is a mere number needs a noun."""
    return f"layer {one.module}" if one.module.isdigit() else one.module


def _ordinal(number: int) -> str:
    return _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"
