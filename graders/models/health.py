"""What running a network shows: what stays random, what depends on company, what is dead, what differs in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models.batches import (
    Batch,
    batch_statistics,
    batches,
    differ,
    in_other_company,
    outputs,
    with_stored_statistics,
)
from graders.models.costs import steps
from graders.models.described import describe
from graders.models.effects import active_dropout
from graders.models.flow import Flow, flow_of
from graders.models.network import Network
from graders.records import Record

WORK = 4 * 10**8
"""Multiply-adds that one pass over the images may cost: larger networks are shown fewer images."""
MOST, LEAST = 128, 16
FEW = 32
"""Images of what is run several times."""
REPEATS = 5
MAX_LISTED = 100
MAX_NAME = 120


class Relu(Record):
    """A ReLU.

    Attributes:
        place: For people: its submodule, or the layer that it follows.
        units: Maps of a picture, else numbers.
        dead: Units that were 0 everywhere, for every image.
    """

    place: str
    units: int
    dead: int


class Repeated(Record):
    """Evaluations of the same images that should agree and do not.

    Attributes:
        places: What makes them differ, for people; empty where no single layer does.
        classes: Predicted classes, -1 for none, a list for each evaluation.
    """

    places: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]


class Difference(Record):
    """What training mode computes, with dropout off and stored statistics, beside evaluation mode.

    Attributes:
        equal: Whether the outputs are the same.
        largest: Largest difference of an output, in standard deviations of all outputs; None where it is no number.
        changed: Share of the images whose class differs.
        only_training: Layers that only training mode uses.
        only_evaluation: Layers that only evaluation mode uses.
        problem: Why training mode could not be run; empty if it could.
    """

    equal: bool
    largest: float | None = None
    changed: float = 0
    only_training: tuple[str, ...] = ()
    only_evaluation: tuple[str, ...] = ()
    problem: str = ""


class Health(Record):
    """What came of it.

    Attributes:
        images: How many images were tried.
        classes: Predicted class of each, -1 where the outputs are no numbers.
        relus: In order of execution.
        dropout: Evaluations with the dropout that evaluation mode leaves active; None where it leaves none.
        company: Evaluations in differently composed batches; None where an image's outputs do not depend on them.
        batches: Batches of 1, 2 and 128 in evaluation mode.
        training_batches: The same in training mode, found by a dry run; empty where there is no such graph.
        training: Training mode beside evaluation mode; None where there is no such graph.
    """

    images: int
    classes: tuple[int, ...]
    relus: tuple[Relu, ...]
    dropout: Repeated | None
    company: Repeated | None
    batches: tuple[Batch, ...]
    training_batches: tuple[Batch, ...]
    training: Difference | None


def examine(network: Network, train: Network | None, images: Array) -> Health:
    """Run a network in the ways that show its faults. Takes as long as some hundred images; run it in the box.

    Args:
        network: In evaluation mode.
        train: In training mode, if that could be exported.
        images: (n, *input_shape), n >= 2; the more work the network is, the fewer of them are taken.

    Raises:
        EvidenceError: the network cannot be run on them.
    """
    work = max(1, sum(step.multiply_adds for step in steps(network)))
    count = min(len(images), max(LEAST, min(MOST, WORK // work)))
    affordable = work * 128 <= WORK and network.batch >= 128
    images, few = images[:count], images[: min(count, FEW)]
    relus, plain = _relus(network, images)
    return Health(
        images=count,
        classes=classes_of(plain),
        relus=relus,
        dropout=_dropout(network, few),
        company=_company(network, few),
        batches=batches(network, images if affordable else None),
        training_batches=() if train is None else batches(train),
        training=None if train is None else _training(network, train, few),
    )


def classes_of(scores: Array) -> tuple[int, ...]:
    """The class with the largest score (n, classes) -> n; -1 where a score is no number."""
    finite = np.isfinite(scores).all(axis=1)
    return tuple(int(one) for one in np.where(finite, np.nan_to_num(scores).argmax(axis=1), -1))


def _relus(network: Network, images: Array) -> tuple[tuple[Relu, ...], Array]:
    """Run the images through, and see which units of which ReLU ever give more than 0."""
    flow = flow_of(network)
    described = {name: describe(network, network.nodes[name], flow.sources[name]) for name in flow.order[1:]}
    found = [name for name, stage in described.items() if stage is not None and stage.kind == "relu"]
    alive: dict[str, torch.Tensor] = {}

    def watch(name: str, value: Any) -> None:
        if name in wanted:
            # One row for each image; all but the second dimension are places of a map.
            axes = [axis for axis in range(value.ndim) if axis != 1]
            some = (value > 0).amax(dim=axes)
            alive[name] = alive[name] | some if name in alive else some

    wanted = frozenset(name for name in found if len(network.shapes.get(name, ())) > 1)
    plain = outputs(network, images, watch=watch)
    rows = [
        Relu(place=_place(network, flow, name), units=alive[name].numel(), dead=int((~alive[name]).sum()))
        for name in found[:MAX_LISTED]
        if name in alive
    ]
    return tuple(rows), plain


def _place(network: Network, flow: Flow, name: str) -> str:
    """The submodule of a node, else the layer or merge that it follows, as "after conv1" or "after add"."""
    if network.nodes[name].module:
        return network.nodes[name].module[:MAX_NAME]
    while len(flow.sources[name]) == 1 and flow.sources[name][0] in network.nodes:
        name = flow.sources[name][0]
        if network.nodes[name].module:
            return f"after {network.nodes[name].module}"[:MAX_NAME]
    return f"after {network.nodes[name].base}" if len(flow.sources[name]) > 1 else "after the input"


def _dropout(network: Network, images: Array) -> Repeated | None:
    nodes = active_dropout(network)
    if not nodes:
        return None
    places = _places(network, nodes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        runs = [outputs(network, images, random=True) for _ in range(REPEATS)]
    return Repeated(places=places, classes=tuple(classes_of(run) for run in runs))


def _company(network: Network, images: Array) -> Repeated | None:
    runs = in_other_company(network, images, REPEATS)
    if not any(differ(runs[0], run) for run in runs[1:]):
        return None
    places = _places(network, [node.name for node in batch_statistics(network.graph)])
    return Repeated(places=places, classes=tuple(classes_of(run) for run in runs))


def _places(network: Network, names: Sequence[str]) -> tuple[str, ...]:
    flow = flow_of(network)
    return tuple(_place(network, flow, name) for name in names if name in flow.sources)[:MAX_LISTED]


def _training(network: Network, train: Network, images: Array) -> Difference:
    """Training mode's outputs without what is meant to differ: dropout, and the statistics of the batch."""
    only = {
        "only_training": _modules(train, network),
        "only_evaluation": _modules(network, train),
    }
    try:
        # Both by the same rule: a layer that uses the batch's statistics in both modes is no difference.
        here = outputs(network, images, graph=with_stored_statistics(network.graph))
        there = outputs(train, images, graph=with_stored_statistics(train.graph))
    except EvidenceError as error:
        return Difference(equal=False, problem=str(error)[:300], **only)
    if here.shape != there.shape:
        return Difference(equal=False, problem=f"it gives {there.shape[1]} scores, not {here.shape[1]}", **only)
    if not differ(here, there):
        return Difference(equal=True, **only)
    distance = float(np.abs(here - there).max()) / max(float(here.std()), 1e-30)
    changed = np.mean(np.array(classes_of(here)) != np.array(classes_of(there)))
    largest = distance if np.isfinite(distance) else None
    return Difference(equal=False, largest=largest, changed=float(changed), **only)


def _modules(one: Network, other: Network) -> tuple[str, ...]:
    """Layers whose parameters the first uses and the second does not."""
    used = {key.rpartition(".")[0] for key in other.parameter_keys}
    found = sorted({key.rpartition(".")[0] for key in one.parameter_keys} - used)
    return tuple(name[:MAX_NAME] for name in found if name)[:MAX_LISTED]
