"""The weights file of part 1."""

from collections.abc import Callable

import numpy as np
import pytest
from torch import nn

from graders.evidence import Array
from graders.grading import MissingError
from graders.lab import Lab
from graders.lab5.public import test_part1 as public
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, work_of

Book = Callable[[int], NotebookFolder]


def state(module: nn.Module) -> dict[str, Array]:
    """A module's state_dict as arrays."""
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def saved(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the file."""
    part.answer("bettercnn-save")
    return public.test_state_dict_saved(work_of(lab, "5.1/state-dict-saved", part))


def test_a_plain_state_dict_passes(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """It holds the live model's tensors bit for bit."""
    part = book(1)
    part.event("end", learned, name="BetterCNN")
    part.file("bettercnn.weights", state(learned))
    assert saved(part, lab).outcome is Outcome.PASSED


def test_a_whole_model_fails(book: Book, lab: Lab) -> None:
    """The student is told what to save instead."""
    part = book(1)
    part.file("bettercnn.weights", None, kind="module")
    verdict = saved(part, lab)
    assert (verdict.outcome, verdict.code) == (Outcome.FAILED, "WHOLE_MODEL_SAVED")
    assert "state_dict()" in verdict.message


@pytest.mark.parametrize("kind", ["other", "unreadable"])
def test_something_else_in_the_file_fails(book: Book, lab: Lab, kind: str) -> None:
    """The file's problem is told."""
    part = book(1)
    part.file("bettercnn.weights", None, kind=kind, problem="it holds a list")
    verdict = saved(part, lab)
    assert (verdict.code, "it holds a list" in verdict.message) == ("NOT_A_STATE_DICT", True)


def test_no_file_is_missing(book: Book, lab: Lab) -> None:
    """Nothing saved is explained by the plugin."""
    with pytest.raises(MissingError, match=r"bettercnn\.weights"):
        saved(book(1), lab)


def test_another_networks_tensors_fail(book: Book, lab: Lab) -> None:
    """The first tensor that differs is named with both shapes."""
    part, other = book(1), BetterCNN()
    other.conv2 = nn.Conv2d(30, 16, (3, 3))
    part.file("bettercnn.weights", state(other))
    verdict = saved(part, lab)
    assert verdict.code == "WRONG_TENSORS"
    assert "conv2.weight: expected [15, 30, 3, 3], found [16, 30, 3, 3]" in verdict.message


def test_values_that_differ_earn_a_part(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Saved before training: right tensors, other values."""
    part = book(1)
    part.event("end", learned, name="BetterCNN")
    part.file("bettercnn.weights", state(BetterCNN()))
    verdict = saved(part, lab)
    assert (verdict.outcome, verdict.code) == (Outcome.PARTIAL, "WEIGHTS_DIFFER")


def test_one_bit_is_a_difference(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Equal means bit for bit."""
    part = book(1)
    part.event("end", learned, name="BetterCNN")
    tensors = {name: array.copy() for name, array in state(learned).items()}
    tensors["fc3.bias"][0] = np.nextafter(tensors["fc3.bias"][0], np.float32(9))
    part.file("bettercnn.weights", tensors)
    assert saved(part, lab).code == "WEIGHTS_DIFFER"
