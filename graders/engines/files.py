"""Names and atomic writing of the records in a run's folder."""

import os
import tempfile
from pathlib import Path

from graders.errors import EvidenceError
from graders.evidence import read_record
from graders.records import Record, Result, Run

RESULT = "result.json"
RUN = "run.json"


def to_json(record: Record) -> str:
    """A record as the JSON text that goes on disk: stable order, readable, UTF-8."""
    return record.model_dump_json(by_alias=True, indent=1) + "\n"


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
