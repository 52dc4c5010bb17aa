"""What happened to the student's models, in order: `models/index.json`."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from .guard import guarded
from .registry import Registry, is_ours_to_see
from .session import Session, Spy
from .snapshots import Capture, Snapshots, capture

MAX_EVENTS = 400


@dataclass
class Pending:
    """An event whose graph is exported later, when the shape of the input is known."""

    event: dict[str, Any]
    taken: Capture
    module: nn.Module


class Models(Spy):
    """Records events of models; other spies call it."""

    def __init__(self, session: Session, registry: Registry) -> None:
        super().__init__(session)
        self.registry = registry
        self.events: list[dict[str, Any]] = []
        self._snapshots = Snapshots(session, registry)

    @guarded
    def record(self, module: nn.Module, moment: str, /, **detail: Any) -> None:
        """Record an event and store the module's state as it is now."""
        pending = self.begin(module, moment, **detail)
        if pending is not None:
            self.settle(pending)

    @guarded
    def begin(self, module: nn.Module, moment: str, /, **detail: Any) -> Pending | None:
        """Record an event and copy the weights now; `settle` must follow. A stand-in without weights has no events."""
        if not is_ours_to_see(module):
            return None
        if len(self.events) >= MAX_EVENTS:
            self.notes.tell(f"More than {MAX_EVENTS} events of models; the later ones are not recorded.")
            return None
        self.registry.add(module)
        event = {
            "n": len(self.events),
            "moment": moment,
            "execution_count": self.session.execution_count,
            "model": None,
            "identity": self.registry.identity(module),
            "class_name": type(module).__name__,
            "names": self.registry.names(module),
            "training": bool(module.__dict__.get("training")),
            "detail": detail,
        }
        pending = Pending(event, capture(module), module)
        self.events.append(event)
        return pending

    @guarded
    def settle(self, pending: Pending) -> None:
        """Export the graph of a pending event."""
        pending.event["model"] = self._snapshots.store(pending.taken, pending.module)
        self.dirty = True

    @guarded
    def initial(self, module: nn.Module) -> Pending | None:
        """Begin the event `initial`, unless the module has been trained before; settle it once a step was made."""
        first = not any(
            event["moment"] == "initial"
            and event["model"] is not None
            and event["identity"] == self.registry.identity(module)
            for event in self.events
        )
        return self.begin(module, "initial") if first and not self.registry.stepped(module) else None

    @guarded
    def end(self) -> None:
        """Record every model of the namespace at the end of the notebook."""
        for module in self.registry.in_namespace():
            self.record(module, "end")

    def write(self) -> None:
        """Write the index, without the events that were never settled."""
        settled = [event for event in self.events if event["model"] is not None]
        events = [{**event, "n": number} for number, event in enumerate(settled)]
        self.session.stage.json("models/index.json", {"schema": "labmark/models/1", "events": events})
