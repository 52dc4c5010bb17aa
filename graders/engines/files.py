"""Names and atomic writing of the records in a run's folder."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from graders.errors import EvidenceError
from graders.evidence import read_record
from graders.records import Record, Result, Run

RESULT = "result.json"
RUN = "run.json"


def to_json(record: Record) -> str:
    """A record as the JSON text that goes on disk: a line for each field, and for each item of a list of records.

    The order is that of the schema, so that two files can be compared line by line; tables of numbers do not fill
    thousands of lines.
    """
    # Not pydantic's JSON mode: that would write NaN as null, and nobody would know.
    fields = record.model_dump(by_alias=True)
    return "{\n" + ",\n".join(f' "{name}": {_value(value)}' for name, value in fields.items()) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {_compact(item)}" for item in value) + "\n ]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all, so that an interruption never leaves half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    temporary = Path(name)
    temporary.chmod(0o644)
    temporary.replace(path)


def read_result(folder: Path) -> Result | None:
    """The result in a student's folder, or None where there is none that can be read."""
    try:
        return read_record(folder / RESULT, Result)
    except EvidenceError:
        return None


def read_run(out: Path) -> Run | None:
    """The last finished run in `out`, or None."""
    try:
        return read_record(out / RUN, Run)
    except EvidenceError:
        return None
