"""An executed notebook as a page: sources and texts escaped, pictures by their first bytes, no HTML of a stranger's.

Markdown is the only thing that is turned into HTML; what comes out is cleaned by nh3, without pictures and styles.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nh3
from markupsafe import Markup, escape

from graders.errors import EvidenceError
from graders.evidence import Journal, JournalCell, NotebookEvidence, read_bytes, strict_json
from graders.lab import Lab, NotebookSpec
from graders.reports.pages import render
from graders.reports.pictures import data_uri
from graders.reports.visible import settle, visible
from graders.reports.words import counted

MIB = 2**20
MAX_FILE = 64 * MIB
MAX_CELLS = 2000
MAX_OUTPUTS = 100
MAX_TEXT = 20_000
MAX_MARKDOWN = 50_000
MAX_PICTURE = 6 * MIB

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "kbd", "a", "img"),
    *("strong", "em", "b", "i", "u", "s", "del", "sub", "sup", "ul", "ol", "li", "dl", "dt", "dd"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href"}, "img": {"alt"}}  # a picture without its source shows its description

STATUSES = {
    "error": "raised an error",
    "timeout": "ran out of time",
    "exit": "ended the kernel",
    "crashed": "took the kernel down",
    "output-limit": "printed too much",
    "not-run": "was not run",
}


@dataclass(frozen=True)
class OutputView:
    """One output: a text, a picture, or a note on what is not shown."""

    kind: str
    text: str = ""
    uri: str = ""


@dataclass(frozen=True)
class CellView:
    """One cell. `trouble` is what the harness saw go wrong; empty if all went well."""

    kind: str
    number: int | None
    task: str
    source: str
    html: Markup | None = None
    outputs: tuple[OutputView, ...] = ()
    trouble: str = ""


def write_notebook_page(notebook: NotebookEvidence, spec: NotebookSpec, lab: Lab, path: Path) -> None:
    """Write the page of one executed notebook; a file that cannot be read becomes a sentence."""
    problems = []
    cells: tuple[CellView, ...] = ()
    try:
        journal = notebook.journal
    except EvidenceError as error:
        journal = Journal(notebook=spec.file)
        problems.append(f"The journal cannot be read, so no cell is marked: {error}.")
    try:
        cells = read_cells((notebook.folder or Path()) / "executed.ipynb", spec, journal)
    except EvidenceError as error:
        problems.append(f"The executed notebook cannot be shown: {error}.")
    failed = tuple(cell for cell in cells if cell.trouble)
    render(
        path, "notebook.html.j2", spec=spec, lab=lab, run=notebook.run, cells=cells, failed=failed, problems=problems
    )


def read_cells(path: Path, spec: NotebookSpec, journal: Journal) -> tuple[CellView, ...]:
    """Read an executed notebook that a stranger may have written.

    Raises:
        EvidenceError: missing, too large, or not a notebook of format 4.
    """
    data = strict_json(read_bytes(path, MAX_FILE), path.name)
    cells = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise EvidenceError(f"{path.name}: has no list of cells")
    if len(cells) > MAX_CELLS:
        raise EvidenceError(f"{path.name}: more than {MAX_CELLS} cells")
    seen = {cell.index: cell for cell in journal.cells}
    titles = {task.id: task.title for task in spec.tasks}
    return tuple(_cell(cell, seen.get(index), titles) for index, cell in enumerate(cells))


def _cell(cell: dict[str, Any], seen: JournalCell | None, titles: dict[str, str]) -> CellView:
    source = text_of(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        return CellView("markdown", None, "", source, html=markdown(source))
    if cell.get("cell_type") != "code":
        return CellView("raw", None, "", source)
    outputs = cell.get("outputs")
    shown = tuple(_outputs(outputs)) if isinstance(outputs, list) else ()
    if seen is None:
        return CellView("code", None, "", source, outputs=shown)
    task = titles.get(seen.task, "") if seen.task else ""
    return CellView("code", seen.number, task, source, outputs=shown, trouble=_trouble(seen))


def _trouble(seen: JournalCell) -> str:
    if seen.status == "ok":
        return ""
    said = STATUSES.get(seen.status, seen.status)
    if seen.error is None:
        return said
    line = f" in line {seen.error.line}" if seen.error.line else ""
    return f"{said}{line}: {shortened(settle(f'{seen.error.name}: {seen.error.value}'), 600)}"


def _outputs(outputs: list[Any]) -> Iterable[OutputView]:
    for output in outputs[:MAX_OUTPUTS]:
        if isinstance(output, dict):
            yield _output(output)
    if len(outputs) > MAX_OUTPUTS:
        yield OutputView("note", f"{counted(len(outputs) - MAX_OUTPUTS, 'more output')} not shown.")


def _output(output: dict[str, Any]) -> OutputView:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "text"
        return OutputView(name, shortened(settle(text_of(output.get("text")))))
    if kind == "error":
        lines = output.get("traceback")
        trace = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
        return OutputView("error", shortened(settle(trace or f"{output.get('ename')}: {output.get('evalue')}")))
    data = output.get("data")
    return _display(data) if isinstance(data, dict) else OutputView("note", "An output without data is not shown.")


def _display(data: dict[str, Any]) -> OutputView:
    for kind in ("image/png", "image/jpeg"):
        uri = _picture(text_of(data.get(kind)))
        if uri:
            return OutputView("picture", uri=uri)
    if "text/plain" in data:
        return OutputView("text", shortened(settle(text_of(data["text/plain"]))))
    return OutputView("note", f"An output of type {', '.join(sorted(map(str, data))) or 'nothing'} is not shown.")


def _picture(encoded: str) -> str | None:
    if not encoded or len(encoded) > MAX_PICTURE:
        return None
    try:
        return data_uri(base64.b64decode("".join(encoded.split()), validate=True))
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        return None


def text_of(value: Any) -> str:
    """A notebook's text: a string, or a list of strings; anything else is empty."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """The beginning and the end of a long text, and how much is left out between."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def markdown(source: str) -> Markup:
    """A text cell as clean HTML, headings one level down since the page has its own first.

    Pictures are left out but for their description; what cannot be rendered is shown as it was written.
    """
    from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

    source = visible(source)
    if len(source) > MAX_MARKDOWN:
        return _plain(source)
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    try:
        html = MarkdownWithMath(renderer=renderer).render(source.replace("(attachment:", "(picture:"))
    except (InvalidNotebook, RecursionError):  # the first for an attachment that is not there
        return _plain(source)
    clean = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"})
    return Markup(re.sub(r"(</?h)([1-5])", lambda m: f"{m[1]}{int(m[2]) + 1}", clean))  # noqa: S704 - cleaned by nh3


def _plain(source: str) -> Markup:
    return Markup("<pre>{}</pre>").format(escape(source))
