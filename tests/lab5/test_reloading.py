"""Whether part 2 has the trained network back."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.errors import HarnessError
from graders.grading import MissingError
from graders.lab import Lab
from graders.lab5.public import test_part2 as public
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import AlwaysDropping, BetterCNN, WithoutReLU, evidence_of, work_of
from tests.lab5.loading import FILE, Book, loaded_into, reloaded_part


@pytest.fixture
def part(book: Book, learned: BetterCNN) -> NotebookFolder:
    """Part 2 with the trained network loaded and in eval mode at the end."""
    return reloaded_part(book, learned)


def reload(part: NotebookFolder, lab: Lab, *others: NotebookFolder) -> Verdict:
    """The verdict on the reloaded network, beside the evidence of other parts."""
    return public.test_reload(work_of(lab, "5.2/reload", part), evidence_of(part, *others))


def saved_from(book: Book, network: BetterCNN, learned: BetterCNN) -> NotebookFolder:
    """Part 1 in which a network with the learned weights was saved."""
    made = book(1)
    network.load_state_dict(learned.state_dict())
    made.event("trained", network, name="BetterCNN")
    made.event("saved", network.eval(), name="BetterCNN", detail={"file": FILE, "kind": "state_dict", "whole": True})
    return made


@pytest.mark.parametrize("kind", [BetterCNN, WithoutReLU, AlwaysDropping])
def test_the_network_of_part_1_gives_the_same_logits(
    book: Book, lab: Lab, learned: BetterCNN, kind: type[BetterCNN]
) -> None:
    """What is wrong in both parts alike is paid for in part 1; dropout is off."""
    verdict = reload(loaded_into(book, learned, kind()), lab, saved_from(book, kind(), learned))
    assert (verdict.outcome, verdict.details["logits"]) == (Outcome.PASSED, "equal bit for bit")


def test_a_class_copied_with_an_error_is_another_network(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """The right weights in a forward that lacks a ReLU keep a part, and the sentence says what is lacking."""
    verdict = reload(loaded_into(book, learned, WithoutReLU()), lab, saved_from(book, BetterCNN(), learned))
    assert (verdict.outcome, verdict.code) == (Outcome.PARTIAL, "DIFFERENT_NETWORK")
    assert verdict.share == pytest.approx(2 / 3)
    assert "a ReLU is expected; yours goes straight into max pooling 2x2." in verdict.message


def test_dropout_makes_no_other_network(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Logits are compared with dropout off."""
    verdict = reload(loaded_into(book, learned, AlwaysDropping()), lab, saved_from(book, BetterCNN(), learned))
    assert verdict.outcome is Outcome.PASSED


def test_the_class_put_right_in_part_2_costs_nothing(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """The fault is part 1's, and is paid for there."""
    verdict = reload(loaded_into(book, learned, BetterCNN()), lab, saved_from(book, WithoutReLU(), learned))
    assert verdict.outcome is Outcome.PASSED
    assert verdict.details["logits"].startswith("differ")


@pytest.mark.parametrize("origin", ["submitted", "reference"])
def test_weights_of_another_run_are_not_compared(book: Book, lab: Lab, learned: BetterCNN, origin: str) -> None:
    """Where part 1 did not make the weights, its network is no measure."""
    part = loaded_into(book, learned, WithoutReLU(), origin=origin)
    verdict = reload(part, lab, saved_from(book, BetterCNN(), learned))
    assert verdict.outcome is Outcome.PASSED
    assert verdict.details["logits"].startswith("not compared")


@pytest.mark.parametrize("which", [0, 1])
def test_a_network_without_graph_is_not_compared(book: Book, lab: Lab, learned: BetterCNN, which: int) -> None:
    """What could not be exported in either part costs nothing here."""
    books = [loaded_into(book, learned, BetterCNN()), saved_from(book, BetterCNN(), learned)]
    for path in (books[which].folder / "models").rglob("graph.json"):
        path.write_bytes(b"{}")
    verdict = reload(books[0], lab, books[1])
    assert verdict.outcome is Outcome.PASSED
    assert verdict.details["logits"].startswith("not compared")


def test_each_fault_costs_a_third_and_weights_keep_one(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """All faults are told; the right weights alone are worth a third."""
    part = loaded_into(book, learned, WithoutReLU())
    part.events[0] |= {"training": True, "detail": {"strict": False, "trained_before": True}}
    verdict = reload(part, lab, saved_from(book, BetterCNN(), learned))
    assert verdict.share == pytest.approx(1 / 3)
    assert len(verdict.details["sentences"]) == 4


def test_the_best_of_several_loads_counts(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """A later experiment with strict=False does not spoil a load that was right."""
    part = loaded_into(book, learned, BetterCNN())
    part.event("loaded", learned, name="BetterCNN", identity=1, training=True, detail={"strict": False})
    assert reload(part, lab, saved_from(book, BetterCNN(), learned)).outcome is Outcome.PASSED


def test_a_reloaded_network_passes(part: NotebookFolder, lab: Lab) -> None:
    """Strictly loaded, fresh, bit for bit, in eval mode by the end."""
    assert reload(part, lab).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("detail", "code", "share"),
    [
        ({"strict": False}, "NOT_STRICT", 2 / 3),
        ({"trained_before": True}, "NOT_A_FRESH_MODEL", 2 / 3),
        ({"strict": False, "missing": ["fc3.bias"]}, "PARTIALLY_LOADED", 0),
    ],
)
def test_ways_of_loading_badly(part: NotebookFolder, lab: Lab, detail: dict[str, Any], code: str, share: float) -> None:
    """Each has its code; a key that did not fit costs all."""
    part.events[0]["detail"] |= detail
    verdict = reload(part, lab)
    assert (verdict.code, verdict.share) == (code, share)


def test_forgetting_eval_costs_a_third(part: NotebookFolder, lab: Lab) -> None:
    """The network was left in training mode."""
    part.events[1]["training"] = True
    assert (reload(part, lab).code, reload(part, lab).share) == ("TRAINING_MODE", 2 / 3)


@pytest.mark.parametrize(("between", "code"), [(None, "WEIGHTS_CHANGED"), ("trained", "OK")])
def test_weights_changed_after_loading_cost_a_third(
    book: Book, lab: Lab, learned: BetterCNN, between: str | None, code: str
) -> None:
    """One bias was set to zero by hand; training on with pictures of one's own is no fault."""
    made = reloaded_part(book, learned)
    changed = copy.deepcopy(learned)
    torch.nn.init.zeros_(changed.fc3.bias)
    if between:
        made.event(between, changed, name="BetterCNN", identity=made.events[0]["identity"])
    made.event("end", changed, name="BetterCNN", identity=made.events[0]["identity"], training=False)
    made.events.pop(1)  # the state without changes
    assert reload(made, lab).code == code


def test_other_weights_are_not_reloaded(part: NotebookFolder, lab: Lab) -> None:
    """A network that holds other values than the file fails."""
    detail, part.events[0]["moment"] = part.events[0]["detail"], "evaluated"
    part.event("loaded", BetterCNN(), identity=1, detail=detail)
    assert (reload(part, lab).outcome, reload(part, lab).code) == (Outcome.FAILED, "WEIGHTS_NOT_RELOADED")


def test_nothing_loaded_is_missing(book: Book, lab: Lab) -> None:
    """Without a loaded event the plugin explains what is missing."""
    with pytest.raises(MissingError, match="loaded"):
        reload(book(2), lab)


def test_a_lost_file_is_our_fault(part: NotebookFolder, lab: Lab) -> None:
    """The file is handed in by us; where it was not kept the student loses nothing."""
    part.files.clear()
    with pytest.raises(HarnessError):
        reload(part, lab)


# --- each fault has its sentence


class Mine(nn.Module):
    """BetterCNN with other names for its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 30, (5, 5))
        self.conv_2 = nn.Conv2d(30, 15, (3, 3))
        self.fc_1 = nn.Linear(375, 128)
        self.fc_2 = nn.Linear(128, 50)
        self.fc_3 = nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = torch.max_pool2d(torch.relu(self.conv_1(x)), 2)
        x = torch.flatten(torch.max_pool2d(torch.relu(self.conv_2(x)), 2), 1)
        out: torch.Tensor = self.fc_3(torch.relu(self.fc_2(torch.relu(self.fc_1(x)))))
        return out


class Simple(nn.Module):
    """The lab's first network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, (5, 5))
        self.fc1 = nn.Linear(32 * 12 * 12, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10)."""
        x = torch.flatten(torch.max_pool2d(torch.relu(self.conv1(x)), 2), 1)
        out: torch.Tensor = self.fc2(torch.relu(self.fc1(x)))
        return out


class Deaf(BetterCNN):
    """A forward that forgets its network."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 10), all of them 0."""
        return super().forward(x) * 0


def attempt(book: Book, learned: BetterCNN, network: nn.Module, **detail: Any) -> NotebookFolder:
    """Part 2 after a load into this network as it is now."""
    made = book(2)
    made.file(FILE, {name: tensor.numpy() for name, tensor in learned.state_dict().items()}, origin="part")
    told = {"file": FILE, "strict": True, "missing": [], "unexpected": [], "trained_before": False, **detail}
    made.event("loaded", network.eval(), name="BetterCNN", detail=told)
    return made


def wider() -> BetterCNN:
    """Another architecture of the same class name."""
    network = BetterCNN()
    network.fc2, network.fc3 = nn.Linear(128, 60), nn.Linear(60, 10)
    return network


def halfway(learned: BetterCNN) -> BetterCNN:
    """Only the convolutions are loaded."""
    network = BetterCNN()
    network.load_state_dict({k: v for k, v in learned.state_dict().items() if k.startswith("conv")}, strict=False)
    return network


REFUSED = {"error": "Error(s) in loading state_dict", "missing": ["conv_1.weight"], "unexpected": ["conv1.weight"]}
LENIENT = {"strict": False, "missing": ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"]}


@pytest.mark.parametrize(
    ("network", "detail", "code", "sentence"),
    [
        (
            lambda _: Mine(),
            REFUSED,
            "LOAD_REFUSED",
            "load_state_dict stopped with an error, and the network kept its random weights. 10 tensors have another "
            "name: 'conv1.weight' seems to be 'conv_1.weight', 'conv1.bias' seems to be 'conv_1.bias', 'conv2.weight' "
            "seems to be 'conv_2.weight' and 7 more. The names are those of the layers in __init__: call the layers "
            "the same where you save and where you load.",
        ),
        (
            lambda _: wider(),
            {"error": "size mismatch"},
            "LOAD_REFUSED",
            "load_state_dict stopped with an error, and the network kept its random weights. 'fc2.weight' has another "
            "shape: expected [60, 128], found [50, 128], and 2 others as well. Give the layer in __init__ the numbers "
            "that are asked for.",
        ),
        (
            halfway,
            LENIENT,
            "PARTIALLY_LOADED",
            "With strict=False what does not fit is left out in silence: fc1.weight is not in what was loaded (5 "
            "more). Load strictly, and mend the names.",
        ),
        (
            lambda _: Simple(),
            {},
            "ANOTHER_NETWORK_LOADED",
            "This network is a SimpleCNN, which has other layers. Make a BetterCNN.",
        ),
        (
            lambda _: BetterCNN(),
            {"file": "work/copy.pt"},
            "ANOTHER_FILE_LOADED",
            "The weights were loaded from copy.pt: load bettercnn.weights, which part 1 saved.",
        ),
        (
            lambda _: BetterCNN(),
            {},
            "WEIGHTS_NOT_RELOADED",
            "All tensors have other values. Load what torch.load gives for that file, and change nothing in it.",
        ),
        (
            halfway,
            {},
            "WEIGHTS_NOT_RELOADED",
            "6 of its 10 tensors have other values. Load what torch.load gives for that file, and change nothing in "
            "it.",
        ),
    ],
)
def test_weights_that_are_not_there_are_explained(
    book: Book, lab: Lab, learned: BetterCNN, network: Any, detail: dict[str, Any], code: str, sentence: str
) -> None:
    """What went wrong, and what to do about it."""
    verdict = reload(attempt(book, learned, network(learned), **detail), lab)
    assert (verdict.outcome, verdict.code) == (Outcome.FAILED, code)
    assert verdict.message == f"Expected a network with exactly the tensors of {FILE}. {sentence}"


def test_keys_renamed_by_hand_are_right(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Whoever calls layers otherwise and gives every tensor to the right one has loaded them."""
    network = Mine()
    network.load_state_dict(dict(zip(network.state_dict(), learned.state_dict().values(), strict=True)))
    part = attempt(book, learned, network)
    part.run["handoffs"] = {FILE: "part"}
    verdict = reload(part, lab, saved_from(book, BetterCNN(), learned))
    assert (verdict.outcome, verdict.details["logits"]) == (Outcome.PASSED, "equal bit for bit")
    assert verdict.details["round_trip"]["equal"]


def test_weights_copied_by_hand_count(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Equal bit for bit is loaded, with advice to use load_state_dict."""
    part = attempt(book, learned, learned)
    part.events[0] |= {"moment": "end", "detail": {}}
    verdict = reload(part, lab)
    assert verdict.outcome is Outcome.PASSED
    assert [one["code"] for one in verdict.details["advice"]] == ["COPIED_BY_HAND"]


def test_a_network_trained_on_and_then_filled_by_hand_is_not_fresh(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """What load_state_dict would have told is found out from the events."""
    part = attempt(book, learned, learned)
    part.events[0] |= {"moment": "trained", "detail": {}}
    part.event("end", learned, name="BetterCNN", training=False)
    assert (reload(part, lab).code, reload(part, lab).share) == ("NOT_A_FRESH_MODEL", 2 / 3)


def test_a_whole_model_loaded_earns_advice(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """It was paid for where it was saved."""
    verdict = reload(attempt(book, learned, learned, whole=True), lab)
    assert verdict.outcome is Outcome.PASSED
    assert [one["code"] for one in verdict.details["advice"]] == ["WHOLE_MODEL_LOADED"]


def test_weights_of_another_type_cost_a_third(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """The values are right; the network computes in another precision than the one that was saved."""
    part = attempt(book, learned, learned)
    saved = {name: tensor.half().numpy() for name, tensor in learned.state_dict().items()}
    part.files.clear()
    part.file(FILE, saved, origin="part")
    assert (reload(part, lab).code, reload(part, lab).share) == ("OTHER_DTYPE", 2 / 3)


# --- negative controls


def test_the_controls_are_told(part: NotebookFolder, lab: Lab) -> None:
    """An unloaded network gives other outputs, and every spoilt tensor is heard."""
    assert reload(part, lab).details["round_trip"] == {"equal": True, "unloaded_differs": True, "unheard": []}


def test_outputs_that_ignore_the_weights_go_to_a_person(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """Equal outputs of a network that always gives the same prove nothing, and never pass."""
    verdict = reload(loaded_into(book, learned, Deaf()), lab, saved_from(book, Deaf(), learned))
    assert (verdict.outcome, verdict.code, verdict.share) == (Outcome.REVIEW, "OUTPUTS_IGNORE_WEIGHTS", 1)
    assert "the same outputs with other weights" in verdict.message


def test_one_bit_less_is_not_reloaded(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """A single number that differs in its last bit is told."""
    part = attempt(book, learned, learned)
    saved = {name: tensor.numpy().copy() for name, tensor in learned.state_dict().items()}
    saved["fc3.bias"][0] = np.nextafter(saved["fc3.bias"][0], np.float32(9))
    part.files.clear()
    part.file(FILE, saved, origin="part")
    verdict = reload(part, lab)
    assert verdict.code == "WEIGHTS_NOT_RELOADED"
    assert "1 of its 10 tensors have other values" in verdict.message
