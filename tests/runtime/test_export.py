"""Tests of exporting a model to a graph."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from graders.runtime.export import Exported, example_spec, explain, export_mode
from graders.runtime.registry import Spec
from graders.runtime.stage import plain

IMAGE = (1, 28, 28)


class By(nn.Module):
    """A model whose forward is given."""

    def __init__(self, forward: Any) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 5)
        self.fc = nn.Linear(3 * 24 * 24, 10)
        self._how = forward

    def forward(self, x: torch.Tensor) -> Any:
        """Whatever was given."""
        return self._how(self, x)


def _export(forward: Any, *, training: bool = False, batch: int = 2) -> Exported:
    return export_mode(By(forward), Spec((batch, *IMAGE), torch.float32), {}, training=training)


def _graph(exported: Exported) -> dict[str, Any]:
    assert exported.graph is not None, exported.error
    return json.loads(json.dumps(plain(exported.graph), allow_nan=False))  # type: ignore[no-any-return]


def test_the_graph_names_ops_modules_shapes_and_tensors() -> None:
    """Every node says what it does, where it came from and which shape it gives."""
    graph = _graph(_export(lambda m, x: m.fc(F.relu(m.conv1(x)).flatten(1))))
    assert graph["input"] == {"name": "x", "shape": ["batch", 1, 28, 28], "dtype": "float32"}
    assert graph["batch"] == 0
    assert [(n["op"], n["module"], n["shape"]) for n in graph["nodes"]] == [
        ("aten.conv2d.default", "conv1", ["batch", 3, 24, 24]),
        ("aten.relu.default", "", ["batch", 3, 24, 24]),
        ("aten.flatten.using_ints", "", ["batch", 1728]),
        ("aten.linear.default", "fc", ["batch", 10]),
    ]
    assert graph["nodes"][0]["args"] == [{"node": "x"}, {"tensor": "conv1.weight"}, {"tensor": "conv1.bias"}]
    assert graph["output"] == {"node": graph["nodes"][-1]["name"]}


def test_sizes_become_nodes_and_expressions_of_the_batch() -> None:
    """A reshape by hand refers to the size; a doubled batch is written as an expression."""
    graph = _graph(_export(lambda m, x: m.fc(m.conv1(torch.cat([x, x])).view(2 * x.shape[0], -1))))
    ops = [node["op"] for node in graph["nodes"]]
    assert "aten.sym_size.int" in ops
    assert "operator.mul" in ops
    assert graph["nodes"][-1]["shape"] == ["2*batch", 10]


def test_a_fixed_batch_is_the_way_out_and_says_why() -> None:
    """A model that only works for one batch size is exported with it."""
    exported = _export(lambda m, x: m.fc(m.conv1(x).view(64, -1)), batch=64)
    assert (exported.batch, _graph(exported)["batch"]) == (64, 64)
    assert exported.error
    assert "\n" not in exported.error


def test_constants_made_in_forward_are_lifted() -> None:
    """A tensor made in forward is stored beside the weights and referred to by its key."""
    exported = _export(lambda m, x: m.fc(m.conv1(x).flatten(1)) * torch.tensor([2.0]))
    (key,) = exported.constants
    assert key.startswith("constant:")
    assert exported.constants[key].tolist() == [2.0]
    assert {"tensor": key} in [arg for node in _graph(exported)["nodes"] for arg in node["args"]]


def test_no_grad_inside_forward_is_no_obstacle() -> None:
    """`with torch.no_grad()` in forward gives plain ops."""

    def forward(m: Any, x: torch.Tensor) -> Any:
        with torch.no_grad():
            x = x * 2
        return m.fc(m.conv1(x).flatten(1))

    assert "aten.mul.Tensor" in [node["op"] for node in _graph(_export(forward))["nodes"]]


def test_dropout_shows_its_mode() -> None:
    """F.dropout without `training` stays active in eval mode, and the graph says so."""
    kept = _graph(_export(lambda m, x: F.dropout(m.conv1(x), 0.2)))
    tied = _graph(_export(lambda m, x: F.dropout(m.conv1(x), 0.2, m.training)))
    assert kept["nodes"][-1]["args"][1:] == [0.2, True]
    assert tied["nodes"][-1]["args"][1:] == [0.2, False]


def test_several_outputs_give_the_first_and_a_note() -> None:
    """A model that also returns its features is exported; the note says what was taken."""
    exported = _export(lambda m, x: (m.conv1(x), x * 2))
    assert _graph(exported)["output"] == {"node": "conv2d"}
    assert "2 tensors" in exported.error


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda m, x: m.fc(x), "mat"),
        (lambda m, x: m.missing(x), "missing"),
        (lambda m, x: 5, "returns no tensor"),
        (lambda m, x: m.conv1(x) if x.sum() > 0 else x, "x.sum() > 0"),
        (lambda m, x: m.conv1(torch.from_numpy(x.numpy())), "numpy"),
    ],
)
def test_what_cannot_be_exported_says_why_in_one_line(forward: Any, words: str) -> None:
    """The reason is kept, never an exception."""
    exported = _export(forward)
    assert exported.graph is None
    assert words in exported.error
    assert "\n" not in exported.error
    assert len(exported.error) <= 500


def test_an_error_names_the_students_line() -> None:
    """The source line of the student's code stands behind the message."""

    def fail() -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError) as caught:
        fail()
    assert explain(caught.value) == "NotImplementedError: at `raise NotImplementedError`"


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (None, (2, 1, 28, 28)),
        ((128, 1, 28, 28), (128, 1, 28, 28)),
        ((1, 1, 28, 28), (2, 1, 28, 28)),
        ((1, 28, 28), (2, 1, 28, 28)),
        ((5, 784), (5, 784)),
    ],
)
def test_the_example_follows_the_last_call(called: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
    """Batches of one are doubled, single images get a batch, models never called get the lab's shape."""
    spec = None if called is None else Spec(called, torch.float32)
    assert example_spec(nn.Linear(1, 1), spec, IMAGE).shape == expected


def test_double_precision_models_are_called_in_double_precision() -> None:
    """A model that was never called gets the type of its parameters."""
    assert example_spec(nn.Linear(1, 1).double(), None, IMAGE).dtype == torch.float64


def test_infinite_arguments_are_written_as_words() -> None:
    """JSON has no infinity."""
    graph = _graph(_export(lambda m, x: m.conv1(x).clamp(min=-float("inf"), max=1.0)))
    assert graph["nodes"][-1]["args"][1] == {"float": "-inf"}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_anything_plain_becomes_strict_json(value: Any) -> None:
    """Non-finite floats never reach the file as bare words."""
    json.loads(json.dumps(plain(value), allow_nan=False), parse_constant=pytest.fail)
