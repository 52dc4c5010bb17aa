"""Tests of variables, tensors and probes by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([1, 2.5, True, None, "x"], [1, 2.5, True, None, "x"]),
        ((1, (2,)), [1, [2]]),
        (torch.tensor([3, 4]), [3, 4]),
        ([torch.tensor(3), torch.tensor([4])], [3, [4]]),
        (np.int64(5), 5),
        (np.array([[1.0]]), [[1.0]]),
        (float("inf"), "Infinity"),
    ],
)
def test_plain_values_are_kept(make_lab: Callable[..., Any], value: Any, kept: Any) -> None:
    """Numbers, texts, lists, and tensors as lists."""
    lab = make_lab(variables=("v",))
    lab.cell(v=value)
    assert lab.evidence.variables["v"].value == kept


@pytest.mark.parametrize("value", [{"a": 1}, object(), list(range(20_000)), int, type("Liar", (int,), {})(3), 1j])
def test_other_values_are_left_out(make_lab: Callable[..., Any], value: Any) -> None:
    """Exact types only, of a reasonable size."""
    lab = make_lab(variables=("v",))
    lab.cell(v=value)
    assert lab.evidence.variables == {}


def test_a_variable_remembers_the_cell_of_its_last_change(make_lab: Callable[..., Any]) -> None:
    """Also a change in place; a name that is gone is gone."""
    lab = make_lab(variables=("v", "w"))
    lab.cell(v=[1], w=1)
    lab.cell()
    assert lab.evidence.variables["v"].execution_count == 1
    lab.cell(lambda: lab.names["v"].append(2))
    assert (lab.evidence.variables["v"].value, lab.evidence.variables["v"].execution_count) == ([1, 2], 3)
    lab.cell(lambda: lab.names.pop("w"))
    assert list(lab.evidence.variables) == ["v"]


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (torch.rand(2, 3, requires_grad=True), "float32", (2, 3)),
        (torch.rand(4).double(), "float32", (4,)),
        (np.zeros((2, 2), bool), "uint8", (2, 2)),
        ([torch.zeros(3), torch.ones(3)], "float32", (2, 3)),
        ([[1, 2]], "int64", (1, 2)),
        (torch.rand(6).reshape(2, 3).T, "float32", (3, 2)),
    ],
)
def test_named_tensors_are_kept(make_lab: Callable[..., Any], value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    """Tensors, arrays, lists of equal tensors, dense and in plain types."""
    lab = make_lab(tensors=("t",))
    lab.cell(t=value)
    found = lab.evidence.tensors["t"]
    assert (str(found.dtype), found.shape) == (dtype, shape)


@pytest.mark.parametrize("value", ["text", [torch.zeros(1), torch.zeros(2)], [[1], [1, 2]], None, torch.zeros(1) * 1j])
def test_what_is_no_array_is_left_out(make_lab: Callable[..., Any], value: Any) -> None:
    """Ragged lists, text, complex numbers."""
    lab = make_lab(tensors=("t",))
    lab.cell(t=value)
    assert lab.evidence.tensors == {}


def test_probes_tell_how_it_went(lab: Any) -> None:
    """A tensor, an array, an exception, an exit, a non-function, a missing one."""

    def leave(path: str) -> None:
        raise SystemExit(3)

    def fail(path: str) -> None:
        raise ValueError(f"no {path}\nat all")

    lab.names.update(
        good=lambda path: torch.full((1, 1, 2, 2), 0.5),
        array=lambda path: np.zeros((28, 28)),
        none=lambda path: None,
        large=lambda path: torch.zeros(1_000_000),
        fail=fail,
        leave=leave,
        number=3,
    )
    names = ["good", "array", "none", "large", "fail", "leave", "number", "absent"]
    lab.finish([{"function": name, "inputs": ["/abs/a.png"]} for name in names])
    probes = {probe.function: probe for probe in lab.evidence.probes}
    assert {name: probe.status for name, probe in probes.items()} == {
        "good": "ok",
        "array": "wrong-type",
        "none": "wrong-type",
        "large": "wrong-type",
        "fail": "error",
        "leave": "error",
        "number": "wrong-type",
        "absent": "missing",
    }
    assert probes["fail"].error == "ValueError: no /abs/a.png at all"
    assert probes["good"].input == "a.png"
    assert (lab.evidence.probed[probes["good"].tensor] == 0.5).all()
    assert probes["array"].type_name == "ndarray"
    assert lab.evidence.probed[probes["array"].tensor].shape == (28, 28)


def test_an_interrupt_during_a_probe_keeps_the_rest(lab: Any) -> None:
    """The harness's time limit ends the probes, not the evidence."""

    def slow(path: str) -> Any:
        if path == "b":
            raise KeyboardInterrupt
        return torch.zeros(1)

    lab.names["slow"] = slow
    with pytest.raises(KeyboardInterrupt):
        lab.finish([{"function": "slow", "inputs": ["a", "b", "c"]}])
    assert [probe.input for probe in lab.evidence.probes] == ["a"]
