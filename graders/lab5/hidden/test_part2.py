"""Part 2: images of one's own, and the answer about misclassified ones."""

from pathlib import Path
from typing import Any

import numpy as np

from graders.errors import EvidenceError
from graders.evidence import Array, Evidence
from graders.grading import MissingError, Work, check
from graders.lab5.digits import COUNT, Misread, misread, printed_digits, wrong_ones
from graders.lab5.networks import exported, predictions, reloaded
from graders.lab5.own_image import ASPECTS, Hidden, as_batch, enough, hidden_pictures, prepared, problems
from graders.lab5.reading import agrees, never_loaded, own_readings
from graders.lab5.training import trained_less
from graders.records import Verdict

FUNCTION = "load_own_image"


@check("5.2/own-image")
def test_own_image(notebook: Work) -> Verdict:
    """load_own_image on hidden pictures: five aspects."""
    hidden = hidden_pictures(_folder(notebook))
    probes = tuple(one for one in notebook.notebook.probes if one.function == FUNCTION and one.input in hidden.digits)
    called = tuple(one for one in probes if one.status != "missing")
    hint = f"Define it in the notebook, as {FUNCTION}(path)."
    notebook.require(called or None, f"a function {FUNCTION}", (FUNCTION,), hint)
    stored = notebook.notebook.probed
    tensors = {one.input: stored[one.tensor] for one in called if one.tensor is not None and one.tensor in stored}
    held = {
        name: enough(sum(bool(aspect(one)) for one in tensors.values()), len(hidden.digits))
        for name, aspect in ASPECTS.items()
    }
    read = _read_enough(notebook, hidden, tensors)
    if read is not None:
        held["read by your network"] = read
    lacking = [name for name, one in held.items() if not one]
    details = {"aspects": held, "pictures": len(hidden.digits), "given": len(tensors)}
    if not lacking:
        return Verdict.passed("Pictures from outside MNIST come out in MNIST's customs, and are read.", **details)
    why = f" On some of them {said}." if (said := problems(called)) else ""
    message = f"Expected pictures in MNIST's customs on most of the hidden pictures; not so: {', '.join(lacking)}.{why}"
    return Verdict.partial(1 - len(lacking) / len(held), "PREPROCESSING", message, **details)


def _folder(work: Work) -> Path:
    specification = work.lab.notebook(work.check.notebook)
    return work.lab.folder / next(one.inputs for one in specification.probes if one.function == FUNCTION)


def _read_enough(work: Work, hidden: Hidden, tensors: dict[str, Array]) -> bool | None:
    """Whether the student's network reads their pictures about as well as our own; None without a network."""
    try:
        network = exported(reloaded(work))
    except (MissingError, EvidenceError):  # its loss is told, and paid for, elsewhere
        return None
    ours = np.concatenate([prepared(hidden.folder / name) for name in hidden.digits])
    truth = np.array(list(hidden.digits.values()))
    possible = int((predictions(network, ours, work) == truth).sum())
    theirs = {name: batch for name, one in tensors.items() if (batch := as_batch(one)) is not None}
    if not theirs:
        return False
    read = predictions(network, np.concatenate(list(theirs.values())), work)
    right = int(sum(digit == hidden.digits[name] for name, digit in zip(theirs, read, strict=True)))
    return enough(right, possible)


@check("5.2/misclassified")
def test_misclassified(notebook: Work, evidence: Evidence) -> Verdict:
    """The written answer against the predictions of the student's own network."""
    if never := never_loaded(notebook):
        return never
    said = misread(notebook.text)
    if said is None:
        message = "A person must read this answer: how many and which pictures it names could not be made out."
        return Verdict.review("UNCLEAR_ANSWER", message, answer=notebook.text)
    readings = own_readings(notebook)
    wrong = wrong_ones([one[0] for one in readings])
    details: dict[str, Any] = {
        "answer": notebook.text,
        "misclassified": sorted(wrong),
        "read": sorted(said.which or ()),
    }
    if said.which is not None and agrees(said.which, readings):
        return Verdict.passed("The answer agrees with what your network reads, computed again.", **details)
    number_alone = said.which is None and said.count == len(wrong)
    if not number_alone and (unsure := _of_another_training(notebook, evidence, said)):
        return unsure.model_copy(update={"details": details})
    if said.count == len(wrong):
        message = "The number is right, but which pictures they are is missing or differs from what your network reads."
        return Verdict.partial(0.5, "WRONG_PICTURES", message, **details)
    message = (
        f"Expected the pictures that your own network misreads, {len(wrong)} in this run; "
        f"your answer names {said.count}. Answer after Restart & Run All."
    )
    return Verdict.failed("WRONG_COUNT", message, **details)


def _of_another_training(work: Work, evidence: Evidence, said: Misread) -> Verdict | None:
    """A review where the answer may be true of the student's own network, which this run trained less or not at all."""
    claims = printed_digits(work.notebook.answers.claimed.get("classify-digits", ""))
    if len(claims) == COUNT:
        stored = wrong_ones([claims[number] for number in range(COUNT)])
        if said.which != stored and (said.which is not None or said.count != len(stored)):
            return None
        message = (
            "The answer agrees with the outputs stored in the notebook that was handed in, but not with the network of "
            "this run, which may have been trained less: a person must look."
        )
        share = 1 if said.which == stored else 0.5
        return Verdict.review("AGREES_WITH_STORED_OUTPUT", message, share=share)
    if not trained_less(work, evidence):
        return None
    message = (
        "The answer does not agree with the network of this run, which is not the student's fully trained one; the "
        "notebook that was handed in holds no ten predictions to compare it with: a person must look."
    )
    return Verdict.review("OTHER_TRAINING", message)
