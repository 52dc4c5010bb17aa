"""What need not be run again."""

import threading
from pathlib import Path

import pytest
from nbformat import v4

from graders.execution.store import Store, hash_of_code, key_of, sources_of
from tests.execution.tiny import answer


def test_evidence_comes_back(tmp_path: Path) -> None:
    """What was put under a key is found under it, folders and all, and nothing under another."""
    evidence = tmp_path / "evidence"
    (evidence / "models" / "0").mkdir(parents=True)
    (evidence / "models" / "0" / "graph.json").write_text("graph")
    store = Store(tmp_path / "store")
    store.put("key", evidence)
    assert store.get("key", tmp_path / "out")
    assert (tmp_path / "out" / "models" / "0" / "graph.json").read_text() == "graph"
    assert not store.get("other", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_unfinished_evidence_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where putting is cut off nothing is under the key, and nothing is left lying about."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()

    def cut_off(source: Path, target: Path) -> None:
        (target / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("graders.execution.store.link_tree", cut_off)
    store = Store(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        store.put("key", evidence)
    assert not store.get("key", tmp_path / "out")
    assert list((tmp_path / "store").rglob("half")) == []


def test_one_thread_at_a_time(tmp_path: Path) -> None:
    """Who waits for a key can be called off; another key is free."""
    store, done = Store(tmp_path), threading.Event()

    def called_off() -> None:
        done.set()
        raise InterruptedError

    def wait() -> None:
        with pytest.raises(InterruptedError), store.locked("key", called_off):
            pass

    with store.locked("key", lambda: None), store.locked("other", lambda: None):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(10)
    assert done.is_set()


def test_keys_depend_on_sources_only() -> None:
    """Outputs and counts do not matter; sources, types and nbgrader's ids do."""
    plain, ran = v4.new_notebook(cells=[answer("a", "1")]), v4.new_notebook(cells=[answer("a", "1")])
    ran.cells[0].outputs, ran.cells[0].execution_count = [v4.new_output("stream", text="x")], 7
    assert key_of(sources_of(plain)) == key_of(sources_of(ran))
    for other in (answer("b", "1"), answer("a", "2"), v4.new_markdown_cell("1")):
        assert key_of(sources_of(v4.new_notebook(cells=[other]))) != key_of(sources_of(plain))


def test_code_counts_without_caches(tmp_path: Path) -> None:
    """A changed file of code changes the key; compiled files do not."""
    for name in ("a", "b", "c"):
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "x.py").write_text("1" if name != "c" else "2")
        (tmp_path / name / "__pycache__" / "x.pyc").write_text(name)
    first, same, other = (hash_of_code((tmp_path / name,)) for name in ("a", "b", "c"))
    assert first == same != other
