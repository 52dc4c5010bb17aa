"""Leads for a person, raised by graders beside their verdict."""

from graders.records import CellRef, Flag


class Flags:
    """Collects the flags of one student; the same flag is kept once. A flag never changes a score."""

    def __init__(self) -> None:
        self._found: dict[Flag, None] = {}

    def add(self, code: str, message: str, cell: CellRef | None = None) -> None:
        """Raise a flag.

        Args:
            code: Stable upper-case word.
            message: One or two plain sentences for the instructor.
            cell: Where to look.
        """
        self._found[Flag(code=code, message=message, cell=cell)] = None

    @property
    def all(self) -> tuple[Flag, ...]:
        """The flags in the order in which they were raised."""
        return tuple(self._found)
