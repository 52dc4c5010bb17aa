"""Tests of the spy on matplotlib."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from graders.runtime import drawn as drawn_module


def test_a_picture_is_kept_as_it_was_given(lab: Any) -> None:
    """Tensors that need gradients, bytes, doubles: values survive, with axes, figure and the title set later."""
    weight = torch.rand(5, 5, requires_grad=True)

    def cell() -> None:
        figure, axes = plt.subplots(1, 2)
        axes[0].imshow(weight.detach().numpy())
        axes[1].imshow(np.arange(9, dtype=np.uint8).reshape(3, 3))
        axes[0].set_title("first")
        figure.gca()
        plt.figure()
        plt.matshow(np.eye(2))

    lab.cell(cell)
    drawings = lab.evidence.drawings
    assert [(one.call, one.title, one.axes) for one in drawings] == [
        ("imshow", "first", 1),
        ("imshow", "", 2),
        ("matshow", "", 3),
    ]
    assert drawings[0].figure == drawings[1].figure != drawings[2].figure
    arrays = [lab.evidence.drawn[one.arrays[0]] for one in drawings]
    assert [str(array.dtype) for array in arrays] == ["float32", "uint8", "float32"]
    assert np.array_equal(arrays[0], weight.detach().numpy())


def test_a_plot_keeps_x_and_y_of_every_line(lab: Any) -> None:
    """X is counted where it was not given; formats and labels are no data."""
    lab.cell(lambda: plt.plot([3, 1, 2], "r-", [10, 20], [1.5, 2.5]))
    (drawing,) = lab.evidence.drawings
    assert [lab.evidence.drawn[key].tolist() for key in drawing.arrays] == [[0, 1, 2], [3, 1, 2], [10, 20], [1.5, 2.5]]


def test_keywords_and_meshes_are_understood(lab: Any) -> None:
    """imshow(X=...) and the last argument of pcolormesh."""
    lab.cell(lambda: [plt.gca().imshow(X=np.eye(3)), plt.pcolormesh([0, 1, 2], [0, 1, 2], np.eye(2))])
    shapes = [lab.evidence.drawn[one.arrays[0]].shape for one in lab.evidence.drawings]
    assert shapes == [(3, 3), (2, 2)]


def test_what_is_too_large_or_no_array_is_counted(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing is made, its data is not kept, and the count says so."""
    monkeypatch.setattr(drawn_module, "MAX_BYTES", 100)
    lab.cell(lambda: [plt.imshow(np.eye(50)), plt.imshow(np.eye(2)), plt.plot([], [])])
    assert [one.call for one in lab.evidence.drawings] == ["imshow", "plot"]
    assert lab.collector.notes.sentences == []
    assert '"dropped": 1' in (lab.stage / "drawn.json").read_text()


def test_an_error_of_matplotlib_stays_the_students(lab: Any) -> None:
    """Nothing is recorded, the exception passes."""
    with pytest.raises(TypeError):
        lab.cell(lambda: plt.imshow("not a picture"))
    assert lab.evidence.drawings == ()
