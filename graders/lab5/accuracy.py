"""Accuracy, recomputed: the only accuracy that is scored."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graders.evidence import Array
from graders.grading import Flags, Found, HeldOut, Work, wilson
from graders.lab5.networks import exported, logits
from graders.lab5.training import evaluation_advice, untrained
from graders.models import Network, NotExportable, active_dropout, evaluation_spread
from graders.records import Outcome, Verdict

NEAR = 0.05
"""Less than this below the threshold earns half, where the interval of the measured accuracy ends below it."""
CLAIM_TOLERANCE = 0.05
CLASSES = 10
SPREAD_IMAGES = 300
PREPARED = {
    "as ToTensor gives them": (0.0, 1.0),
    "normalised with mean 0.1307 and deviation 0.3081": (0.1307, 0.3081),
    "normalised with mean 0.5 and deviation 0.5": (0.5, 0.5),
}
"""Customs of preparing MNIST: a network that was trained on normalised images must be shown such."""
_PRINTED = re.compile(r"test[^\n\d]{0,40}?(?:acc|%)[^\n\d]{0,20}(\d+(?:\.\d+)?)\s*(%?)", re.IGNORECASE)


def judge_accuracy(
    work: Work,
    found: Sequence[Found],
    held_out: HeldOut,
    threshold: float,
    flags: Flags,
    *,
    blame_training: bool = False,
) -> Verdict:
    """Recompute the accuracy of trained networks and hold the best against the threshold.

    Args:
        work: Evidence of the notebook.
        found: Candidates, the preferred one first; the first that reaches the threshold counts, else the best.
        held_out: Images and labels that the student had not.
        threshold: 0 to 1.
        flags: Gets CLAIM_DIFFERS.
        blame_training: Whether a network that would fail is blocked by a training that could not work: where another
            check marks the training itself, its fault is not punished twice.
    """
    tried: list[_Tried] = []
    unknown: NotExportable | None = None
    for one in found:
        if diverged(one):
            continue
        try:
            tried.append(_tried(one, held_out, work, threshold))
        except NotExportable as error:  # another may do; if none does, a person must look at this one
            unknown = error
            continue
        if tried[-1].accuracy >= threshold:
            break
    best = max(tried, key=lambda one: one.accuracy, default=None)
    if unknown is not None and (best is None or best.accuracy < threshold):
        raise unknown
    if best is None:
        message = "The network's weights are NaN or infinite: the training diverged. Try a smaller learning rate."
        return Verdict.failed("DIVERGED", message, accuracy=0.0, threshold=threshold)
    accuracy, chosen, network, guesses = best.accuracy, best.found, best.network, best.guesses
    claimed = claim(work, chosen)
    _compare_claim(work, chosen, claimed, accuracy, flags)
    correct, total = int((guesses == held_out.labels).sum()), len(held_out.labels)
    details = {
        "accuracy": round(accuracy, 4),
        "interval": [round(end, 4) for end in wilson(correct, total)],
        "prepared": best.prepared,
        "correct": correct,
        "total": total,
        "threshold": threshold,
        "claimed": None if claimed is None else round(claimed, 4),
        "confusion": confusion(held_out.labels, guesses),
        "advice": [*dropout_advice(network, held_out), *evaluation_advice(work, chosen)],
    }
    verdict = _verdict(accuracy, threshold, chosen.event.class_name, details)
    reason = untrained(work, chosen) if blame_training and verdict.outcome is Outcome.FAILED else None
    if reason is None:
        return verdict
    figure = _figure(accuracy, chosen.event.class_name, details)
    return Verdict.blocked("NOT_TRAINED", f"{figure}. {reason}", cell=None, **details)


@dataclass(frozen=True)
class _Tried:
    """What one network reached: its accuracy with the images prepared in the way that suits it best."""

    accuracy: float
    found: Found
    network: Network
    guesses: Array
    prepared: str


def _tried(found: Found, held_out: HeldOut, work: Work, threshold: float) -> _Tried:
    """Evaluate a network; only where it misses the threshold in other customs of preparing images too.

    Raises:
        NotExportable: it has no graph, or takes images of another size.
    """
    network = exported(found)
    if network.input_shape != held_out.images.shape[1:]:
        size = "x".join(map(str, network.input_shape))
        raise NotExportable.because(f"it takes images of {size}, and can only be evaluated on images of 1x28x28")
    tried: list[_Tried] = []
    for prepared, (mean, deviation) in PREPARED.items():
        images = ((held_out.images - np.float32(mean)) / np.float32(deviation)).astype(np.float32)
        guesses = guessed(network, images, work)
        tried.append(_Tried(float((guesses == held_out.labels).mean()), found, network, guesses, prepared))
        if tried[-1].accuracy >= threshold:
            break
    return max(tried, key=lambda one: one.accuracy)


def diverged(found: Found) -> bool:
    """Whether a weight is NaN or infinite."""
    return any(one.dtype.kind == "f" and not np.isfinite(one).all() for one in found.snapshot.weights.values())


def guessed(network: Network, images: Array, work: Work) -> Array:
    """The digit for each image; -1 where the network gives no number to compare."""
    scores = logits(network, images, work)
    return np.where(np.isfinite(scores).all(axis=1), np.nan_to_num(scores).argmax(axis=1), -1)


def _figure(accuracy: float, name: str, details: dict[str, Any]) -> str:
    return f"Your {name} recognises {percent(accuracy)} of {details['total']} images that nobody trained on"


def _verdict(accuracy: float, threshold: float, name: str, details: dict[str, Any]) -> Verdict:
    figure = f"{_figure(accuracy, name, details)}; at least {percent(threshold)} was expected."
    if accuracy >= threshold:
        return Verdict.passed(figure, **details)
    low, high = wilson(details["correct"], details["total"])
    if high >= threshold:
        message = (
            f"{figure} Measured on so many images, that leaves {percent(low)} to {percent(high)} (95 % confidence) for "
            "the true figure, which may well reach what was expected: a person decides; until then all points count."
        )
        return Verdict.review("WITHIN_INTERVAL", message, share=1, **details)
    message = f"{figure} Compare your training with what the task asks."
    if accuracy > threshold - NEAR:
        return Verdict.partial(0.5, "BELOW_THRESHOLD", message, **details)
    return Verdict.failed("BELOW_THRESHOLD", message, **details)


def percent(share: float) -> str:
    """A share as a figure that never rounds up to a threshold that it misses."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f} %"


def confusion(labels: Array, guesses: Array) -> list[list[int]]:
    """Counts by true digit (row) and guessed digit (column); guesses that are no digit are left out."""
    table = np.zeros((CLASSES, CLASSES), dtype=int)
    known = (guesses >= 0) & (guesses < CLASSES)
    np.add.at(table, (labels[known], guesses[known]), 1)
    rows: list[list[int]] = table.tolist()
    return rows


def dropout_advice(network: Network, held_out: HeldOut) -> list[dict[str, Any]]:
    """Advice about dropout that stays active in eval mode, with what it costs."""
    if not active_dropout(network):
        return []
    images, labels = held_out.images[:SPREAD_IMAGES], held_out.labels[:SPREAD_IMAGES]
    spread = evaluation_spread(network, images, labels)
    message = (
        "Dropout stays active in evaluation mode, so every evaluation gives another accuracy "
        f"(here {percent(min(spread))} to {percent(max(spread))} in {len(spread)} evaluations). Write "
        "F.dropout(x, 0.2, training=self.training), or use nn.Dropout."
    )
    return [{"code": "DROPOUT_ACTIVE_IN_EVAL", "message": message, "spread": [round(one, 4) for one in spread]}]


def claim(work: Work, found: Found) -> float | None:
    """The test accuracy that the notebook tells for a network: printed, else Torchbearer's last; 0 to 1."""
    if printed := _PRINTED.findall(work.printed()):
        number, sign = printed[-1]
        return _share(float(number) / 100 if sign else float(number))
    evaluations = [
        run.metrics
        for trial in work.notebook.trials.trials
        if trial.identity == found.event.identity
        for run in trial.runs
        if run.kind == "evaluate"
    ]
    return next((share for one in reversed(evaluations) if (share := _accuracy_of(one)) is not None), None)


def _accuracy_of(metrics: Mapping[str, Any]) -> float | None:
    names = sorted((name for name in metrics if "acc" in name), key=lambda name: not name.startswith("test"))
    values = [metrics[name] for name in names]
    return next((_share(one) for one in values if isinstance(one, int | float) and math.isfinite(one)), None)


def _share(number: float) -> float | None:
    number = number / 100 if 1 < number <= 100 else number
    return number if 0 <= number <= 1 else None


def _compare_claim(work: Work, found: Found, claimed: float | None, accuracy: float, flags: Flags) -> None:
    if claimed is not None and abs(claimed - accuracy) > CLAIM_TOLERANCE:
        cell = work.cell_of(found.event.execution_count)
        flags.add(
            "CLAIM_DIFFERS",
            f"{work.check.id}: the notebook tells {percent(claimed)} for {found.event.class_name}, "
            f"recomputed on held-out images it is {percent(accuracy)}.",
            work.reference(cell),
        )
