"""Whether part 2 has the trained network back: weights, freshness, evaluation mode, and the same logits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from graders.errors import EvidenceError
from graders.evidence import Array, Evidence
from graders.grading import Found, Work
from graders.lab5.networks import (
    BETTER,
    BETTER_STAGES,
    SIMPLE,
    SIMPLE_SHAPES,
    WEIGHTS_FILE,
    exported,
    later_states,
    logits,
)
from graders.lab5.pictures import digit_images
from graders.lab5.saved import handed_in, trip_details, trip_of
from graders.models import Network, Stage, StateDifference, chain, compare, compare_state, same_bits, snapshot_state
from graders.records import Verdict

ROUNDING = 1e-4
"""Two ways of writing one network, or batches of another size, may round otherwise: of the largest logit."""
THIRDS = 3
"""Each fault costs a third; right weights keep one at least."""
WHOLE = (
    "torch.load gave a whole model here, not a state_dict. It works as long as the class is at hand; make a new "
    f"{BETTER} and call load_state_dict on it instead."
)
BY_HAND = (
    "The weights were copied one by one. They are all right; model.load_state_dict(...) does the same in one line, and "
    "complains where a name or shape does not fit."
)
DEAF = (
    "The weights are right, but the network gives the same outputs with other weights, too: they do not depend on what "
    "was loaded, so they prove nothing. A person must look. Does forward use every layer, and return the last result?"
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a network that holds the right weights."""

    code: str
    sentence: str


def judge_reload(work: Work, evidence: Evidence, found: Found) -> Verdict:
    """Judge one network that weights were loaded into.

    Args:
        work: Evidence of part 2.
        evidence: Of all parts: the network whose weights were saved is in part 1.
        found: The network as it was loaded.
    """
    saved, own = handed_in(work), snapshot_state(found.snapshot)
    difference = compare_state(own, saved)
    lost = _not_loaded(found, difference, len(own))
    if lost:
        message = f"Expected a network with exactly the tensors of {WEIGHTS_FILE}. {lost.sentence}"
        return Verdict.failed(lost.code, message, sentences=list(difference.sentences))
    compared = _logits(work, evidence, found, own)
    trip = trip_of(work, found, _as_named(difference, own, saved))
    faults = list(_faults(work, found, compared, difference))
    details: dict[str, Any] = {"logits": compared.said, "sentences": [fault.sentence for fault in faults]}
    details |= trip_details(trip) | _advice(found)
    share = max(1, THIRDS - len(faults)) / THIRDS
    if trip is not None and not trip.telling:
        return Verdict.review("OUTPUTS_IGNORE_WEIGHTS", " ".join([DEAF, *details["sentences"]]), share=share, **details)
    if not faults:
        message = "The weights are reloaded bit for bit into a new network in evaluation mode"
        return Verdict.passed(f"{message}{', and its outputs are the same' if compared.equal else ''}.", **details)
    message = " ".join(["The right weights are loaded, but not all is well.", *details["sentences"]])
    return Verdict.partial(share, faults[0].code, message, **details)


def _advice(found: Found) -> dict[str, Any]:
    if found.event.moment != "loaded":
        return {"advice": [{"code": "COPIED_BY_HAND", "message": BY_HAND}]}
    if found.event.detail.get("whole"):
        return {"advice": [{"code": "WHOLE_MODEL_LOADED", "message": WHOLE}]}
    return {}


# --- the weights


def _holds(difference: StateDifference) -> bool:
    """Whether all tensors are the file's; whoever renamed them by hand, and all of them rightly, has loaded them."""
    lacking = difference.missing or difference.unexpected or difference.tied or difference.reshaped
    return not (lacking or difference.changed or difference.not_finite)


def _not_loaded(found: Found, difference: StateDifference, count: int) -> Fault | None:
    """Why the network does not hold the file's tensors; None if it does."""
    detail = found.event.detail
    strange = [*detail.get("missing", ()), *detail.get("unexpected", ())]
    if _holds(difference) and not strange:
        return None
    said = " ".join(fault.sentence for fault in difference.faults if fault.code != "VALUES_DIFFER")
    if detail.get("error"):
        reason = said or _keys(detail)
        stopped = "load_state_dict stopped with an error, and the network kept its random weights"
        return Fault("LOAD_REFUSED", f"{stopped}. {reason}".strip())
    if strange:
        lenient = "With strict=False what does not fit is left out in silence"
        return Fault(
            "PARTIALLY_LOADED", f"{lenient}: {_keys(detail)} Load strictly, and mend the names. {said}".strip()
        )
    shapes = {name: array.shape for name, array in snapshot_state(found.snapshot).items()}
    if shapes == SIMPLE_SHAPES:
        return Fault("ANOTHER_NETWORK_LOADED", f"This network is a {SIMPLE}, which has other layers. Make a {BETTER}.")
    if not difference.fits and not _holds(difference):
        return Fault("ANOTHER_NETWORK_LOADED", f"This network has other layers than the one that was saved. {said}")
    name = PurePosixPath(str(detail.get("file") or WEIGHTS_FILE).replace("\\", "/")).name
    if name != WEIGHTS_FILE:
        return Fault(
            "ANOTHER_FILE_LOADED", f"The weights were loaded from {name}: load {WEIGHTS_FILE}, which part 1 saved."
        )
    changed = len(difference.changed)
    which = "All" if changed == count else f"{changed} of its {count}"
    sentence = f"{which} tensors have other values. Load what torch.load gives for that file, and change nothing in it."
    return Fault("WEIGHTS_NOT_RELOADED", sentence)


def _keys(detail: Mapping[str, Any]) -> str:
    """Names that did not fit, as torch told them."""
    missing, unexpected = detail.get("missing", ()), detail.get("unexpected", ())
    parts = [f"{missing[0]} is not in what was loaded"] if missing else []
    parts += [f"{unexpected[0]} is in it but not in the network"] if unexpected else []
    more = len(missing) + len(unexpected) - len(parts)
    return f"{', and '.join(parts)}{f' ({more} more)' if more else ''}." if parts else ""


def _as_named(difference: StateDifference, own: Mapping[str, Array], saved: Mapping[str, Array]) -> dict[str, Array]:
    """The file's tensors under the network's names."""
    other = {one.expected: one.found for one in difference.renamed}
    short = {name: name.removeprefix(difference.lost_prefix) for name in own}
    names = {name: difference.prefix + other.get(short[name], short[name]) for name in own}
    return {name: saved[found] for name, found in names.items() if found in saved}


def _faults(work: Work, found: Found, compared: "_Compared", difference: StateDifference) -> Iterator[Fault]:
    if compared.difference:
        yield Fault("DIFFERENT_NETWORK", compared.difference)
    if found.event.detail.get("trained_before") or _trained_here(work, found):
        yield Fault("NOT_A_FRESH_MODEL", "The network was trained in this notebook before; make a new one.")
    if not found.event.detail.get("strict", True):
        sentence = "They are loaded with strict=False, which would hide names that do not fit; leave it out."
        yield Fault("NOT_STRICT", sentence)
    if difference.retyped:
        sentence = (
            "The network's numbers have another type than the file's; leave out .half(), .double() and .to(dtype)."
        )
        yield Fault("OTHER_DTYPE", sentence)
    if _changed_since(work, found):
        sentence = "Its weights were changed after they had been loaded; leave them as they came from the file."
        yield Fault("WEIGHTS_CHANGED", sentence)
    last = next(later_states(work, found), found)
    if last.event.training:
        sentence = "The network was left in training mode, where dropout acts; call model.eval() after loading."
        yield Fault("TRAINING_MODE", sentence)


def _changed_since(work: Work, found: Found) -> bool:
    """Whether the network's next state has other parameters, though it was neither trained nor loaded anew."""
    later = list(later_states(work, found))
    if not later or any(one.event.moment in ("initial", "trained", "loaded") for one in later):
        return False
    meta, loaded, now = found.snapshot.meta, snapshot_state(found.snapshot), snapshot_state(later[-1].snapshot)
    names = [one.name for one in meta.tensors if one.kind == "parameter" and one.name in loaded]
    pairs = [(loaded[name], now[name]) for name in names if name in now]
    return any(one.dtype == other.dtype and not same_bits(one, other) for one, other in pairs)


def _trained_here(work: Work, found: Found) -> bool:
    """Whether a network whose loading was not seen was trained before it was met."""
    event = found.event
    trained = (one.event for one in work.models("trained"))
    return event.moment != "loaded" and any(one.identity == event.identity and one.n < event.n for one in trained)


# --- the same logits


@dataclass(frozen=True)
class _Compared:
    """What came of comparing logits: in a word, whether they agree, and a sentence where they should and do not."""

    said: str
    equal: bool = False
    difference: str = ""


def _logits(work: Work, evidence: Evidence, found: Found, own: Mapping[str, Array]) -> _Compared:
    """Compare the reloaded network with the one that was saved, where both can be had."""
    handoff = next(one for one in work.lab.handoffs if one.file == WEIGHTS_FILE)
    if work.notebook.run.handoffs.get(WEIGHTS_FILE) != "part" or handoff.from_ not in evidence.notebooks:
        return _Compared("not compared: the weights are not those of this run")
    images = digit_images(work)
    try:
        before = _saved_network(Work(work.lab, work.check, evidence.notebooks[handoff.from_]), own)
        one = logits(before, images, work) if before else None
    except EvidenceError:  # told, and paid for, in part 1
        before = one = None
    if before is None or one is None:
        return _Compared("not compared: part 1 left no network with these weights that could be run")
    try:
        after = exported(found)
        other = logits(after, images, work)
    except EvidenceError as error:  # what cannot be run again cannot be held against the student
        return _Compared(f"not compared: {error}")
    if one.tobytes() == other.tobytes():
        return _Compared("equal bit for bit", equal=True)
    if one.shape == other.shape and _close(one, other):
        return _Compared("equal but for rounding", equal=True)
    if _is_as_asked(after) and not _is_as_asked(before):
        return _Compared("differ: part 1's network is not as asked, this one is")
    return _Compared("differ", difference=_difference(before, after))


def _saved_network(part: Work, own: Mapping[str, Array]) -> Network | None:
    """The last network of the part that holds exactly these tensors, under whatever names."""
    known = part.models("saved", "trained", "evaluated", "end", class_name=BETTER)
    same = (one for one in reversed(known) if _holds(compare_state(own, snapshot_state(one.snapshot))))
    return next((exported(one) for one in same), None)


def _close(one: Array, other: Array) -> bool:
    return np.allclose(one, other, rtol=0, atol=ROUNDING * max(1.0, float(np.nanmax(np.abs(one)))), equal_nan=True)


def _stages(network: Network) -> list[Stage]:
    """The stages that act in evaluation mode: dropout was off when logits were compared."""
    return [one for one in chain(network).stages if not one.kind.endswith("dropout")]


def _is_as_asked(network: Network) -> bool:
    asked = [one for one in BETTER_STAGES if not one.kind.endswith("dropout")]
    return chain(network).is_chain and compare(asked, _stages(network)).equal


def _difference(before: Network, after: Network) -> str:
    start = "With the same weights and pictures its outputs differ from those of your network of part 1"
    said = compare(stages, _stages(after)).sentences if (stages := _stages(before)) else ()
    if not said:
        return f"{start}: its forward computes something else. Copy the class unchanged."
    return f"{start}, so it is another network. Compared with part 1: {said[0]} Copy the class unchanged."
