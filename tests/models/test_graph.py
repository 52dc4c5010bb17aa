"""graph.json is read strictly."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Snapshot
from graders.models import NetworkLimits, NotExportable, read_network
from graders.models.graph import Ref, read_graph

LIMITS = NetworkLimits()


def node(name: str, op: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """A node of the format."""
    return {"name": name, "op": op, "args": list(args), "kwargs": kwargs, "module": "", "shape": None, "dtype": None}


X = {"node": "x"}


def graph(*nodes: dict[str, Any], output: str | None = None) -> dict[str, Any]:
    """A graph.json with an eval graph only."""
    given_ = {"name": "x", "shape": ["batch", 4], "dtype": "float32"}
    body = {"batch": 0, "input": given_, "nodes": list(nodes), "output": {"node": output or nodes[-1]["name"]}}
    return {"schema": "labmark/graph/1", "train": None, "eval": body}


GOOD = graph(node("relu", "aten.relu.default", X), node("add", "aten.add.Tensor", X, {"node": "relu"}, alpha=2))


def test_a_good_graph() -> None:
    """Nodes, references and shapes come out as records."""
    found = read_graph(GOOD, "eval", LIMITS)
    assert found is not None
    assert [one.name for one in found.nodes] == ["relu", "add"]
    assert found.nodes[1].args == (Ref("x"), Ref("relu"))
    assert (found.input_shape, found.batch, found.output) == ((4,), 0, "add")
    assert read_graph(GOOD, "train", LIMITS) is None


def test_dead_code_is_left_out() -> None:
    """What the output does not depend on is not there, whatever op it is; ops in place on live values are."""
    found = read_graph(
        graph(
            node("dead", "aten.from_file.default", "/etc/passwd"),
            node("count", "aten.add_.Tensor", {"tensor": "bn.num_batches_tracked"}, 1),
            node("relu_", "aten.relu_.default", X),
            node("neg", "aten.neg.default", X),
        ),
        "eval",
        LIMITS,
    )
    assert found is not None
    assert [one.name for one in found.nodes] == ["relu_", "neg"]


def edited(**changes: Any) -> dict[str, Any]:
    """The good graph with other fields."""
    data = copy.deepcopy(GOOD)
    data["eval"].update(changes)
    return data


BAD: dict[str, Any] = {
    "no object": [],
    "another schema": {**GOOD, "schema": "labmark/graph/2"},
    "a field more": {**GOOD, "more": 1},
    "a batch of text": edited(batch="4"),
    "a batch of True": edited(batch=True),
    "an input of integers": edited(input={"name": "x", "shape": ["batch", 4], "dtype": "int64"}),
    "an input without a batch": edited(input={"name": "x", "shape": [3, 4], "dtype": "float32"}),
    "an input of size 0": edited(input={"name": "x", "shape": ["batch", 0], "dtype": "float32"}),
    "nodes that are no list": edited(nodes={}),
    "an output that is not there": edited(output={"node": "nobody"}),
    "a later node": graph(node("a", "aten.relu.default", {"node": "b"}), node("b", "aten.relu.default", X)),
    "a name twice": graph(node("a", "aten.relu.default", X), node("a", "aten.relu.default", X)),
    "a name with a line break": graph(node("a\nb", "aten.relu.default", X)),
    "an op of markup": graph(node("a", "<script>", X)),
    "a module with control characters": graph({**node("a", "aten.relu.default", X), "module": "\x1b[31m"}),
    "an argument of no kind": graph(node("a", "aten.relu.default", {"pickle": "x"})),
    "a huge integer": graph(node("a", "aten.add.Tensor", X, 2**70)),
    "an unknown dtype": graph(node("a", "aten.to.dtype", X, {"dtype": "complex64"})),
    "lists too deep": graph(node("a", "aten.relu.default", [[[[[[X]]]]]])),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_graphs_are_refused(name: str) -> None:
    """Whatever is not of the format is refused as evidence."""
    with pytest.raises(EvidenceError, match=r"graph\.json"):
        read_graph(BAD[name], "eval", LIMITS)


def test_too_many_nodes() -> None:
    """The number of nodes is bounded."""
    with pytest.raises(EvidenceError, match="at most 1"):
        read_graph(GOOD, "eval", NetworkLimits(nodes=1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["node", "tensor", "dtype", "float", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["schema", "eval", "nodes", "input", "output", "args", "batch"]))
def test_any_json_is_read_or_refused(data: Any, place: str) -> None:
    """Arbitrary JSON anywhere in a graph gives a graph or an EvidenceError, never another exception."""
    made = copy.deepcopy(GOOD)
    if place in made:
        made[place] = data
    elif place == "args":
        made["eval"]["nodes"][0]["args"] = data
    else:
        made["eval"][place] = data
    try:
        read_graph(made, "eval", LIMITS)
    except EvidenceError:
        return


def test_the_error_pickles_with_its_reason() -> None:
    """NotExportable keeps message and reason when it is sent to another process."""
    error = NotExportable.because("aten.foo.default")
    found = pickle.loads(pickle.dumps(error))
    assert (str(found), found.reason) == (str(error), "aten.foo.default")


ATTACKS: dict[str, list[dict[str, Any]]] = {
    "reads a file": [node("a", "aten.from_file.default", "/etc/passwd", False, 10)],
    "calls Python": [node("a", "builtins.eval", "1")],
    "calls another library": [node("a", "torchvision.nms.default", X, X, 0.5)],
    "takes memory as it lies": [node("a", "aten.as_strided.default", X, [2, 2], [1, 1])],
}


@pytest.fixture
def forge(snapshot_of: Callable[..., Snapshot]) -> Callable[..., Snapshot]:
    """A real snapshot of a linear layer whose graph.json is replaced."""

    def make(*nodes: dict[str, Any]) -> Snapshot:
        folder: Path = snapshot_of(nn.Linear(4, 3), (4,)).folder
        (folder / "graph.json").write_text(json.dumps(graph(*nodes)))
        return Snapshot(folder)

    return make


@pytest.mark.parametrize("name", ATTACKS)
def test_ops_off_the_whitelist(forge: Callable[..., Snapshot], name: str) -> None:
    """Ops that a student's network has no business with are never called."""
    with pytest.raises(NotExportable) as caught:
        read_network(forge(*ATTACKS[name]))
    assert str(ATTACKS[name][0]["op"]) in caught.value.reason


COSTLY: dict[str, list[dict[str, Any]]] = {
    "a huge tensor": [node("o", "aten.ones.default", [2**20, 2**20]), node("a", "aten.add.Tensor", X, {"node": "o"})],
    "a huge repetition": [node("a", "aten.repeat.default", X, [2**20, 2**20])],
    "a huge expansion": [
        node("u", "aten.unsqueeze.default", X, 0),
        node("a", "aten.expand.default", {"node": "u"}, [2**30, -1, -1]),
    ],
    "a size beyond 64 bits": [node("a", "aten.repeat.default", X, [2**31, 2**31, 2**31])],
    "many results": [
        node("r", "aten.repeat.default", X, [1, 2000]),
        node("c", "aten.unbind.int", {"node": "r"}, 1),
        node("a", "operator.getitem", {"node": "c"}, 0),
    ],
    "many empty results": [
        node("e", "aten.slice.Tensor", X, 1, 0, 0),
        node("c", "aten.chunk.default", {"node": "e"}, 2**31, 1),
        node("a", "operator.getitem", {"node": "c"}, 0),
    ],
    "endless doubling": [
        node(f"a{n}", "aten.cat.default", [{"node": f"a{n - 1}" if n else "x"}] * 2) for n in range(60)
    ],
    "a product of sizes": [
        node("s", "operator.mul", 2**31, 2**31),
        node("a", "aten.repeat.default", X, [{"node": "s"}, 1]),
    ],
}


@pytest.mark.parametrize("name", COSTLY)
def test_costs_are_bounded_before_anything_is_allocated(forge: Callable[..., Snapshot], name: str) -> None:
    """Values that would not fit are refused in the dry run."""
    with pytest.raises(EvidenceError, match=r"too large|cannot be run|1024 values"):
        read_network(forge(*COSTLY[name]))


WRONG: dict[str, dict[str, Any]] = {
    "a text for a tensor": node("a", "aten.relu.default", "x"),
    "a tensor for a number": node("a", "aten.leaky_relu.default", X, X),
    "a float for a size": node("a", "aten.flatten.using_ints", X, 1.5),
    "an argument too many": node("a", "aten.relu.default", X, 1),
    "an unknown argument": node("a", "aten.relu.default", X, out=X),
    "an argument missing": node("a", "aten.dropout.default", X, 0.5),
    "True for a number of axes": node("a", "aten.squeeze.dim", X, True),
    "pinned memory": node("a", "aten.zeros_like.default", X, pin_memory=True),
    "an axis that is not there": node("a", "aten.select.int", X, 7, 0),
    "an index that is not there": node("a", "aten.select.int", X, 1, 9),
    "shapes that do not fit": node("a", "aten.linear.default", X, {"tensor": "bias"}),
    "an item of a tensor": node("a", "operator.getitem", X, 0),
    "arithmetic on a tensor": node("a", "operator.add", X, 1),
    "a tensor that is not there": node("a", "aten.add.Tensor", X, {"tensor": "nobody"}),
    "a division by zero": node("a", "operator.floordiv", 1, 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused(forge: Callable[..., Snapshot], name: str) -> None:
    """Arguments of the wrong kind, number or size are refused as evidence, in words."""
    with pytest.raises(EvidenceError) as caught:
        read_network(forge(WRONG[name]))
    assert type(caught.value) is EvidenceError


def test_every_whitelisted_op_exists() -> None:
    """The whitelist names ops of this torch, and none that draws random numbers unasked."""
    from graders.models.ops import ATEN, RANDOM_SWITCHES

    for op in ATEN.values():
        assert op.parameters, op.name
        tags = {str(tag) for tag in op.target.tags}
        assert "Tag.nondeterministic_seeded" not in str(tags) or op.base in RANDOM_SWITCHES, op.name
