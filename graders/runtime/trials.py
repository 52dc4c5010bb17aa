"""Spies on torchbearer.Trial: what was asked of it, what came out, and the cap on epochs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import torchbearer
from torch import nn

from .guard import guarded
from .identity import IdentityMap
from .loaders import describe
from .models import Models, Pending
from .patching import Patches
from .registry import is_module, owns
from .session import Session, Spy
from .steps import Hashes, Images, Step, Steps

GENERATORS = {
    "train": torchbearer.TRAIN_GENERATOR,
    "validation": torchbearer.VALIDATION_GENERATOR,
    "test": torchbearer.TEST_GENERATOR,
}


@dataclass
class TrialNote:
    """What is known of one Trial.

    Attributes:
        data: Its record.
        epochs: Epochs run under our eyes.
        steps: What the optimiser's steps of the present run told.
        loader: The present run's training data.
        images: Hashes of the images that it was trained with, over all runs.
        before: Epochs in its history when the present run began.
        initial: The model's untrained state, until the end of its first run.
        runs: Records of its calls.
    """

    data: dict[str, Any]
    epochs: int = 0
    steps: Steps = field(default_factory=Steps)
    loader: Any = None
    images: Images = field(default_factory=Images)
    before: int = 0
    initial: Pending | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)


class Trials(Spy):
    """Records trials; `Loops` writes them together with the loops by hand."""

    def __init__(self, session: Session, models: Models) -> None:
        super().__init__(session)
        self.all: list[TrialNote] = []
        self._models = models
        self._known: IdentityMap[TrialNote] = IdentityMap()
        self._running: list[TrialNote] = []

    def install(self, patches: Patches) -> None:
        """Patch Trial."""
        patches.wrap(torchbearer.Trial, "__init__", self._init)
        patches.wrap(torchbearer.Trial, "run", self._run)
        patches.wrap(torchbearer.Trial, "evaluate", self._evaluate)
        patches.wrap(torchbearer.Trial, "predict", self._predict)

    def records(self) -> list[dict[str, Any]]:
        """Trial data in order."""
        return [{**note.data, "runs": note.runs} for note in self.all]

    def write(self) -> None:
        """Nothing of its own: `Loops` writes trials.json."""

    def images(self) -> dict[str, Hashes]:
        """Hashes of the images that each trial was trained with, by its key in the evidence."""
        return {f"trial{note.data['n']}": note.images.all() for note in self.all}

    def loader(self) -> Any:
        """What the run in progress trains with; None where nothing runs."""
        return self._running[-1].loader if self._running else None

    def stepped(self, optimizer: Any, step: Step) -> None:
        """An optimiser has made a step inside a trial; Torchbearer's stand-in for none does not count."""
        if self._running and not type(optimizer).__module__.startswith("torchbearer"):
            self._running[-1].steps.add(step)
            self._running[-1].images.add(step.images)

    # --- the patched methods --------------------------------------------------------------------------

    def _init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(trial: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it stands in for that method
            __tracebackhide__ = True
            original(trial, *args, **kwargs)
            self._made(trial, kwargs.get("metrics", args[3] if len(args) > 3 else []))

        return __init__

    def _run(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def run(trial: Any, epochs: Any = 1, verbose: Any = -1) -> Any:
            __tracebackhide__ = True
            cap = self._begin_run(trial, epochs)
            try:
                with self.session.trial():
                    return original(trial, epochs if cap is None else cap, verbose)
            finally:
                self._end_run(trial, epochs)

        return run

    def _evaluate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate(trial: Any, verbose: Any = -1, data_key: Any = None) -> Any:
            __tracebackhide__ = True
            with self.session.trial():
                metrics = original(trial, verbose, data_key)
            self._evaluated(trial, metrics, data_key)
            return metrics

        return evaluate

    def _predict(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def predict(trial: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self.session.trial():
                return original(trial, *args, **kwargs)

        return predict

    # --- what they tell -------------------------------------------------------------------------------

    @guarded
    def _made(self, trial: Any, metrics: Any) -> None:
        if self.session.hushed:
            return
        data = {
            "n": len(self.all),
            "execution_count": self.session.execution_count,
            "metrics": [metric if isinstance(metric, str) else type(metric).__name__ for metric in metrics],
        }
        note = TrialNote(data)
        self._known[trial] = note
        self.all.append(note)
        self._look(trial, note)

    def _look(self, trial: Any, note: TrialNote) -> nn.Module:
        """Bring the record up to date with the trial's state; gives its model."""
        model, optimizer = trial.state[torchbearer.MODEL], trial.state[torchbearer.OPTIMIZER]
        criterion = trial.state[torchbearer.CRITERION]
        given = not type(optimizer).__module__.startswith("torchbearer")
        held = [parameter for group in optimizer.param_groups for parameter in group["params"]] if given else []
        note.data.update(
            identity=self._models.registry.identity(model),
            class_name=type(model).__name__,
            optimizer=type(optimizer).__name__ if given else None,
            learning_rate=_number(optimizer.param_groups[0].get("lr")) if given else None,
            owns_model=owns(model, held),
            criterion=_criterion(criterion),
            generators=_generators(trial),
        )
        self.dirty = True
        return model  # type: ignore[no-any-return]

    @guarded
    def _begin_run(self, trial: Any, epochs: Any) -> int | None:
        """Prepare a run; gives the epoch up to which it may go, or None where it may go as far as it likes."""
        note = self._known.get(trial)
        if note is None:
            return None
        model = self._look(trial, note)
        note.steps, note.before = Steps(), len(trial.state[torchbearer.HISTORY])
        note.loader = trial.state[torchbearer.TRAIN_GENERATOR]
        note.initial = self._models.initial(model)
        self._running.append(note)
        cap = self.session.config.epochs
        if not cap or not isinstance(epochs, Integral):
            return None
        allowed = len(trial.state[torchbearer.HISTORY]) + max(0, cap - note.epochs)
        if epochs <= allowed:
            return None
        self.notes.tell(
            f"Training was capped at {cap} epochs by this profile, where Trial.run was asked for {int(epochs)}."
        )
        return allowed

    @guarded
    def _end_run(self, trial: Any, epochs: Any) -> None:
        note = self._known.get(trial)
        if note is None or note not in self._running:
            return
        self._running.remove(note)
        history = trial.state[torchbearer.HISTORY]
        note.epochs += len(history) - note.before
        model = self._look(trial, note)
        note.loader = None
        note.runs.append(
            {
                "kind": "run",
                "execution_count": self.session.execution_count,
                "epochs_asked": int(epochs) if isinstance(epochs, Integral) else None,
                "epochs_run": len(history) - note.before,
                "history": [dict(epoch) for epoch in history],
                **note.steps.record(),
            }
        )
        taken = note.steps.count
        if note.initial is not None and taken:
            self._models.settle(note.initial)
        note.initial = None
        if taken and is_module(model):
            steps = self._models.registry.steps
            steps[model] = (steps.get(model) or 0) + taken
            self._models.record(model, "trained", trial=note.data["n"], loop=None, steps=taken)

    @guarded
    def _evaluated(self, trial: Any, metrics: Any, data_key: Any) -> None:
        note = self._known.get(trial)
        if note is None or self.session.hushed:
            return
        model = self._look(trial, note)
        key = str(torchbearer.VALIDATION_DATA if data_key is None else data_key)
        count = self.session.execution_count
        note.runs.append({"kind": "evaluate", "execution_count": count, "data_key": key, "metrics": dict(metrics)})
        self._models.record(model, "evaluated", trial=note.data["n"], metrics=dict(metrics), data_key=key)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) or hasattr(value, "item") else None


def _criterion(criterion: Any) -> str | None:
    """Name of the loss; None for the stand-in of a Trial without one."""
    if isinstance(criterion, nn.Module):
        return type(criterion).__name__
    name = str(getattr(criterion, "__qualname__", type(criterion).__name__))
    return None if name.startswith("Trial.__init__") else name


def _generators(trial: Any) -> dict[str, Any]:
    found = {name: trial.state[key] for name, key in GENERATORS.items()}
    return {name: describe(generator) for name, generator in found.items() if generator is not None}
