"""Tests of the kernel itself: one real kernel, a few cells, all files."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import graders.runtime
from graders.evidence import NotebookEvidence, NotebookRun
from graders.runtime import finish

pytestmark = pytest.mark.filterwarnings("ignore")  # jupyter_client's own

CELLS = [
    """!pip install torchbearer
%matplotlib inline
from google.colab import files
from scipy.misc import imread
import torch, torchbearer, matplotlib.pyplot as plt
import torch.nn as nn, torch.nn.functional as F
from torchbearer import Trial
from torchvision import transforms
from torchvision.datasets import MNIST
from torch.utils.data import DataLoader
files.upload()""",
    """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 5)
        self.fc = nn.Linear(3 * 12 * 12, 10)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.fc(x.view(x.shape[0], -1))
train = DataLoader(MNIST('.', train=True, download=True, transform=transforms.ToTensor()), batch_size=8, shuffle=True)
test = DataLoader(MNIST('.', train=False, transform=transforms.ToTensor()), batch_size=8)""",
    """model = Net()
trial = Trial(model, torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss(), metrics=['acc', 'loss'], verbose=0)
trial.to('cuda:0').with_generators(train, test_generator=test)
trial.run(epochs=5)
results = trial.evaluate(data_key=torchbearer.TEST_DATA)
torch.save(model.state_dict(), 'net.weights')""",
    """raise ValueError("the student's own")""",
    """copy = Net()
copy.load_state_dict(torch.load('net.weights'))
predictions = [int(p) for p in copy.eval()(next(iter(test))[0]).argmax(1)]
from mine import number as num
for i in range(3):
    plt.subplot(2, num/2, i + 1)
    plt.imshow(model.conv1.weight[i, 0].detach())
    plt.title(f'filter {i}')
plt.show()
filters = model.conv1.weight""",
    """%load_ext autoreload
%autoreload 2
zeros = torch.zeros
def load_own_image(path):
    if 'bad' in path:
        raise OSError('no such picture')
    return zeros(1, 1, 28, 28)
list = str = print = None
del torch""",
    "!echo through {num}",
]


class Kernel:
    """A running kernel with its stage."""

    def __init__(self, client: Any, stage: Path) -> None:
        self.client = client
        self.stage = stage
        self.texts: list[str] = []

    def run(self, code: str, **options: Any) -> dict[str, Any]:
        """Execute code; keeps printed texts and the kinds of pictures."""

        def hear(message: Any) -> None:
            content = message["content"]
            self.texts.append(content.get("text", "") + " ".join(content.get("data", {})))

        return self.client.execute_interactive(code, timeout=120, output_hook=hear, **options)["content"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel that has run all cells and was finished."""
    root = tmp_path_factory.mktemp("kernel")
    package = Path(graders.runtime.__file__).parent
    shutil.copytree(package, root / "path" / "labmark_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    data = _fake_mnist(root / "data")
    stage, work = root / "stage", root / "work"
    work.mkdir()
    for name in ("torch", "json", "random", "traitlets"):
        (work / f"{name}.py").write_text("raise SystemExit('a file of the submission was imported')")
    (work / "mine.py").write_text("number = 4")
    settings = {
        "stage": str(stage),
        "seed": 7,
        "epochs": 2,
        "input_shape": [1, 28, 28],
        "datasets": {"torchvision.datasets.MNIST": str(data)},
        "variables": ["predictions", "absent"],
        "tensors": ["filters"],
    }
    (root / "settings.json").write_text(json.dumps(settings))
    manager = KernelManager()
    manager.kernel_spec.argv = [sys.executable, "-m", "labmark_runtime", "-f", "{connection_file}"]
    environment = {**os.environ, "PYTHONPATH": str(root / "path"), "LABMARK_RUNTIME": str(root / "settings.json")}
    environment.pop("MPLBACKEND", None)
    manager.start_kernel(env=environment, cwd=str(work))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        running = Kernel(client, stage)
        for code in CELLS:
            running.run(code)
        inputs = ["/pictures/good.png", "/pictures/bad.png"]
        probes = [{"function": "load_own_image", "inputs": inputs}, {"function": "absent", "inputs": inputs[:1]}]
        reply = running.run(f"import labmark_runtime; labmark_runtime.finish({probes!r})")
        assert reply["status"] == "ok"
        yield running
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _fake_mnist(root: Path) -> Path:
    import numpy as np

    from graders.idx import write_idx

    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 40), ("t10k", 16)):
        images = np.random.default_rng(1).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", (np.arange(count) % 10).astype(np.uint8))
    return root


@pytest.fixture(scope="module")
def evidence(kernel: Kernel) -> NotebookEvidence:
    """The stage as graders read it."""
    run = NotebookRun(name="n.ipynb", status="complete", message="", folder=kernel.stage.name)
    return NotebookEvidence(run, kernel.stage.parent)


def test_the_kernel_leaves_every_event_of_the_models(evidence: NotebookEvidence) -> None:
    """Training, evaluating, saving, loading and the end are recorded with their cells and names."""
    events = [(event.moment, event.execution_count, event.names) for event in evidence.events]
    assert events == [
        ("initial", 3, ("model",)),
        ("trained", 3, ("model",)),
        ("evaluated", 3, ("model",)),
        ("saved", 3, ("model",)),
        ("loaded", 5, ("copy",)),
        ("end", 8, ("model",)),
        ("end", 8, ("copy",)),
    ]


def test_the_kernel_exports_both_modes_with_a_free_batch(evidence: NotebookEvidence) -> None:
    """Every snapshot holds graphs of both modes and the weights they refer to."""
    for event in evidence.events:
        snapshot = evidence.snapshot(event)
        assert {mode: (meta.ok, meta.batch) for mode, meta in snapshot.meta.exports.items()} == {
            "train": (True, 0),
            "eval": (True, 0),
        }
        assert set(snapshot.weights) >= {"conv1.weight", "conv1.bias", "fc.weight", "fc.bias"}


def test_the_kernel_caps_epochs_and_says_so(evidence: NotebookEvidence) -> None:
    """Five epochs asked for, two run, one sentence."""
    (trial,) = evidence.trials.trials
    run = trial.runs[0]
    assert (run.epochs_asked, run.epochs_run, len(run.history)) == (5, 2, 2)
    assert any("capped at 2 epochs" in line for line in evidence.shims)


def test_the_kernel_describes_the_data(evidence: NotebookEvidence) -> None:
    """Dataset, split and size of the generators come from the redirected data."""
    generators = evidence.trials.trials[0].generators
    assert {name: (one.dataset, one.split, one.count) for name, one in generators.items()} == {
        "train": ("MNIST", "train", 40),
        "test": ("MNIST", "test", 16),
    }


def test_the_kernel_keeps_variables_tensors_inputs_and_drawings(evidence: NotebookEvidence) -> None:
    """Values by name, small batches, and what was drawn with its titles."""
    assert len(evidence.variables["predictions"].value) == 8
    assert evidence.variables["predictions"].execution_count == 5
    assert evidence.tensors["filters"].shape == (3, 1, 5, 5)
    assert evidence.inputs["i0"].shape == (8, 1, 28, 28)
    assert [drawing.title for drawing in evidence.drawings] == ["filter 0", "filter 1", "filter 2"]
    assert (evidence.drawn["d1.0"] == evidence.tensors["filters"][1, 0]).all()


def test_the_kernel_calls_probes_whatever_the_student_shadowed(evidence: NotebookEvidence) -> None:
    """A tensor, an exception and a missing function are told apart."""
    probes = [(probe.function, probe.input, probe.status) for probe in evidence.probes]
    assert probes == [
        ("load_own_image", "good.png", "ok"),
        ("load_own_image", "bad.png", "error"),
        ("absent", "good.png", "missing"),
    ]
    assert evidence.probes[1].error == "OSError: no such picture"
    assert evidence.probed["p0"].shape == (1, 1, 28, 28)


def test_the_kernel_shows_pictures_and_skips_installs(kernel: Kernel) -> None:
    """Inline pictures appear, `!pip` prints one line, other shell lines run."""
    text = "\n".join(kernel.texts)
    assert "image/png" in text
    assert "skipped `pip install torchbearer`" in text
    assert "through 4" in text


def test_the_kernel_tells_each_shim_once_and_has_no_faults(evidence: NotebookEvidence) -> None:
    """One sentence for each thing that was mended, none about the runtime itself."""
    told = " ".join(evidence.shims)
    for words in ("no cuda device", "call pip", "Whole floats", "torchvision.datasets.MNIST", "files.upload"):
        assert told.count(words) == 1, words
    assert "internal" not in told


def test_finish_outside_a_kernel_is_refused() -> None:
    """It says that there is nothing to finish."""
    with pytest.raises(RuntimeError, match="not running"):
        finish([])
