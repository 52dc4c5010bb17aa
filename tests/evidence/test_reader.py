"""Strict reading of evidence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from graders.errors import EvidenceError, HarnessError
from graders.evidence import (
    Answers,
    Evidence,
    EvidenceIndex,
    ModelEvent,
    NotebookEvidence,
    NotebookRun,
    read_bytes,
    read_record,
    read_tensors,
    strict_json,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'{"a": {"b": 1, "b": 2}}', "a key occurs twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_loose_json_is_refused(data: bytes, expected: str) -> None:
    """The message begins with the file's name."""
    with pytest.raises(EvidenceError, match=f"^a.json: {expected}"):
        strict_json(data, "a.json")


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    """Python would raise its own ValueError for it."""
    with pytest.raises(EvidenceError):
        strict_json(b"1" * 5000, "a.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_real_json_is_read(value: Any) -> None:
    """Strictness loses nothing that JSON can say."""
    assert strict_json(json.dumps(value).encode(), "a.json") == value


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Junk raises the one exception, or is JSON by chance."""
    try:
        json.loads(data)
    except ValueError:
        with pytest.raises(EvidenceError):
            strict_json(data, "a.json")


def test_links_missing_and_large_files_are_refused(tmp_path: Path) -> None:
    """Only a regular file within the limit is opened."""
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    for name, limit, expected in (
        ("a", 4, "larger than 4"),
        ("link", 9, "no such regular"),
        ("b", 9, "no such regular"),
    ):
        with pytest.raises(EvidenceError, match=expected):
            read_bytes(tmp_path / name, limit)


def test_a_record_of_another_shape_names_the_field(tmp_path: Path) -> None:
    """Unknown fields, wrong types and other schemas are refused, with the place."""
    path = tmp_path / "answers.json"
    path.write_text('{"schema": "labmark/answers/1", "printed": {"a": 5}}')
    with pytest.raises(EvidenceError, match=r"answers\.json: printed\.a: "):
        read_record(path, Answers)
    path.write_text('{"schema": "labmark/answers/2"}')
    with pytest.raises(EvidenceError, match="schema"):
        read_record(path, Answers)
    path.write_text('{"extra": 1}')
    with pytest.raises(EvidenceError, match="extra"):
        read_record(path, Answers)


def test_tensors_are_read_by_name(tmp_path: Path) -> None:
    """Shape, type and values survive."""
    save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, tmp_path / "t.safetensors")
    found = read_tensors(tmp_path / "t.safetensors")
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["a"].dtype == np.float32


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04.", b"\xff" * 16, (2).to_bytes(8, "little") + b"{}" + b"rest", b"\x00" * 8]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """An empty file, a pickle, a header too long, bytes left over, no header."""
    (tmp_path / "t.safetensors").write_bytes(data)
    with pytest.raises(EvidenceError, match="not a readable safetensors file"):
        read_tensors(tmp_path / "t.safetensors")


def run(folder: str = "part") -> NotebookRun:
    """A notebook's line in the index."""
    return NotebookRun(name="part.ipynb", status="complete", message="It ran.", folder=folder)


def test_absent_files_read_as_empty(tmp_path: Path) -> None:
    """A notebook that drew nothing has no drawings; that is no fault."""
    found = NotebookEvidence(run(), tmp_path)
    assert (found.events, found.drawings, found.probes, found.shims) == ((), (), (), ())
    assert (found.variables, found.tensors, found.inputs, found.files, found.drawn, found.probed) == (
        {},
        {},
        {},
        {},
        {},
        {},
    )
    assert found.answers == Answers()
    assert found.trials.trials == ()


def test_a_notebook_that_was_not_run_has_nothing(tmp_path: Path) -> None:
    """Without a folder, everything reads as empty, and asking for a model or a file's tensors is an error."""
    found = NotebookEvidence(run(folder=""), tmp_path)
    assert found.journal.notebook == "part.ipynb"
    assert found.answers == Answers()
    event = ModelEvent(n=0, moment="end", execution_count=1, model=0, identity=0, class_name="M", training=False)
    with pytest.raises(EvidenceError, match="left no models"):
        found.snapshot(event)
    with pytest.raises(EvidenceError, match="left no files"):
        found.file_tensors("a.weights")


def test_a_snapshot_is_read_where_its_event_says(tmp_path: Path) -> None:
    """graph.json is parsed strictly, weights by name."""
    folder = tmp_path / "part" / "models" / "3"
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text('{"schema": "labmark/graph/1", "train": null, "eval": null}')
    save_file({"w": np.ones(2, np.float32)}, folder / "weights.safetensors")
    (folder / "model.json").write_text('{"class_name": "Net", "text": "Net()"}')
    event = ModelEvent(n=0, moment="end", execution_count=1, model=3, identity=0, class_name="Net", training=False)
    snapshot = NotebookEvidence(run(), tmp_path).snapshot(event)
    assert snapshot.meta.class_name == "Net"
    assert snapshot.graph["eval"] is None
    assert list(snapshot.weights) == ["w"]


def test_a_malformed_file_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    """One bad file does not take the others away."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "drawn.json").write_text("{")
    (tmp_path / "part" / "shims.json").write_text('{"used": ["one"]}')
    found = NotebookEvidence(run(), tmp_path)
    assert found.shims == ("one",)
    with pytest.raises(EvidenceError, match=r"drawn\.json"):
        _ = found.drawings


def test_evidence_is_read_from_its_index(tmp_path: Path) -> None:
    """Notebooks by name; without an index there is no evidence."""
    with pytest.raises(EvidenceError, match=r"evidence\.json: no such"):
        Evidence(tmp_path)
    index = EvidenceIndex(student="ann", key="k", profile="quick", sandbox="none", notebooks=(run(),))
    (tmp_path / "evidence.json").write_text(index.model_dump_json(by_alias=True))
    found = Evidence(tmp_path)
    assert found.index == index
    assert found.notebooks["part.ipynb"].run.status == "complete"


def test_a_number_beyond_all_numbers_is_refused() -> None:
    """1e999 would be read as infinity, which the bare word may not say either."""
    with pytest.raises(EvidenceError, match="1e999"):
        strict_json(b'{"loss": 1e999}', "trials.json")


def test_half_of_an_emoji_becomes_a_replacement_character() -> None:
    """Text cut in the middle of a UTF-16 pair can be read, and written again as UTF-8; whole pairs stay."""
    value = strict_json(b'{"a\\ud83d": ["\\ud83d\\ude42 ok", "cut \\uD83D", 1]}', "answers.json")
    assert value == {"a\ufffd": ["🙂 ok", "cut \ufffd", 1]}


def test_a_lost_journal_is_our_fault(tmp_path: Path) -> None:
    """The journal is written by the harness: without it the student is blamed for nothing."""
    run = NotebookRun(name="a.ipynb", status="complete", message="", folder="a")
    (tmp_path / "a").mkdir()
    with pytest.raises(HarnessError, match=r"a\.ipynb"):
        _ = NotebookEvidence(run, tmp_path).journal


@pytest.mark.parametrize("array", [np.zeros((2, 2), np.int64), np.zeros(2, np.float32)])
def test_hashes_of_images_are_lists_of_integers(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    """Anything else in their file is not what the kernel's runtime writes."""
    notebook = NotebookEvidence(NotebookRun(name="n", status="complete", message="", folder="n"), tmp_path)
    assert notebook.trained_images == {}
    (tmp_path / "n").mkdir()
    save_file({"loop0": array}, tmp_path / "n" / "trained_images.safetensors")
    with pytest.raises(EvidenceError, match=r"trained_images\.safetensors"):
        _ = NotebookEvidence(notebook.run, tmp_path).trained_images
