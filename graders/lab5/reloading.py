"""Whether part 2 has the trained network back: weights, freshness, evaluation mode, and the same logits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graders.errors import EvidenceError
from graders.evidence import Array, Evidence
from graders.grading import Found, Work
from graders.lab5.networks import BETTER, BETTER_STAGES, WEIGHTS_FILE, exported, later_states, logits
from graders.lab5.pictures import digit_images
from graders.lab5.saved import handed_in, same_tensors, state_of
from graders.models import Network, Stage, chain, compare
from graders.records import Verdict

ROUNDING = 1e-4
"""Two ways of writing one network, or batches of another size, may round otherwise: of the largest logit."""
THIRDS = 3
"""Each fault costs a third; right weights keep one at least."""


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
    saved = handed_in(work)
    detail = found.event.detail
    strange = [*detail.get("missing", ()), *detail.get("unexpected", ())]
    if strange or not same_tensors(state_of(found), saved):
        which = f"; {strange[0]} did not fit" if strange else ""
        message = f"Expected a network with exactly the tensors of {WEIGHTS_FILE}; it has others{which}. Load strictly."
        return Verdict.failed("WEIGHTS_NOT_RELOADED", message)
    compared = _logits(work, evidence, found, saved)
    faults = list(_faults(work, found, compared))
    details: dict[str, Any] = {"logits": compared.said, "sentences": [fault.sentence for fault in faults]}
    if not faults:
        message = "The weights are reloaded bit for bit into a new network in evaluation mode"
        return Verdict.passed(f"{message}{', and its outputs are the same' if compared.equal else ''}.", **details)
    share = max(1, THIRDS - len(faults)) / THIRDS
    message = " ".join(["The right weights are loaded, but not all is well.", *details["sentences"]])
    return Verdict.partial(share, faults[0].code, message, **details)


def _faults(work: Work, found: Found, compared: "_Compared") -> Iterator[Fault]:
    if compared.difference:
        yield Fault("DIFFERENT_NETWORK", compared.difference)
    if found.event.detail.get("trained_before"):
        yield Fault("NOT_A_FRESH_MODEL", "The network was trained in this notebook before; make a new one.")
    if not found.event.detail.get("strict", True):
        yield Fault("NOT_STRICT", "They are loaded with strict=False, which would hide names that do not fit.")
    last = next(later_states(work, found), found)
    if last.event.training:
        sentence = "The network was left in training mode, where dropout acts; call model.eval() after loading."
        yield Fault("TRAINING_MODE", sentence)


# --- the same logits


@dataclass(frozen=True)
class _Compared:
    """What came of comparing logits: in a word, whether they agree, and a sentence where they should and do not."""

    said: str
    equal: bool = False
    difference: str = ""


def _logits(work: Work, evidence: Evidence, found: Found, saved: dict[str, Array]) -> _Compared:
    """Compare the reloaded network with the one that was saved, where both can be had."""
    handoff = next(one for one in work.lab.handoffs if one.file == WEIGHTS_FILE)
    if work.notebook.run.handoffs.get(WEIGHTS_FILE) != "part" or handoff.from_ not in evidence.notebooks:
        return _Compared("not compared: the weights are not those of this run")
    images = digit_images(work)
    try:
        before = _saved_network(Work(work.lab, work.check, evidence.notebooks[handoff.from_]), saved)
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


def _saved_network(part: Work, saved: dict[str, Array]) -> Network | None:
    """The last network of the part that holds exactly these tensors."""
    known = part.models("saved", "trained", "evaluated", "end", class_name=BETTER)
    same = (one for one in reversed(known) if same_tensors(state_of(one), saved))
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
