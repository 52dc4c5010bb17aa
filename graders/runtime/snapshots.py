"""Models at a moment: their weights and graphs as `models/<n>/`; equal states share a number."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .export import Exported, example_spec, export_mode
from .graphs import SCHEMA
from .registry import Registry, Spec
from .session import Session
from .tensors import raw_bytes, size

MAX_SNAPSHOTS = 60
MAX_BYTES = 200 * 2**20
MAX_TEXT = 20_000


@dataclass(frozen=True)
class Capture:
    """Weights of a module, taken at once; the graph follows in `Snapshots.store`.

    Attributes:
        kind: Its class.
        text: Its `repr`.
        tensors: TensorMeta data.
        state_keys: Keys of its state_dict.
        weights: Copies by first name.
        digest: sha256 over `weights`.
        problem: Why nothing can be exported; empty if it can.
    """

    kind: type
    text: str
    tensors: tuple[dict[str, Any], ...]
    state_keys: tuple[str, ...]
    weights: dict[str, torch.Tensor]
    digest: str
    problem: str = ""

    @property
    def aliases(self) -> dict[str, str]:
        """Name -> first name of the same memory."""
        return {meta["name"]: meta["alias_of"] for meta in self.tensors if meta["alias_of"]}


def capture(module: nn.Module) -> Capture:
    """Copy a module's parameters and buffers as they are now; more than 200 MiB are described but not copied."""
    named = _named_tensors(module)
    metas = _describe(named)
    first = [(meta["name"], tensor) for meta, (_, tensor, _) in zip(metas, named, strict=True) if not meta["alias_of"]]
    total = sum(size(tensor) for _, tensor in first)
    problem = f"the model holds {total / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB are kept"
    small = total <= MAX_BYTES
    weights = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in first if small}
    return Capture(
        kind=type(module),
        text=repr(module)[:MAX_TEXT],
        tensors=tuple(metas),
        state_keys=tuple(nn.Module.state_dict(module)),
        weights=weights,
        digest=_digest(weights),
        problem="" if small else problem,
    )


def _named_tensors(module: nn.Module) -> list[tuple[str, torch.Tensor, str]]:
    parameters = nn.Module.named_parameters(module, remove_duplicate=False)
    buffers = nn.Module.named_buffers(module, remove_duplicate=False)
    return [(n, p, "parameter") for n, p in parameters] + [(n, b, "buffer") for n, b in buffers]


def _describe(named: list[tuple[str, torch.Tensor, str]]) -> list[dict[str, Any]]:
    seen: dict[object, str] = {}
    metas = []
    for name, tensor, kind in named:
        place: object = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name
        first = seen.setdefault(place, name)
        metas.append(
            {
                "name": name,
                "shape": list(tensor.shape),
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "kind": kind,
                "trainable": tensor.requires_grad,
                "alias_of": None if first == name else first,
            }
        )
    return metas


def _digest(weights: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in weights.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw_bytes(tensor))
    return digest.hexdigest()


class Snapshots:
    """Stores captures, each distinct state once."""

    def __init__(self, session: Session, registry: Registry) -> None:
        self._session = session
        self._registry = registry
        self._numbers: dict[object, int] = {}
        self._full = 0

    def store(self, taken: Capture, module: nn.Module) -> int:
        """Number of the snapshot of that state; a new one is exported (both modes) and written now.

        Beyond 60 snapshots the weights and graphs are left out, and model.json says so.
        """
        spec = example_spec(module, self._registry.calls.get(module), self._session.config.input_shape)
        key = (taken.kind, taken.text, str(taken.tensors), taken.digest, spec.shape[1:], spec.dtype)
        if key in self._numbers:
            return self._numbers[key]
        problem = taken.problem
        if self._full >= MAX_SNAPSHOTS:
            problem = f"the notebook has more than {MAX_SNAPSHOTS} states of models; this one is not kept"
            key = (taken.kind, problem)  # type: ignore[assignment]
            if key in self._numbers:
                return self._numbers[key]
        number = len(self._numbers)
        self._write(number, taken, module, spec, problem)
        self._numbers[key] = number
        self._full += not problem
        return number

    def _write(self, number: int, taken: Capture, module: nn.Module, spec: Spec, problem: str) -> None:
        modes = self._export(taken, module, spec, problem)
        weights = {} if problem else dict(taken.weights)
        for mode, exported in modes.items():
            _add_constants(weights, exported, mode)
        folder, stage = f"models/{number}", self._session.stage
        stage.tensors(f"{folder}/weights.safetensors", weights)
        stage.json(f"{folder}/graph.json", {"schema": SCHEMA, **{mode: one.graph for mode, one in modes.items()}})
        stage.json(f"{folder}/model.json", _meta(taken, spec, modes))

    def _export(self, taken: Capture, module: nn.Module, spec: Spec, problem: str) -> dict[str, Exported]:
        if problem:
            return {mode: Exported(None, error=problem) for mode in ("train", "eval")}
        with self._session.hush():
            return {
                mode: export_mode(module, spec, taken.aliases, training=mode == "train") for mode in ("train", "eval")
            }


def _add_constants(weights: dict[str, torch.Tensor], exported: Exported, mode: str) -> None:
    """Add a mode's constants; one that differs from the other mode's of that name is renamed in the graph."""
    for key, tensor in exported.constants.items():
        name = key
        if name in weights and not torch.equal(weights[name], tensor):
            name = f"{key}.{mode}"
            _rename(exported.graph, key, name)
        weights[name] = tensor


def _rename(data: Any, old: str, new: str) -> None:
    if isinstance(data, list):
        for item in data:
            _rename(item, old, new)
    elif isinstance(data, dict):
        if data.get("tensor") == old:
            data["tensor"] = new
        for item in data.values():
            _rename(item, old, new)


def _meta(taken: Capture, spec: Spec, modes: dict[str, Exported]) -> dict[str, Any]:
    return {
        "schema": "labmark/model/1",
        "class_name": taken.kind.__name__,
        "text": taken.text,
        "tensors": taken.tensors,
        "state_keys": taken.state_keys,
        "input_shape": spec.shape,
        "exports": {
            mode: {"ok": one.graph is not None, "batch": one.batch, "error": one.error} for mode, one in modes.items()
        },
    }
