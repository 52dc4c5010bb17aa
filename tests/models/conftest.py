"""Real exports as evidence: an `nn.Module` becomes a snapshot, written by the runtime's own exporter."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from graders.evidence import Snapshot
from graders.models import Network, read_network
from graders.runtime.export import export_mode
from graders.runtime.registry import Spec
from graders.runtime.snapshots import capture

IMAGE = (1, 28, 28)
Mode = Literal["train", "eval"]


class Better(nn.Module):
    """The lab's better network, in the plainest way of writing it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 30, 5)
        self.conv2 = nn.Conv2d(30, 15, 3)
        self.fc1 = nn.Linear(375, 128)
        self.fc2 = nn.Linear(128, 50)
        self.fc3 = nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Thirteen stages."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.dropout(x, 0.2, training=self.training).view(-1, 375)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))  # type: ignore[no-any-return]


def write_snapshot(folder: Path, module: nn.Module, shape: tuple[int, ...], batch: int) -> Snapshot:
    """Write model.json, graph.json and weights.safetensors; `batch` is what a fixed-batch export is made with."""
    folder.mkdir()
    taken = capture(module)
    spec = Spec((batch, *shape), torch.float32)
    modes = {name: export_mode(module, spec, taken.aliases, training=name == "train") for name in ("train", "eval")}
    constants = {key: tensor for one in modes.values() for key, tensor in one.constants.items()}
    save_file({**taken.weights, **constants}, folder / "weights.safetensors")
    graphs = {name: one.graph for name, one in modes.items()}
    (folder / "graph.json").write_text(json.dumps({"schema": "labmark/graph/1", **graphs}))
    exports = {
        name: {"ok": one.graph is not None, "batch": one.batch, "error": one.error} for name, one in modes.items()
    }
    meta = {
        "schema": "labmark/model/1",
        "class_name": type(module).__name__,
        "text": taken.text,
        "tensors": taken.tensors,
        "state_keys": taken.state_keys,
        "input_shape": [batch, *shape],
        "exports": exports,
    }
    (folder / "model.json").write_text(json.dumps(meta))
    return Snapshot(folder)


@pytest.fixture
def snapshot_of(tmp_path: Path) -> Callable[..., Snapshot]:
    """Make the snapshot of a module: `snapshot_of(module, shape=(1, 28, 28), batch=4)`."""
    made: list[Snapshot] = []

    def make(module: nn.Module, shape: tuple[int, ...] = IMAGE, batch: int = 4) -> Snapshot:
        made.append(write_snapshot(tmp_path / f"model{len(made)}", module, shape, batch))
        return made[-1]

    return make


@pytest.fixture
def network_of(snapshot_of: Callable[..., Snapshot]) -> Callable[..., Network]:
    """Make a network of a module: `network_of(module, mode="eval", shape=(1, 28, 28), batch=4)`."""

    def make(module: nn.Module, mode: Mode = "eval", shape: tuple[int, ...] = IMAGE, batch: int = 4) -> Network:
        return read_network(snapshot_of(module, shape, batch), mode)

    return make


@pytest.fixture
def better() -> nn.Module:
    """An untrained better network, always with the same weights."""
    torch.manual_seed(3)
    return Better()
