"""The graders of part 2."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from graders.evidence import Array
from graders.grading import MissingError
from graders.lab import Lab
from graders.lab5.hidden import test_part2 as hidden
from graders.lab5.own_image import hidden_pictures, prepared
from graders.lab5.pictures import digit_images
from graders.lab5.public import test_part2 as public
from graders.lab5.reading import agrees, own_readings
from graders.records import Outcome, Verdict
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import AlwaysDropping, BetterCNN, evidence_of, work_of
from tests.lab5.loading import FILE, Book, loaded_into, reloaded_part


@pytest.fixture
def part(book: Book, learned: BetterCNN) -> NotebookFolder:
    """Part 2 with the trained network loaded and in eval mode at the end."""
    return reloaded_part(book, learned)


@pytest.fixture
def read(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> list[int]:
    """What the network reads in the ten pictures, computed in the usual way."""
    images = digit_images(work_of(lab, "5.2/reload", part))
    with torch.no_grad():
        found: list[int] = learned(torch.from_numpy(images)).argmax(1).tolist()
    return found


# --- the ten pictures


def classify(part: NotebookFolder, lab: Lab) -> Verdict:
    """The verdict on the predictions."""
    return public.test_classify_digits(work_of(lab, "5.2/classify-digits", part))


def test_true_predictions_pass(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """A list of what the network says earns all points, wrong readings included."""
    part.variables["predictions"] = read
    verdict = classify(part, lab)
    assert verdict.outcome is Outcome.PASSED
    assert [row["predicted"] for row in verdict.details["digits"]] == read
    assert [row["file"] for row in verdict.details["digits"]] == [f"{k}.PNG" for k in range(10)]


def test_printed_predictions_pass(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Older notebooks have no variable; they print."""
    part.answer("classify-digits", printed="\n".join(f"{k}.PNG: {digit}" for k, digit in enumerate(read)))
    assert classify(part, lab).outcome is Outcome.PASSED


def test_numbered_predictions_pass(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Printed one by one in a sentence, with the number of the picture."""
    said = "\n".join(f"picture {k} looks like a {digit}" for k, digit in enumerate(read))
    part.answer("classify-digits", printed=said)
    assert classify(part, lab).outcome is Outcome.PASSED


@pytest.mark.parametrize("form", ["picture {k} looks like a {wrong}", "{k}: {right} or {wrong}"])
def test_what_cannot_be_read_with_certainty_goes_to_a_person(
    part: NotebookFolder, lab: Lab, read: list[int], form: str
) -> None:
    """Digits in a form of the student's own are never a failure that a machine decides."""
    said = [form.format(k=k, right=digit, wrong=(digit + 1) % 10) for k, digit in enumerate(read)]
    part.answer("classify-digits", printed="\n".join(said))
    verdict = classify(part, lab)
    assert (verdict.outcome, verdict.code, verdict.share) == (Outcome.REVIEW, "PREDICTIONS_UNCLEAR", 0)


def test_a_plain_list_that_differs_is_no_question(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """A printed list says what it says: it is marked as the variable would be."""
    part.answer("classify-digits", printed=str([(digit + 1) % 10 for digit in read]))
    assert classify(part, lab).outcome is Outcome.FAILED


def test_invented_predictions_earn_what_agrees(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Each prediction that the network does not give costs a tenth, even if it is the true digit."""
    part.variables["predictions"] = [(digit + 1) % 10 if k < 4 else digit for k, digit in enumerate(read)]
    verdict = classify(part, lab)
    assert (verdict.outcome, verdict.share) == (Outcome.PARTIAL, 0.6)


def test_pictures_may_be_normalised(part: NotebookFolder, lab: Lab, learned: BetterCNN) -> None:
    """Predictions on the student's own form of the pictures count, if that form went through a network."""
    shown = 1 - digit_images(work_of(lab, "5.2/reload", part))
    with torch.no_grad():
        said = learned(torch.from_numpy(shown)).argmax(1).tolist()
    part.variables["predictions"] = said
    alone = classify(part, lab)
    part.inputs["i0"] = shown
    assert alone.share < 1
    assert classify(part, lab).outcome is Outcome.PASSED


def test_noise_is_no_picture(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Recorded inputs that do not show the ten pictures open no way to other predictions."""
    part.inputs["i0"] = np.random.default_rng(0).random((10, 1, 28, 28), dtype=np.float32)
    part.variables["predictions"] = [(digit + 1) % 10 for digit in read]
    assert classify(part, lab).outcome is Outcome.FAILED


def wavering(book: Book, network: BetterCNN, *, training: bool) -> NotebookFolder:
    """Part 2 whose predictions were made while dropout acted."""
    part = loaded_into(book, network, AlwaysDropping())
    for event in part.events:
        event["training"] = training
    return part


@pytest.mark.parametrize("training", [False, True])
def test_active_dropout_costs_no_prediction(book: Book, lab: Lab, training: bool) -> None:
    """What the network may read while dropout acts is true, whether it was left active or eval mode was forgotten."""
    torch.manual_seed(0)
    part = wavering(book, BetterCNN(), training=training)
    readings = own_readings(work_of(lab, "5.2/classify-digits", part))
    assert any(len(read) > 1 for read in readings)
    part.variables["predictions"] = [read[-1] for read in readings]
    assert classify(part, lab).outcome is Outcome.PASSED
    assert agrees([k for k, read in enumerate(readings) if read[-1] != k], readings)


def test_a_name_used_again_costs_nothing(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Where the variable holds something else by the end, the printed predictions count."""
    part.variables["predictions"] = [(digit + 1) % 10 for digit in read]
    part.answer("classify-digits", printed=str(read))
    assert classify(part, lab).outcome is Outcome.PASSED


def test_no_predictions_are_missing(part: NotebookFolder, lab: Lab) -> None:
    """Neither variable nor output."""
    with pytest.raises(MissingError, match="ten predictions"):
        classify(part, lab)


# --- a picture of one's own


def own(part: NotebookFolder, lab: Lab, make: Callable[[Array], Array] | None) -> Verdict:
    """The verdict on a function that does this to the well prepared pictures."""
    pictures = hidden_pictures(lab.folder / "data" / "own_images")
    part.answer("own-image")
    for name in pictures.digits:
        tensor = make(prepared(pictures.folder / name)) if make else None
        status = "ok" if make else "error"
        part.probe("load_own_image", name, tensor, status=status, error="" if make else "ValueError: bad")
    return hidden.test_own_image(work_of(lab, "5.2/own-image", part))


def test_well_prepared_pictures_pass(part: NotebookFolder, lab: Lab) -> None:
    """Shape, range, polarity, centring, and read by the network."""
    verdict = own(part, lab, lambda picture: picture)
    assert verdict.outcome is Outcome.PASSED
    assert list(verdict.details["aspects"].values()) == [True] * 5


@pytest.mark.parametrize(
    ("make", "lacking"),
    [
        (lambda p: p[0], {"shape 1x1x28x28"}),
        (lambda p: 255 * p, {"values from 0 to 1"}),
        (lambda p: (p * 255).astype(np.uint8), {"values from 0 to 1"}),
        (lambda p: 1 - p, {"light on dark", "read by your network"}),
        (lambda p: np.roll(p, 8, axis=3), {"centred", "read by your network"}),
        (
            lambda p: np.zeros((1, 1, 28, 28), np.float32),
            {"values from 0 to 1", "light on dark", "centred", "read by your network"},
        ),
    ],
)
def test_each_aspect_can_be_lost(
    part: NotebookFolder, lab: Lab, make: Callable[[Array], Array], lacking: set[str]
) -> None:
    """A fifth for each aspect; what is wrong is named."""
    verdict = own(part, lab, make)
    lost = {name for name, held in verdict.details["aspects"].items() if not held}
    assert lost - {"read by your network"} == lacking - {"read by your network"}
    assert lost >= lacking
    assert verdict.share == pytest.approx(1 - len(lost) / 5)


def test_a_function_that_raises_earns_nothing(part: NotebookFolder, lab: Lab) -> None:
    """The exception is told."""
    verdict = own(part, lab, None)
    assert verdict.outcome is Outcome.FAILED
    assert "ValueError: bad" in verdict.message


def test_without_a_network_four_aspects_count(book: Book, lab: Lab) -> None:
    """A network that could not be loaded is paid for elsewhere."""
    verdict = own(book(2), lab, lambda picture: picture)
    assert (verdict.outcome, len(verdict.details["aspects"])) == (Outcome.PASSED, 4)


def test_no_function_is_missing(part: NotebookFolder, lab: Lab) -> None:
    """A probe that found no function is no evidence."""
    part.probe("load_own_image", "picture-1.png", None, status="missing")
    with pytest.raises(MissingError, match="load_own_image"):
        hidden.test_own_image(work_of(lab, "5.2/own-image", part))


# --- misclassified


def test_what_reads_an_unloaded_network_is_blocked(book: Book, lab: Lab, learned: BetterCNN) -> None:
    """That nothing was loaded is what the check of the reloading costs; no network at all is another matter."""
    part = book(2)
    part.answer("classify-digits", printed="predictions: 0 1 2 3 4 5 6 7 8 9")
    part.answer("misclassified", "None.")
    with pytest.raises(MissingError):
        hidden.test_misclassified(work_of(lab, "5.2/misclassified", part), evidence_of(part))
    part.event("evaluated", learned, name="BetterCNN")
    for verdict in (
        public.test_classify_digits(work_of(lab, "5.2/classify-digits", part)),
        hidden.test_misclassified(work_of(lab, "5.2/misclassified", part), evidence_of(part)),
    ):
        assert (verdict.outcome, verdict.code) == (Outcome.BLOCKED, "NOT_LOADED")


def misclassified(part: NotebookFolder, lab: Lab, text: str, claimed: str = "", *others: NotebookFolder) -> Verdict:
    """The verdict on an answer."""
    part.answer("misclassified", text)
    part.answer("classify-digits", claimed=claimed)
    return hidden.test_misclassified(work_of(lab, "5.2/misclassified", part), evidence_of(part, *others))


def test_the_true_answer_passes(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """Number and list as the network reads them."""
    wrong = [k for k, digit in enumerate(read) if digit != k]
    text = f"{len(wrong)} of the ten: {', '.join(f'{k}.PNG' for k in wrong)}" if wrong else "None."
    assert misclassified(part, lab, text).outcome is Outcome.PASSED


def test_the_number_alone_is_half(part: NotebookFolder, lab: Lab, read: list[int]) -> None:
    """The right number with other pictures earns half."""
    wrong = [k for k, digit in enumerate(read) if digit != k]
    right = [k for k in range(10) if k not in wrong]
    text = ", ".join(f"{k}.PNG" for k in right[: len(wrong)])
    verdict = misclassified(part, lab, f"{len(wrong)} of the ten are wrong: {text}.") if wrong else None
    assert verdict is None or (verdict.outcome, verdict.share) == (Outcome.PARTIAL, 0.5)


def test_a_wrong_answer_fails(part: NotebookFolder, lab: Lab) -> None:
    """Another number than the network's is wrong."""
    assert misclassified(part, lab, "9 of the ten: 0 1 2 3 4 5 6 7 8").outcome is Outcome.FAILED


def test_agreement_with_the_stored_output_is_reviewed(part: NotebookFolder, lab: Lab) -> None:
    """The student's own, longer training may have read otherwise: a person looks, points are provisional."""
    stored = str([9, 9, 9, 9, 9, 9, 9, 7, 8, 9])
    verdict = misclassified(part, lab, "7 of the ten: 0 1 2 3 4 5 6", stored)
    assert (verdict.outcome, verdict.code, verdict.share) == (Outcome.REVIEW, "AGREES_WITH_STORED_OUTPUT", 1)


def test_an_unclear_answer_is_reviewed(part: NotebookFolder, lab: Lab) -> None:
    """What cannot be read with confidence goes to a person."""
    verdict = misclassified(part, lab, "See the cell above.")
    assert (verdict.outcome, verdict.code) == (Outcome.REVIEW, "UNCLEAR_ANSWER")


@pytest.mark.parametrize(
    ("asked", "owns", "origin", "outcome"),
    [
        (10, True, "part", Outcome.REVIEW),
        (10, False, "part", Outcome.FAILED),
        (2, True, "part", Outcome.FAILED),
        (2, True, "reference", Outcome.REVIEW),
        (10, True, "submitted", Outcome.FAILED),
    ],
)
def test_an_answer_of_a_longer_training_is_reviewed(
    book: Book, part: NotebookFolder, lab: Lab, asked: int, owns: bool, origin: str, outcome: Outcome
) -> None:
    """Where this run trained less than the student and nothing stored can be compared, nobody is called wrong."""
    part.run["handoffs"] = {FILE: origin}
    first = book(1)
    run = {"kind": "run", "execution_count": 1, "epochs_asked": asked, "epochs_run": 2}
    first.trials["trials"] = [
        {
            "n": 0,
            "execution_count": 1,
            "identity": 0,
            "class_name": "BetterCNN",
            "owns_model": owns,
            "runs": [run],
        },
    ]
    assert misclassified(part, lab, "9 of the ten: 0 1 2 3 4 5 6 7 8", "", first).outcome is outcome
