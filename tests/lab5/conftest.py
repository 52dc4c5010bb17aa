"""The lab's networks, one of them trained for a moment, and evidence around them."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graders.evidence import Evidence, EvidenceIndex, NotebookRun
from graders.grading import Flags, HeldOut, Work
from graders.grading.held_out import held_out as read_held_out
from graders.idx import read_idx
from graders.lab import Lab, load_lab
from tests.grading.building import NotebookFolder

STEPS = 100


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests run beside these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class BetterCNN(nn.Module):
    """The reference network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 30, (5, 5))
        self.conv2 = nn.Conv2d(30, 15, (3, 3))
        self.fc1 = nn.Linear(375, 128)
        self.fc2 = nn.Linear(128, 50)
        self.fc3 = nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), (2, 2))
        x = torch.flatten(F.dropout(x, 0.2, training=self.training), 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        out: torch.Tensor = self.fc3(x)
        return out


class AlwaysDropping(BetterCNN):
    """Dropout that stays active in eval mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), (2, 2))
        x = torch.flatten(F.dropout(x, 0.2), 1)
        out: torch.Tensor = self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
        return out


class WithoutReLU(BetterCNN):
    """One ReLU short."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(self.conv2(x), (2, 2))
        x = torch.flatten(F.dropout(x, 0.2, training=self.training), 1)
        out: torch.Tensor = self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
        return out


class BranchModel(nn.Module):
    """The given network of part 4."""

    def __init__(self) -> None:
        super().__init__()
        self.branch1 = nn.Conv2d(1, 16, (1, 1))
        self.branch5 = nn.Conv2d(1, 16, (5, 5), padding=2)
        self.fc1 = nn.Linear(16 * 14 * 14, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = F.max_pool2d(self.merged(F.relu(self.branch1(x)), F.relu(self.branch5(x))), (2, 2))
        x = torch.flatten(F.dropout(x, 0.2, training=self.training), 1)
        out: torch.Tensor = self.fc2(F.relu(self.fc1(x)))
        return out

    def merged(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How the branches come together."""
        return small + large


@pytest.fixture(scope="session")
def lab() -> Lab:
    """Lab 5."""
    return load_lab()


@pytest.fixture(scope="session")
def held_out(lab: Lab) -> HeldOut:
    """The first 300 of the held-out images."""
    found = read_held_out(lab.folder / lab.data.held_out)
    return HeldOut(found.images[:300], found.labels[:300])


@pytest.fixture(scope="session")
def _learned(lab: Lab, one_thread: None) -> BetterCNN:
    """Trained for a moment: reads about nine of ten digits."""
    folder = lab.folder / lab.data.embedded
    images = torch.from_numpy(read_idx(folder / "train-images-idx3-ubyte.gz")[:, None] / np.float32(255)).float()
    labels = torch.from_numpy(read_idx(folder / "train-labels-idx1-ubyte.gz").astype(np.int64))
    torch.manual_seed(7)
    network = BetterCNN()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(STEPS):
        batch = torch.randint(len(images), (64,))
        optimiser.zero_grad()
        loss = F.cross_entropy(network(images[batch]), labels[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


@pytest.fixture
def learned(_learned: BetterCNN) -> BetterCNN:
    """A copy of the trained network, in eval mode."""
    return deepcopy(_learned)


@pytest.fixture
def flags() -> Flags:
    """No flags yet."""
    return Flags()


@pytest.fixture
def book(tmp_path: Path, lab: Lab) -> Callable[[int], NotebookFolder]:
    """Makes the evidence of part 1, 2, 3 or 4."""
    return lambda part: NotebookFolder(tmp_path / "evidence", lab, lab.notebooks[part - 1].file)


def evidence_of(*parts: NotebookFolder) -> Evidence:
    """Notebooks' evidence, written, with the index that ties them together."""
    index = EvidenceIndex(
        student="ann",
        key="k",
        profile="quick",
        sandbox="none",
        notebooks=tuple(NotebookRun.model_validate(one.run) for one in parts),
    )
    for one in parts:
        one.write()
    root = parts[0].root
    (root / "evidence.json").write_text(index.model_dump_json(), encoding="utf-8")
    return Evidence(root)


def work_of(lab: Lab, id_: str, notebook: NotebookFolder) -> Work:
    """A notebook's evidence, written, as the grader of a check sees it."""
    return Work(lab, lab.check(id_), notebook.write())
