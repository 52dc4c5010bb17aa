"""Records made by hand: a lab of our own, a result with every outcome, the evidence behind it."""

import base64
import io
import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graders.evidence import EvidenceIndex, Journal, NotebookRun, Shims
from graders.lab import CheckSpec, Lab, load_lab
from graders.records import (
    CellRef,
    Check,
    Flag,
    NotebookSummary,
    NotebookTiming,
    Outcome,
    Provenance,
    Record,
    Result,
    Run,
    StudentLine,
    Timing,
)

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
ALLOWED_SCHEMES = ("data:image/png;base64,", "data:image/jpeg;base64,")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SECRET = "SENTINEL-HIDDEN"

CHECKS = load_lab(Path(__file__).parent / "lab.toml").checks


class Page(HTMLParser):
    """A parsed page; raises AssertionError where it is not well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.stack: list[str] = []
        self.feed(html)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag."""
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in <{tag}>"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag that closes itself, as SVG's may."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Match the innermost open tag."""
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack[-1] == tag, f"</{tag}> closes <{self.stack[-1]}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        if "style" not in self.stack:
            self.parts.append(data)

    @property
    def text(self) -> str:
        """All text, white space collapsed."""
        return " ".join(" ".join(self.parts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of that name."""
        return [attrs for name, attrs in self.tags if name == tag]


def parse_safely(html: str) -> Page:
    """Parse a page and assert that it can neither run nor load anything, and that it can be found one's way in."""
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)), "an id occurs twice"
    assert any(meta.get("content") == POLICY for meta in page.all("meta"))
    for tag, attrs in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "input", "foreignobject"}
        assert not [name for name in attrs if name.startswith("on")]
        assert (attrs.get("src") or ALLOWED_SCHEMES[0]).startswith(ALLOWED_SCHEMES)
        assert not (attrs.get("href") or "").lower().startswith(("javascript:", "data:", "//"))
        assert "srcset" not in attrs
        assert tag != "img" or "alt" in attrs
    assert "@import" not in html
    assert not any(tag == "use" and not (attrs.get("href") or "#").startswith("#") for tag, attrs in page.tags)
    headings = [int(tag[1]) for tag, _ in page.tags if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings)), headings
    assert page.all("main")
    assert page.all("html")[0].get("lang") == "en"
    return page


def png(pixels: int = 28) -> bytes:
    """A small grey PNG."""
    buffer = io.BytesIO()
    ramp = np.add.outer(np.arange(pixels), np.arange(pixels)).astype(np.uint8) * 4
    Image.fromarray(ramp).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """The lab of `lab.toml`: two notebooks, ten checks, and two pictures of the three that it names."""
    (tmp_path / "reference" / "assets").mkdir(parents=True)
    for name in ("0.PNG", "1.PNG"):
        (tmp_path / "reference" / "assets" / name).write_bytes(png())
    return load_lab(Path(shutil.copy(Path(__file__).parent / "lab.toml", tmp_path / "reference")))


def side(words: str, shape: tuple[int, ...], name: str = "") -> dict[str, Any]:
    """One side of a row of the comparison."""
    return {"words": words, "label": words, "name": name, "shape": list(shape)}


def stages() -> list[dict[str, Any]]:
    """A network with one stage of each status."""
    conv, pool = side("conv 30 maps 5x5", (30, 24, 24)), side("max pool 2x2", (30, 12, 12))
    linear = side("linear 375 -> 128", (128,))
    wanted, other = side("conv 15 maps 3x3", (15, 10, 10)), side("conv 16 maps 3x3", (16, 10, 10), "conv2")
    return [
        {"status": "same", "expected": conv, "found": conv},
        {"status": "missing", "expected": side("ReLU", (30, 24, 24)), "found": None},
        {"status": "same", "expected": pool, "found": pool},
        {"status": "different", "expected": wanted, "found": other},
        {"status": "extra", "expected": None, "found": side("batch norm", (16, 10, 10))},
        {"status": "same", "expected": linear, "found": linear},
    ]


def confusion() -> list[list[int]]:
    """Ten classes, mostly right; 4 is taken for 9 most often."""
    matrix = [[90 if row == column else (row * 7 + column) % 3 for column in range(10)] for row in range(10)]
    matrix[4][9] = 31
    return matrix


def details() -> dict[str, dict[str, Any]]:
    """What the checks of the rich result hold to be looked at."""
    tiles = np.random.default_rng(7).normal(size=(30, 5, 5)).round(3).tolist()
    digits = [
        {"file": "0.PNG", "truth": 0, "predicted": 0, "stated": 0},
        {"file": "1.PNG", "truth": 1, "predicted": 7, "stated": 1},
        {"file": "gone.PNG", "truth": 2, "predicted": 2, "stated": None},
    ]
    accuracy = {"accuracy": 0.894, "correct": 894, "total": 1000, "threshold": 0.82, "claimed": 0.991}
    return {
        "a/network": {
            "stages": stages(),
            "sentences": ["After conv1 a <ReLU> is expected.", "conv2 has 16 maps where 15 are expected."],
            "advice": [{"code": "DROPOUT_ACTIVE_IN_EVAL", "message": "Pass training=self.training to F.dropout."}],
        },
        "a/accuracy": {**accuracy, "confusion": confusion()},
        "b/digits": {"digits": digits},
        "b/filters": {"tiles": {"caption": "conv1's 30 filters, 5 by 5.", "images": tiles}},
        "b/discussion": {"answer": "They look like edges <b>and</b> blobs."},
        "a/shape-hidden": {
            "advice": [{"code": SECRET, "message": SECRET}],
            "stages": [{**stages()[0], "found": side(SECRET, (1,))}],
        },
        "a/trained": {"tiles": {"caption": SECRET, "images": tiles[:1]}, "claimed": SECRET},
    }


OUTCOMES: dict[str, tuple[Outcome, float, str]] = {
    "a/shape": (Outcome.PASSED, 1, "OK"),
    "a/shape-hidden": (Outcome.FAILED, 0, f"{SECRET}_CODE".replace("-", "_")),
    "a/network": (Outcome.PARTIAL, 3.25, "MISSING_ACTIVATION"),
    "a/accuracy": (Outcome.PASSED, 5, "OK"),
    "a/trained": (Outcome.PASSED, 1, f"{SECRET}_CODE".replace("-", "_")),
    "b/reload": (Outcome.BLOCKED, 0, "CELL_ERROR"),
    "b/digits": (Outcome.FAILED, 0, "WRONG_PREDICTIONS"),
    "b/filters": (Outcome.HARNESS_ERROR, 0, "HARNESS_ERROR"),
    "b/saved": (Outcome.REJECTED, 0, "TAMPERED"),
    "b/discussion": (Outcome.REVIEW, 1, "MANUAL"),
}

MESSAGES: dict[str, str] = {
    "a/shape": "32 maps of 24x24 were expected and found.",
    "a/network": "After conv1 (30 maps, 5x5) a ReLU is expected; yours goes straight to max pooling.",
    "a/accuracy": "Of 1000 images that your network has never seen, 894 are recognised.",
    "b/reload": "The weights could not be loaded, because cell [3] raised a FileNotFoundError.",
    "b/digits": "Ten predictions are expected that agree with your own network; yours differ for 1.PNG.",
    "b/filters": "The comparison of the filters failed on our side.",
    "b/saved": "The weights file was changed after the run.",
    "b/discussion": "A person reads your answer.",
}


def build_check(spec: CheckSpec, **changed: Any) -> Check:
    """A check of the rich result."""
    outcome, earned, code = OUTCOMES[spec.id]
    values: dict[str, Any] = {
        "id": spec.id,
        "title": spec.title,
        "category": spec.category,
        "outcome": outcome,
        "points": earned,
        "max_points": spec.points,
        "visibility": spec.visibility,
        "code": code,
        "message": MESSAGES.get(spec.id, f"{SECRET} message"),
        "details": details().get(spec.id, {}),
        "cell": CellRef(notebook=spec.notebook, number=7, task="network", line={"a/network": 3}.get(spec.id)),
    }
    return Check(**{**values, **changed})


def build_result(student: str = "ada", **changed: Any) -> Result:
    """A result with every outcome but `not-attempted`."""
    values: dict[str, Any] = {
        "student": student,
        "score": 11.25,
        "max_score": 26,
        "checks": tuple(build_check(spec) for spec in CHECKS),
        "notebooks": (
            NotebookSummary(name="a_part.ipynb", status="complete", message="Ran to the end."),
            NotebookSummary(name="b_part.ipynb", status="errors", message="Cell [3] raised an error."),
        ),
        "flags": (Flag(code="EDITED_GIVEN_CELL", message="A given cell was edited; it was restored."),),
        "provenance": Provenance(
            lab="testlab",
            lab_version="1",
            lab_hash="0" * 64,
            graders_hash="1" * 64,
            labmark="0.1.0",
            profile="quick",
            sandbox="bwrap",
            environment={"python": "3.11.2", "torch": "2.15.0"},
            evidence_key="f" * 64,
            notes=("Training was capped at 2 epochs.", "`!pip install` did nothing."),
        ),
        "timing": Timing(
            started="2026-03-01T10:00:00Z",
            finished="2026-03-01T10:01:00Z",
            notebooks={"a_part.ipynb": NotebookTiming(seconds=41.26, peak_mb=612.4)},
        ),
    }
    return Result(**{**values, **changed})


def code_cell(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A code cell of an executed notebook."""
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": source, "outputs": list(outputs)}


def notebook_cells() -> list[dict[str, Any]]:
    """Cells with every kind of output, some of them hostile."""
    picture = base64.b64encode(png()).decode()
    evil = "<script>alert(1)</script>"
    return [
        {"cell_type": "markdown", "metadata": {}, "source": f"# Heading {evil}\n\n[x](javascript:alert(1)) **bold**"},
        code_cell(
            "print('\x1b[31mred\x1b[0m')", {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mred\x1b[0m"]}
        ),
        code_cell(
            "model",
            {"output_type": "execute_result", "data": {"text/html": evil, "text/plain": "<Model>"}, "metadata": {}},
            {"output_type": "display_data", "data": {"image/png": picture, "text/plain": "fig"}, "metadata": {}},
            {"output_type": "display_data", "data": {"text/html": evil}, "metadata": {}},
            {"output_type": "display_data", "data": {"image/png": base64.b64encode(evil.encode()).decode()}},
        ),
        code_cell(
            "open('gone')",
            {
                "output_type": "error",
                "ename": "FileNotFoundError",
                "evalue": "gone",
                "traceback": ["\x1b[1mTrace\x1b[0m"],
            },
        ),
        {"cell_type": "raw", "metadata": {}, "source": evil},
    ]


def journal() -> dict[str, Any]:
    """The journal of `notebook_cells`: the third code cell failed."""
    error = {"name": "FileNotFoundError", "value": "gone\u202e", "line": 1}
    return {
        "notebook": "b_part.ipynb",
        "cells": [
            {"index": 1, "number": 1, "status": "ok", "execution_count": 1},
            {"index": 2, "number": 2, "status": "ok", "execution_count": 2, "task": "discussion"},
            {"index": 3, "number": 3, "status": "error", "execution_count": 3, "error": error},
        ],
    }


def write(path: Path, record: Record) -> None:
    """Write a record as the harness does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record.model_dump_json(by_alias=True), encoding="utf-8")


def write_executed(folder: Path, cells: list[dict[str, Any]]) -> Path:
    """Write an executed notebook."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "executed.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """The evidence of the rich result: trainings in part A, an error in part B."""
    root = tmp_path / "evidence"
    runs = tuple(
        NotebookRun(name=f"{part}_part.ipynb", status=status, message="It ran.", folder=f"{part}_part")
        for part, status in (("a", "complete"), ("b", "errors"))
    )
    index = EvidenceIndex(student="ada", key="f" * 64, profile="quick", sandbox="bwrap", notebooks=runs)
    write(root / "evidence.json", index)
    write(root / "a_part" / "journal.json", Journal(notebook="a_part.ipynb"))
    shutil.copy(Path(__file__).parent / "trials.json", root / "a_part")
    write_executed(root / "a_part", [code_cell("1")])
    write(root / "b_part" / "journal.json", Journal.model_validate(journal()))
    write(root / "b_part" / "shims.json", Shims(used=("scipy.misc.imread was mended.",)))
    write_executed(root / "b_part", notebook_cells())
    return root


def build_run(*results: Result, statuses: dict[str, str] | None = None) -> Run:
    """A run of those results."""
    status: Callable[[str], Any] = lambda id_: (statuses or {}).get(id_, "graded")  # noqa: E731 - one expression
    lines = tuple(
        StudentLine(
            id=one.student,
            status=status(one.student),
            score=one.score,
            max_score=one.max_score,
            result=f"students/{one.student}/result.json",
            report=f"students/{one.student}/report.html",
        )
        for one in results
    )
    return Run(
        lab="testlab",
        lab_version="1",
        lab_hash="0" * 64,
        profile="quick",
        sandbox="bwrap",
        environment={"python": "3.11.2"},
        started="2026-03-01T10:00:00Z",
        finished="2026-03-01T11:00:00Z",
        students=lines,
    )


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """Builds the rich result; keywords replace fields."""
    return build_result


@pytest.fixture
def make_check() -> Callable[..., Check]:
    """Builds the check of that id of the rich result; keywords replace fields."""
    return lambda id_, **changed: build_check(next(spec for spec in CHECKS if spec.id == id_), **changed)


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """Builds the run of some results."""
    return build_run


@pytest.fixture
def safe_page() -> Callable[[str], Page]:
    """Parses a page and asserts that it can neither run nor load anything."""
    return parse_safely


@pytest.fixture
def make_notebook() -> Callable[[Path, list[dict[str, Any]]], Path]:
    """Writes an executed notebook into a folder."""
    return write_executed


@pytest.fixture
def picture() -> bytes:
    """A PNG file."""
    return png()
