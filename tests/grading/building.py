"""Evidence made by hand: what a run of notebooks would have left, written file by file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from torch import nn

from graders.evidence import Array, NotebookEvidence, NotebookRun
from graders.lab import Lab
from graders.runtime.export import example_spec, export_mode
from graders.runtime.graphs import SCHEMA
from graders.runtime.snapshots import _add_constants, _meta, capture


def write_model(folder: Path, module: nn.Module, *, export: bool = True) -> None:
    """Write `models/<n>/` of a live module as the kernel's runtime does; without graphs where told so."""
    folder.mkdir(parents=True)
    taken = capture(module)
    spec = example_spec(module, None, (1, 28, 28))
    modes = {mode: export_mode(module, spec, taken.aliases, training=mode == "train") for mode in ("train", "eval")}
    weights: dict[str, torch.Tensor] = dict(taken.weights)
    for mode, exported in modes.items():
        _add_constants(weights, exported, mode)
    meta = _meta(taken, spec, modes)
    graphs: dict[str, Any] = {mode: one.graph for mode, one in modes.items()}
    if not export:
        graphs = {"train": None, "eval": None}
        meta["exports"] = {mode: {"ok": False, "error": "unknown op aten.strange"} for mode in graphs}
    save_tensors(weights, folder / "weights.safetensors")
    _write(folder / "graph.json", {"schema": SCHEMA, **graphs})
    _write(folder / "model.json", meta)


class NotebookFolder:
    """Builds the evidence of one notebook; every task starts as untouched."""

    def __init__(self, root: Path, lab: Lab, name: str) -> None:
        spec = lab.notebook(name)
        self.name, self.root, self.folder = name, root, root / spec.stem
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run: dict[str, Any] = {
            "name": name,
            "status": "complete",
            "message": "ran to its end",
            "folder": spec.stem,
        }
        self.answers: dict[str, dict[str, Any]] = {
            task.id: {"kind": task.kind, "found": True, "touched": False, "number": 1 + number}
            for number, task in enumerate(spec.tasks)
        }
        self.printed: dict[str, str] = {}
        self.claimed: dict[str, str] = {}
        self.journal: dict[str, Any] = {"notebook": name}
        self.cells: list[dict[str, Any]] = []
        self.sources: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.trials: dict[str, Any] = {"trials": [], "loops": []}
        self.trained_images: dict[str, Array] = {}
        self.drawings: list[dict[str, Any]] = []
        self.drawn: dict[str, Array] = {}
        self.tensors: dict[str, Array] = {}
        self.inputs: dict[str, Array] = {}
        self.variables: dict[str, Any] = {}
        self.probes: list[dict[str, Any]] = []
        self.probed: dict[str, Array] = {}
        self.files: list[dict[str, Any]] = []

    def answer(self, task: str, text: str = "done", *, printed: str = "", claimed: str = "") -> None:
        """A touched task."""
        self.answers[task] |= {"touched": True, "text": text}
        self.printed[task], self.claimed[task] = printed, claimed

    def cell(self, source: str, *, task: str | None = None, status: str = "ok", error: str = "") -> int:
        """A code cell; `error` is "NameError: name 'x' is not defined". Gives its number."""
        number = len(self.cells) + 1
        name, _, value = error.partition(": ")
        self.cells.append(
            {
                "index": number - 1,
                "number": number,
                "task": task,
                "first_line": source.splitlines()[0],
                "status": "error" if error else status,
                "execution_count": None if status == "not-run" else number,
                "error": {"name": name, "value": value, "line": 1} if error else None,
            }
        )
        self.sources.append(source)
        if task:
            self.answers[task]["number"] = number
        return number

    def event(self, moment: str, module: nn.Module, *, name: str = "", identity: int = 0, **changes: Any) -> None:
        """A model event with a snapshot of the module as it is now."""
        n = len(self.events)
        write_model(self.folder / "models" / str(n), module, export=changes.pop("export", True))
        event = {
            "n": n,
            "moment": moment,
            "execution_count": 1,
            "model": n,
            "identity": identity,
            "class_name": name or type(module).__name__,
            "training": module.training,
            "detail": {},
        }
        self.events.append(event | changes)

    def draw(self, pictures: Sequence[Array], *, call: str = "imshow", cell: int = 1) -> None:
        """Pictures handed to imshow."""
        for picture in pictures:
            n = len(self.drawings)
            self.drawn[f"d{n}"] = np.ascontiguousarray(picture)
            drawing = {"n": n, "execution_count": cell, "call": call, "figure": 0, "axes": n, "arrays": [f"d{n}"]}
            self.drawings.append(drawing)

    def probe(self, function: str, picture: str, tensor: Array | None, *, status: str = "ok", error: str = "") -> None:
        """A call of a student's function."""
        key = f"p{len(self.probes)}" if tensor is not None else None
        if tensor is not None and key:
            self.probed[key] = np.ascontiguousarray(tensor)
        probe = {"function": function, "input": picture, "status": status, "error": error, "tensor": key}
        self.probes.append(probe)

    def file(self, name: str, tensors: Mapping[str, Array] | None, *, kind: str = "state_dict", **more: Any) -> None:
        """A collected weights file."""
        self.files.append({"name": name, "size": 1, "sha256": "0", "kind": kind, **more})
        (self.folder / "files").mkdir(exist_ok=True)
        if tensors is not None:
            save_file({key: np.ascontiguousarray(one) for key, one in tensors.items()}, self._tensors_of(name))

    def _tensors_of(self, name: str) -> Path:
        return self.folder / "files" / f"{name}.safetensors"

    def write(self) -> NotebookEvidence:
        """Write all files, and hand them back as graders read them."""
        records = {
            "journal.json": self.journal | {"cells": self.cells},
            "answers.json": {"answers": self.answers, "printed": self.printed, "claimed": self.claimed},
            "executed.ipynb": {"cells": [{"cell_type": "code", "source": one} for one in self.sources]},
            "variables.json": {"variables": {k: {"value": v, "execution_count": 1} for k, v in self.variables.items()}},
            "models/index.json": {"events": self.events},
            "trials.json": self.trials,
            "drawn.json": {"drawings": self.drawings},
            "probes.json": {"probes": self.probes},
            "files/index.json": {"files": self.files},
        }
        for name, data in records.items():
            _write(self.folder / name, data)
        for name, tensors in (
            ("drawn", self.drawn),
            ("trained_images", self.trained_images),
            ("tensors", self.tensors),
            ("inputs", self.inputs),
            ("probes", self.probed),
        ):
            save_file(tensors, self.folder / f"{name}.safetensors")
        return NotebookEvidence(NotebookRun.model_validate(self.run), self.root)


class EvidenceFolder:
    """Builds `students/<id>/evidence/`: all notebooks of a lab, ran to their end, nothing touched."""

    def __init__(self, root: Path, lab: Lab) -> None:
        self.root = root
        self.notes: list[str] = []
        self.notebooks = {one.file: NotebookFolder(root, lab, one.file) for one in lab.notebooks}

    def __getitem__(self, name: str) -> NotebookFolder:
        return self.notebooks[name]

    def write(self) -> Path:
        """Write everything; gives the folder."""
        for one in self.notebooks.values():
            one.write()
        runs = [one.run for one in self.notebooks.values()]
        _write(
            self.root / "evidence.json",
            {
                "student": "ann",
                "key": "k",
                "profile": "quick",
                "sandbox": "none",
                "notebooks": runs,
                "notes": self.notes,
            },
        )
        return self.root


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
