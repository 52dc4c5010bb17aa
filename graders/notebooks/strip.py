"""Solution regions and stubs: what is taken out of the reference for students, and what was left untouched by them.

The markers and stubs are nbgrader's: `### BEGIN SOLUTION`, `### END SOLUTION`, `### BEGIN HIDDEN TESTS`,
`### END HIDDEN TESTS`, each on a line of its own.
"""

import re
from collections.abc import Iterator
from typing import Literal

from graders.errors import LabError

Kind = Literal["written", "code"]

STUBS: dict[Kind, tuple[str, ...]] = {
    "code": ("# YOUR CODE HERE", "raise NotImplementedError()"),
    "written": ("YOUR ANSWER HERE",),
}
SOLUTION = "SOLUTION"
HIDDEN_TESTS = "HIDDEN TESTS"
STUB_LINE = re.compile(
    r"(# ?)*raise NotImplementedError ?(\(.*\))? ?;? ?(#.*)?"  # also commented out
    r"|[\W_]*your (answer|code) here[\W_]*",  # whatever the case, the emphasis, the quotation
    re.IGNORECASE,
)
"""Of a line whose spaces are run together, so that no line is slow to match."""


def has_region(source: str, what: str = SOLUTION) -> bool:
    """Whether the source has a marker of that kind of region."""
    return f"BEGIN {what}" in source or f"END {what}" in source


def strip_solutions(source: str, kind: Kind, where: str = "cell") -> str:
    """Put the stub in place of every solution region, as far indented as its first marker.

    Args:
        source: Of a reference cell.
        kind: Which stub.
        where: Notebook and cell, for the error.

    Raises:
        LabError: a marker without its partner, or a region in a region.
    """
    return _replace(source, SOLUTION, STUBS[kind], where)


def strip_hidden_tests(source: str, where: str = "cell") -> str:
    """Take hidden tests out.

    Raises:
        LabError: a marker without its partner, or a region in a region.
    """
    return _replace(source, HIDDEN_TESTS, (), where)


def keep_solutions(source: str, where: str = "cell") -> str:
    """Take out the marker lines of solutions only: the source of a perfect submission.

    Raises:
        LabError: a marker without its partner, or a region in a region.
    """
    return "\n".join(line for line, part in _parts(source, SOLUTION, where) if part in ("outside", "inside"))


def _replace(source: str, what: str, stub: tuple[str, ...], where: str) -> str:
    kept = []
    for line, part in _parts(source, what, where):
        if part == "outside":
            kept.append(line)
        elif part == "begin":
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + one for one in stub]
    return "\n".join(kept)


def _parts(source: str, what: str, where: str) -> Iterator[tuple[str, Literal["outside", "begin", "inside", "end"]]]:
    """Each line with the part of a region that it is."""
    begun = 0
    for number, line in enumerate(source.split("\n"), 1):
        if f"BEGIN {what}" in line:
            if begun:
                raise LabError.at(
                    where, f"line {number}", f"BEGIN {what} inside a region", "End the first one before it"
                )
            begun = number
            yield line, "begin"
        elif f"END {what}" in line:
            if not begun:
                raise LabError.at(where, f"line {number}", f"END {what} without a BEGIN", f"Add `### BEGIN {what}`")
            begun = 0
            yield line, "end"
        else:
            yield line, "inside" if begun else "outside"
    if begun:
        raise LabError.at(where, f"line {begun}", f"BEGIN {what} without an END", f"Add `### END {what}`")


def is_stub(source: str) -> bool:
    """Whether nothing but a stub is there, as stubs are found in the wild.

    Empty; `YOUR ANSWER HERE` or `# YOUR CODE HERE` in any case, spacing or emphasis; `raise NotImplementedError()`,
    also commented out.
    """
    return not residue(source)


def residue(source: str, kind: Kind = "written") -> str:
    """What a cell says beside its stub: lines without the stub's, without empty ones, spaces run together.

    Of code, comments on lines of their own do not count: they compute nothing.
    """
    lines = [" ".join(line.split()) for line in source.splitlines()]
    said = [line for line in lines if line and not STUB_LINE.fullmatch(line)]
    return "\n".join(line for line in said if kind != "code" or not line.startswith("#"))


def is_untouched(source: str, stub: str, kind: Kind) -> bool:
    """Whether an answer says no more than the template's cell does.

    Args:
        source: Of the submission's cell.
        stub: Source of the template's cell.
        kind: Of the task.
    """
    return is_stub(source) or residue(source, kind) == residue(stub, kind)
