"""An exported program written as labmark's own graph JSON ("labmark/graph/1")."""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

SCHEMA = "labmark/graph/1"
MAX_NODES = 20_000
CONSTANT = "constant:"
SILENT_OPS = ("aten._assert", "aten.sym_constrain")


class NotExpressibleError(Exception):
    """The model computes something that a graph cannot say; the message names the node and its line."""


class GraphWriter:
    """Writes one program.

    Args:
        program: As torch.export gave it, not decomposed.
        aliases: Name of a parameter or buffer -> the first name of the same memory.
        dynamic: Whether the first dimension of the input is free.
    """

    def __init__(self, program: ExportedProgram, aliases: Mapping[str, str], *, dynamic: bool) -> None:
        self.program = program
        self.aliases = aliases
        self.dynamic = dynamic
        self.constants: dict[str, torch.Tensor] = {}
        self.note = ""
        self._input = ""
        self._batch = ""
        self._tensors: dict[str, str] = {}

    def write(self) -> dict[str, Any]:
        """The graph as JSON data; fills `constants` (by key of weights.safetensors) and `note`.

        Raises:
            NotExpressibleError: an op, argument or output has no place in a graph.
        """
        if len(self.program.graph.nodes) > MAX_NODES:
            raise NotExpressibleError(f"its graph has more than {MAX_NODES} steps")
        self._read_signature()
        nodes = list(self.program.graph.nodes)
        first = next(node for node in nodes if node.name == self._input)
        size = first.meta["val"].shape
        if self.dynamic:
            self._batch = str(size[0].node.expr)
        calls = [node for node in nodes if node.op not in ("placeholder", "output") and not _is_silent(node)]
        return {
            "batch": 0 if self.dynamic else int(size[0]),
            "input": {"name": self._input, **self._value(first)},
            "nodes": [self._node(node) for node in calls],
            "output": self._output(nodes[-1]),
        }

    def _read_signature(self) -> None:
        held = {**self.program.state_dict, **self.program.constants}
        inputs = []
        for spec in self.program.graph_signature.input_specs:
            if spec.kind == InputKind.USER_INPUT:
                inputs.append(spec.arg)
            elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
                target = str(spec.target)
                self._tensors[spec.arg.name] = self.aliases.get(target, target)
            elif spec.kind == InputKind.CONSTANT_TENSOR:
                key = CONSTANT + str(spec.target)
                self._tensors[spec.arg.name] = key
                self.constants[key] = held[str(spec.target)].detach().cpu().clone()
            else:
                raise NotExpressibleError(f"it takes an input of kind {spec.kind.name}")
        tensors = [arg.name for arg in inputs if isinstance(arg, torch.export.graph_signature.TensorArgument)]
        if len(tensors) != 1:
            raise NotExpressibleError(f"it takes {len(tensors)} tensors; one is expected")
        self._input = tensors[0]

    def _node(self, node: fx.Node) -> dict[str, Any]:
        if node.op != "call_function":
            raise NotExpressibleError(f"{node.name} is a {node.op} step{where(node)}")
        return {
            "name": node.name,
            "op": _op(node),
            "args": [self._argument(arg, node) for arg in node.args],
            "kwargs": {key: self._argument(arg, node) for key, arg in node.kwargs.items()},
            "module": _module(node),
            **self._value(node),
        }

    def _argument(self, value: Any, node: fx.Node) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, fx.Node):
            key = self._tensors.get(value.name)
            return {"node": value.name} if key is None else {"tensor": key}
        if isinstance(value, list | tuple):
            return [self._argument(item, node) for item in value]
        if isinstance(value, torch.dtype):
            return {"dtype": _dtype(value)}
        if isinstance(value, torch.device | torch.layout | torch.memory_format):
            return None
        raise NotExpressibleError(f"{_op(node)} has an argument of type {type(value).__name__}{where(node)}")

    def _value(self, node: fx.Node) -> dict[str, Any]:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return {"shape": None, "dtype": None}
        return {"shape": [self._dim(size) for size in value.shape], "dtype": _dtype(value.dtype)}

    def _dim(self, size: int | torch.SymInt) -> int | str:
        if isinstance(size, int):
            return size
        expression = size.node.expr
        if expression.is_number:
            return int(expression)
        return re.sub(rf"\b{re.escape(self._batch)}\b", "batch", str(expression)) if self._batch else str(expression)

    def _output(self, node: fx.Node) -> dict[str, Any]:
        outputs = [value for value in node.args[0] if isinstance(value, fx.Node)]  # type: ignore[union-attr]
        if not outputs:
            raise NotExpressibleError("forward returns no tensor")
        if len(outputs) > 1:
            self.note = f"forward returns {len(outputs)} tensors; the first is taken for its output"
        return {"node": outputs[0].name} if outputs[0].name not in self._tensors else self._not_computed()

    def _not_computed(self) -> dict[str, Any]:
        raise NotExpressibleError("forward returns a parameter as it is, whatever the input")


def _is_silent(node: fx.Node) -> bool:
    """Checks of shapes and types compute nothing."""
    return not node.users and str(node.target).startswith(SILENT_OPS)


def _op(node: fx.Node) -> str:
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    if isinstance(target, torch._ops.HigherOrderOperator | str):
        raise NotExpressibleError(f"it uses {target}{where(node)}")
    return f"{target.__module__.lstrip('_')}.{target.__name__}"


def _module(node: fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack and isinstance(stack[-1], tuple) else ""


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def where(node: fx.Node) -> str:
    """The student's source line that made the node, as " at `line`", if torch kept it."""
    lines = [line.strip() for line in str(node.meta.get("stack_trace") or "").splitlines() if line.strip()]
    code = next((line for line in reversed(lines) if not line.startswith("File ")), "")
    return f" at `{code}`" if code else ""
