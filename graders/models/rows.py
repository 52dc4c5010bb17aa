"""One line of the comparison of a network with a specification, and the code of its difference."""

from dataclasses import dataclass
from typing import Literal

from graders.models.notation import ACTIVATIONS, Stage

Status = Literal["same", "different", "missing", "extra"]
Path = tuple[tuple[int, int], ...]
OK, MISSING_STAGE, MISSING_ACTIVATION = "OK", "MISSING_STAGE", "MISSING_ACTIVATION"
WRONG_STAGE, EXTRA_STAGE, WRONG_ORDER = "WRONG_STAGE", "EXTRA_STAGE", "WRONG_ORDER"
MISSING_BRANCH, EXTRA_BRANCH, WRONG_MERGE = "MISSING_BRANCH", "EXTRA_BRANCH", "WRONG_MERGE"


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    Attributes:
        moved: Of a missing or extra stage: the network has this very stage, but elsewhere.
        path: The branch that it lies in, from outside in: pairs of the number of a block and of a branch in it.
        block: Of a merge: the number of the block that it ends. The rows of a block come right before its merge.
        lanes: Of a merge: what became of each branch of its block.
        lane: What became of the outermost branch around it that is not the same on both sides.
        crossing: It lies where the ways of the network cross, so that there are no separate branches.
    """

    status: Status
    expected: Stage | None
    found: Stage | None
    moved: bool = False
    path: Path = ()
    block: int | None = None
    lanes: tuple[Status, ...] = ()
    lane: Status = "same"
    crossing: bool = False

    @property
    def is_here(self) -> bool:
        """Whether the network has a stage at this place."""
        return self.found is not None and not (self.moved and self.status == "missing")

    @property
    def code(self) -> str:
        """The stable word for the difference."""
        if self.moved:
            return WRONG_ORDER
        if self.lane != "same" or self.block is not None:
            status = self.lane if self.lane != "same" else self.status
            return {"same": OK, "missing": MISSING_BRANCH, "different": WRONG_MERGE, "extra": EXTRA_BRANCH}[status]
        if self.status == "missing" and self.expected is not None and self.expected.kind in ACTIVATIONS:
            return MISSING_ACTIVATION
        return {"same": OK, "missing": MISSING_STAGE, "different": WRONG_STAGE, "extra": EXTRA_STAGE}[self.status]
