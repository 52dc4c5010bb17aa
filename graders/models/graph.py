"""`graph.json` read strictly into frozen records.

Schema "labmark/graph/1": a pure ATen graph as `torch.export` gives it, once per mode. Everything in it is a
stranger's word: names, references and sizes are checked here, ops and their arguments in `ops`, shapes by a dry run
in `network` (the shapes that the file claims are read past).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graders.errors import EvidenceError

SCHEMA = "labmark/graph/1"
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
MAX_DEPTH = 4
MAX_LIST = 4096
MAX_DIMS = 8
MAX_INT = 2**63 - 1
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,199}")
_OP = re.compile(r"[A-Za-z_][\w.:<> -]{0,119}")

Mode = Literal["train", "eval"]


class NotExportable(EvidenceError):  # noqa: N818 - a state of the model, and its code's name
    """The model has no graph that we can read; `reason` names the op or what the export said."""

    reason: str = ""

    @classmethod
    def because(cls, reason: str) -> "NotExportable":
        """Build the message around the op, or around what the export said."""
        error = cls(f"the network cannot be turned into a graph of known operations: {reason}")
        error.reason = reason
        return error


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """What a student's graph may cost at most.

    Attributes:
        nodes: Nodes in the file.
        parameters: Elements in all tensors that the graph uses.
        node_elements: Elements of one intermediate value, for one batch.
        total_elements: Elements of all intermediate values together, for one batch.
        batch: Images that are run at once; fewer where a network is large.
    """

    nodes: int = 4000
    parameters: int = 2**27
    node_elements: int = 2**26
    total_elements: int = 2**29
    batch: int = 250


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of an earlier node, or the input."""

    name: str


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor of weights.safetensors."""

    key: str


@dataclass(frozen=True, slots=True)
class DType:
    """The name of a torch dtype."""

    name: str


Value = None | bool | int | float | str | Ref | TensorRef | DType | tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. `module` is the qualified name of the submodule it came from, "" for the model itself."""

    name: str
    op: str
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    module: str

    @property
    def base(self) -> str:
        """The op's name without namespace and overload: "conv2d" of "aten.conv2d.default"."""
        parts = self.op.split(".")
        return parts[1] if len(parts) > 1 else parts[0]

    @property
    def in_place(self) -> bool:
        """Whether the op overwrites its first argument."""
        return self.op.startswith("aten.") and self.base.endswith("_") and not self.base.endswith("__")


@dataclass(frozen=True, slots=True)
class Graph:
    """One mode's graph without dead code.

    Attributes:
        batch: 0 for a free batch dimension, else the fixed batch size.
        input: Name of the input.
        input_shape: Of one item, without the batch dimension.
        input_dtype: Name of its dtype.
        nodes: In execution order.
        output: Name of the node whose value is the output (or of the input).
    """

    batch: int
    input: str
    input_shape: tuple[int, ...]
    input_dtype: str
    nodes: tuple[Node, ...]
    output: str

    @property
    def tensor_keys(self) -> tuple[str, ...]:
        """Keys of the tensors that the graph uses, each once, in order of first use."""
        return tuple(dict.fromkeys(ref.key for node in self.nodes for ref in references(node) if is_tensor(ref)))

    @property
    def mutates(self) -> bool:
        """Whether running it may change tensors that it was given."""
        return any(node.in_place or node.base in ("batch_norm", "instance_norm") for node in self.nodes)


def is_tensor(ref: Ref | TensorRef) -> bool:
    """Whether a reference is to a stored tensor."""
    return isinstance(ref, TensorRef)


def references(node: Node) -> tuple[Any, ...]:
    """The references (`Ref`, `TensorRef`) among a node's arguments, in order, with repetitions."""
    return tuple(_walk((*node.args, *node.kwargs.values())))


def _walk(value: Value) -> Iterable[Ref | TensorRef]:
    if isinstance(value, Ref | TensorRef):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _walk(item)


def read_graph(data: Any, mode: Mode, limits: NetworkLimits) -> Graph | None:
    """Check the parsed graph.json and give the graph of one mode.

    Returns:
        The graph without dead code; None where the file says that there is none.

    Raises:
        EvidenceError: it is not of this schema, or refers to what is not there.
    """
    top = _fields(data, "graph.json", "schema", "train", "eval")
    if top["schema"] != SCHEMA:
        raise EvidenceError(f"graph.json: the schema is {top['schema']!r:.60}, expected {SCHEMA!r}")
    return None if top[mode] is None else _graph(top[mode], f"graph.json: {mode}", limits)


def _graph(data: Any, where: str, limits: NetworkLimits) -> Graph:
    fields = _fields(data, where, "batch", "input", "nodes", "output")
    batch = _integer(fields["batch"], f"{where}: batch", 0, 4096)
    given = _fields(fields["input"], f"{where}: input", "name", "shape", "dtype")
    name = _name(given["name"], f"{where}: input")
    listed = fields["nodes"]
    if not isinstance(listed, list) or len(listed) > limits.nodes:
        raise EvidenceError(f"{where}: nodes must be a list of at most {limits.nodes}")
    known = {name}
    nodes = [_node(item, f"{where}: node {place}", known) for place, item in enumerate(listed)]
    output = _name(_fields(fields["output"], f"{where}: output", "node")["node"], f"{where}: output")
    if output not in known:
        raise EvidenceError(f"{where}: the output names {output!r}, which no node is")
    return Graph(
        batch,
        name,
        _input_shape(given["shape"], batch, where),
        _dtype(given["dtype"], where, ("float32", "float64", "float16", "bfloat16")),
        _live(nodes, output),
        output,
    )


def _node(data: Any, where: str, known: set[str]) -> Node:
    fields = _fields(data, where, "name", "op", "args", "kwargs", "module", "shape", "dtype")
    name = _name(fields["name"], where)
    where = f"{where} ({name})"
    op, module, kwargs = fields["op"], fields["module"], fields["kwargs"]
    if name in known:
        raise EvidenceError(f"{where}: the name occurs twice")
    if not isinstance(op, str) or not _OP.fullmatch(op):
        raise EvidenceError(f"{where}: {op!r:.60} is no name of an op")
    if not isinstance(module, str) or len(module) > 300 or not module.isprintable():
        raise EvidenceError(f"{where}: {module!r:.60} is no name of a submodule")
    if not isinstance(fields["args"], list) or not isinstance(kwargs, dict):
        raise EvidenceError(f"{where}: args must be a list and kwargs an object")
    args = _value(fields["args"], where, known, 0)
    named = {_name(key, where): _value(item, where, known, 1) for key, item in kwargs.items()}
    known.add(name)
    return Node(name, op, args if isinstance(args, tuple) else (), named, module)


def _value(data: Any, where: str, known: set[str], depth: int) -> Value:
    match data:
        case None | bool() | str():
            if isinstance(data, str) and len(data) > 200:
                raise EvidenceError(f"{where}: a text of more than 200 characters")
            return data
        case int():
            return _integer(data, where, -MAX_INT, MAX_INT)
        case float() if math.isfinite(data):
            return data
        case list() if depth <= MAX_DEPTH and len(data) <= MAX_LIST:
            return tuple(_value(item, where, known, depth + 1) for item in data)
        case {"node": str(name)} if len(data) == 1:
            if name not in known:
                raise EvidenceError(f"{where}: refers to {name!r:.80}, which is no earlier node")
            return Ref(name)
        case {"tensor": str(key)} if len(data) == 1:
            return TensorRef(key)
        case {"dtype": str(name)} if len(data) == 1:
            return DType(_dtype(name, where, DTYPES))
        case {"float": ("inf" | "-inf" | "nan") as word} if len(data) == 1:
            return float(word)
    raise EvidenceError(f"{where}: {data!r:.80} is no argument of the format")


def _fields(data: Any, where: str, *names: str) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) != set(names):
        found = ", ".join(sorted(data)) if isinstance(data, dict) else type(data).__name__
        raise EvidenceError(f"{where}: expected an object with {', '.join(names)}; found {found[:200]}")
    return data


def _name(data: Any, where: str) -> str:
    if not isinstance(data, str) or not _NAME.fullmatch(data):
        raise EvidenceError(f"{where}: {data!r:.60} is no name")
    return data


def _integer(data: Any, where: str, low: int, high: int) -> int:
    if type(data) is not int or not low <= data <= high:
        raise EvidenceError(f"{where}: {data!r:.60} is no whole number from {low} to {high}")
    return data


def _dtype(data: Any, where: str, allowed: Sequence[str]) -> str:
    if data not in allowed:
        raise EvidenceError(f"{where}: dtype {data!r:.60} is not one of {', '.join(allowed)}")
    return str(data)


def _input_shape(data: Any, batch: int, where: str) -> tuple[int, ...]:
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_DIMS:
        raise EvidenceError(f"{where}: the input's shape must be a list of 1 to {MAX_DIMS} sizes")
    if data[0] != "batch" and (not batch or data[0] != batch):
        raise EvidenceError(f"{where}: the input's first dimension is {data[0]!r:.60}, not the batch")
    return tuple(_integer(size, f"{where}: input", 1, 2**16) for size in data[1:])


def _live(nodes: Sequence[Node], output: str) -> tuple[Node, ...]:
    """Keep what the output depends on, and what overwrites values in place before they are used."""
    wanted: set[str | TensorRef] = {output}
    kept: list[Node] = []
    for node in reversed(nodes):
        first = node.args[0] if node.args else None
        writes = node.in_place and (isinstance(first, Ref) or first in wanted)
        if writes or node.name in wanted:
            kept.append(node)
            wanted.update(ref.name if isinstance(ref, Ref) else ref for ref in references(node))
    return tuple(reversed(kept))
