"""The drawing of two networks side by side."""

from typing import Any

import pytest

from graders.reports.drawing import Drawing, Stage, draw


def side(words: str, shape: tuple[int, ...] = (16, 28, 28)) -> dict[str, Any]:
    """A stage on one side."""
    return {"words": words, "label": words, "name": "", "shape": list(shape)}


def row(status: str, words: str, **more: Any) -> Stage:
    """A row with the same words on both sides, where there are both."""
    return Stage.model_validate(
        {
            "status": status,
            "expected": None if status == "extra" else side(words),
            "found": None if status == "missing" else side(words),
            **more,
        }
    )


BRANCHES = [
    row("same", "conv 1x1", path=[[0, 0]]),
    row("same", "conv 5x5", path=[[0, 1]]),
    row("same", "add", block=0, lanes=["same", "same"]),
]


def texts(found: Drawing) -> list[str]:
    """All text in boxes."""
    return [line.text for box in found.boxes for line in box.lines]


def test_equal_networks_have_the_same_boxes_on_both_sides() -> None:
    """Each stage twice, at the same height, and nothing is marked."""
    found = draw([row("same", "relu"), row("same", "flatten")])
    assert found.same
    assert texts(found).count("relu") == texts(found).count("flatten") == 2
    heights = {box.y for box in found.boxes if any(line.text == "relu" for line in box.lines)}
    assert len(heights) == 1
    assert {box.kind for box in found.boxes} == {"solid"}


@pytest.mark.parametrize(
    ("status", "kind", "tag"),
    [("missing", "ghost", "missing"), ("extra", "extra", "extra"), ("different", "different", "differs")],
)
def test_a_difference_is_told_by_shape_and_by_words(status: str, kind: str, tag: str) -> None:
    """Not by colour alone."""
    found = draw([row("same", "conv"), row(status, "relu")])
    assert not found.same
    assert kind in {box.kind for box in found.boxes}
    assert any(tag in text for text in texts(found))


def test_shapes_stand_beside_the_arrows() -> None:
    """As people write them."""
    assert "16×28×28" in {note.text for note in draw([row("same", "conv"), row("same", "relu")]).notes}


def test_branches_lie_side_by_side_above_their_merge() -> None:
    """Two lanes at one height on each side, the merge below both."""
    boxes = {line.text: box for box in draw(BRANCHES).boxes for line in box.lines}
    assert boxes["conv 1x1"].y == boxes["conv 5x5"].y < boxes["add"].y
    assert boxes["conv 1x1"].x != boxes["conv 5x5"].x


def test_boxes_do_not_overlap() -> None:
    """Whatever differs, nothing lies on anything else."""
    boxes = draw([row("same", "conv"), *BRANCHES, row("missing", "relu"), row("extra", "pool")]).boxes
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_a_network_that_is_too_long_is_refused() -> None:
    """It then stands in a table only."""
    with pytest.raises(ValueError, match="too many for a drawing"):
        draw([row("same", "relu")] * 400)
