"""Facts about any network: its size, its cost, its structure, and what running it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models.batches import Batch
from graders.models.branches import Topology, topology
from graders.models.costs import Layer, Step, layers, steps
from graders.models.evaluation import boxed
from graders.models.health import Difference, Health, Repeated, examine
from graders.models.network import Network

MAX_ANSWER = 2**18
MEMORY_MB = 2048
SECONDS = 60.0
MAX_ROWS = 60
"""Rows of a table in the details: enough for a network that a person still reads."""


@dataclass(frozen=True)
class Facts:
    """What is known of one network.

    Attributes:
        parameters: Elements of all of its parameters, used or not, shared ones once.
        trainable: How many of them may be trained.
        layers: The layers that hold them.
        steps: What happens to an image, with costs and receptive fields.
        topology: Branches and merges; None where they could not be found.
        health: What running it showed; None where it could not be run.
        labels: True classes of the images that it was run on, if they are known.
        problems: Why something is missing, in sentences.
    """

    parameters: int
    trainable: int
    layers: tuple[Layer, ...]
    steps: tuple[Step, ...]
    topology: Topology | None
    health: Health | None
    labels: tuple[int, ...] | None = None
    problems: tuple[str, ...] = ()

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image."""
        return sum(step.multiply_adds for step in self.steps)

    @property
    def unused(self) -> tuple[Layer, ...]:
        """Layers whose parameters neither mode uses."""
        return tuple(layer for layer in self.layers if not layer.used and layer.tensors)

    @property
    def most_frequent(self) -> tuple[int, float]:
        """The class that the network gives most often, and its share of the images; (-1, 0.0) where it was not run."""
        if self.health is None or not self.health.classes:
            return -1, 0.0
        values, counts = np.unique(np.array(self.health.classes), return_counts=True)
        place = int(counts.argmax())
        return int(values[place]), float(counts[place] / counts.sum())

    def spread(self, repeated: Repeated) -> tuple[float, ...]:
        """Of repeated evaluations: their accuracies, or without labels the shares that agree with the first of them."""
        truth = self.labels if self.labels is not None else repeated.classes[0]
        return tuple(
            sum(one == other for one, other in zip(classes, truth, strict=False)) / max(1, len(classes))
            for classes in repeated.classes
        )


def facts(
    network: Network,
    train: Network | None,
    images: Array,
    labels: Array | None = None,
    *,
    memory_mb: int = MEMORY_MB,
    seconds: float = SECONDS,
) -> Facts:
    """Gather what is to be known of a network. It is run in a process of its own, under limits.

    Args:
        network: In evaluation mode.
        train: In training mode; None where that could not be exported.
        images: (n, *input_shape), n >= 2; at most some hundred are used.
        labels: (n,), their true classes: spreads are then those of the accuracy. The process's work does not use them.
        memory_mb: Address space in MiB for that process.
        seconds: Wall-clock time for it.

    Raises:
        EvidenceError: model.json names parameters that are not stored.
        HarnessError: no process could be started.
    """
    problems: list[str] = []
    held = layers(*(one for one in (network, train) if one is not None))
    return Facts(
        parameters=sum(layer.parameters for layer in held),
        trainable=sum(layer.trainable for layer in held),
        layers=held,
        steps=steps(network),
        topology=_topology(network, problems),
        health=_health(network, train, images, memory_mb, seconds, problems),
        labels=None if labels is None else tuple(int(one) for one in labels),
        problems=tuple(problems),
    )


def _topology(network: Network, problems: list[str]) -> Topology | None:
    try:
        return topology(network)
    except EvidenceError as error:
        problems.append(str(error))
        return None


def _health(
    network: Network, train: Network | None, images: Array, memory_mb: int, seconds: float, problems: list[str]
) -> Health | None:
    try:
        answer = boxed(
            lambda: examine(network, train, images).model_dump_json().encode(), memory_mb, seconds, MAX_ANSWER
        )
        return Health.model_validate_json(answer)
    except EvidenceError as error:
        problems.append(str(error))
    except ValidationError:
        problems.append("the process that ran the network did not answer as expected")
    return None


def as_details(found: Facts) -> dict[str, Any]:
    """The facts as plain JSON for a check's details: rounded, in a fixed order, of bounded size."""
    health = found.health
    details: dict[str, Any] = {
        "parameters": found.parameters,
        "trainable": found.trainable,
        "multiply_adds": found.multiply_adds,
        "steps": [_step(step) for step in found.steps[:MAX_ROWS]],
        "more_steps": max(0, len(found.steps) - MAX_ROWS),
        "unused": [{"layer": one.module, "parameters": one.parameters} for one in found.unused[:MAX_ROWS]],
        "merges": _merges(found.topology),
        "problems": [problem[:300] for problem in found.problems],
    }
    if health is None:
        return details
    often, share = found.most_frequent
    return details | {
        "images": health.images,
        "most_frequent": {"class": often, "share": round(share, 3), "different": len(set(health.classes))},
        "dead": [{"place": one.place, "units": one.units, "dead": one.dead} for one in health.relus[:MAX_ROWS]],
        "dropout": _repeated(found, health.dropout),
        "company": _repeated(found, health.company),
        "labelled": found.labels is not None,
        "batches": [_batch(one) for one in health.batches],
        "training_batches": [_batch(one) for one in health.training_batches],
        "training": _training(health.training),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "layer": step.module[:120],
        "what": step.text,
        "output": list(step.output),
        "parameters": step.parameters,
        "reuses": step.reuses,
        "multiply_adds": step.multiply_adds,
        "field": None if step.field is None else list(step.field),
    }


def _merges(found: Topology | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    return [
        {"op": one.op, "branches": [branch.name[:120] for branch in found.of(one)[:MAX_ROWS]]}
        for one in found.merges[:MAX_ROWS]
    ]


def _repeated(found: Facts, repeated: Repeated | None) -> dict[str, Any] | None:
    if repeated is None:
        return None
    return {"places": list(repeated.places[:MAX_ROWS]), "spread": _rounded(found.spread(repeated))}


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 3) for value in values]


def _batch(one: Batch) -> dict[str, Any]:
    return {"size": one.size, "outcome": one.outcome, "output": list(one.output), "reason": one.reason[:300]}


def _training(one: Difference | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "equal": one.equal,
        "largest": None if one.largest is None else float(f"{one.largest:.2g}"),
        "changed": round(one.changed, 3),
        "only_training": list(one.only_training),
        "only_evaluation": list(one.only_evaluation),
        "problem": one.problem,
    }
