"""Notebooks run in forks of a warm process, held against the same notebooks in processes of their own."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

from graders.errors import HarnessError
from graders.evidence import Evidence
from graders.execution import execute_submission
from graders.execution.forked import STARTED_WITH, fork, warm
from graders.lab import Lab
from graders.records import Submission
from tests.execution.tiny import WEIGHTS, Submit, notebook

ROOT = Path(__file__).parents[2]
# What differs between any two runs: the folder of the run, the file that IPython names for a cell, and times.
PLACES = re.compile(r"labmark-\w+|ipykernel_\d+|/\d+\.py|tmp\w{8}")

LEARN = """
import os, random, sys, tempfile
import numpy as np
import torch
from torch import nn

# torch notes in the environment where it would compile, once it has exported: a warm process has done that before.
print(sorted(name for name in os.environ if not name.startswith("TORCH")), os.getcwd() == os.environ["HOME"])
print(hash("words"), sys.argv[0] != "")
print(sorted(os.listdir()), tempfile.gettempdir() == os.environ["TMPDIR"], __name__, torch.get_num_threads())
print(random.random(), np.random.rand(), torch.rand(1).item(), {"some", "words", "in", "a", "set"})


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        return self.last(x.flatten(1))


net = Net()
optimiser = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    optimiser.zero_grad()
    loss = net(torch.rand(8, 1, 2, 2)).square().sum()
    loss.backward()
    optimiser.step()
answer = [round(loss.item(), 6)]
""".strip()
SAVE = f"torch.save(net.state_dict(), {WEIGHTS!r})\nnet"
DRAW = "import matplotlib.pyplot as plt\nplt.imshow(np.eye(3))\nplt.show()\n!echo shell"
FAULT = "print('err', file=sys.stderr)\n\ndef inner():\n    return 1 / 0\n\ninner()"
LOAD = f"import torch\n\nprint(torch.load({WEIGHTS!r}))\n\n\ndef look(path):\n    return torch.ones(2)"


@pytest.fixture
def trained(lab: Lab, tmp_path: Path) -> Lab:
    """The tiny lab, with a data set that the real runtime knows and a minute a cell."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "images").write_bytes(b"images")
    quick = lab.profiles["quick"].model_copy(update={"cell_seconds": 60})
    data = lab.data.model_copy(update={"dataset": "torchvision.datasets.MNIST"})
    return lab.model_copy(update={"profiles": {"quick": quick}, "data": data})


def run_forked(submission: Submission, lab: Lab, base: Path) -> Evidence:
    """The evidence of a run in forks."""
    order = base / "order.json"
    told = {"lab": lab.model_dump(mode="json", by_alias=True), "root": str(lab.root), "base": str(base)}
    order.write_text(json.dumps({**told, "submission": submission.model_dump(mode="json")}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.execution.forked_run", str(order)],
        cwd=ROOT,
        env={**os.environ, **STARTED_WITH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Evidence(base / "forked" / "evidence")


def run_afresh(submission: Submission, lab: Lab, base: Path) -> Evidence:
    """The evidence of a run in processes of its own."""
    folder = base / "afresh" / "evidence"
    execute_submission(
        submission,
        lab,
        profile="quick",
        folder=folder,
        data=base / "images",
        store=base / "afresh" / "store",
        report=lambda _: None,
    )
    return Evidence(folder)


def comparable(path: Path) -> Any:
    """A file's content without what differs between any two runs."""
    if path.suffix not in (".json", ".ipynb"):
        return path.read_bytes()
    return without_times(json.loads(PLACES.sub("", path.read_text())))


def without_times(value: Any) -> Any:
    """JSON without seconds, memory and the times that Jupyter notes."""
    if isinstance(value, dict):
        dropped = ("seconds", "peak_mb", "execution")
        return {key: without_times(one) for key, one in value.items() if key not in dropped}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def files(evidence: Evidence, base: Path, way: str) -> dict[str, Any]:
    """Every file of a folder of evidence."""
    root = base / way / "evidence"
    return {str(path.relative_to(root)): comparable(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_a_fork_leaves_the_same_evidence(trained: Lab, submit: Submit, tmp_path: Path) -> None:
    """Models, weights, plots, errors, variables, probes, outputs, environment: all but times is the same."""
    one = notebook("make", LEARN, SAVE, DRAW, FAULT, "print('on')")
    submission = submit(one=one, two=notebook("use", LOAD))
    forked, afresh = run_forked(submission, trained, tmp_path), run_afresh(submission, trained, tmp_path)
    found, wanted = files(forked, tmp_path, "forked"), files(afresh, tmp_path, "afresh")
    assert list(found) == list(wanted)
    assert {name: found[name] for name in found if found[name] != wanted[name]} == {}
    assert "one/models/0/weights.safetensors" in found, "the real runtime was at work"
    assert [cell.status for cell in forked.notebooks["one.ipynb"].journal.cells] == ["ok", "ok", "ok", "error", "ok"]


@pytest.mark.slow
def test_a_fork_is_stopped_and_watched_as_any_kernel(trained: Lab, submit: Submit, tmp_path: Path) -> None:
    """An endless cell is interrupted and told, the next one runs; a kernel that kills itself is told as well."""
    quick = trained.profiles["quick"].model_copy(update={"cell_seconds": 1})
    node: Callable[..., NotebookNode] = notebook
    submission = submit(
        one=node("make", "while True: pass", "import os\nprint(1)", "os.kill(os.getpid(), 9)", "print(2)")
    )
    evidence = run_forked(submission, trained.model_copy(update={"profiles": {"quick": quick}}), tmp_path)
    journal = evidence.notebooks["one.ipynb"].journal
    assert [cell.status for cell in journal.cells] == ["timeout", "ok", "crashed", "not-run"]
    assert (journal.stop, journal.kernel_exit) == ("CRASHED", -9)


def test_only_a_process_of_one_thread_forks() -> None:
    """A fork could inherit a lock that no thread of it will ever open."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(HarnessError, match="threads"):
            fork(lambda: None, 1, None)
    finally:
        done.set()
        thread.join()


def test_a_warm_process_starts_as_kernels_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another hash seed would make other runs than a fresh kernel's, so it is refused."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    with pytest.raises(HarnessError, match="PYTHONHASHSEED"):
        warm(tmp_path, tmp_path)
