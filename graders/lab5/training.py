"""Whether a network was honestly trained: weights, loss, optimiser, gradients, data; and how it was evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graders.evidence import Evidence, Loader, Loop, Steps, Trial
from graders.grading import Found, Work
from graders.lab5.networks import BETTER, WEIGHTS_FILE
from graders.lab5.seen_images import count_test_images
from graders.records import Verdict

FEW = 10
"""Fewer steps tell neither whether a loss fell nor whether gradients were cleared as a rule."""
HANDFUL = 20
"""Test images that a training may seem to have seen: one of a hundred of those that are known.

Of the 10,000 embedded training images none has the hash of any of the 2,000 test images, and images that are in both
splits are taken out of the comparison; so a training that never saw a test image meets none, and a single batch of
them is more than this. Drawn for the student whose own data hold a few of MNIST's pictures.
"""

FAULTS = {
    "WEIGHTS_UNCHANGED": (
        "After the training every weight is what it was before the first step. Weights change in the optimiser's "
        "step(), after loss.backward(), and only those that the optimiser was given: make it from model.parameters()."
    ),
    "OPTIMISER_OF_ANOTHER_MODEL": (
        "The optimiser does not hold all trainable parameters of this network and no others. Make it after the "
        "network, from the network's own parameters, as in torch.optim.Adam(model.parameters())."
    ),
    "GRADIENTS_NOT_CLEARED": (
        "When backward() was called for a step, the gradients of the step before were still there. backward() adds to "
        "what is there: call optimizer.zero_grad() once for every step, before the gradients of that step are made."
    ),
    "LOSS_DID_NOT_FALL": (
        "The training loss of the last steps is not below that of the first. Compare the network's outputs with the "
        "labels of the same batch, and try a smaller learning rate."
    ),
    "TEST_DATA_IN_TRAINING": (
        "Test pictures were trained with, so that a test accuracy no longer says how the network does on pictures that "
        "it has not seen. Train with the training split only."
    ),
}
"""What broken aspects say to the student."""

NOT_LEARNING = ("WEIGHTS_UNCHANGED", "OPTIMISER_OF_ANOTHER_MODEL", "GRADIENTS_NOT_CLEARED", "LOSS_DID_NOT_FALL")
"""Aspects without which a training cannot be expected to reach anything, the plainest first."""


@dataclass(frozen=True)
class Aspect:
    """One thing that honest training shows. `held` is None where the evidence cannot tell."""

    code: str
    held: bool | None

    @property
    def said(self) -> str:
        """What is wrong where it is broken, and how to mend it."""
        return FAULTS[self.code]


def aspects(work: Work, found: Found) -> tuple[Aspect, ...]:
    """What the evidence says of the training that ended in `found`, in the order of `FAULTS`."""
    last, all_ = _sources(work, found, last=True), _sources(work, found, last=False)
    steps, last_steps = _steps(all_, found), _steps(last, found)
    held = {
        "WEIGHTS_UNCHANGED": weights_moved(work, found),
        "OPTIMISER_OF_ANOTHER_MODEL": any(one.owns_model for one in last),
        "GRADIENTS_NOT_CLEARED": _cleared(last_steps),
        "LOSS_DID_NOT_FALL": _loss_fell(steps, all_),
        "TEST_DATA_IN_TRAINING": _honest_data(work, all_),
    }
    return tuple(Aspect(code, held[code]) for code in FAULTS)


def untrained(work: Work, found: Found) -> str | None:
    """Why the training that ended in `found` could not work, in sentences for the student; None if nothing shows."""
    broken = {one.code: one.said for one in aspects(work, found) if one.held is False}
    return next((broken[code] for code in NOT_LEARNING if code in broken), None)


def never_trained(work: Work, class_name: str) -> Verdict | None:
    """A blocked verdict where a network of that class was made and its cells ran well, but no optimiser made a step."""
    ran_well = all(cell.status == "ok" for cell in work.own_cells())
    if work.models("trained", class_name=class_name) or not (ran_well and work.models(class_name=class_name)):
        return None
    message = f"Expected a trained {class_name}; one was made, but no optimiser made a step with it."
    return Verdict.blocked("NOT_TRAINED", message)


# --- which training


def _sources(work: Work, found: Found, *, last: bool) -> tuple[Trial | Loop, ...]:
    """The trials and loops that trained this very network up to this state, in order; or only those of its `last` cell.

    Several loops may end in one state: an optimiser of its own for every epoch, or for every part of the network.
    """
    here = found.event
    same = [one.event for one in work.models("trained") if one.event.identity == here.identity]
    wanted = [one for one in same if one.model == here.model or (one.n <= here.n and not last)]
    trials = {one.n: one for one in work.notebook.trials.trials}
    loops = {one.n: one for one in work.notebook.trials.loops}
    sources: dict[tuple[str, int], Trial | Loop] = {}
    for event in wanted:
        trial, loop = event.detail.get("trial"), event.detail.get("loop")
        if type(trial) is int and trial in trials:
            sources["trial", trial] = trials[trial]
        if type(loop) is int and loop in loops:
            sources["loop", loop] = loops[loop]
    return tuple(sources.values())


def _steps(sources: Sequence[Trial | Loop], found: Found) -> list[Steps]:
    """The steps of these trainings, without what a trial did in later cells."""
    until = found.event.execution_count
    return [
        steps
        for one in sources
        for steps in ([one] if isinstance(one, Loop) else one.runs)
        if isinstance(steps, Loop) or (steps.kind == "run" and steps.execution_count <= until)
    ]


# --- what it shows


def weights_moved(work: Work, found: Found) -> bool:
    """Whether any weight differs from what it was before the network's first step."""
    first = [one for one in work.models("initial") if one.event.identity == found.event.identity]
    if not first or first[0].event.model == found.event.model:
        return False
    before, after = first[0].snapshot.weights, found.snapshot.weights
    names = {one.name for one in found.snapshot.meta.tensors if one.kind == "parameter"} & before.keys() & after.keys()
    return any(not np.array_equal(before[name], after[name]) for name in names)


def _loss_fell(steps: Sequence[Steps], sources: Sequence[Trial | Loop]) -> bool | None:
    """Whether the last tenth of the steps has a smaller loss than the first, on average: single batches jump.

    Whatever loss it is, only its fall counts. Where the steps were not seen, the means of epochs are compared.
    """
    losses = [loss for one in steps for loss in one.losses]
    if len(losses) >= FEW:
        tenth = max(3, len(losses) // 10)
        # The very first loss too: where the first steps led far astray, coming half the way back is no progress.
        start = min(losses[0], float(np.mean(losses[:tenth])))
        return float(np.mean(losses[-tenth:])) < start
    trials = [one for one in sources if isinstance(one, Trial)]
    series = _series([line for one in trials for run in one.runs if run.kind == "run" for line in run.history])
    return series[-1] < series[0] if len(series) > 1 else None


def _series(history: Sequence[dict[str, Any]]) -> list[float]:
    for name in ("loss", "running_loss", "train_loss", "mean_loss"):
        values = [line[name] for line in history if isinstance(line.get(name), int | float)]
        if values:
            return [float(value) for value in values]
    return []


def _cleared(steps: Sequence[Steps]) -> bool | None:
    """Whether at least half of the steps began without the gradients of the step before."""
    watched, stale = sum(one.gradients_watched for one in steps), sum(one.stale_gradients for one in steps)
    return 2 * stale <= watched if watched >= FEW else None


def _honest_data(work: Work, sources: Sequence[Trial | Loop]) -> bool | None:
    """Whether no test data were trained with, by their split and by the images themselves."""
    loaders = [loader for one in sources for loader in _training_data(one)]
    hashes = work.notebook.trained_images
    keys = [f"loop{one.n}" if isinstance(one, Loop) else f"trial{one.n}" for one in sources]
    seen = [hashes[key] for key in keys if key in hashes]
    if any(one.split == "test" for one in loaders) or count_test_images(work.lab, seen) > HANDFUL:
        return False
    return True if seen or any(one.split == "train" for one in loaders) else None


def _training_data(source: Trial | Loop) -> Sequence[Loader]:
    if isinstance(source, Loop):
        return source.loaders
    return [loader for name, loader in source.generators.items() if name.startswith("train")]


# --- how it was evaluated


def evaluation_advice(work: Work, found: Found) -> list[dict[str, Any]]:
    """Advice about calls of this network on test data in training mode, or with gradients; costs nothing.

    Returns:
        `{"code", "message"}` each.
    """
    seen = [one for one in work.notebook.trials.evaluations if one.identity == found.event.identity]
    advice = []
    if any(2 * one.in_training > one.calls for one in seen):
        message = (
            "The network was called on test data in training mode, in which dropout is active and batch norm learns "
            "from what it is shown. Call model.eval() before an evaluation, and model.train() before training goes on."
        )
        advice.append({"code": "EVALUATED_IN_TRAINING_MODE", "message": message})
    if any(2 * one.with_gradients > one.calls for one in seen):
        message = (
            "The network was called on test data with gradients on, which costs memory and time that an evaluation "
            "does not need. Put it inside `with torch.no_grad():`."
        )
        advice.append({"code": "EVALUATED_WITH_GRADIENTS", "message": message})
    return advice


# --- what later parts are given


def loss_of(work: Work, found: Found) -> str:
    """The loss that a network was trained with last; of a loop by hand, which tells none, that of the task.

    Cross entropy is what the lab asks for; it leaves log_softmax as it is, and not softmax.
    """
    named = [one.criterion for one in work.notebook.trials.trials if one.identity == found.event.identity]
    return next((one for one in reversed(named) if one), "CrossEntropyLoss")


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
