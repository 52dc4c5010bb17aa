"""Strict reading of evidence: bytes, JSON records and tensors that a stranger may have written."""

import json
import math
import re
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_safetensors

from graders.errors import EvidenceError, HarnessError
from graders.evidence.schema import (
    Answers,
    Drawing,
    Drawings,
    EvidenceIndex,
    FileEntry,
    Files,
    Journal,
    ModelEvent,
    ModelIndex,
    ModelMeta,
    NotebookRun,
    Probe,
    Probes,
    Shims,
    Variable,
    Variables,
)
from graders.evidence.trainings import Trials
from graders.records import Record

MAX_JSON_BYTES = 64 * 2**20
MAX_TENSOR_BYTES = 512 * 2**20

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

Array = NDArray[Any]
R = TypeVar("R", bound=Record)


def strict_json(data: bytes, name: str) -> Any:
    """Parse JSON that a stranger may have written.

    Raises:
        EvidenceError: not UTF-8, not JSON, a duplicate key, a number that is not finite, too deep.

    Halves of UTF-16 pairs, which JSON can spell and UTF-8 cannot hold, become U+FFFD: a text that was cut in the
    middle of an emoji is no reason to refuse a file.
    """

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise EvidenceError(f"{name}: a key occurs twice in one object")
        return found

    def no_constant(word: str) -> NoReturn:
        raise EvidenceError(f"{name}: {word} is not JSON")

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            no_constant(digits)
        return number

    try:
        value = json.loads(data, object_pairs_hook=no_duplicates, parse_constant=no_constant, parse_float=finite)
        return _without_halves(value) if _HALF.search(data) else value
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EvidenceError(f"{name}: not JSON: {error}") from error
    except ValueError as error:  # sys.int_info.default_max_str_digits
        raise EvidenceError(f"{name}: a number is too long to be one") from error
    except RecursionError as error:
        raise EvidenceError(f"{name}: nested too deep") from error


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(one) for one in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(one) for key, one in value.items()}
    return value


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes, never through a symbolic link.

    Raises:
        EvidenceError: no such regular file, or larger than that.
    """
    if path.is_symlink() or not path.is_file():
        raise EvidenceError(f"{path.name}: no such regular file in the evidence")
    if path.stat().st_size > limit:
        raise EvidenceError(f"{path.name}: larger than {limit} bytes")
    return path.read_bytes()


def read_record(path: Path, kind: type[R]) -> R:
    """Read one JSON record.

    Raises:
        EvidenceError: missing, malformed, or not of this schema.
    """
    data = strict_json(read_bytes(path, MAX_JSON_BYTES), path.name)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(f"{path.name}: {where}: {first['msg']}") from error


def read_tensors(path: Path) -> dict[str, Array]:
    """Read a safetensors file into numpy arrays by name.

    Raises:
        EvidenceError: missing, malformed or too large.
    """
    data = read_bytes(path, MAX_TENSOR_BYTES)
    try:
        return dict(load_safetensors(data))
    except (SafetensorError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise EvidenceError(f"{path.name}: not a readable safetensors file: {error}") from error


class Snapshot:
    """A model as it was at one moment: `models/<n>/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def meta(self) -> ModelMeta:
        """Class name, parameters, how the export went."""
        return read_record(self.folder / "model.json", ModelMeta)

    @cached_property
    def graph(self) -> Any:
        """The parsed but unchecked graph.json: {"schema", "train": graph|null, "eval": graph|null}."""
        return strict_json(read_bytes(self.folder / "graph.json", MAX_JSON_BYTES), "graph.json")

    @cached_property
    def weights(self) -> dict[str, Array]:
        """Parameters and buffers by their state_dict name (aliases once), constants of the graph beside them."""
        return read_tensors(self.folder / "weights.safetensors")


class NotebookEvidence:
    """Everything that one notebook's run left; files are read when asked for, absent ones read as empty."""

    def __init__(self, run: NotebookRun, root: Path) -> None:
        self.run = run
        self.folder = root / run.folder if run.folder else None

    def _record(self, name: str, kind: type[R]) -> R:
        if self.folder is None or not (self.folder / name).exists():
            return kind()
        return read_record(self.folder / name, kind)

    def _tensors(self, name: str) -> dict[str, Array]:
        if self.folder is None or not (self.folder / name).exists():
            return {}
        return read_tensors(self.folder / name)

    @cached_property
    def journal(self) -> Journal:
        """What the harness saw; empty where the notebook was not run.

        Raises:
            HarnessError: there is none, though the notebook was run: the journal is ours.
        """
        if self.folder is None:
            return Journal(notebook=self.run.name)
        if not (self.folder / "journal.json").is_file():
            raise HarnessError(f"the journal of {self.run.name} is lost; the notebook must be run again")
        return read_record(self.folder / "journal.json", Journal)

    @cached_property
    def answers(self) -> Answers:
        """Written answers and touched tasks."""
        return self._record("answers.json", Answers)

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """Named variables of JSON type."""
        return self._record("variables.json", Variables).variables

    @cached_property
    def tensors(self) -> dict[str, Array]:
        """Named variables that are tensors or arrays."""
        return self._tensors("tensors.safetensors")

    @cached_property
    def events(self) -> tuple[ModelEvent, ...]:
        """Model events in order."""
        return self._record("models/index.json", ModelIndex).events

    def snapshot(self, event: ModelEvent) -> Snapshot:
        """The state of the model at that event."""
        if self.folder is None:
            raise EvidenceError(f"{self.run.name} left no models")
        return Snapshot(self.folder / "models" / str(event.model))

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """Small batches that passed through models by name, "i0", "i1", ...; the file keeps no order."""
        return self._tensors("inputs.safetensors")

    @cached_property
    def trials(self) -> Trials:
        """Torchbearer trials and loops by hand."""
        return self._record("trials.json", Trials)

    @cached_property
    def trained_images(self) -> dict[str, Array]:
        """Hashes of the images that a training was fed, int64 (n,), by "trial<n>" or "loop<n>".

        Raises:
            EvidenceError: the file holds anything else.
        """
        found = self._tensors("trained_images.safetensors")
        if any(one.dtype != np.int64 or one.ndim != 1 for one in found.values()):
            raise EvidenceError("trained_images.safetensors: holds something else than lists of hashes")
        return found

    @cached_property
    def drawings(self) -> tuple[Drawing, ...]:
        """What was handed to matplotlib, in order."""
        return self._record("drawn.json", Drawings).drawings

    @cached_property
    def drawn(self) -> dict[str, Array]:
        """The arrays of `drawings` by key."""
        return self._tensors("drawn.safetensors")

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """Calls of the student's functions on our inputs."""
        return self._record("probes.json", Probes).probes

    @cached_property
    def probed(self) -> dict[str, Array]:
        """The tensors of `probes` by key."""
        return self._tensors("probes.safetensors")

    @cached_property
    def shims(self) -> tuple[str, ...]:
        """What was mended, capped or refused, in sentences."""
        return self._record("shims.json", Shims).used

    @cached_property
    def files(self) -> dict[str, FileEntry]:
        """Collected files by name."""
        return {entry.name: entry for entry in self._record("files/index.json", Files).files}

    def file_tensors(self, name: str) -> dict[str, Array]:
        """The tensors of a collected state_dict file by name, in the order of the file where that was kept."""
        if self.folder is None:
            raise EvidenceError(f"{self.run.name} left no files")
        path = self.folder / "files" / f"{name}.safetensors"
        tensors = read_tensors(path)
        order = _kept_order(path)
        return tensors if sorted(order) != sorted(tensors) else {key: tensors[key] for key in order}


def _kept_order(path: Path) -> list[str]:
    """The names in the metadata of a safetensors file, which itself sorts its tensors; empty where there are none."""
    with safe_open(path, "numpy") as file:
        kept = (file.metadata() or {}).get("keys", "[]")
    order = strict_json(kept.encode(), path.name)
    return order if isinstance(order, list) and all(isinstance(one, str) for one in order) else []


class Evidence:
    """All evidence of one student.

    Args:
        root: The folder `students/<id>/evidence`.

    Raises:
        EvidenceError: `evidence.json` is missing or malformed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = read_record(root / "evidence.json", EvidenceIndex)
        self.notebooks = {run.name: NotebookEvidence(run, root) for run in self.index.notebooks}
