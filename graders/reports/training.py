"""How the student's trainings went, as curves: read from the evidence of each notebook."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from graders.errors import EvidenceError
from graders.evidence import Evidence, Loop, NotebookEvidence, Trial, TrialRun
from graders.lab import Lab
from graders.reports.charts import Series, lines
from graders.reports.words import counted, percent

MOST = 6  # trainings shown of one notebook
METRICS = (
    ("Loss", ("loss", "running_loss"), "val_loss"),
    ("Accuracy (share of images)", ("acc", "running_acc"), "val_acc"),
)


@dataclass(frozen=True)
class TrainingView:
    """One training: whose, how, and its charts."""

    title: str
    sentence: str
    charts: tuple[Markup, ...]


@dataclass(frozen=True)
class NotebookTraining:
    """The trainings of one notebook; `note` says what is not shown."""

    title: str
    trainings: tuple[TrainingView, ...]
    note: str = ""


def trainings(evidence: Evidence | None, lab: Lab) -> tuple[NotebookTraining, ...]:
    """Curves of all notebooks that trained something, in the lab's order."""
    if evidence is None:
        return ()
    found = []
    for position, spec in enumerate(lab.notebooks):
        if spec.file in evidence.notebooks:
            one = _of_notebook(evidence.notebooks[spec.file], spec.title, f"t{position}")
            found += [one] if one.trainings or one.note else []
    return tuple(found)


def _of_notebook(notebook: NotebookEvidence, title: str, key: str) -> NotebookTraining:
    try:
        record = notebook.trials
    except EvidenceError as error:
        return NotebookTraining(title, (), f"The record of the trainings cannot be read: {error}.")
    works: list[tuple[int, Trial | Loop]] = [(one.execution_count, one) for one in record.trials if _longest(one)]
    works += [(one.execution_count, one) for one in record.loops if len(_finite(one.losses)[1]) > 1]
    works.sort(key=lambda pair: pair[0])
    views = tuple(_view(one, f"{key}-{index}") for index, (_, one) in enumerate(works[:MOST]))
    left = len(works) - MOST
    note = f"{counted(left, 'more training')} not drawn." if left > 0 else ""
    return NotebookTraining(title, views, note)


def _view(work: Trial | Loop, key: str) -> TrainingView:
    title = f"{work.class_name or 'A network'}, cell [{work.execution_count}]"
    how = [f"optimiser {work.optimizer}"] if work.optimizer else []
    how += [f"learning rate {work.learning_rate:g}"] if work.learning_rate is not None else []
    if isinstance(work, Loop):
        how.insert(0, f"by hand, {counted(work.steps, 'step')}")
        return TrainingView(title, _sentence(how), (_steps(work, key),))
    run = _longest(work)
    history = run.history if run else ()
    how.insert(0, _epochs(run, len(history)))
    return TrainingView(title, _sentence(how), tuple(_epoch_charts(history, key)))


def _sentence(parts: list[str]) -> str:
    text = ", ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def _epochs(run: TrialRun | None, shown: int) -> str:
    if run is None or run.epochs_run is None:
        return counted(shown, "epoch")
    if run.epochs_asked is not None and run.epochs_asked > run.epochs_run:
        return f"{counted(run.epochs_run, 'epoch')} of the {run.epochs_asked} asked for"
    return counted(run.epochs_run, "epoch")


def _longest(trial: Trial) -> TrialRun | None:
    """The run with the longest history: a Trial that goes on keeps the history of its earlier runs."""
    runs = [run for run in trial.runs if run.kind == "run" and run.history]
    return max(runs, key=lambda run: len(run.history), default=None)


def _epoch_charts(history: Sequence[dict[str, Any]], key: str) -> list[Markup]:
    charts: list[Markup] = []
    for title, training, validation in METRICS:
        name = next((one for one in training if any(one in epoch for epoch in history)), training[0])
        pairs = (("training", name), ("validation", validation))
        series = [Series(label, *_finite([epoch.get(metric) for epoch in history])) for label, metric in pairs]
        series = [one for one in series if one.x]
        if series:
            described = f"{title} by epoch. " + " ".join(_in_words(one, title) for one in series)
            charts.append(lines(f"{key}-{len(charts)}", title, "epoch", series, described=described))
    return charts


def _steps(loop: Loop, key: str) -> Markup:
    x, y = _finite(loop.losses)
    stretch = max(loop.steps, len(loop.losses)) / len(loop.losses)
    series = Series("training", [round(value * stretch, 3) for value in x], y)
    return lines(key, "Loss", "step", [series], described=f"Loss by step. {_in_words(series, 'Loss')}")


def _in_words(series: Series, title: str) -> str:
    first, last = (percent(y) if title.startswith("Acc") else f"{y:.3g}" for y in (series.y[0], series.y[-1]))
    return f"{series.name}: {first}." if len(series.y) == 1 else f"{series.name}: from {first} to {last}."


def _finite(values: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Places (from 1) and values of those that are finite numbers."""
    good = [
        (float(place), float(value))
        for place, value in enumerate(values, 1)
        if type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)
    ]
    return [x for x, _ in good], [y for _, y in good]
