"""A student's network as labmark runs it: the checked graph, its tensors, the shapes of all values."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graders.errors import EvidenceError
from graders.evidence import Array, ModelMeta, Snapshot
from graders.models.graph import (
    Graph,
    Mode,
    NetworkLimits,
    Node,
    NotExportable,
    Ref,
    read_graph,
    references,
)
from graders.models.interpreter import execute, one_thread
from graders.models.ops import SHAPE_ONLY, check_op

WEIGHT_DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class NetworkOutput:
    """What a run gave.

    Attributes:
        outputs: (n, classes), float32 or as the network computes; usually logits.
        taps: Values of the nodes asked for, by name, (n, ...).
    """

    outputs: Array
    taps: Mapping[str, Array] = field(default_factory=dict)


class Network:
    """One mode of a snapshot, ready to run; made by `read_network`.

    Attributes:
        graph: The checked graph, without dead code.
        mode: "eval" or "train".
        meta: The snapshot's model.json.
        batch: Images that are run at once.
        shapes: Shape of every tensor by name of its node, for that batch; lists and numbers are left out.
    """

    def __init__(
        self, graph: Graph, mode: Mode, meta: ModelMeta, weights: Mapping[str, Array], limits: NetworkLimits
    ) -> None:
        self.graph = graph
        self.mode = mode
        self.meta = meta
        self.nodes: Mapping[str, Node] = {node.name: node for node in graph.nodes}
        self._limits = limits
        self._weights = {key: weights[key] for key in graph.tensor_keys}
        self._stored: Mapping[str, Shape] = {key: tuple(array.shape) for key, array in weights.items()}
        self.batch, self.shapes, self._numbers = _dry_run(graph, self._weights, limits)

    def with_graph(self, graph: Graph) -> "Network":
        """The same network with another graph, which may use no other tensors; shapes are found anew.

        Raises:
            EvidenceError: an op refuses its arguments, or it costs too much.
        """
        found = Network(graph, self.mode, self.meta, self._weights, self._limits)
        found._stored = self._stored
        return found

    @property
    def input_shape(self) -> Shape:
        """Of one image: usually (channels, rows, columns)."""
        return self.graph.input_shape

    @property
    def classes(self) -> int:
        """Size of one image's output.

        Raises:
            EvidenceError: the output is not one row for each image.
        """
        shape = self.shapes.get(self.graph.output)
        if shape is None or len(shape) != 2 or shape[0] != self.batch:
            raise EvidenceError(
                f"the network's output for {self.batch} images has the shape {_text(shape)}; "
                f"one row of class scores for each image is expected, ({self.batch}, classes)"
            )
        return shape[1]

    @cached_property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """The tensors that the graph uses.

        Raises:
            EvidenceError: one holds NaN or infinity (a training that diverged).
        """
        for key, array in self._weights.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise EvidenceError(f"{key} holds NaN or infinite numbers, so the network computes nothing")
        return {key: torch.from_numpy(array.copy()) for key, array in self._weights.items()}

    @cached_property
    def parameter_keys(self) -> frozenset[str]:
        """Keys of the parameters that the graph uses (buffers and constants are none)."""
        kinds = {one.name: one.kind for one in self.meta.tensors}
        return frozenset(key for key in self._weights if kinds.get(key) == "parameter")

    @property
    def parameter_count(self) -> int:
        """Elements of all parameters of the model, used or not, shared ones once.

        Raises:
            EvidenceError: model.json names a parameter whose tensor is not there.
        """
        own = [one.name for one in self.meta.tensors if one.kind == "parameter" and one.alias_of is None]
        return sum(prod(self.stored_shape(name)) for name in own)

    def stored_shape(self, key: str) -> Shape:
        """Shape of a stored tensor, whether the graph uses it or not.

        Raises:
            EvidenceError: model.json names it, and weights.safetensors has none of that name.
        """
        if key not in self._stored:
            raise EvidenceError(f"weights.safetensors lacks {key}")
        return self._stored[key]

    def with_weights(self, state: Mapping[str, Array]) -> "Network":
        """The same graph with other values in its stored tensors; those that `state` does not name stay as they are.

        Raises:
            EvidenceError: a tensor has another shape or dtype than the one that it replaces.
        """
        for key in self._weights.keys() & state.keys():
            one, other = self._weights[key], state[key]
            if one.shape != other.shape or one.dtype != other.dtype:
                raise EvidenceError(f"{key} has another shape or dtype than the network's own")
        changed = copy(self)
        changed._weights = {key: state.get(key, array) for key, array in self._weights.items()}
        changed.__dict__.pop("tensors", None)  # made of the weights when they are asked for
        return changed

    def is_number(self, name: str) -> bool:
        """Whether a node gives a number (a size), not a tensor or a list of tensors."""
        return name in self._numbers

    def weight_shape(self, key: str) -> Shape:
        """Shape of a stored tensor that the graph uses."""
        return tuple(self._weights[key].shape)

    def weight_size(self, key: str) -> int:
        """Elements of a stored tensor that the graph uses."""
        return int(self._weights[key].size)

    def on_meta(self, batch: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The tensors by key and a batch of images on the meta device, for a dry run."""
        return on_meta(self.graph, self._weights, batch)

    def weight(self, key: str) -> Array:
        """A stored tensor that the graph uses."""
        return self._weights[key]

    @cached_property
    def constant_nodes(self) -> frozenset[str]:
        """Nodes that are computed from stored tensors and numbers alone."""
        varying = {self.graph.input}
        for node in self.graph.nodes:
            if any(isinstance(ref, Ref) and ref.name in varying for ref in references(node)):
                varying.add(node.name)
        return frozenset(self.nodes) - varying

    def aliases(self, name: str) -> tuple[str, ...]:
        """The names under which a node's value may be read: its own, and of the values that it overwrote."""
        names = [name]
        while (node := self.nodes.get(names[-1])) and node.in_place and isinstance(node.args[0], Ref):
            names.append(node.args[0].name)
        return tuple(names)

    def successors(self, name: str) -> tuple[str, ...]:
        """Nodes that read a node's value, in order of execution; those that only ask for its size are left out."""
        return tuple(
            node.name
            for node in self.graph.nodes
            if node.base not in SHAPE_ONLY and Ref(name) in references(node) and not self.is_number(node.name)
        )

    def tap_of(self, module: str) -> str:
        """Name of the last node that came from a submodule or from inside it: its output.

        Raises:
            EvidenceError: the network does not use a submodule of that name.
        """
        inside = module + "."
        found = [n.name for n in self.graph.nodes if n.module == module or n.module.startswith(inside)]
        found = [name for name in found if name in self.shapes]
        if not found:
            used = dict.fromkeys(node.module for node in self.graph.nodes if node.module)
            raise EvidenceError(f"the network uses no layer called {module!r}; it uses {', '.join(used) or 'none'}")
        return found[-1]

    def run(self, images: Array, *, dropout: bool = False, taps: Iterable[str] = ()) -> NetworkOutput:
        """Run the network on the CPU, on one thread, without gradients.

        Images go through in batches of `batch`; a fixed-batch graph's last batch is padded, and so is a single image
        (graphs with a free batch assume at least two). Equal inputs give equal bits.

        Args:
            images: (n, *input_shape), n >= 1.
            dropout: Whether dropout acts where the graph says so; else it is off everywhere.
            taps: Names of nodes whose values are wanted.

        Raises:
            EvidenceError: wrong input shape, an output that is not (n, classes), an unknown tap.
            ValueError: no images.
        """
        if len(images) == 0:
            raise ValueError("no images")
        if images.shape[1:] != self.input_shape:
            raise EvidenceError(f"the network takes images of shape {self.input_shape}, not {images.shape[1:]}")
        classes = self.classes
        wanted = frozenset(taps)
        for name in wanted:
            if self.shapes.get(name, (0,))[:1] != (self.batch,):
                raise EvidenceError(f"{name!r} is no node with one value for each image")
        outputs: list[Array] = []
        tapped: dict[str, list[Array]] = {name: [] for name in wanted}
        with one_thread(), torch.no_grad():
            for start in range(0, len(images), self.batch):
                chunk = images[start : start + self.batch]
                outputs.append(self._chunk(chunk, classes, dropout, tapped))
        return NetworkOutput(np.concatenate(outputs), {name: np.concatenate(parts) for name, parts in tapped.items()})

    def _chunk(self, images: Array, classes: int, dropout: bool, tapped: dict[str, list[Array]]) -> Array:
        count = len(images)

        def watch(name: str, value: Any) -> None:
            # Copied at once: an op in place may overwrite it.
            if name in tapped:
                tapped[name].append(as_array(value)[:count].copy())

        output = execute(self.graph, self.tensors, self.padded(images), random=dropout, watch=watch)
        result: Array = as_array(output)[:count].copy()
        if result.shape != (count, classes):
            raise EvidenceError(f"the network's output for {count} images has the shape {_text(result.shape)}")
        return result

    def padded(self, images: Array) -> torch.Tensor:
        """At most one batch of images as the graph takes it, filled up with repetitions where it must be."""
        least = self.graph.batch or 2
        if len(images) < least:
            images = np.concatenate([images, np.repeat(images[:1], least - len(images), axis=0)])
        return torch.from_numpy(np.array(images, order="C")).to(getattr(torch, self.graph.input_dtype))


def read_network(snapshot: Snapshot, mode: Mode = "eval", limits: NetworkLimits | None = None) -> Network:
    """Read and check a snapshot's network; nothing of it is run but a dry run of shapes.

    Args:
        snapshot: `models/<n>/` of the evidence.
        mode: Which of the two graphs.
        limits: What it may cost; by default `NetworkLimits()`.

    Raises:
        NotExportable: there is no graph, or it uses an unknown op (code NOT_EXPORTABLE).
        EvidenceError: a file is missing or malformed, a tensor is missing, a shape does not fit, it costs too much.
    """
    limits = limits or NetworkLimits()
    meta = snapshot.meta
    graph = read_graph(snapshot.graph, mode, limits)
    export = meta.exports.get(mode)
    if graph is None or (export is not None and not export.ok):
        raise NotExportable.because((export.error if export else "") or "the export gave no reason")
    for node in graph.nodes:
        check_op(node)
    weights = snapshot.weights
    total = 0
    for key in graph.tensor_keys:
        if key not in weights:
            raise EvidenceError(f"the graph uses {key!r:.100}, which weights.safetensors lacks")
        total += _checked_size(key, weights[key])
    if total > limits.parameters:
        raise EvidenceError(f"the network's tensors hold {total} numbers; at most {limits.parameters} are allowed")
    return Network(graph, mode, meta, weights, limits)


def parameter_count(network: Network) -> int:
    """Elements of all parameters of the model; see `Network.parameter_count`."""
    return network.parameter_count


def module_output(network: Network, module: str, images: Array, *, activated: bool = False) -> Array:
    """The output of a submodule for each image.

    Args:
        network: The network.
        module: Qualified name, such as "conv1".
        images: (n, *input_shape).
        activated: Take the value after the ReLU that follows.

    Returns:
        (n, ...), the submodule's last value (of its last use, if it is used more than once).

    Raises:
        EvidenceError: no such submodule, or no ReLU follows.
    """
    name = network.tap_of(module)
    if activated:
        readers = [one for one in network.successors(name) if network.nodes[one].base in ("relu", "relu_")]
        if not readers:
            raise EvidenceError(f"no ReLU follows {module}")
        name = readers[0]
    return network.run(images, taps=[name]).taps[name]


def as_array(tensor: torch.Tensor) -> Array:
    """A tensor as numpy's array; bfloat16, which numpy lacks, as float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _checked_size(key: str, array: NDArray[Any]) -> int:
    if array.dtype.name not in WEIGHT_DTYPES:
        raise EvidenceError(f"{key} has the dtype {array.dtype.name}, which a network's tensors never have")
    if array.ndim > 8 or any(size > 2**31 for size in array.shape):
        raise EvidenceError(f"{key} has the shape {array.shape}")
    return prod(array.shape)


def _text(shape: Shape | None) -> str:
    return "none" if shape is None else f"({', '.join(map(str, shape))})"


def on_meta(graph: Graph, weights: Mapping[str, Array], batch: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Stored tensors by key and a batch of images on the meta device, where nothing takes memory."""
    tensors = {
        key: torch.empty(array.shape, dtype=getattr(torch, array.dtype.name), device="meta")
        for key, array in weights.items()
    }
    return tensors, torch.empty((batch, *graph.input_shape), dtype=getattr(torch, graph.input_dtype), device="meta")


def _dry_run(
    graph: Graph, weights: Mapping[str, Array], limits: NetworkLimits
) -> tuple[int, dict[str, Shape], frozenset[str]]:
    """Find a batch size that fits, and all shapes with it, on the meta device: no memory is taken."""
    batch = graph.batch
    if not batch:
        peak, total = _Ledger(limits).of(graph, weights, 2)
        fitting = min(2 * limits.node_elements // peak, 2 * limits.total_elements // total)
        batch = max(2, min(limits.batch, fitting))
    ledger = _Ledger(limits)
    ledger.of(graph, weights, batch)
    return batch, ledger.shapes, frozenset(ledger.numbers)


class _Ledger:
    """Shapes and costs of a dry run."""

    def __init__(self, limits: NetworkLimits) -> None:
        self.limits = limits
        self.shapes: dict[str, Shape] = {}
        self.numbers: set[str] = set()
        self.peak = self.total = 1

    def of(self, graph: Graph, weights: Mapping[str, Array], batch: int) -> tuple[int, int]:
        """Run dry; give the elements of the largest value, and of all."""
        with torch.no_grad():
            tensors, images = on_meta(graph, weights, batch)
            execute(graph, tensors, images, random=True, watch=self.note)
        return self.peak, self.total

    def note(self, name: str, value: Any) -> None:
        """Record one value and hold it against the caps."""
        parts = value if isinstance(value, tuple | list) else (value,)
        for part in parts:
            if not isinstance(part, torch.Tensor):
                self.numbers.add(name)
                continue
            if part.device.type != "meta":
                raise EvidenceError(f"{name} makes a tensor outside the dry run")
            size = prod(part.shape)
            self.peak, self.total = max(self.peak, size), self.total + size
        if isinstance(value, torch.Tensor):
            self.shapes[name] = tuple(value.shape)
        if self.peak > self.limits.node_elements or self.total > self.limits.total_elements:
            raise EvidenceError(
                f"the network is too large to be run: {name} brings a batch to {self.peak} numbers in one value "
                f"and {self.total} in all; {self.limits.node_elements} and {self.limits.total_elements} are allowed"
            )
