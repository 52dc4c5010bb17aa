"""What a graph makes of batches of one image, of two, of many, and of the same images in other company.

What a graph can show, found with torch.export 2.14 and later (tests/models/test_batches.py exports each case):
- A graph with a free batch is recorded for two images or more. `squeeze()` stays in it as it is, so that a batch of one
  can be seen to lose its dimension; `view(-1, 375)` and `view(x.size(0), -1)` stay free. What code does only
  `if len(x) == 1` is not in it, so what is said of one image holds for the code that the graph holds.
- A number of images in the code (`view(128, -1)`, but also an innocent `len(x)`) fixes the graph's batch. From the
  graph alone the two cannot be told apart: of other sizes nothing is known, and that is what is said.
- `batch_norm` refuses one value a channel in Python, not in ATen: that refusal is made here by the same rule.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
import torch

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models.graph import Graph, Node, Ref, TensorRef
from graders.models.interpreter import Watch, execute, one_thread
from graders.models.network import Network, Shape, as_array
from graders.models.ops import arguments
from graders.records import Record

SIZES = (1, 2, 128)
COMPANY = 8
"""Images a batch where company is changed: few, so that one image weighs much."""
NOTICEABLE = 1e-4
"""Outputs differ noticeably by more than this share of their spread: sums in another order differ by far less."""


class Batch(Record):
    """What became of a batch.

    Attributes:
        size: Number of images.
        outcome: `runs`; `other-shape`: the output is not one row for each image; `refused`; `not-known`.
        output: Shape of the output; empty where there is none.
        reason: Why, in a sentence; empty where it runs.
        lost_dimension: Whether that is because an operation took the dimension of the batch away.
    """

    size: int
    outcome: Literal["runs", "other-shape", "refused", "not-known"]
    output: Shape = ()
    reason: str = ""
    lost_dimension: bool = False


def batches(network: Network, images: Array | None = None, sizes: Sequence[int] = SIZES) -> tuple[Batch, ...]:
    """Run a network on batches of exactly these sizes; a fixed-batch graph on its own size as well.

    Args:
        network: Of either mode.
        images: (n, *input_shape), repeated as needed; None for a dry run on the meta device, which finds the shapes.
        sizes: Numbers of images.
    """
    fixed = network.graph.batch
    wanted = sorted({*sizes, fixed} - {0})
    return tuple(_unknown(fixed, size) if fixed not in (0, size) else _batch(network, images, size) for size in wanted)


def _unknown(fixed: int, size: int) -> Batch:
    reason = (
        f"its graph could only be recorded for batches of exactly {fixed}: the code makes a fixed number of how many "
        f"images there are, as view({fixed}, -1) or len(x) do, or decides by it; with x.size(0) or -1 it need not"
    )
    return Batch(size=size, outcome="not-known", reason=reason)


def _batch(network: Network, images: Array | None, size: int) -> Batch:
    shapes: dict[str, Shape] = {}

    def watch(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            shapes[name] = tuple(value.shape)

    refused = ""
    try:
        _try(network, images, size, watch)
    except EvidenceError as error:
        refused = str(error).removeprefix("the graph cannot be run: ")
    if normalises := _single_values(network, shapes):
        return Batch(size=size, outcome="refused", reason=normalises)
    cause, output = _cause(network, shapes, size), shapes.get(network.graph.output, ())
    if refused:
        return Batch(size=size, outcome="refused", reason=cause or refused, lost_dimension=bool(cause))
    if output == (size, network.classes):
        return Batch(size=size, outcome="runs", output=output)
    reason = cause or f"one row of class scores for each of the {size} images is expected"
    return Batch(size=size, outcome="other-shape", output=output, reason=reason, lost_dimension=bool(cause))


def _try(network: Network, images: Array | None, size: int, watch: Watch) -> None:
    graph = network.graph
    if images is None:
        tensors = {key: tensor.to("meta") for key, tensor in network.tensors.items()}
        given = torch.empty((size, *graph.input_shape), dtype=getattr(torch, graph.input_dtype), device="meta")
    else:
        tensors = dict(network.tensors)
        chosen = np.resize(images, (size, *images.shape[1:]))
        given = torch.from_numpy(np.array(chosen, order="C")).to(getattr(torch, graph.input_dtype))
    with one_thread(), torch.no_grad():
        execute(graph, tensors, given, watch=watch)


def _cause(network: Network, shapes: dict[str, Shape], size: int) -> str:
    """The first operation that lost a dimension which it keeps with the network's own batch."""
    for node in network.graph.nodes:
        found, usual = shapes.get(node.name), network.shapes.get(node.name)
        if found is not None and usual is not None and len(found) != len(usual):
            place = f" in {node.module}" if node.module else ""
            images = "the batch of one image" if size == 1 else f"a dimension of the batch of {size}"
            due = tuple(size if one == network.batch else one for one in usual[:1]) + usual[1:]
            return f"{node.base}{place} takes {images} away: {_text(found)} in the place of {_text(due)}"
    return ""


def _single_values(network: Network, shapes: dict[str, Shape]) -> str:
    """The refusal of `torch.nn.functional.batch_norm` (its `_verify_batch_size`) to normalise one value a channel."""
    for node in batch_statistics(network.graph):
        source = arguments(node)["input"]
        shape = shapes.get(source.name, ()) if isinstance(source, Ref) else ()
        if len(shape) >= 2 and shape[0] * prod(shape[2:]) == 1:
            place = node.module or "batch normalisation"
            return f"{place} needs more than one value a channel where it normalises with those of the batch"
    return ""


def _text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def batch_statistics(graph: Graph) -> tuple[Node, ...]:
    """Batch normalisations that normalise with the mean and variance of the batch that they are given."""
    return tuple(node for node in graph.nodes if node.base == "batch_norm" and arguments(node)["training"] is not False)


def with_stored_statistics(graph: Graph) -> Graph:
    """A graph whose batch normalisations use their stored statistics wherever they have any."""
    nodes = tuple(_with_stored(node) if node.base == "batch_norm" else node for node in graph.nodes)
    return Graph(graph.batch, graph.input, graph.input_shape, graph.input_dtype, nodes, graph.output)


def _with_stored(node: Node) -> Node:
    given = arguments(node)
    if not isinstance(given["running_mean"], TensorRef | Ref) or not isinstance(given["running_var"], TensorRef | Ref):
        return node
    return Node(node.name, node.op, (), {**given, "training": False}, node.module)


def outputs(
    network: Network,
    images: Array,
    *,
    graph: Graph | None = None,
    size: int | None = None,
    random: bool = False,
    watch: Watch | None = None,
) -> Array:
    """Run a network in batches and give the outputs (n, classes).

    Args:
        network: The network.
        images: (n, *input_shape), n >= 1.
        graph: What to run in the place of its graph.
        size: Images a batch; by default, or where the graph's batch is fixed, the network's own.
        random: Whether dropout acts where the graph says so.
        watch: Is told each value of each batch, fillings of the last batch included.

    Raises:
        EvidenceError: the network refuses the images, or does not give one row for each.
    """
    size = network.batch if size is None or network.graph.batch else size
    classes = network.classes
    found: list[Array] = []
    with one_thread(), torch.no_grad():
        for start in range(0, len(images), size):
            chunk = images[start : start + size]
            value = execute(graph or network.graph, network.tensors, network.padded(chunk), random=random, watch=watch)
            rows = as_array(value)[: len(chunk)]
            if rows.shape != (len(chunk), classes):
                raise EvidenceError(f"the network's output for {len(chunk)} images has the shape {rows.shape}")
            found.append(rows.astype(np.float32))
    return np.concatenate(found)


def in_other_company(network: Network, images: Array, repeats: int, seed: int = 0) -> tuple[Array, ...]:
    """The outputs for the same images, each time in other batches of a few.

    The first batches are the images in their order; then come shuffles, and at last batches of images that the network
    takes for the same class, which weigh most. Where the first shuffle changes nothing, no more are tried.

    Returns:
        Arrays (n, classes) in the order of `images`, at least two.
    """
    size = network.graph.batch or COMPANY
    found = [outputs(network, images, size=size)]
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(images)) for _ in range(max(1, repeats - 2))]
    for order in [*orders, np.argsort(found[0].argmax(axis=1), kind="stable")]:
        rows = np.empty_like(found[0])
        rows[order] = outputs(network, images[order], size=size)
        found.append(rows)
        if len(found) == 2 and not differ(*found):
            break
    return tuple(found)


def differ(one: Array, other: Array) -> bool:
    """Whether outputs differ noticeably, measured by their spread."""
    distance = float(np.abs(one - other).max())
    return not distance <= NOTICEABLE * max(float(one.std()), 1e-30)  # NaN differs from everything
