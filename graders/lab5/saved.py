"""The weights file: what part 1 saved, and what parts 2 and 3 loaded."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graders.errors import EvidenceError, HarnessError
from graders.evidence import Array, FileEntry
from graders.grading import Found, Work
from graders.lab5.networks import BETTER, BETTER_SHAPES, READABLE, SIMPLE, SIMPLE_SHAPES, WEIGHTS_FILE, exported
from graders.lab5.pictures import digit_images
from graders.models import (
    RoundTrip,
    StateDifference,
    compare_state,
    looks_untrained,
    notices_corruption,
    round_trip,
    snapshot_state,
    wrapper_of,
)
from graders.records import Outcome, Verdict

HOW = f'torch.save(model.state_dict(), "{WEIGHTS_FILE}")'
WHOLE = (
    f"Expected a state_dict in {WEIGHTS_FILE}; it holds a whole pickled model, which only opens beside its class and "
    f"can run any code when it is opened. Save model.state_dict() instead of model: {HOW}."
)
OLD = (
    "It is in the format that torch wrote before version 1.6. Every torch still reads it, so nothing is lost; a newer "
    "torch writes the newer one by itself."
)
GPU = (
    "The tensors were on a graphics card ({device}) when they were saved. On a computer without one, torch.load needs "
    'map_location="cpu" to read them.'
)
CODES = {
    "ANOTHER_MODEL": "WRONG_MODEL_SAVED",
    "MISSING_TENSORS": "MISSING_TENSORS",
    "TIED_TENSORS_LEFT_OUT": "MISSING_TENSORS",
}
"""What some faults of tensors are called in a file; all others are WRONG_TENSORS."""
HALF, THIRD = 1 / 2, 1 / 3
DIFFER = "have other values than those of the model at the end"


@dataclass(frozen=True)
class _Live:
    """A live network and its state_dict, without the prefix of a wrapper such as DataParallel."""

    found: Found
    state: dict[str, Array]
    own: bool

    def holds(self, tensors: Mapping[str, Array]) -> bool:
        """Whether it has exactly these tensors."""
        return compare_state(self.state, tensors).same


def judge_saved(work: Work) -> Verdict:
    """Whether the file is a plain state_dict of BetterCNN that equals the live model bit for bit."""
    hint = f"{HOW} writes it, into the working folder."
    entry = work.notebook.files.get(WEIGHTS_FILE)
    entry = work.require(entry, f"the file {WEIGHTS_FILE}", ("torch.save", WEIGHTS_FILE), hint)
    if entry.kind == "module":
        return Verdict.failed("WHOLE_MODEL_SAVED", WHOLE)
    problem = _with_name(entry.problem or "it holds something else.")
    if entry.kind not in READABLE:
        message = f"Expected the state_dict of your {BETTER} in {WEIGHTS_FILE}. {problem.rstrip('.')}."
        return Verdict.failed(entry.code or "NOT_A_STATE_DICT", message)
    verdict = _judge_tensors(work, work.notebook.file_tensors(WEIGHTS_FILE))
    if entry.kind == "checkpoint":
        verdict = _halved(verdict, "NESTED_STATE_DICT", f"{WEIGHTS_FILE} cannot be loaded as it is. {problem}")
    return verdict.model_copy(update={"details": {**verdict.details, **_advice(entry)}})


def _with_name(problem: str) -> str:
    """A sentence of the engine's with the name of the lab's file in it."""
    return problem.replace(", FILE)", f', "{WEIGHTS_FILE}")')


def _advice(entry: FileEntry) -> dict[str, Any]:
    advice = [{"code": "OLD_FILE_FORMAT", "message": OLD}] if entry.legacy else []
    if entry.device:
        advice.append({"code": "WEIGHTS_FROM_GPU", "message": GPU.format(device=entry.device)})
    return {"advice": advice} if advice else {}


def _halved(verdict: Verdict, code: str, sentence: str) -> Verdict:
    """A verdict on tensors that cannot be loaded as they are: half of what they would have earned."""
    rest = "" if verdict.outcome is Outcome.PASSED else f" {verdict.message}"
    return Verdict.partial(verdict.share * HALF, code, f"{sentence}{rest}", **verdict.details)


# --- the tensors


def _judge_tensors(work: Work, tensors: Mapping[str, Array]) -> Verdict:
    holders = [one for one in _live(work, "saved", "end") if one.holds(tensors)]
    # Whatever its shapes: what is wrong with the network itself costs points in its architecture, not here again.
    chosen = [one for one in holders if one.own] or (holders if _has_shapes(tensors) else [])
    if chosen:
        return _judge_moment(work, tensors, chosen)
    known = list(_live(work, "saved", "trained", "end"))
    expected: list[Mapping[str, tuple[int, ...] | Array]] = [one.state for one in known if one.own]
    if not expected and _has_shapes(tensors):
        expected = [one.state for one in known if compare_state(one.state, tensors).fits]
        what = f"a live model with the tensors of {WEIGHTS_FILE}"
        work.require(
            expected or None, what, (BETTER,), f"The {BETTER} that was saved should still be there at the end."
        )
    tables = {SIMPLE: SIMPLE_SHAPES} | {
        one.found.event.class_name: {name: array.shape for name, array in one.state.items()}
        for one in known
        if not one.own
    }
    differences = [compare_state(one, tensors, tables) for one in expected or [BETTER_SHAPES]]
    return _judge_difference(work, tensors, min(differences, key=lambda one: (not one.fits, len(one.faults))))


def _live(work: Work, *moments: str) -> Iterator[_Live]:
    for found in work.models(*moments):
        state = snapshot_state(found.snapshot)
        own = found.event.class_name == BETTER
        prefix = "" if own else wrapper_of(state)
        bare = {name.removeprefix(prefix): array for name, array in state.items()}
        yield _Live(found, bare, own or bool(prefix))


def _has_shapes(tensors: Mapping[str, Array]) -> bool:
    """Whether these are BetterCNN's shapes. Students may call class and layers otherwise."""
    return Counter(array.shape for array in tensors.values()) == Counter(BETTER_SHAPES.values())


def _judge_moment(work: Work, tensors: Mapping[str, Array], holders: list[_Live]) -> Verdict:
    """The file holds a live model's tensors: were they saved after its training?"""
    trained = [one for one in _live(work, "trained") if one.own]
    own = {one.found.event.identity for one in trained}
    ended = any(one.found.event.moment == "end" and one.found.event.identity in own for one in holders)
    if trained and not ended and not any(one.holds(tensors) for one in trained):
        first = [one for one in _live(work, "initial") if one.found.event.identity in own]
        if any(one.holds(tensors) for one in first) or _all_before(holders, trained):
            message = (
                f"{WEIGHTS_FILE} holds what your {BETTER} held before its training. Run the cell that saves after it."
            )
            return Verdict.partial(THIRD, "WEIGHTS_DIFFER", message)
        if own.isdisjoint(one.found.event.identity for one in holders) and looks_untrained(tensors):
            message = (
                f"{WEIGHTS_FILE} holds the random weights of a new {BETTER} that was never trained, not those of the "
                f"one that you trained. Save the trained one: {HOW}, without brackets behind a class name."
            )
            return Verdict.partial(THIRD, "WEIGHTS_NOT_TRAINED", message)
    if not notices_corruption(tensors):
        raise HarnessError("a spoilt tensor was not noticed by the comparison of tensors")
    message = f"{WEIGHTS_FILE} holds the {len(tensors)} tensors of your {BETTER}, equal to the model's bit for bit."
    return Verdict.passed(message, **trip_details(trip_of(work, holders[-1].found, tensors)))


def _all_before(holders: list[_Live], trained: list[_Live]) -> bool:
    """Whether every model that held these tensors was trained later, and never before."""
    first: dict[int, int] = {}
    for one in trained:
        first.setdefault(one.found.event.identity, one.found.event.n)
    return all(one.found.event.n < first.get(one.found.event.identity, -1) for one in holders)


def _judge_difference(work: Work, tensors: Mapping[str, Array], difference: StateDifference) -> Verdict:
    """What is wrong with tensors that no live model holds."""
    shapes = {name: list(array.shape) for name, array in tensors.items()}
    details: dict[str, Any] = {"sentences": list(difference.sentences), "shapes": shapes}
    if difference.prefix:
        bare = {name.removeprefix(difference.prefix): array for name, array in tensors.items()}
        said = f"Parts 2 and 3 cannot load {WEIGHTS_FILE} strictly. {difference.sentences[0]}"
        return _halved(_judge_tensors(work, bare), "MODULE_PREFIX", said)
    told = [
        fault for fault in difference.faults if fault.code not in ("RENAMED_TENSORS", "VALUES_DIFFER", "OTHER_DTYPE")
    ]
    if told:
        message = f"{WEIGHTS_FILE} should hold the tensors of your {BETTER}. {' '.join(one.sentence for one in told)}"
        return Verdict.failed(CODES.get(told[0].code, "WRONG_TENSORS"), message, **details)
    share, code = (THIRD, "WEIGHTS_DIFFER") if difference.changed else (HALF, difference.code)
    sentences = [one.sentence for one in difference.faults if one.code != "VALUES_DIFFER"]
    if difference.changed:
        sentences.insert(0, _values_sentence(len(difference.changed), len(tensors)))
        share *= HALF if difference.renamed else 1
    return Verdict.partial(
        share, code, " ".join([f"{WEIGHTS_FILE} has the right tensors, but not all is well.", *sentences])
    )


def _values_sentence(changed: int, count: int) -> str:
    which = "All" if changed == count else f"{changed} of its {count}"
    return f"{which} tensors {DIFFER}. Save after the training, and do not train on afterwards."


# --- the round trip


def trip_of(work: Work, found: Found, tensors: Mapping[str, Array]) -> RoundTrip | None:
    """The network run with the file's tensors, and the controls; None where it cannot be run."""
    try:
        return round_trip(exported(found), tensors, digit_images(work), work.lab.limits.evaluation_mb)
    except EvidenceError:  # what cannot be run again cannot be held against the student
        return None


def trip_details(trip: RoundTrip | None) -> dict[str, Any]:
    """What a round trip and its controls found, for the reports."""
    if trip is None:
        return {}
    said = {"equal": trip.equal, "unloaded_differs": trip.fresh_differs, "unheard": list(trip.unheard)}
    return {"round_trip": said}


def handed_in(work: Work) -> dict[str, Array]:
    """The tensors of the weights file that the notebook was given.

    Raises:
        HarnessError: the run kept none; that is ours.
    """
    entry = work.notebook.files.get(WEIGHTS_FILE)
    if entry is None or entry.kind not in READABLE:
        raise HarnessError(f"the run of {work.notebook.run.name} kept no readable {WEIGHTS_FILE}")
    return work.notebook.file_tensors(WEIGHTS_FILE)
