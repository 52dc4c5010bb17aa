"""What all spies of one run share, and the shape of a spy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .config import Config
from .guard import Notes
from .patching import Patches
from .stage import Stage


class Session:
    """State of one run.

    Attributes:
        config: The harness's settings.
        stage: Where evidence is written.
        notes: Sentences for the report.
        execution_count: Number of the running cell, as Jupyter counts.
        namespace: Gives the student's variables.
        hushed: Above 0 while our own code runs the student's: nothing is recorded then.
        in_trial: Above 0 inside a Torchbearer trial.
    """

    def __init__(self, config: Config, namespace: Callable[[], dict[str, Any]]) -> None:
        self.config = config
        self.stage = Stage(config.stage)
        self.notes = Notes()
        self.execution_count = 0
        self.namespace = namespace
        self.hushed = 0
        self.in_trial = 0

    @contextmanager
    def hush(self) -> Iterator[None]:
        """Record nothing inside."""
        self.hushed += 1
        try:
            yield
        finally:
            self.hushed -= 1

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Inside, batches and steps are Torchbearer's business."""
        self.in_trial += 1
        try:
            yield
        finally:
            self.in_trial -= 1

    def public_names(self) -> dict[str, Any]:
        """The student's variables without IPython's own (`_`, `_3`, `In`, `Out`)."""
        names = self.namespace()
        return {key: names[key] for key in list(names) if not key.startswith("_") and key not in ("In", "Out")}


class Spy:
    """One part of the collector: patches something, gathers, writes its files when they changed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.dirty = True

    @property
    def notes(self) -> Notes:
        """Where the guard puts faults."""
        return self.session.notes

    def install(self, patches: Patches) -> None:
        """Put the spies in place."""

    def end_cell(self) -> None:
        """A cell has ended."""

    def write(self) -> None:
        """Write this part's files."""
        raise NotImplementedError
