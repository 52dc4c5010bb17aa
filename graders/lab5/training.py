"""Whether a network was honestly trained: weights, loss, optimiser, data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graders.evidence import Evidence, Loader, Loop, Trial
from graders.grading import Found, Work
from graders.lab5.networks import BETTER, WEIGHTS_FILE

GUESSING = math.log(10)
"""Cross entropy of a network that finds all ten digits equally likely: where an untrained one starts."""


@dataclass(frozen=True)
class Aspect:
    """One thing that honest training shows. `held` is None where the evidence cannot tell."""

    code: str
    held: bool | None
    said: str


def aspects(work: Work, found: Found) -> tuple[Aspect, ...]:
    """What the evidence says of the training that ended in `found`."""
    trial, loop = _source(work, found)
    return (
        Aspect("WEIGHTS_UNCHANGED", weights_moved(work, found), "the weights should differ from their first values"),
        Aspect("LOSS_DID_NOT_FALL", loss_fell(trial, loop), "the training loss should fall"),
        Aspect(
            "OPTIMISER_OF_ANOTHER_MODEL",
            _owner(trial, loop),
            "the optimiser should hold all trainable parameters of this network and no others",
        ),
        Aspect("TEST_DATA_IN_TRAINING", _honest_data(trial, loop), "no test pictures should be trained with"),
    )


def _source(work: Work, found: Found) -> tuple[Trial | None, Loop | None]:
    detail, trials = found.event.detail, work.notebook.trials
    trial = next((one for one in trials.trials if one.n == detail.get("trial")), None)
    loop = next((one for one in trials.loops if one.n == detail.get("loop")), None)
    return trial, loop


def weights_moved(work: Work, found: Found) -> bool:
    """Whether any weight differs from what it was before the network's first step."""
    first = [one for one in work.models("initial") if one.event.identity == found.event.identity]
    if not first or first[0].event.model == found.event.model:
        return False
    before, after = first[0].snapshot.weights, found.snapshot.weights
    names = {one.name for one in found.snapshot.meta.tensors if one.kind == "parameter"} & before.keys() & after.keys()
    return any(not np.array_equal(before[name], after[name]) for name in names)


def loss_fell(trial: Trial | None, loop: Loop | None) -> bool | None:
    """Whether the loss fell; of a single epoch, whether it ended below guessing."""
    if trial is not None:
        series = _series([line for run in trial.runs if run.kind == "run" for line in run.history])
    else:
        series = _thinned(loop.losses) if loop else []
    if not series:
        return None
    return series[-1] < (series[0] if len(series) > 1 else GUESSING)


def _series(history: Sequence[dict[str, Any]]) -> list[float]:
    for name in ("loss", "running_loss", "train_loss", "mean_loss"):
        values = [line[name] for line in history if isinstance(line.get(name), int | float)]
        if values:
            return [float(value) for value in values]
    return []


def _thinned(losses: Sequence[float]) -> list[float]:
    """Means of the first and the last tenth of the steps: single batches jump."""
    if len(losses) < 2:
        return list(losses)
    tenth = max(1, len(losses) // 10)
    return [float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))]


def _owner(trial: Trial | None, loop: Loop | None) -> bool:
    return bool((trial and trial.owns_model) or (loop and loop.owns_model))


def _honest_data(trial: Trial | None, loop: Loop | None) -> bool:
    loaders: list[Loader] = list(loop.loaders) if loop else []
    if trial is not None:
        loaders += [one for name, one in trial.generators.items() if name.startswith("train")]
    return all(one.split != "test" for one in loaders)


def trained_less(work: Work, evidence: Evidence) -> bool:
    """Whether the weights that a later part was given are not those of the student's whole training.

    The profile capped the training of the part that made them, or they are the reference's.
    """
    handoff = next(one for one in work.lab.handoffs if one.file == WEIGHTS_FILE)
    origin = work.notebook.run.handoffs.get(WEIGHTS_FILE)
    if origin != "part" or handoff.from_ not in evidence.notebooks:
        return origin == "reference"
    trials = evidence.notebooks[handoff.from_].trials
    # A training whose optimiser held other weights would not have changed this network in more epochs either.
    own = [one for one in trials.trials if one.class_name == BETTER and one.owns_model]
    runs = [(run.epochs_asked, run.epochs_run) for one in own for run in one.runs]
    passes = [(one.passes_asked, one.passes_run) for one in trials.loops if one.class_name == BETTER and one.owns_model]
    return any(asked is not None and run is not None and asked > run for asked, run in [*runs, *passes])
