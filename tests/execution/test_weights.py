"""What weights files turn out to hold; torch is imported once, in this process, but for the memory limit."""

import io
import json
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save

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
    assert (finding.kind, finding.code, finding.legacy) == ("module", "WHOLE_MODEL_SAVED", legacy)
    assert "torch.save(model.state_dict(), FILE)" in finding.problem


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (torch.zeros(3), "single tensor"),
        ([torch.zeros(3)], "a list"),
        ({}, "empty dict"),
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


NET = torch.nn.Linear(3, 2)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("saved", "key", "beside"),
    [
        ({"epoch": 3, "model": NET.state_dict(), "optimizer": {"state": {}, "param_groups": []}}, "model", "'epoch'"),
        ({"state_dict": NET.state_dict()}, "state_dict", ""),
    ],
)
def test_a_checkpoint_keeps_its_tensors(tmp_path: Path, saved: Any, key: str, beside: str, legacy: bool) -> None:
    """It is told as such, and the state_dict inside is written anew like a plain one."""
    finding = look(tmp_path, saved, _use_new_zipfile_serialization=not legacy)
    assert (finding.kind, finding.code) == ("checkpoint", "NESTED_STATE_DICT")
    assert finding.needs == (f'"{key}"', f"'{key}'")
    assert f"under the key '{key}'" in finding.problem
    assert beside in finding.problem
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert all(torch.equal(file.get_tensor(name), value) for name, value in NET.state_dict().items())


def test_a_checkpoint_of_bad_tensors_is_described_by_them(tmp_path: Path) -> None:
    """The rules for tensors hold inside, too."""
    finding = look(tmp_path, {"model": {"w": torch.zeros(1).expand(10**12)}})
    assert (finding.kind, finding.code) == ("other", "STRANGE_TENSOR")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("prefix", "needs"),
    [("module.", ("module.", "DataParallel")), ("_orig_mod.", ("_orig_mod", "torch.compile")), ("net.", ())],
)
def test_a_wrapped_models_names_need_unwrapping(tmp_path: Path, prefix: str, needs: tuple[str, ...]) -> None:
    """What torch puts in front is told; a prefix of the student's own layers is nothing strange."""
    finding = look(tmp_path, {prefix + name: tensor for name, tensor in NET.state_dict().items()})
    assert (finding.kind, finding.needs) == ("state_dict", needs)


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Exchange bytes in the pickle of a file of torch.save, in either format."""
    if not zipfile.is_zipfile(path):
        path.write_bytes(path.read_bytes().replace(old, new))
        return
    with zipfile.ZipFile(path) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_of_a_graphics_card_are_read_and_told(tmp_path: Path, legacy: bool) -> None:
    """They come to the CPU here; the device is kept for advice."""
    path = tmp_path / "net.weights"
    torch.save(NET.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    rewrite(path, b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    finding = inspect(path, tmp_path / "out.safetensors", MIB, MIB)
    assert (finding.kind, finding.device, finding.legacy) == ("state_dict", "cuda:0", legacy)


def npz() -> bytes:
    """Two arrays as np.savez writes them."""
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(2), b=np.zeros(3))
    return buffer.getvalue()


def zipped(*names: str) -> bytes:
    """A zip archive of empty files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "EMPTY_FILE", "0 bytes"),
        (bytes(5000), "EMPTY_FILE", "zeros"),
        (b"\x93NUMPY\x01\x00", "NUMPY_SAVED", "np.save"),
        (npz(), "NUMPY_SAVED", "np.savez"),
        (b"\x89HDF\r\n\x1a\n", "HDF5_SAVED", "Keras"),
        (b"\x1f\x8b\x08\x00", "COMPRESSED_FILE", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "PICTURE_SAVED", "picture"),
        (save({"w": torch.zeros(2)}), "SAFETENSORS_SAVED", "safetensors"),
        (b"<!DOCTYPE html>\n<html>", "TEXT_SAVED", '"<!DOCTYPE html> <html>"'),
        ("Größe: 3".encode() + "ä".encode() * 3000, "TEXT_SAVED", "Größe"),
        (zipped("net/code/__torch__.py", "net/data.pkl"), "PROGRAM_SAVED", "torch.jit"),
        (zipped("word/document.xml"), "ARCHIVE_SAVED", "zip archive"),
        (b"PK\x03\x04 and no end", "DAMAGED_FILE", "its end is missing"),
        (b"\x80\x02\xff\xfe", "DAMAGED_FILE", "damaged"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    """By their first bytes and the names in an archive; nothing of them is opened as weights."""
    path = tmp_path / "net.weights"
    path.write_bytes(data)
    finding = inspect(path, tmp_path / "out.safetensors", MIB, MIB)
    assert (finding.kind, finding.code) == ("unreadable", code)
    assert words in finding.problem


def test_a_compiled_program_is_no_state_dict(tmp_path: Path) -> None:
    """An archive of torch.jit's own."""
    path = tmp_path / "net.weights"
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    assert inspect(path, tmp_path / "out", MIB, MIB).code == "PROGRAM_SAVED"


class StateKey:
    """As Torchbearer's keys of a trial's state."""


@pytest.mark.parametrize(
    ("saved", "code"),
    [
        ({"w": np.zeros(2)}, "NUMPY_SAVED"),
        ({"w": torch.zeros(2), "path": Path("x")}, "OBJECTS_SAVED"),
        (torch.optim.Adam(NET.parameters()).state_dict(), "OPTIMISER_SAVED"),
        (list(NET.parameters()), "PARAMETER_LIST_SAVED"),
        (NET.weight, "SINGLE_TENSOR_SAVED"),
        ({}, "EMPTY_STATE_DICT"),
        (3, "NOT_A_STATE_DICT"),
        ({"w": torch.zeros(1), "epoch": 3}, "MORE_THAN_TENSORS"),
        ({1: torch.zeros(1)}, "STRANGE_KEY"),
        ({"w": torch.tensor([float("nan")])}, "NOT_FINITE"),
        ({"w": torch.zeros(MIB)}, "TOO_LARGE"),
    ],
)
def test_what_was_saved_by_mistake_has_its_code(tmp_path: Path, saved: Any, code: str) -> None:
    """One stable word for each mistake."""
    finding = look(tmp_path, saved)
    assert (finding.kind, finding.code) == ("other", code)


def test_a_trials_state_is_told(tmp_path: Path) -> None:
    """What trial.state_dict() gives has keys of Torchbearer's own class."""
    path = tmp_path / "net.weights"
    torch.save({StateKey(): NET.state_dict()}, path)
    rewrite(path, f"c{__name__}\n".encode(), b"ctorchbearer.state\n")
    finding = inspect(path, tmp_path / "out", MIB, MIB)
    assert finding.code == "TRIAL_SAVED"
    assert "trial.state_dict()" in finding.problem


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
