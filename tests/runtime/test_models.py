"""Tests of model events and snapshots."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.runtime import models as models_module
from graders.runtime import snapshots as snapshots_module


def test_equal_states_share_a_snapshot(lab: Any, tiny: nn.Module) -> None:
    """The same weights give the same number, changed ones a new one; the event stays in order."""
    record = lab.collector.models.record
    lab.cell(lambda: [record(tiny, "end"), record(tiny, "end")], model=tiny)
    torch.nn.init.zeros_(tiny.fc.weight)  # type: ignore[arg-type,union-attr]
    lab.cell(lambda: record(tiny, "end"))
    events = lab.evidence.events
    assert [(event.n, event.model, event.execution_count, event.names) for event in events] == [
        (0, 0, 1, ()),
        (1, 0, 1, ()),
        (2, 1, 2, ("model",)),
    ]
    assert lab.evidence.snapshot(events[2]).weights["fc.weight"].sum() == 0
    assert lab.evidence.snapshot(events[0]).weights["fc.weight"].any()


def test_another_class_with_the_same_weights_is_another_snapshot(lab: Any) -> None:
    """Two cells may define one class twice: what they compute may differ."""
    first, second = (type("Net", (nn.Linear,), {})(784, 2) for _ in range(2))
    second.load_state_dict(first.state_dict())
    lab.cell(lambda: [lab.collector.models.record(one, "end") for one in (first, second)])
    assert len({event.model for event in lab.evidence.events if event.moment == "end"}) == 2


def test_model_json_describes_every_tensor(lab: Any, tiny: nn.Module) -> None:
    """Parameters, buffers, frozen ones, aliases, keys in order."""
    tiny.again = tiny.fc
    tiny.conv1.weight.requires_grad_(False)  # type: ignore[union-attr]
    tiny.register_buffer("hidden", torch.ones(2), persistent=False)
    lab.cell(lambda: lab.collector.models.record(tiny, "end"))
    snapshot = lab.evidence.snapshot(lab.evidence.events[0])
    metas = {meta.name: meta for meta in snapshot.meta.tensors}
    assert not metas["conv1.weight"].trainable
    assert metas["again.weight"].alias_of == "fc.weight"
    assert metas["norm.running_mean"].kind == "buffer"
    assert snapshot.meta.state_keys == tuple(tiny.state_dict())
    assert set(snapshot.weights) == {name for name, meta in metas.items() if meta.alias_of is None}
    assert "hidden" not in snapshot.meta.state_keys
    assert np.array_equal(snapshot.weights["hidden"], np.ones(2))
    assert snapshot.meta.class_name == "Tiny"
    assert "Conv2d" in snapshot.meta.text


def test_the_graph_refers_to_tied_weights_by_their_first_name(lab: Any) -> None:
    """An alias is never a key of weights.safetensors, so no graph may name it."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    model(torch.rand(2, 4))
    lab.cell(lambda: lab.collector.models.record(model, "end"))
    snapshot = lab.evidence.snapshot(lab.evidence.events[0])
    named = [arg["tensor"] for node in snapshot.graph["eval"]["nodes"] for arg in node["args"] if "tensor" in arg]
    assert named == ["0.weight", "0.bias", "0.weight", "1.bias"]
    assert set(named) <= set(snapshot.weights)


def test_the_end_lists_models_once_and_no_parts(lab: Any, tiny: nn.Module) -> None:
    """Parts, losses and names of IPython are no models; lists and wrapped classes of the student's own are."""
    lab.names.update(
        model=tiny,
        same=tiny,
        part=tiny.conv1,
        loss=nn.CrossEntropyLoss(),
        _3=nn.Linear(1, 1),
        several=[nn.Linear(784, 2)],
        wrapped=nn.Sequential(tiny, nn.Softmax(1)),
    )
    lab.finish()
    found = [(event.class_name, event.names) for event in lab.evidence.events]
    assert found == [("Tiny", ("model", "same")), ("Linear", ()), ("Sequential", ("wrapped",))]


def test_too_large_a_model_keeps_its_event(lab: Any, tiny: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit there are no weights, and model.json says why."""
    monkeypatch.setattr(snapshots_module, "MAX_BYTES", 100)
    lab.cell(lambda: lab.collector.models.record(tiny, "end"))
    snapshot = lab.evidence.snapshot(lab.evidence.events[0])
    assert not snapshot.weights
    assert not snapshot.meta.exports["eval"].ok
    assert "are kept" in snapshot.meta.exports["eval"].error
    assert snapshot.graph["train"] is None


def test_too_many_states_share_an_empty_snapshot(lab: Any, tiny: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap the event is kept, its state is not."""
    monkeypatch.setattr(snapshots_module, "MAX_SNAPSHOTS", 1)

    def change() -> None:
        for value in range(3):
            tiny.fc.bias.data.fill_(value)  # type: ignore[union-attr,operator]
            lab.collector.models.record(tiny, "end")

    lab.cell(change)
    assert [event.model for event in lab.evidence.events] == [0, 1, 1]
    assert "more than 1 states" in lab.evidence.snapshot(lab.evidence.events[2]).meta.exports["eval"].error


def test_too_many_events_are_told(lab: Any, tiny: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that saves for ever does not fill the disk."""
    monkeypatch.setattr(models_module, "MAX_EVENTS", 2)
    lab.cell(lambda: [lab.collector.models.record(tiny, "end") for _ in range(3)])
    assert len(lab.evidence.events) == 2
    assert "More than 2 events" in lab.evidence.shims[0]


def test_a_lazy_model_has_no_state_before_its_first_call(lab: Any, batch: torch.Tensor) -> None:
    """Parameters that are not made yet are nothing to keep; afterwards the model is one like any other."""
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    lab.cell(lambda: lab.collector.models.record(model, "loaded"), model=model)
    lab.cell(lambda: model(batch))
    lab.finish()
    assert lab.moments() == ["end"]


def test_a_constant_that_differs_between_the_modes_is_kept_twice(lab: Any) -> None:
    """Train and eval graphs each refer to their own value."""

    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 2)

        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(x.flatten(1)) * torch.tensor([1.0 if self.training else 3.0])

    lab.cell(lambda: lab.collector.models.record(Moody(), "end"))
    snapshot = lab.evidence.snapshot(lab.evidence.events[0])
    values = {
        mode: snapshot.weights[arg["tensor"]].tolist()
        for mode in ("train", "eval")
        for node in snapshot.graph[mode]["nodes"]
        for arg in node["args"]
        if isinstance(arg, dict) and str(arg.get("tensor")).startswith("constant:")
    }
    assert values == {"train": [1.0], "eval": [3.0]}
