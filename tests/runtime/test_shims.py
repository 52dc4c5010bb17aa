"""Tests of the table of shims."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torchbearer
import torchvision
import tqdm.notebook  # its stubs are a package of their own
from PIL import Image
from torch import nn
from torchvision.datasets import MNIST

from graders.runtime.patching import Patches
from graders.runtime.shims.devices import missing_devices
from graders.runtime.shims.plotting import draw_inline
from graders.runtime.shims.progress import offer_torchbearer_magic
from graders.runtime.shims.shell import mend_shell, without_downloads

no_gpu = pytest.mark.skipif("cuda" not in missing_devices(), reason="this machine has a GPU")


@pytest.fixture
def mnist_lab(make_lab: Callable[..., Any], mnist: Path) -> Any:
    """A collector that redirects MNIST."""
    return make_lab(datasets={"torchvision.datasets.MNIST": str(mnist)})


def test_mnist_reads_the_folder_whatever_it_is_told(mnist_lab: Any) -> None:
    """Root and download do not matter; train, transforms and the class do."""
    train = MNIST("nowhere", download=True, transform=lambda image: image.size)
    test = torchvision.datasets.MNIST(root="/x", train=False, target_transform=lambda label: -label)
    assert (len(train), len(test), train.train, test.train) == (40, 20, True, False)
    assert train[0][0] == (28, 28)
    assert test[1][1] <= 0
    assert isinstance(train, MNIST)
    assert len(mnist_lab.collector.notes.sentences) == 1


def test_a_subclass_of_the_students_reads_it_too(mnist_lab: Any) -> None:
    """A folder is named after its class by torchvision; a subclass must not be lost by that."""

    class Half(MNIST):  # type: ignore[misc]
        def __len__(self) -> int:
            return int(super().__len__()) // 2

    assert len(Half(".", True)) == 20


def test_other_datasets_of_the_library_are_left_alone(mnist_lab: Any, tmp_path: Path) -> None:
    """FashionMNIST inherits from MNIST and is something else."""
    with pytest.raises(RuntimeError, match="Dataset not found"):
        torchvision.datasets.FashionMNIST(str(tmp_path))
    assert mnist_lab.collector.notes.sentences == []


def test_a_wrong_call_fails_as_before(mnist_lab: Any) -> None:
    """A missing root is the student's error."""
    with pytest.raises(TypeError, match="root"):
        MNIST(train=True)


@no_gpu
def test_cuda_means_the_cpu(lab: Any, tiny: nn.Module, batch: torch.Tensor, tmp_path: Path) -> None:
    """Modules, tensors, factories, trials and files; told once."""
    device = torch.device("cuda:0")
    assert tiny.to(device) is tiny
    assert tiny.cuda() is tiny
    assert batch.to("cuda").device.type == batch.cuda().device.type == "cpu"
    assert torch.zeros(2, device=device).device.type == "cpu"
    assert torch.zeros_like(batch, device="cuda").device.type == "cpu"
    trial = torchbearer.Trial(tiny, verbose=0)
    assert trial.to("cuda:0") is trial
    assert trial.cuda().state[torchbearer.DEVICE] == "cpu"
    torch.save(batch, tmp_path / "b.pt")
    assert torch.load(tmp_path / "b.pt", map_location="cuda:0").equal(batch)
    assert torch.load(tmp_path / "b.pt", device).equal(batch)
    (sentence,) = lab.collector.notes.sentences
    assert "no cuda device" in sentence


@no_gpu
def test_the_cpu_and_types_are_left_alone(lab: Any, batch: torch.Tensor) -> None:
    """Nothing is told where nothing was mended."""
    assert batch.to("cpu", torch.float64).dtype == batch.to(torch.float64).dtype == torch.float64
    assert batch.to(batch.double()).dtype == torch.float64
    assert lab.collector.notes.sentences == []


def test_whole_floats_are_taken_for_integers(lab: Any) -> None:
    """`plt.subplot(2, num/2, i)`, add_subplot and subplots; 2.5 stays wrong."""
    num = 4
    assert plt.subplot(2, num / 2, 1.0) is plt.subplot(2, 2, 1)  # type: ignore[call-overload]
    plt.figure().add_subplot(1, num / 2, 2)  # type: ignore[call-overload]
    _, axes = plt.subplots(nrows=num / 2, ncols=3)  # type: ignore[call-overload]
    assert axes.shape == (2, 3)
    with pytest.raises(ValueError, match="positive"):
        plt.subplot(2, 2.5, 1)  # type: ignore[call-overload]
    assert len(lab.collector.notes.sentences) == 1


@pytest.mark.filterwarnings("ignore:scipy.misc")
def test_imread_is_back(lab: Any, tmp_path: Path) -> None:
    """From scipy.misc, with its old arguments."""
    Image.fromarray(np.full((2, 3, 3), 100, np.uint8)).save(tmp_path / "a.png")
    imread = importlib.import_module("scipy.misc").imread
    assert imread(tmp_path / "a.png").shape == (2, 3, 3)
    assert imread(str(tmp_path / "a.png"), flatten=True).dtype == np.float32
    assert imread(tmp_path / "a.png", mode="L").tolist() == [[100] * 3] * 2
    assert "imread" in lab.collector.notes.sentences[0]


def test_colab_is_there_and_does_nothing(lab: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`from google.colab import files, drive`."""
    colab = importlib.import_module("google.colab")
    assert colab.files.upload() == {}
    assert colab.files.download("x") is None
    assert colab.drive.mount("/content/drive", force_remount=True) is None
    assert capsys.readouterr().out.count("no Colab") == 3


def test_wheel_tags_are_back(lab: Any) -> None:
    """Old notebooks build the name of a wheel from them."""
    tags = importlib.import_module("wheel.pep425tags")
    assert tags.get_abbr_impl() + tags.get_impl_ver() == tags.get_abi_tag()


def test_whole_objects_load_as_they_used_to(lab: Any, tmp_path: Path) -> None:
    """Unless the student asks for weights only."""
    path = tmp_path / "whole.pt"
    model = nn.Linear(2, 2)
    lab.cell(lambda: torch.save(model, path), model=model)
    assert torch.load(path).weight.equal(model.weight)
    with pytest.raises(Exception, match="Weights only"):
        torch.load(path, weights_only=True)
    assert [event.detail.get("kind") for event in lab.evidence.events if event.moment == "saved"] == ["module"]


def test_weights_stand_in_for_a_whole_model(make_lab: Callable[..., Any], tmp_path: Path) -> None:
    """torch.load gives a model of the student's class, told once; other files and classes it leaves alone."""

    class Mine(nn.Linear):
        """A model that is made without arguments."""

        def __init__(self) -> None:
            super().__init__(2, 2)

    lab = make_lab(models={"net.weights": "Mine"})
    model = Mine()
    for name in ("net.weights", "other.weights"):
        torch.save(model.state_dict(), tmp_path / name)
    assert isinstance(torch.load(tmp_path / "net.weights"), dict)
    lab.cell(Mine=Mine)
    lab.cell(lambda: lab.names.update(loaded=torch.load(tmp_path / "net.weights")))
    loaded = lab.names["loaded"]
    assert type(loaded) is Mine
    assert loaded.weight.equal(model.weight)
    assert not loaded.training
    assert isinstance(torch.load(tmp_path / "other.weights"), dict)
    assert lab.moments().count("loaded") == 1
    assert sum("whole model from net.weights" in line for line in lab.collector.notes.sentences) == 1


@pytest.mark.parametrize(
    ("command", "rest", "skipped"),
    [
        ("pip install x", "", 1),
        ("sudo apt-get -y install y", "", 1),
        ("python3 -m pip install x", "", 1),
        ("{sys.executable} -m pip install x", "", 1),
        ("/usr/bin/wget -q http://x/1.PNG", "", 1),
        ("A=1 curl x | tar xz", "", 1),
        ("mkdir -p data && wget x && ls data", "mkdir -p data && ls data", 1),
        ("git clone x; cd x; pip install .", " cd x", 2),
        ("ls -l | head", "ls -l | head", 0),
        ("echo pip", "echo pip", 0),
        ("python train.py", "python train.py", 0),
    ],
)
def test_installs_and_downloads_are_taken_out_of_a_line(command: str, rest: str, skipped: int) -> None:
    """The rest of the line is run as usual."""
    kept, taken = without_downloads(command)
    assert (kept, len(taken)) == (rest, skipped)


class Shell:
    """What the shim needs of IPython's shell."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.magics_manager = type("Manager", (), {"magics": {"line": {"pip": self.system}}})()

    def system(self, command: str) -> None:
        """Run a command."""
        self.ran.append(command)

    def enable_matplotlib(self, gui: Any = None) -> None:
        """Choose a backend."""
        self.ran.append(gui)

    def getoutput(self, command: str) -> list[str]:
        """Give a command's lines."""
        return [command] if command != "true" else []


def test_the_shell_says_what_it_skipped_and_is_mended_back(lab: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`!`, `x = !` and `%pip`, then everything as before."""
    shell, patches = Shell(), Patches()
    before = dict(shell.magics_manager.magics["line"])
    mend_shell(lab.collector.session, patches, shell)
    shell.system("pip install torchbearer")
    shell.system("ls")
    assert shell.getoutput("wget x") == []
    assert shell.getoutput("ls") == ["ls"]
    shell.magics_manager.magics["line"]["pip"]("install y")
    shell.magics_manager.magics["line"]["conda"]("install z")
    assert shell.ran == ["ls"]
    assert capsys.readouterr().out.count("skipped") == 4
    assert len(lab.collector.notes.sentences) == 3
    patches.undo()
    shell.system("pip")
    assert shell.ran == ["ls", "pip"]
    assert shell.magics_manager.magics["line"] == before


def test_bars_for_notebooks_are_plain_without_ipywidgets(lab: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Bars of tqdm for notebooks, and Torchbearer's in notebook mode, work; that is told once."""
    if tqdm.notebook.IProgress is not None:
        pytest.skip("ipywidgets is installed: its bars are left alone")
    torchbearer.magics.set_notebook(True)
    try:
        trial = torchbearer.Trial(None, verbose=2).for_steps(2)
        trial.run(epochs=1)
    finally:
        torchbearer.magics.set_notebook(False)
    assert list(tqdm.notebook.tqdm(range(3), display=False)) == [0, 1, 2]
    assert list(tqdm.notebook.tnrange(2)) == [0, 1]
    assert "100%" in capsys.readouterr().err
    assert [line for line in lab.collector.notes.sentences if "ipywidgets" in line] == [
        "Progress bars for notebooks were drawn as text: ipywidgets is not installed here."
    ]


def test_torchbearers_magic_is_there_and_is_taken_back() -> None:
    """`%torchbearer notebook` works although Torchbearer was imported before there was a shell."""
    shell, patches = Shell(), Patches()
    offer_torchbearer_magic(patches, shell)
    try:
        shell.magics_manager.magics["line"]["torchbearer"]("notebook")
        assert torchbearer.magics.is_notebook()
        shell.magics_manager.magics["line"]["torchbearer"]("normal")
        assert not torchbearer.magics.is_notebook()
    finally:
        patches.undo()
    assert "torchbearer" not in shell.magics_manager.magics["line"]


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [("notebook", "inline"), ("widget", "inline"), ("qt5", "inline"), ("inline", "inline"), (None, None)],
)
def test_plots_are_drawn_inline(lab: Any, asked: str | None, drawn: str | None) -> None:
    """Backends that need a window or a widget become inline, which is told; the rest is handed on."""
    shell, patches = Shell(), Patches()
    draw_inline(lab.collector.session, patches, shell)
    shell.enable_matplotlib(asked)
    assert shell.ran == [drawn]
    assert any("%matplotlib" in line for line in lab.collector.notes.sentences) == (asked != drawn)
    patches.undo()
    shell.enable_matplotlib("qt")
    assert shell.ran == [drawn, "qt"]
