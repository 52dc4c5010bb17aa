"""Which copy of a file a notebook is given."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from graders.errors import LabError
from graders.evidence import FileEntry
from graders.execution.examine import Kept
from graders.execution.handoffs import Given, Origin, choose_handoffs, code_of
from graders.lab import Lab
from graders.records import Submission
from tests.execution.tiny import WEIGHTS, Submit


def kept(problem: str = "", kind: Any = "state_dict", needs: tuple[str, ...] = ()) -> Kept:
    """A file as it was looked at."""
    return Kept(Path(WEIGHTS), FileEntry(name=WEIGHTS, size=1, sha256="0", kind=kind, problem=problem, needs=needs))


def choose(
    lab: Lab, submission: Submission, part: Kept | None, code: str = "", **others: Kept | str
) -> tuple[Given, ...]:
    """Choose for the second notebook with this code; `others` are what an examination would find, by origin."""

    def examine(path: Path, name: str, origin: Origin) -> Kept | str:
        return others[origin]

    return choose_handoffs(lab, "two.ipynb", submission, {WEIGHTS: part} if part else {}, examine, code)


def test_part_comes_first(lab: Lab, submit: Submit) -> None:
    """A usable file of this run is taken, whatever else was handed in, and nothing needs to be said."""
    (given,) = choose(lab, submit(extras={WEIGHTS: Path("x")}), kept(), submitted=kept())
    assert (given.origin, given.kept.entry.origin, given.note) == ("part", "part", "")


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (None, "it wrote no such file"),
        (kept("It holds a whole pickled model.", "module"), "it holds a whole pickled model"),
        (kept(kind="data"), "it is no state_dict"),
    ],
)
def test_submitted_file_comes_next(lab: Lab, submit: Submit, part: Kept | None, reason: str) -> None:
    """Where the run left no usable file the submitted one is taken, and the note says why."""
    (given,) = choose(lab, submit(extras={WEIGHTS: Path("x")}), part, submitted=kept())
    assert given.origin == "submitted"
    assert given.note.startswith("two.ipynb was run on the net.weights that was handed in: one.ipynb left no usable")
    assert reason in given.note


@pytest.mark.parametrize("submitted", [None, "a symbolic link", kept("It is empty.", "unreadable")])
def test_reference_comes_last(lab: Lab, submit: Submit, submitted: Kept | str | None) -> None:
    """Where neither can be used the lab's own file is taken, and the note says that it costs nothing here."""
    extras = {WEIGHTS: Path("x")} if submitted else {}
    others: dict[str, Any] = {"submitted": submitted} if submitted else {}
    (given,) = choose(lab, submit(extras=extras), None, reference=kept(), **others)
    assert given.origin == "reference"
    assert "the lab's own net.weights" in given.note
    assert "no points" in given.note


def test_broken_reference_is_the_operators_matter(lab: Lab, submit: Submit) -> None:
    """A lab whose own file cannot be used is an error that names the file."""
    with pytest.raises(LabError, match=r"net\.weights.*not there"):
        choose(lab, submit(), None, reference="not there")


def test_notebook_without_handoffs_is_given_nothing(lab: Lab, submit: Submit) -> None:
    """Only the notebooks that the lab names are given files."""
    assert choose_handoffs(lab, "one.ipynb", submit(), {WEIGHTS: kept()}, lambda *_: kept(), "") == ()


CHECKPOINT = kept("It holds a checkpoint.", "checkpoint", ('"model"', "'model'"))
WRAPPED = kept(needs=("module.", "DataParallel"))


@pytest.mark.parametrize(
    ("part", "code", "origin", "reason"),
    [
        (CHECKPOINT, 'model.load_state_dict(torch.load("net.weights")["model"])', "part", ""),
        (CHECKPOINT, "model.load_state_dict(torch.load(path)['model'])", "part", ""),
        (CHECKPOINT, 'model.load_state_dict(torch.load("net.weights"))', "reference", "it holds a checkpoint"),
        (WRAPPED, "state = {k.replace('module.', ''): v for k, v in state.items()}", "part", ""),
        (WRAPPED, "model = nn.DataParallel(Net())", "part", ""),
        (WRAPPED, "model = Net()", "reference", "its names begin with 'module.', which the notebook does not take off"),
    ],
)
def test_a_file_that_must_be_unpacked_goes_to_notebooks_that_do(
    lab: Lab, submit: Submit, part: Kept, code: str, origin: str, reason: str
) -> None:
    """A notebook that unpacks a checkpoint gets it; one that loads a plain state_dict does not pay for it again."""
    (given,) = choose(lab, submit(), part, code, reference=kept())
    assert given.origin == origin
    assert reason in given.note


def test_code_of_a_notebook_is_that_of_its_code_cells() -> None:
    """What is written in text knows nothing."""
    cells = [new_code_cell("a = 1"), new_markdown_cell('"model"'), new_code_cell("b = 2")]
    assert code_of(new_notebook(cells=cells)) == "a = 1\nb = 2"


class Net(torch.nn.Linear):
    """A model, pickled as if a notebook had defined it."""


@pytest.mark.parametrize(("module", "whole"), [("__main__", "Net"), ("elsewhere", "")])
def test_class_of_a_whole_model_is_kept(
    lab: Lab, submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, whole: str
) -> None:
    """Where a whole model was saved, its class is told to the part that loads it, if the notebook defines that."""
    place = ModuleType(module)
    vars(place)["Net"] = Net
    monkeypatch.setitem(sys.modules, module, place)
    monkeypatch.setattr(Net, "__module__", module)
    torch.save(Net(2, 2), tmp_path / WEIGHTS)
    part = replace(kept("It holds a whole pickled model.", "module"), path=tmp_path / WEIGHTS)
    (given,) = choose(lab, submit(), part, reference=kept())
    assert (given.origin, given.whole) == ("reference", whole)
