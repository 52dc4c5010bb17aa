"""One line of the comparison of a network with a specification, and the code of its difference."""

from dataclasses import dataclass
from typing import Literal

from graders.models.notation import ACTIVATIONS, Stage

Status = Literal["same", "different", "missing", "extra"]
OK, MISSING_STAGE, MISSING_ACTIVATION = "OK", "MISSING_STAGE", "MISSING_ACTIVATION"
WRONG_STAGE, EXTRA_STAGE, WRONG_ORDER = "WRONG_STAGE", "EXTRA_STAGE", "WRONG_ORDER"


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    Attributes:
        moved: Of a missing or extra stage: the network has this very stage, but elsewhere.
    """

    status: Status
    expected: Stage | None
    found: Stage | None
    moved: bool = False

    @property
    def code(self) -> str:
        """The stable word for the difference."""
        if self.moved:
            return WRONG_ORDER
        if self.status == "missing" and self.expected is not None and self.expected.kind in ACTIVATIONS:
            return MISSING_ACTIVATION
        return {"same": OK, "missing": MISSING_STAGE, "different": WRONG_STAGE, "extra": EXTRA_STAGE}[self.status]
