"""A softmax at the end is part of the network or of the loss."""

import numpy as np
import pytest

from graders.models.canonical import canonical, stage_graph
from graders.models.rewriting.ending import LOSSES, loss_key
from tests.models.rewriting.sketches import Sketch, images, rows

BOTH = ("softmax", "log_softmax")


def ending(op: str, dim: int = 1) -> Sketch:
    """A linear layer and what comes after it."""
    s = Sketch()
    s.op(f"{op}.int", s.scores(rows(s, s.input)), dim)
    return s


@pytest.mark.parametrize(
    ("loss", "left_out"),
    [
        (None, ()),
        ("NLLLoss", ("log_softmax",)),
        ("torch.nn.functional.nll_loss", ("log_softmax",)),
        ("CrossEntropyLoss", ("log_softmax",)),
        ("F.cross_entropy", ("log_softmax",)),
        ("MSELoss", ("softmax",)),
        ("nn.L1Loss", ("softmax",)),
        ("binary_cross_entropy", ("softmax",)),
        ("BCEWithLogitsLoss", ()),
        ("TheirOwnLoss", BOTH),
    ],
)
def test_what_goes_with_the_loss_is_left_out(loss: str | None, left_out: tuple[str, ...]) -> None:
    """A softmax before CrossEntropyLoss is a fault and stays; log_softmax there changes nothing and goes."""
    for op in BOTH:
        s = ending(op, -1)
        found = stage_graph(s.network(s.op("clone.default", s.last)), loss=loss)
        assert [one.kind for one in found.stages] == ["flatten", "linear", *([] if op in left_out else [op])]


def test_outputs_differ_by_the_ending_only() -> None:
    """The same class has the largest output, and log_softmax of what is left is what was there."""
    s = ending("log_softmax")
    network = s.network(s.last)
    before = network.run(images()).outputs
    after = canonical(network, loss="NLLLoss").run(images()).outputs
    assert (before.argmax(1) == after.argmax(1)).all()
    shifted = after - np.log(np.exp(after).sum(1, keepdims=True))
    assert np.allclose(before, shifted, atol=1e-5)
    assert not np.allclose(before, after, atol=1e-5)


def test_only_the_very_end_and_only_classes_are_left_out() -> None:
    """A softmax over the images of a batch, or one that something follows, stays."""
    s = ending("softmax", 0)
    assert stage_graph(s.network(s.last), loss="MSELoss").stages[-1].params == {"axis": 0}
    s = ending("softmax")
    kinds = [one.kind for one in stage_graph(s.network(s.op("neg.default", s.last)), loss="MSELoss").stages]
    assert kinds == ["flatten", "linear", "softmax", "neg"]


def test_classes_and_functions_of_torch_have_one_name() -> None:
    """The class, the function and either with its module are one loss."""
    assert {loss_key(name) for name in ("torch.nn.NLLLoss", "nll_loss", "F.nll_loss")} == {"nll"}
    assert loss_key("SmoothL1Loss") in LOSSES
