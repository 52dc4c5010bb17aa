"""Tests of the spies on torch.save, torch.load and load_state_dict."""

import copy
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn


def test_a_saved_state_dict_is_tied_to_its_live_module(lab: Any, tiny: nn.Module, tmp_path: Path) -> None:
    """By the memory of its tensors, not by names."""
    other = type(tiny)()
    lab.names.update(model=tiny, other=other)
    lab.cell(lambda: torch.save(other.state_dict(), "/".join((str(tmp_path), "o.weights"))))
    (event,) = lab.evidence.events
    assert (event.moment, event.names) == ("saved", ("other",))
    assert event.detail == {"file": str(tmp_path / "o.weights"), "kind": "state_dict", "whole": True}


@pytest.mark.parametrize(
    ("make", "kind", "whole"),
    [
        (lambda model: model, "module", True),
        (lambda model: {"epoch": 3, "model": model.state_dict()}, "other", True),
        (lambda model: dict(list(model.state_dict().items())[:2]), "state_dict", False),
        (lambda model: copy.deepcopy(model.state_dict()), "state_dict", True),
    ],
)
def test_what_was_saved_is_named(lab: Any, tiny: nn.Module, make: Any, kind: str, whole: bool) -> None:
    """A whole module, a checkpoint, a part of a state_dict, a copy of one."""
    tiny.__class__.__module__ = __name__
    globals()["Tiny"] = type(tiny)
    lab.names["model"] = tiny
    lab.cell(lambda: torch.save(make(tiny), io.BytesIO()))
    (event,) = lab.evidence.events
    assert (event.detail["file"], event.detail["kind"], event.detail["whole"]) == ("", kind, whole)


def test_saving_something_else_is_no_event(lab: Any, tiny: nn.Module) -> None:
    """Tensors that belong to no model are nobody's state."""
    lab.names["model"] = tiny
    lab.cell(lambda: torch.save([torch.rand(3)], io.BytesIO()))
    assert lab.moments() == []


def test_a_load_knows_its_file(lab: Any, tiny: nn.Module, tmp_path: Path) -> None:
    """The dictionary of torch.load carries name and checksum of the file to load_state_dict."""
    path = tmp_path / "m.weights"
    torch.save(tiny.state_dict(), path)
    fresh = type(tiny)()
    lab.cell(lambda: fresh.load_state_dict(dict(torch.load(path))), fresh=fresh)
    event = lab.evidence.events[-1]
    assert event.moment == "loaded"
    assert event.detail == {
        "file": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "strict": True,
        "missing": [],
        "unexpected": [],
        "trained_before": False,
    }
    assert (lab.evidence.snapshot(event).weights["fc.bias"] == tiny.fc.bias.detach().numpy()).all()  # type: ignore[union-attr,operator]


def test_a_strict_load_that_fails_is_recorded_and_still_raises(lab: Any, tiny: nn.Module) -> None:
    """Missing and unexpected keys are kept; the student sees torch's own error."""
    wrong = {"fc.weight": torch.zeros(10, 128), "fc2.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match=r"Missing key"):
        lab.cell(lambda: tiny.load_state_dict(wrong))
    detail = lab.evidence.events[0].detail
    assert detail["strict"] is True
    assert "conv1.weight" in detail["missing"]
    assert detail["unexpected"] == ["fc2.weight"]
    assert "Missing key" in detail["error"]


def test_a_lenient_load_says_so(lab: Any, tiny: nn.Module) -> None:
    """strict=False, given by position or by name."""
    lab.cell(lambda: tiny.load_state_dict({"x": torch.zeros(1)}, False))
    lab.cell(lambda: tiny.load_state_dict({}, strict=False))
    details = [event.detail for event in lab.evidence.events]
    assert [detail["strict"] for detail in details] == [False, False]
    assert [detail["unexpected"] for detail in details] == [["x"], []]


def test_loading_a_part_of_a_model_is_no_event(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """Only whole models have events."""
    tiny(batch)
    lab.cell(lambda: tiny.conv1.load_state_dict(tiny.conv1.state_dict()))  # type: ignore[union-attr]
    assert lab.moments() == []


def test_torch_keeps_its_answer(lab: Any, tiny: nn.Module) -> None:
    """load_state_dict gives back what it always did."""
    assert str(tiny.load_state_dict(tiny.state_dict())) == "<All keys matched successfully>"
