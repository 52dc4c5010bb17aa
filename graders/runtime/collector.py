"""All spies of one run together: installed, told when a cell ends, written, finished."""

from collections.abc import Callable
from typing import Any

from .calls import Calls
from .config import Config
from .drawn import Drawn
from .guard import Notes, guarded
from .loops import Loops
from .models import Models
from .patching import Patches
from .probes import Probes
from .registry import Registry
from .saving import Saving
from .session import Session, Spy
from .shims import install_shims
from .trials import Trials
from .variables import Variables


class Collector:
    """The runtime's evidence of one notebook.

    Args:
        config: The harness's settings.
        namespace: Gives the student's variables.
    """

    def __init__(self, config: Config, namespace: Callable[[], dict[str, Any]]) -> None:
        self.session = Session(config, namespace)
        self._patches = Patches()
        registry = Registry(self.session)
        self.models = Models(self.session, registry)
        self.trials = Trials(self.session, self.models)
        self.probes = Probes(self.session)
        loops = Loops(self.session, self.models, self.trials)
        self._spies: tuple[Spy, ...] = (
            Calls(self.session, registry, loops.called),
            self.trials,
            loops,
            Saving(self.session, self.models),
            Drawn(self.session),
            Variables(self.session),
            self.models,
            self.probes,
        )

    @property
    def notes(self) -> Notes:
        """Where the guard puts faults."""
        return self.session.notes

    def install(self, shell: Any = None) -> None:
        """Put shims and spies in place; the shims first, so that a spy sees what the student asked for."""
        install_shims(self.session, self._patches, shell)
        for spy in self._spies:
            spy.install(self._patches)

    def uninstall(self) -> None:
        """Take every patch back."""
        self._patches.undo()

    def begin_cell(self, execution_count: int) -> None:
        """A cell begins."""
        self.session.execution_count = execution_count

    def end_cell(self) -> None:
        """A cell has ended: write what has changed."""
        for spy in self._spies:
            self._end(spy)
        self.write()

    def write(self) -> None:
        """Write the files of every part that has changed."""
        for spy in self._spies:
            if spy.dirty:
                self._write(spy)
        if self.notes.dirty:
            self._write_notes()

    def finish(self, probes: list[dict[str, Any]]) -> None:
        """Take the end state of everything, then call the probes; what is known so far is written in between."""
        self.models.end()
        self.end_cell()
        try:
            self._probe(probes)
        finally:
            self.write()

    @guarded
    def _end(self, spy: Spy) -> None:
        spy.end_cell()

    @guarded
    def _probe(self, probes: list[dict[str, Any]]) -> None:
        self.probes.run(probes)

    @guarded
    def _write(self, spy: Spy) -> None:
        spy.write()
        spy.dirty = False

    @guarded
    def _write_notes(self) -> None:
        self.session.stage.json("shims.json", {"schema": "labmark/shims/1", "used": self.notes.sentences})
        self.notes.dirty = False
