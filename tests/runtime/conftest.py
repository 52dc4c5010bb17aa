"""A collector in this process, a tiny model, a tiny folder of MNIST."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no window is opened in tests

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graders.evidence import NotebookEvidence, NotebookRun
from graders.idx import write_idx
from graders.runtime.collector import Collector
from graders.runtime.config import Config

MNIST = "torchvision.datasets.MNIST"


class Tiny(nn.Module):
    """Small, with dropout and batch norm, so that modes, buffers and random numbers matter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 5, stride=3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2 * 8 * 8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, 10) of images (n, 1, 28, 28)."""
        x = F.dropout(F.relu(self.norm(self.conv1(x))), 0.2, self.training)
        return self.fc(torch.flatten(x, 1))  # type: ignore[no-any-return]


class Lab:
    """A collector at work on a namespace, and what it has written."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.stage = folder / "stage"
        self.names: dict[str, Any] = {}
        self.collector = Collector(Config(stage=self.stage, **settings), lambda: self.names)
        self._cell = 0

    def cell(self, action: Callable[[], object] = lambda: None, **names: Any) -> None:
        """Run an action as one cell, then bind names."""
        self._cell += 1
        self.collector.begin_cell(self._cell)
        try:
            action()
        finally:
            self.names.update(names)
            self.collector.end_cell()

    def finish(self, probes: list[dict[str, Any]] | None = None) -> None:
        """The harness's last cell."""
        self.collector.begin_cell(self._cell + 1)
        self.collector.finish(probes or [])

    @property
    def evidence(self) -> NotebookEvidence:
        """Everything as graders read it; fails where a file is not of its schema."""
        run = NotebookRun(name="n.ipynb", status="complete", message="", folder=self.stage.name)
        return NotebookEvidence(run, self.stage.parent)

    def moments(self) -> list[str]:
        """Moments of the events so far."""
        return [event.moment for event in self.evidence.events]

    @property
    def faults(self) -> list[str]:
        """Sentences about faults of the runtime itself."""
        return [line for line in self.collector.notes.sentences if line.startswith("internal")]


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MNIST/raw: 40 training and 20 test images."""
    root = tmp_path_factory.mktemp("data")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(3)
    for part, count in (("train", 40), ("t10k", 20)):
        write_idx(raw / f"{part}-images-idx3-ubyte", random.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        write_idx(raw / f"{part}-labels-idx1-ubyte", random.integers(0, 10, count, dtype=np.uint8))
    return root


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Installs collectors with given settings; takes them back in the end and asserts that none had a fault."""
    torch.set_num_threads(1)
    labs: list[Lab] = []

    def make(**settings: Any) -> Lab:
        lab = Lab(tmp_path / str(len(labs)), **settings)
        lab.collector.install()
        labs.append(lab)
        return lab

    yield make
    for lab in reversed(labs):
        lab.collector.uninstall()
    plt.close("all")
    assert [lab.faults for lab in labs] == [[] for _ in labs]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A collector with default settings."""
    return make_lab()


@pytest.fixture
def tiny() -> Tiny:
    """A seeded model."""
    torch.manual_seed(7)
    return Tiny()


@pytest.fixture
def batch() -> torch.Tensor:
    """Four images, (4, 1, 28, 28)."""
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def loader() -> Any:
    """Six images in three batches."""
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(6, 1, 28, 28, generator=generator)
    data = torch.utils.data.TensorDataset(images, torch.arange(6) % 10)
    return torch.utils.data.DataLoader(data, batch_size=2)
