"""Outputs as they come in from a kernel that may send anything."""

from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from graders.execution.outputs import Outputs


def stream(text: Any, name: str = "stdout") -> dict[str, Any]:
    """Content of a stream message."""
    return {"name": name, "text": text}


def texts(outputs: Outputs) -> list[tuple[str, str]]:
    """Name and text of the streams."""
    return [(node.name, node.text) for node in outputs.nodes()]


def shown(text: str, display: str | None = None) -> dict[str, Any]:
    """Content of a display_data message."""
    transient = {"display_id": display} if display else {}
    return {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def test_text_of_one_stream_is_joined() -> None:
    """Pieces of a stream in a row are one output; another stream between them begins a new one."""
    outputs = Outputs(10_000)
    for name, text in (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d")):
        outputs.take("stream", stream(text, name))
    assert texts(outputs) == [("stdout", "ab\n"), ("stderr", "c"), ("stdout", "d")]


def test_progress_bars_cost_their_last_state_only() -> None:
    """What carriage returns overwrite is neither kept nor counted."""
    outputs = Outputs(500)
    for step in range(1000):
        outputs.take("stream", stream(f"\r{step:>100}%", "stderr"))
    outputs.take("stream", stream("\ndone\r", "stderr"))
    outputs.take("stream", stream("\n", "stderr"))
    assert not outputs.exceeded
    assert texts(outputs) == [("stderr", f"{999:>100}%\ndone\r\n")]


def test_flood_keeps_the_first_part() -> None:
    """Beyond the limit nothing more is kept, and it is told."""
    outputs = Outputs(1000)
    outputs.take("stream", stream("é" * 10_000))
    outputs.take("display_data", shown("later"))
    assert outputs.exceeded
    (node,) = outputs.nodes()
    assert set(node.text) == {"é"}
    assert 900 <= len(node.text.encode()) <= 1000


@pytest.mark.parametrize("kind", ["display_data", "stream", "clear_output"])
def test_empty_outputs_cannot_pile_up(kind: str) -> None:
    """Outputs without any text reach the limit as well, where they are kept at all."""
    outputs = Outputs(10_000)
    for number in range(1000):
        outputs.take(kind, stream("", ("stdout", "stderr")[number % 2]))
    assert outputs.exceeded == (kind != "clear_output")
    assert len(outputs.nodes()) <= 200


def test_cleared_outputs_make_room() -> None:
    """A cell may draw again and again over what it has cleared, at once or with the next output."""
    outputs = Outputs(1000)
    for number in range(100):
        outputs.take("display_data", shown("x" * 400))
        outputs.take("clear_output", {"wait": number % 2 == 0})
    outputs.take("display_data", shown("last"))
    assert not outputs.exceeded
    assert [node.data["text/plain"] for node in outputs.nodes()] == ["last"]


def test_displays_are_updated_in_place() -> None:
    """An update changes the output of that id; one that is too large is refused."""
    outputs = Outputs(1000)
    outputs.take("display_data", shown("first", "id"))
    outputs.take("update_display_data", shown("second", "id"))
    outputs.take("update_display_data", shown("nobody's", "other"))
    assert [node.data["text/plain"] for node in outputs.nodes()] == ["second"]
    outputs.take("update_display_data", shown("x" * 2000, "id"))
    assert outputs.exceeded


def test_limit_is_for_all_cells_together() -> None:
    """A new cell begins with no outputs, but not with new room."""
    outputs = Outputs(1000)
    outputs.take("stream", stream("x" * 600))
    outputs.begin()
    assert outputs.nodes() == []
    outputs.take("stream", stream("x" * 600))
    assert outputs.exceeded


def test_long_errors_are_cut() -> None:
    """An exception with a huge message is no flood: it is cut."""
    outputs = Outputs(100_000)
    outputs.take("error", {"ename": "E", "evalue": "x" * 10**6, "traceback": ["y" * 10**6, "z"]})
    assert not outputs.exceeded
    (node,) = outputs.nodes()
    assert (node.ename, len(node.evalue)) == ("E", 2000)
    assert sum(map(len, node.traceback)) == 20_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(["stream", "error", "display_data", "execute_result", "update_display_data", "clear_output"])
FIELDS = st.sampled_from(["name", "text", "data", "transient", "ename", "traceback", "wait", "execution_count"])
DATA = st.dictionaries(st.sampled_from(["text/plain", "image/png", "application/json", "x/y"]), JSON, max_size=3)


@given(st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, JSON | DATA, max_size=5)), max_size=8))
def test_anything_gives_a_valid_notebook(messages: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever a kernel sends, the outputs are valid, fit for UTF-8 and within the limit."""
    outputs = Outputs(2000)
    for kind, content in messages:
        outputs.take(kind, content)
    cell = v4.new_code_cell("", outputs=outputs.nodes(), id="a")
    node = v4.new_notebook(cells=[cell])
    nbformat.validate(node)
    assert len(v4.writes(node).encode()) < 20_000
