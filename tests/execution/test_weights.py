"""What weights files turn out to hold; torch is imported once, in this process, but for the memory limit."""

import json
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from graders.execution import weights
from graders.execution.pickles import names_of_classes
from graders.execution.weights import Finding, inspect

MIB = 2**20


@pytest.fixture(autouse=True)
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory limit would be that of the process that runs the tests."""
    monkeypatch.setattr(weights, "limit_memory", lambda extra: None)


def look(tmp_path: Path, saved: Any, **options: Any) -> Finding:
    """Save something with torch and inspect the file."""
    path = tmp_path / "net.weights"
    torch.save(saved, path, **options)
    return inspect(path, tmp_path / "out.safetensors", MIB, MIB)


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_state_dict_is_written_anew(tmp_path: Path, legacy: bool) -> None:
    """A state_dict of either file format is kept value by value, with the order of its keys."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    finding = look(tmp_path, model.state_dict(), _use_new_zipfile_serialization=not legacy)
    assert finding == Finding(kind="state_dict", legacy=legacy)
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert json.loads(file.metadata()["keys"]) == list(model.state_dict())
        assert all(torch.equal(file.get_tensor(name), value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("legacy", [False, True])
def test_whole_model_is_recognised(tmp_path: Path, legacy: bool) -> None:
    """A pickled model is told from a state_dict without being unpickled, and the remedy is named."""
    finding = look(tmp_path, torch.nn.Linear(2, 2), _use_new_zipfile_serialization=not legacy)
    assert (finding.kind, finding.legacy) == ("module", legacy)
    assert "torch.save(model.state_dict(), FILE)" in finding.problem


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (torch.zeros(3), "single tensor"),
        ([torch.zeros(3)], "a list"),
        ({}, "empty dict"),
        ({"model": {"w": torch.zeros(1)}, "epoch": 3}, "under the key 'model'"),
        ({"state_dict": OrderedDict(w=torch.zeros(1))}, "under the key 'state_dict'"),
        ({"w": torch.zeros(1), "epoch": 3}, "Under 'epoch' it holds an entry of type int"),
        ({1: torch.zeros(1)}, "names no parameter"),
        ({"w": torch.tensor([1.0, float("nan")])}, "NaN or infinite"),
        ({"w": torch.tensor([float("inf")])}, "NaN or infinite"),
        ({"w": torch.zeros(1).expand(10**12)}, "does not hold so many values"),
        ({"w": torch.zeros(2, 2).to_sparse()}, "not a dense tensor"),
        ({"w": torch.zeros(2, dtype=torch.bfloat16)}, "bfloat16"),
        ({"w": torch.zeros(MIB)}, "more than 1 MiB"),
        ({"w": torch.zeros(2, device="meta")}, "not a dense tensor"),
        ({"w": torch.zeros(2), "path": Path("x")}, "objects (pathlib"),
    ],
)
def test_what_is_no_plain_state_dict(tmp_path: Path, saved: Any, words: str) -> None:
    """Everything else is named in a sentence, and nothing is written."""
    finding = look(tmp_path, saved)
    assert finding.kind == "other"
    assert words in finding.problem
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("data", [b"", b"garbage", b"PK\x03\x04 not really", pickle.dumps(3)])
def test_garbage_is_unreadable(tmp_path: Path, data: bytes) -> None:
    """Bytes that are no weights file at all are called that."""
    path = tmp_path / "net.weights"
    path.write_bytes(data)
    finding = inspect(path, tmp_path / "out.safetensors", MIB, MIB)
    assert finding.kind == "unreadable"
    assert finding.problem


def test_nothing_of_a_pickle_is_run(tmp_path: Path) -> None:
    """A pickle that would run code when loaded is only read."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(tmp_path / "trap"), "w")

    finding = look(tmp_path, {"w": torch.zeros(1), "trap": Trap()})
    assert finding.kind == "other"
    assert "open" in finding.problem
    assert not (tmp_path / "trap").exists()


def test_memory_that_a_file_asks_for_is_limited(tmp_path: Path) -> None:
    """A small file that asks for many GiB is refused by a process of its own, in a sentence."""
    path = tmp_path / "net.weights"
    torch.save({"w": torch.zeros(4)}, path)
    bomb = tmp_path / "bomb.weights"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, bytes(2**30) if info.filename.endswith("data/0") else data)
    command = [sys.executable, "-m", "graders.execution.weights", str(bomb), str(tmp_path / "out"), "1", "256"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    finding = Finding.model_validate_json(done.stdout)
    assert finding.kind in ("other", "unreadable")
    assert finding.problem


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", b"c__main__\nNet\n"]))
def test_reading_names_never_fails(tmp_path: Path, data: bytes, start: bytes) -> None:
    """Whatever the bytes are, names are read as far as they go."""
    path = tmp_path / "any"
    path.write_bytes(start + data)
    names = names_of_classes(path)
    assert all(isinstance(name, str) for name in names)
    if start.startswith(b"c"):
        assert "__main__.Net" in names
