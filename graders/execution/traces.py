"""What the kernel says of an exception, made into a record: the name, the words, the line in the cell."""

import re
from itertools import takewhile
from typing import Any

from graders.evidence.schema import CellError
from graders.execution.outputs import ERROR_CHARACTERS, clean_text

# Terminal colours and the like: ECMA-48, 5.4 (control sequences) and the two-byte escapes.
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
# "Cell In[3], line 2", as IPython's tracebacks name a place.
PLACE = re.compile(r"Cell In\[(\d+)\], line (\d+)")
# "invalid syntax (1234.py, line 2)", as a SyntaxError's own words end.
SYNTAX = re.compile(r"\(.*?, line (\d+)\)\s*$")
TRACEBACK_CHARACTERS = 200_000
SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")


def cell_error(content: dict[str, Any], execution_count: int | None = None, source: str = "") -> CellError:
    """Read the exception out of an execute_reply.

    Args:
        content: Of the reply; any part of it may be missing or of another type.
        execution_count: Of the cell: only lines of this cell count, the innermost of them.
        source: Of the cell: IPython numbers its lines from the first that is not empty.
    """
    name = _plain(content.get("ename")) or "unknown"
    value = _plain(content.get("evalue"))
    line = _line(content, name, value, execution_count)
    return CellError(name=name[:200], value=value, line=line + _empty_lines(source) if line is not None else None)


def _empty_lines(source: str) -> int:
    return len(list(takewhile(lambda line: not line.strip(), source.splitlines())))


def _line(content: dict[str, Any], name: str, value: str, execution_count: int | None) -> int | None:
    raw = content.get("traceback")
    parts = [part for part in raw if isinstance(part, str)] if isinstance(raw, list) else []
    text = ANSI.sub("", "\n".join(parts)[-TRACEBACK_CHARACTERS:])
    places = [int(line) for count, line in PLACE.findall(text) if int(count) == execution_count]
    if places:
        return places[-1]
    syntax = SYNTAX.search(value) if name in SYNTAX_ERRORS else None
    return int(syntax[1]) if syntax else None


def _plain(value: Any) -> str:
    return ANSI.sub("", clean_text(value, ERROR_CHARACTERS))
