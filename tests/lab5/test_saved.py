"""The weights file of part 1: real files of torch, looked at as a run looks at them."""

import copy
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save as to_safetensors
from torch import nn

from graders.evidence import Array
from graders.execution import weights
from graders.execution.weights import inspect
from graders.grading import MissingError
from graders.lab import Lab
from graders.lab5.public import test_part1 as public
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, work_of

Book = Callable[[int], NotebookFolder]
FILE = "bettercnn.weights"
MIB = 2**20
HOW = 'Save the state_dict: torch.save(model.state_dict(), "bettercnn.weights").'
START = "Expected the state_dict of your BetterCNN in bettercnn.weights."


class SimpleCNN(nn.Module):
    """The lab's first network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, (5, 5))
        self.fc1 = nn.Linear(32 * 12 * 12, 128)
        self.fc2 = nn.Linear(128, 10)


@pytest.fixture(autouse=True)
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory limit would be that of the process that runs the tests."""
    monkeypatch.setattr(weights, "limit_memory", lambda extra: None)


def state(module: nn.Module) -> dict[str, Array]:
    """A module's state_dict as arrays."""
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def written(part: NotebookFolder, saved: Any, folder: Path, **options: Any) -> None:
    """Put a file into the evidence as a run does: saved by torch (bytes as they are), looked at, written anew."""
    path, out = folder / FILE, folder / "out.safetensors"
    if isinstance(saved, bytes):
        path.write_bytes(saved)
    else:
        torch.save(saved, path, **options)
    finding = inspect(path, out, 64 * MIB, 64 * MIB).model_dump()
    part.file(FILE, load_file(out) if out.exists() else None, **finding)


def trained(book: Book, learned: BetterCNN) -> NotebookFolder:
    """Part 1 in which a BetterCNN was trained, and is still there at the end."""
    part = book(1)
    torch.manual_seed(7)
    part.event("initial", BetterCNN(), name="BetterCNN")
    part.event("trained", learned, name="BetterCNN")
    part.event("end", learned, name="BetterCNN")
    return part


def saved(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the file."""
    part.answer("bettercnn-save")
    return public.test_state_dict_saved(work_of(lab, "5.1/state-dict-saved", part))


# --- what the file holds


def checkpoint(model: nn.Module) -> Any:
    """As tutorials save one."""
    return {"epoch": 9, "model": model.state_dict(), "optimizer": torch.optim.Adam(model.parameters()).state_dict()}


def prefixed(model: nn.Module, prefix: str = "module.") -> Any:
    """As a wrapped model gives its state_dict."""
    return {prefix + name: tensor for name, tensor in model.state_dict().items()}


def renamed(model: nn.Module) -> Any:
    """Layers called otherwise."""
    return {name.replace("fc", "fc_"): tensor for name, tensor in model.state_dict().items()}


def program(model: nn.Module) -> bytes:
    """What torch.jit writes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 1, 28, 28)), buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def array(model: nn.Module) -> bytes:
    """What np.save writes."""
    buffer = io.BytesIO()
    np.save(buffer, state(model)["conv1.weight"])
    return buffer.getvalue()


def cut_off(model: nn.Module) -> bytes:
    """A file whose end was never written."""
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()[:100_000]


def diverged(model: nn.Module) -> Any:
    """A training that went astray."""
    return {name: tensor * float("nan") for name, tensor in model.state_dict().items()}


def without(model: nn.Module, *names: str) -> Any:
    """Some tensors are left out."""
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(names)}


def turned(model: nn.Module) -> Any:
    """Linear layers as another library keeps them."""
    return {n: t.T.clone() if n.endswith("weight") and t.ndim == 2 else t for n, t in model.state_dict().items()}


def with_batch_norm(model: nn.Module) -> Any:
    """A later version of the class."""
    bn = {f"bn.{name}": tensor for name, tensor in nn.BatchNorm2d(30).state_dict().items()}
    return {**model.state_dict(), **bn}


FAULTS = [
    (
        lambda m: m,
        "WHOLE_MODEL_SAVED",
        0,
        "Expected a state_dict in bettercnn.weights; it holds a whole pickled model, which only opens beside its class "
        "and can run any code when it is opened. Save model.state_dict() instead of model: "
        'torch.save(model.state_dict(), "bettercnn.weights").',
    ),
    (
        checkpoint,
        "NESTED_STATE_DICT",
        1 / 2,
        "bettercnn.weights cannot be loaded as it is. It holds a checkpoint: a dictionary with the state_dict "
        "under the "
        f"key 'model', beside 'epoch', 'optimizer'. load_state_dict does not look inside. {HOW}",
    ),
    (
        prefixed,
        "MODULE_PREFIX",
        1 / 2,
        "Parts 2 and 3 cannot load bettercnn.weights strictly. Every name begins with 'module.': the model was "
        "wrapped in "
        "DataParallel when it was saved. Save model.module.state_dict().",
    ),
    (
        lambda m: prefixed(m, "_orig_mod."),
        "MODULE_PREFIX",
        1 / 2,
        "Parts 2 and 3 cannot load bettercnn.weights strictly. Every name begins with '_orig_mod.': the model was "
        "compiled by torch.compile when it was saved. Save model._orig_mod.state_dict().",
    ),
    (
        lambda m: torch.optim.Adam(m.parameters()).state_dict(),
        "OPTIMISER_SAVED",
        0,
        f"{START} It holds the state_dict of an optimiser (state and param_groups), not that of the network: "
        f"optimizer.state_dict() was saved. {HOW}",
    ),
    (
        lambda m: list(m.parameters()),
        "PARAMETER_LIST_SAVED",
        0,
        f"{START} It holds a list of 10 tensors without their names, as list(model.parameters()) gives them; "
        f"load_state_dict needs the names. {HOW}",
    ),
    (
        lambda m: m.conv1.weight,
        "SINGLE_TENSOR_SAVED",
        0,
        f"{START} It holds a single tensor of shape [30, 1, 5, 5], not a state_dict. {HOW}",
    ),
    (
        state,
        "NUMPY_SAVED",
        0,
        f"{START} It holds numpy arrays, not tensors: .numpy() was called before saving. {HOW}",
    ),
    (array, "NUMPY_SAVED", 0, f"{START} It holds a numpy array (np.save), not a state_dict. {HOW}"),
    (
        program,
        "PROGRAM_SAVED",
        0,
        f"{START} It holds a compiled program (torch.jit or torch.export), not a state_dict. {HOW}",
    ),
    (
        lambda m: to_safetensors(m.state_dict()),
        "SAFETENSORS_SAVED",
        0,
        f"{START} It is a safetensors file, which torch.load cannot open. {HOW}",
    ),
    (
        lambda m: b"<!DOCTYPE html>\n<html>",
        "TEXT_SAVED",
        0,
        f'{START} It is a text that begins with "<!DOCTYPE html> <html>", not a weights file. {HOW}',
    ),
    (
        lambda m: b"",
        "EMPTY_FILE",
        0,
        f"{START} It is empty (0 bytes): saving was cut off, or the disk was full. {HOW}",
    ),
    (
        cut_off,
        "DAMAGED_FILE",
        0,
        f"{START} It is damaged: it begins as torch.save begins a file, but its end is missing. Save and copy it "
        f"again.",
    ),
    (
        diverged,
        "NOT_FINITE",
        0,
        f"{START} The tensor 'conv1.weight' holds NaN or infinite values: the training went astray. Try a smaller "
        "learning rate, train again, and save then.",
    ),
    (
        lambda m: SimpleCNN().state_dict(),
        "WRONG_MODEL_SAVED",
        0,
        "bettercnn.weights should hold the tensors of your BetterCNN. These are the names and shapes of SimpleCNN: the "
        "state_dict of another network was saved or loaded. Look at the name of the variable before .state_dict().",
    ),
    (
        lambda m: without(m, "fc"),
        "MISSING_TENSORS",
        0,
        "bettercnn.weights should hold the tensors of your BetterCNN. 'fc1.weight', 'fc1.bias', 'fc2.weight' and "
        "3 more "
        "are missing. Save model.state_dict() as it is, with all its entries.",
    ),
    (
        turned,
        "WRONG_TENSORS",
        0,
        "bettercnn.weights should hold the tensors of your BetterCNN. 'fc1.weight' is turned round: expected "
        "[128, 375], "
        "found [375, 128], and 2 others as well. nn.Linear(a, b) keeps its weights as [b, a]; save them as they are.",
    ),
    (
        with_batch_norm,
        "WRONG_TENSORS",
        0,
        "bettercnn.weights should hold the tensors of your BetterCNN. 'bn' is batch normalisation, which the expected "
        "network does not have. Saved by one class, loaded into another: use the same class.",
    ),
    (
        renamed,
        "RENAMED_TENSORS",
        1 / 2,
        "bettercnn.weights has the right tensors, but not all is well. 6 tensors have another name: "
        "'fc_1.weight' seems to "
        "be 'fc1.weight', 'fc_1.bias' seems to be 'fc1.bias', 'fc_2.weight' seems to be 'fc2.weight' and 3 more. The "
        "names are those of the layers in __init__: call the layers the same where you save and where you load.",
    ),
    (
        lambda m: copy.deepcopy(m).half().state_dict(),
        "OTHER_DTYPE",
        1 / 2,
        "bettercnn.weights has the right tensors, but not all is well. 'conv1.weight' is float16 where float32 is "
        "expected, and 9 others as well: model.half(), model.double() or .to(...) changed the type. Save the "
        "network in "
        "the type that it was trained in.",
    ),
    (
        lambda m: BetterCNN().state_dict(),
        "WEIGHTS_DIFFER",
        1 / 3,
        "bettercnn.weights has the right tensors, but not all is well. All tensors have other values than those of the "
        "model at the end. Save after the training, and do not train on afterwards.",
    ),
]


@pytest.mark.parametrize(
    ("make", "code", "share", "message"), FAULTS, ids=[f"{k}-{one[1]}" for k, one in enumerate(FAULTS)]
)
def test_each_fault_has_its_sentence(
    book: Book,
    lab: Lab,
    learned: BetterCNN,
    tmp_path: Path,
    make: Callable[[Any], Any],
    code: str,
    share: float,
    message: str,
) -> None:
    """What was expected, what was found, and how to go on."""
    part = trained(book, learned)
    written(part, make(learned), tmp_path)
    verdict = saved(part, lab)
    assert verdict.code == code
    assert verdict.share == pytest.approx(share)
    assert verdict.message == message


@pytest.mark.parametrize("legacy", [False, True])
def test_a_plain_state_dict_passes(book: Book, lab: Lab, learned: BetterCNN, tmp_path: Path, legacy: bool) -> None:
    """It holds the live model's tensors bit for bit; torch's older format earns advice and loses nothing."""
    part = trained(book, learned)
    written(part, learned.state_dict(), tmp_path, _use_new_zipfile_serialization=not legacy)
    verdict = saved(part, lab)
    assert verdict.outcome is Outcome.PASSED
    assert [one["code"] for one in verdict.details.get("advice", [])] == ["OLD_FILE_FORMAT"] * legacy
    assert verdict.details["round_trip"] == {"equal": True, "unloaded_differs": True, "unheard": []}


def test_weights_of_a_graphics_card_earn_advice(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """They are read on the CPU, and nothing is lost."""
    part = trained(book, learned)
    part.file(FILE, state(learned), device="cuda:0")
    verdict = saved(part, lab)
    (advice,) = verdict.details["advice"]
    assert (verdict.outcome, advice["code"]) == (Outcome.PASSED, "WEIGHTS_FROM_GPU")
    assert "(cuda:0)" in advice["message"]
    assert 'map_location="cpu"' in advice["message"]


def test_a_model_that_lives_in_dataparallel_is_still_known(
    book: Book, lab: Lab, learned: BetterCNN, tmp_path: Path
) -> None:
    """Where only the wrapper is alive, its file keeps half, and the inner model's keeps all."""
    wrapped = nn.DataParallel(learned)
    for tensors, share in ((wrapped.state_dict(), 1 / 2), (learned.state_dict(), 1)):
        part = NotebookFolder(tmp_path / f"{share:.0f}", lab, lab.notebooks[0].file)
        part.event("trained", wrapped, name="DataParallel", export=False)
        part.event("end", wrapped, name="DataParallel", export=False)
        written(part, dict(tensors), tmp_path)
        assert saved(part, lab).share == share


def test_faults_add_up(book: Book, lab: Lab, learned: BetterCNN, tmp_path: Path) -> None:
    """A wrapped model in a checkpoint, saved before training: a half of a half of a third."""
    part = trained(book, learned)
    written(part, {"net": prefixed(BetterCNN())}, tmp_path)
    verdict = saved(part, lab)
    assert verdict.code == "NESTED_STATE_DICT"
    assert verdict.share == pytest.approx(1 / 12)
    assert "DataParallel" in verdict.message
    assert "other values" in verdict.message


def test_an_unknown_kind_is_told_by_its_problem(book: Book, lab: Lab) -> None:
    """Evidence of an older run has no code."""
    part = book(1)
    part.file(FILE, None, kind="other", problem="it holds a list")
    verdict = saved(part, lab)
    assert (verdict.code, "it holds a list" in verdict.message) == ("NOT_A_STATE_DICT", True)


def test_no_file_is_missing(book: Book, lab: Lab) -> None:
    """Nothing saved is explained by the plugin."""
    with pytest.raises(MissingError, match=r"bettercnn\.weights"):
        saved(book(1), lab)


def test_another_networks_tensors_fail(book: Book, lab: Lab) -> None:
    """The first tensor that differs is named with both shapes, even if no model is left to compare with."""
    part, other = book(1), BetterCNN()
    other.conv2 = nn.Conv2d(30, 16, (3, 3))
    part.file(FILE, state(other))
    verdict = saved(part, lab)
    assert verdict.code == "WRONG_TENSORS"
    assert "'conv2.weight' has another shape: expected [15, 30, 3, 3], found [16, 30, 3, 3]" in verdict.message


def test_the_right_shapes_without_a_model_are_missing_one(book: Book, lab: Lab) -> None:
    """Where no model is left the plugin finds out why."""
    part = book(1)
    part.file(FILE, state(BetterCNN()))
    with pytest.raises(MissingError, match="a live model"):
        saved(part, lab)


# --- when it was saved


def test_one_bit_is_a_difference(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Equal means bit for bit."""
    part = trained(book, learned)
    tensors = {name: array.copy() for name, array in state(learned).items()}
    tensors["fc3.bias"][0] = np.nextafter(tensors["fc3.bias"][0], np.float32(9))
    part.file(FILE, tensors)
    verdict = saved(part, lab)
    assert verdict.code == "WEIGHTS_DIFFER"
    assert "1 of its 10 tensors have other values" in verdict.message


def test_weights_of_before_the_training_earn_a_third(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """The live model held them when they were saved, and was trained only then."""
    part = book(1)
    torch.manual_seed(7)
    first = BetterCNN()
    part.event("saved", first, name="BetterCNN", detail={"file": FILE, "kind": "state_dict", "whole": True})
    part.event("initial", first, name="BetterCNN")
    part.event("trained", learned, name="BetterCNN")
    part.event("end", learned, name="BetterCNN")
    part.file(FILE, state(first))
    verdict = saved(part, lab)
    assert verdict.code == "WEIGHTS_DIFFER"
    assert verdict.share == pytest.approx(1 / 3)
    assert "before its training" in verdict.message


def test_a_new_model_saved_in_place_of_the_trained_one(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """BetterCNN().state_dict() is a state_dict of the right kind that has learned nothing."""
    part, fresh = trained(book, learned), BetterCNN()
    part.event("saved", fresh, name="BetterCNN", identity=1, detail={"file": FILE, "kind": "state_dict", "whole": True})
    part.file(FILE, state(fresh))
    verdict = saved(part, lab)
    assert verdict.code == "WEIGHTS_NOT_TRAINED"
    assert verdict.share == pytest.approx(1 / 3)


def test_the_best_epochs_copy_passes(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """A copy of the model as it was in between was trained, though it was never trained itself."""
    part, best = trained(book, learned), copy.deepcopy(learned)
    with torch.no_grad():
        best.fc3.bias.add_(0.1)
    part.event("saved", best, name="BetterCNN", identity=1, detail={"file": FILE, "kind": "state_dict", "whole": True})
    part.file(FILE, state(best))
    assert saved(part, lab).outcome is Outcome.PASSED


def test_a_training_that_changed_nothing_costs_nothing_here(book: Book, lab: Lab) -> None:
    """The file equals the model that was to be trained: what went wrong is paid for in the training."""
    part, model = book(1), BetterCNN()
    for moment in ("initial", "trained", "end"):
        part.event(moment, model, name="BetterCNN")
    part.file(FILE, state(model))
    assert saved(part, lab).outcome is Outcome.PASSED


def test_training_on_after_saving_keeps_the_points(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """The file holds what a training ended with; a later experiment with the same model does not spoil it."""
    part, later = trained(book, learned), copy.deepcopy(learned)
    with torch.no_grad():
        later.fc3.bias.add_(0.1)
    part.event("saved", learned, name="BetterCNN")
    part.event("trained", later, name="BetterCNN")
    part.event("end", later, name="BetterCNN")
    del part.events[2]  # the end as it was before
    part.file(FILE, state(learned))
    assert saved(part, lab).outcome is Outcome.PASSED


def test_a_class_of_another_name_passes(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Students may call the class otherwise: the shapes say which network it is."""
    part = book(1)
    part.event("end", learned, name="MyNet")
    part.file(FILE, state(learned))
    assert saved(part, lab).outcome is Outcome.PASSED
