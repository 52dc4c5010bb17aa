"""What a network costs, read off its graph: parameters a layer, multiply-adds, receptive fields. Nothing is run.

Multiply-adds of one image, M outputs each a sum of K products: M K. That is
    a convolution        values of its output x input maps / groups x size of the kernel
    a transposed one     values of its input x output maps / groups x size of the kernel
    a linear layer       values of its output x inputs;  a product of matrices: the same with the shared dimension
    attention            both of its products of matrices
As is usual, adding a bias, activations, pooling, normalisation and sums of branches count as 0.
Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, which counts
"FLOPs (multiply-adds)" so; V. Dumoulin, F. Visin, "A guide to convolution arithmetic", 2016, for the shapes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from graders.errors import EvidenceError
from graders.models.branches import parameters_of
from graders.models.described import describe
from graders.models.fields import Field, after, merged, pixel
from graders.models.flow import Flow, flow_of
from graders.models.graph import Node, Ref, TensorRef
from graders.models.network import Network, Shape
from graders.models.notation import DIMENSIONS
from graders.models.ops import ATEN, arguments
from graders.models.wording import words


@dataclass(frozen=True)
class Layer:
    """A submodule that holds parameters itself.

    Attributes:
        module: Its qualified name; "" for the network itself.
        tensors: Name and shape of each of its parameters.
        parameters: Elements of those that no layer before it holds.
        trainable: How many of them may be trained.
        shares: Names of the parameters of other layers that it uses as its own.
        used: Whether a graph uses any of its parameters.
    """

    module: str
    tensors: tuple[tuple[str, Shape], ...]
    parameters: int
    trainable: int
    shares: tuple[str, ...]
    used: bool


@dataclass(frozen=True)
class Step:
    """One stage of the data on its way through the network.

    Attributes:
        node: Name of the graph's node.
        module: Submodule that it came from; "" where it was called as a function.
        text: What it is: "convolution with 30 maps, 5x5".
        output: Shape of what one image becomes.
        parameters: Elements of the parameters that it is the first to use.
        reuses: Whether it uses parameters that an earlier step has used.
        multiply_adds: For one image.
        field: Pixels of the picture that one value depends on, along each axis; of convolutions and poolings only, and
            None where it is not known.
    """

    node: str
    module: str
    text: str
    output: Shape
    parameters: int
    reuses: bool
    multiply_adds: int
    field: Shape | None


def layers(*networks: Network) -> tuple[Layer, ...]:
    """The layers that hold parameters, in the order of the student's network, from all modes of one snapshot.

    Raises:
        EvidenceError: model.json names a parameter that is not stored.
    """
    first = networks[0]
    used = frozenset[str]().union(*(network.parameter_keys for network in networks))
    own: dict[str, list[Any]] = {}
    for one in first.meta.tensors:
        if one.kind == "parameter":
            own.setdefault(one.name.rpartition(".")[0], []).append(one)
    found = []
    for module, tensors in own.items():
        new = [one for one in tensors if one.alias_of is None]
        sizes = {one.name: prod(first.stored_shape(one.name)) for one in new}
        found.append(
            Layer(
                module=module,
                tensors=tuple((one.name, first.stored_shape(one.alias_of or one.name)) for one in tensors),
                parameters=sum(sizes.values()),
                trainable=sum(sizes[one.name] for one in new if one.trainable),
                shares=tuple(one.alias_of for one in tensors if one.alias_of is not None),
                used=any((one.alias_of or one.name) in used for one in tensors),
            )
        )
    return tuple(found)


def steps(network: Network) -> tuple[Step, ...]:
    """What happens to an image on its way to the output, in order of execution; no-ops are left out."""
    return tuple(_steps(network, flow_of(network)))


def _steps(network: Network, flow: Flow) -> Iterator[Step]:
    fields: dict[str, Field | None] = {network.graph.input: pixel(max(0, len(network.input_shape) - 1))}
    seen: set[str] = set()
    for name in flow.order[1:]:
        node = network.nodes[name]
        sources = flow.sources[name]
        field = merged([fields[source] for source in sources]) if _same_sizes(network, sources) else None
        keys = tuple(dict.fromkeys(parameters_of(network, name)))
        stage = describe(network, node, sources)
        if stage is not None:
            field = after(stage, field)
            yield Step(
                node=name,
                module=stage.module,
                text=words(stage),
                output=stage.shape_out or (),
                parameters=sum(network.weight_size(key) for key in keys if key not in seen),
                reuses=any(key in seen for key in keys),
                multiply_adds=multiply_adds(network, node),
                field=field.size if field is not None and stage.kind in DIMENSIONS else None,
            )
        seen.update(keys)
        fields[name] = field


def _same_sizes(network: Network, sources: Iterable[str]) -> bool:
    """Whether all values that a node reads have pictures of the same size."""
    return len({network.shapes.get(source, ())[2:] for source in sources}) == 1


def multiply_adds(network: Network, node: Node) -> int:
    """Multiply-adds of one node for one image; see the module for what counts."""
    count = _COUNTS.get(node.base)
    if count is None or node.op not in ATEN:
        return 0
    return count(_Shapes(network, arguments(node), network.shapes.get(node.name, ()))) // network.batch


@dataclass(frozen=True)
class _Shapes:
    """Shapes of a node's arguments and of its value, for a whole batch."""

    network: Network
    args: Mapping[str, Any]
    output: Shape

    def of(self, name: str) -> Shape:
        """Shape of an argument.

        Raises:
            EvidenceError: it is no tensor.
        """
        value = self.args[name]
        if isinstance(value, TensorRef):
            return self.network.weight_shape(value.key)
        if isinstance(value, Ref) and value.name in self.network.shapes:
            return self.network.shapes[value.name]
        if isinstance(value, Ref) and value.name == self.network.graph.input:
            return (self.network.batch, *self.network.input_shape)
        raise EvidenceError(f"the argument {name!r} of an operation is no tensor")


def _convolution(shapes: _Shapes) -> int:
    turned = shapes.args.get("transposed") is True
    return prod(shapes.of("input") if turned else shapes.output) * prod(shapes.of("weight")[1:])


def _transposed(shapes: _Shapes) -> int:
    return prod(shapes.of("input")) * prod(shapes.of("weight")[1:])


def _product(matrix: str) -> Callable[[_Shapes], int]:
    return lambda shapes: prod(shapes.output) * shapes.of(matrix)[-1]


def _attention(shapes: _Shapes) -> int:
    query, key, value = shapes.of("query"), shapes.of("key"), shapes.of("value")
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


_COUNTS: Mapping[str, Callable[[_Shapes], int]] = {
    "convolution": _convolution,
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _transposed for n in (1, 2, 3)},
    "linear": _product("input"),
    **dict.fromkeys(("matmul", "mm", "mv", "bmm"), _product("self")),
    "addmm": _product("mat1"),
    "addmv": _product("mat"),
    "baddbmm": _product("batch1"),
    "scaled_dot_product_attention": _attention,
}
