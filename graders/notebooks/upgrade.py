"""A parsed notebook file of format 3 or 4 rebuilt as a valid one of format 4.5.

Only what the format names is taken over, so whatever a tool or a person added beside it cannot make the notebook
invalid: cells with their source and outputs, and of the metadata what labmark and Jupyter's engines use.
Source of the formats: the JSON schemas of nbformat, https://nbformat.readthedocs.io/en/latest/format_description.html
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode, from_dict

MAX_DEPTH = 50
MAX_CELLS = 2000
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
JSON_MIME = re.compile(r"application/(.*\+)?json")
TEXT_CELLS = ("markdown", "raw", "heading", "html")
"""Kinds of text cells; the last two are of format 3."""
OLD_OUTPUTS = {"pyout": "execute_result", "pyerr": "error"}
OLD_MIMES = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
}
KNOWN_FIELDS = {
    *("cell_type", "metadata", "source", "outputs", "execution_count", "id", "attachments"),
    *("input", "prompt_number", "language", "collapsed", "level", "output_type", "data", "name", "text"),
    *("ename", "evalue", "traceback", "stream", *OLD_MIMES),
}


class MalformedError(ValueError):
    """The JSON is not a notebook; the message is a clause that says why."""


class _Notes:
    """What was normalised, each sentence once."""

    def __init__(self) -> None:
        self.sentences: dict[str, None] = {}
        self.strange: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        self.sentences[sentence] = None

    def fields(self, raw: Mapping[str, Any]) -> None:
        for key in raw:
            if key not in KNOWN_FIELDS:
                self.strange[key] = None

    def done(self) -> tuple[str, ...]:
        strange = [key[:40] for key in self.strange]
        more = [f"fields that the notebook format does not know were left out: {', '.join(strange[:8])}"]
        return (*self.sentences, *(more if strange else ()))


def upgrade(raw: Any) -> tuple[NotebookNode, tuple[str, ...]]:
    """Rebuild a notebook as format 4.5; every cell has an id of its own.

    Ids are made from position and source where they are missing, so reading a file twice gives the same notebook.

    Args:
        raw: The parsed JSON of a file.

    Returns:
        The notebook, valid for nbformat, and what was normalised, in clauses.

    Raises:
        MalformedError: it is not a notebook.
    """
    if not isinstance(raw, dict):
        raise MalformedError("it holds JSON, but not a notebook (a notebook is an object with a list `cells`)")
    notes = _Notes()
    cells = [_cell(one, n, notes) for n, one in enumerate(_raw_cells(raw, notes), 1)]
    _give_ids(cells, notes)
    metadata = _notebook_metadata(raw.get("metadata"), notes)
    return from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}), notes.done()


def _raw_cells(raw: dict[str, Any], notes: _Notes) -> list[Any]:
    major, minor = raw.get("nbformat", 4), raw.get("nbformat_minor", 0)
    if "nbformat" not in raw:
        notes.add("the number of the notebook format is missing; read as format 4")
    if type(major) is not int or not 3 <= major <= 4:
        raise MalformedError(
            f"it is of notebook format {str(major)[:20]}; save it again as format 4 (any current Jupyter)"
        )
    if major == 4 and type(minor) is int and minor > 5:
        notes.add(f"notebook format 4.{minor} is newer than 4.5; what is new in it was left out")
    if major == 3:
        notes.add("notebook format 3 was read as 4.5")
    cells = raw.get("cells") if major == 4 else _worksheets(raw.get("worksheets"))
    if not isinstance(cells, list):
        raise MalformedError(f"its {'`cells`' if major == 4 else '`worksheets`'} are missing or are not a list")
    if len(cells) > MAX_CELLS:
        raise MalformedError(f"it has {len(cells)} cells; at most {MAX_CELLS} can be read")
    return cells


def _worksheets(sheets: Any) -> Any:
    if not isinstance(sheets, list) or not all(
        isinstance(s, dict) and isinstance(s.get("cells"), list) for s in sheets
    ):
        return None
    return [cell for sheet in sheets for cell in sheet["cells"]]


def _cell(raw: Any, number: int, notes: _Notes) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise MalformedError(f"item {number} of its cells is not an object")
    notes.fields(raw)
    kind = raw.get("cell_type")
    source = _text(raw.get("source", raw.get("input", "")))
    if source is None:
        raise MalformedError(f"the source of cell {number} is not text")
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": _cell_metadata(raw.get("metadata"), notes)}
    cell["id"] = raw.get("id")
    cell["source"] = source.replace("\r\n", "\n")
    if kind == "code":
        cell["cell_type"] = "code"
        cell["execution_count"] = _count(raw.get("execution_count", raw.get("prompt_number")))
        cell["outputs"] = _outputs(raw.get("outputs"), notes)
    elif kind == "heading":
        level = raw.get("level")
        cell["source"] = (
            "#" * (level if type(level) is int and 1 <= level <= 6 else 1) + " " + source.replace("\n", " ")
        )
    elif kind == "raw" or kind not in TEXT_CELLS:
        cell["cell_type"] = "raw"
        if kind != "raw":
            notes.add("a cell of a kind that notebooks do not have was read as raw text")
    pictures = raw.get("attachments")
    if isinstance(pictures, dict) and cell["cell_type"] != "code":
        cell["attachments"] = {name: _mime_bundle(bundle) for name, bundle in pictures.items()}
    return cell


def _outputs(raw: Any, notes: _Notes) -> list[dict[str, Any]]:
    outputs = []
    for one in raw if isinstance(raw, list) else []:
        output = _output(one, notes) if isinstance(one, dict) else None
        if output is None:
            notes.add("an output that is not one was left out")
        else:
            outputs.append(output)
    return outputs


def _output(raw: dict[str, Any], notes: _Notes) -> dict[str, Any] | None:
    notes.fields(raw)
    kind = raw.get("output_type")
    kind = OLD_OUTPUTS.get(kind, kind) if isinstance(kind, str) else None
    if kind == "stream":
        name, text = raw.get("name", raw.get("stream", "stdout")), _text(raw.get("text"))
        return (
            None
            if text is None
            else {"output_type": kind, "name": "stderr" if name == "stderr" else "stdout", "text": text}
        )
    if kind == "error":
        lines = raw.get("traceback")
        trace = [line for line in map(_text, lines) if line is not None] if isinstance(lines, list) else []
        words = {key: _text(raw.get(key)) or "" for key in ("ename", "evalue")}
        return {"output_type": kind, **words, "traceback": trace}
    if kind not in ("execute_result", "display_data"):
        return None
    data = raw.get("data", {mime: raw[old] for old, mime in OLD_MIMES.items() if old in raw})
    output: dict[str, Any] = {"output_type": kind, "metadata": {}, "data": _mime_bundle(data)}
    if kind == "execute_result":
        output["execution_count"] = _count(raw.get("execution_count", raw.get("prompt_number")))
    return output


def _mime_bundle(raw: Any) -> dict[str, Any]:
    bundle: dict[str, Any] = {}
    for mime, value in raw.items() if isinstance(raw, dict) else ():
        kept = _plain(value) if JSON_MIME.fullmatch(mime) else _text(value)
        if kept is not None:
            bundle[mime] = kept
    return bundle


def _cell_metadata(raw: Any, notes: _Notes) -> dict[str, Any]:
    """Of a cell's metadata: nbgrader's object, tags and the two locks."""
    if not isinstance(raw, dict):
        notes.add("a cell without metadata was given empty ones")
        return {}
    kept = {key: raw[key] for key in ("deletable", "editable") if isinstance(raw.get(key), bool)}
    if isinstance(raw.get("nbgrader"), dict):
        kept["nbgrader"] = _plain(raw["nbgrader"])
    if isinstance(raw.get("tags"), list):
        kept["tags"] = list(
            dict.fromkeys(tag for tag in raw["tags"] if isinstance(tag, str) and tag and "," not in tag)
        )
    return kept


def _notebook_metadata(raw: Any, notes: _Notes) -> dict[str, Any]:
    """Of the notebook's metadata: the names of kernel and language."""
    if not isinstance(raw, dict):
        notes.add("the notebook's metadata were missing")
        return {}
    kept: dict[str, Any] = {}
    kernel, language = raw.get("kernelspec"), raw.get("language_info")
    if isinstance(kernel, dict) and all(isinstance(kernel.get(key), str) for key in ("name", "display_name")):
        kept["kernelspec"] = {
            key: kernel[key] for key in ("name", "display_name", "language") if isinstance(kernel.get(key), str)
        }
    if isinstance(language, dict) and isinstance(language.get("name"), str):
        kept["language_info"] = {"name": language["name"]}
    return kept


def _give_ids(cells: list[dict[str, Any]], notes: _Notes) -> None:
    taken: set[str] = set()
    for cell in cells:
        given = cell["id"]
        if isinstance(given, str) and CELL_ID.fullmatch(given) and given not in taken:
            taken.add(given)
            continue
        if given is not None:
            notes.add("cell ids that were not valid or occurred twice were replaced")
        cell["id"] = None
    for number, cell in enumerate(cells):
        if cell["id"] is None:
            new = _new_id(f"{number}:{cell['source']}", taken)
            taken.add(new)
            cell["id"] = new


def _new_id(seed: str, taken: set[str]) -> str:
    while True:
        attempt = f"cell-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"
        if attempt not in taken:
            return attempt
        seed += "+"


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: Any) -> str | None:
    """Text, or the joined lines of a list of text; None for anything else."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    return value if isinstance(value, str) else None


def _plain(value: Any, depth: int = 0) -> Any:
    """JSON that is not too deep to be written again."""
    if depth > MAX_DEPTH:
        raise MalformedError(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, depth + 1) for one in value]
    return value
