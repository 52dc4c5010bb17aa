"""`trials.json`: how networks were trained and called on test data, as frozen records."""

from typing import Any, Literal

from pydantic import Field

from graders.records import Record


class Loader(Record):
    """What a generator of data gives: dataset class, split if known ("train", "test"), items, batch size, batches."""

    dataset: str
    split: str | None = None
    count: int | None = None
    batch_size: int | None = None
    batches: int | None = None


class Steps(Record):
    """What an optimiser's steps in one training told.

    Attributes:
        steps: How many there were.
        losses: What `backward` was called on before each, thinned to at most 500.
        gradients_watched: Steps of which it was seen whether the gradients were cleared since the step before.
        stale_gradients: Those of them at which they were not.
    """

    steps: int = 0
    losses: tuple[float, ...] = ()
    gradients_watched: int = 0
    stale_gradients: int = 0


class TrialRun(Steps):
    """One call of `Trial.run` or `Trial.evaluate`; history and metrics as Torchbearer returned them."""

    kind: Literal["run", "evaluate"]
    execution_count: int
    epochs_asked: int | None = None
    epochs_run: int | None = None
    data_key: str | None = None
    history: tuple[dict[str, Any], ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)


class Trial(Record):
    """One Torchbearer `Trial`. `owns_model`: every trainable parameter is held by the optimiser, and no other."""

    n: int
    execution_count: int
    identity: int
    class_name: str
    optimizer: str | None = None
    learning_rate: float | None = None
    owns_model: bool = False
    criterion: str | None = None
    metrics: tuple[str, ...] = ()
    generators: dict[str, Loader] = Field(default_factory=dict)
    runs: tuple[TrialRun, ...] = ()


class Loop(Steps):
    """Training by hand: one optimiser stepping in one cell.

    `owns_model`: the optimisers of that cell that train the model hold, together, every trainable parameter of it and
    no other.
    """

    n: int
    execution_count: int
    identity: int | None
    class_name: str | None
    optimizer: str
    learning_rate: float | None = None
    owns_model: bool = False
    passes_asked: int | None = None
    passes_run: int | None = None
    loaders: tuple[Loader, ...] = ()


class Evaluation(Record):
    """How one cell called a model on batches of test data that no step of an optimiser followed, without Torchbearer.

    Attributes:
        calls: Calls of the model.
        in_training: Those of them in training mode.
        with_gradients: Those of them with gradients enabled.
    """

    n: int
    execution_count: int
    identity: int
    class_name: str
    loader: Loader
    calls: int
    in_training: int
    with_gradients: int


class Trials(Record):
    """`trials.json`."""

    schema_: Literal["labmark/trials/1"] = Field(default="labmark/trials/1", alias="schema")
    trials: tuple[Trial, ...] = ()
    loops: tuple[Loop, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
