"""A network in numbers: what the `facts` of a check's details hold, read strictly and put into sentences.

The details are our graders' own, yet names of layers are a student's, and files may be old: what is not as it should be
is left out with a sentence.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from graders.reports.detail import Detail
from graders.reports.words import percent

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(max_length=400)]
Shape = Annotated[Sequence[Count], Field(max_length=8)]
ROWS = 200
MALFORMED = "The numbers of a network could not be shown: their data are malformed."


class Step(Detail):
    """One stage: `field` is the receptive field of a convolution or a pooling."""

    layer: Name
    what: Name
    output: Shape
    parameters: Count
    multiply_adds: Count
    reuses: bool = False
    field: Shape | None = None

    @property
    def size(self) -> str:
        """The output's shape as "30×24×24"."""
        return by(self.output)

    @property
    def sees(self) -> str:
        """The receptive field as "5×5"; empty where there is none."""
        return by(self.field) if self.field else ""


class Unused(Detail):
    """A layer that forward never uses."""

    layer: Name
    parameters: Count


class Merge(Detail):
    """Branches that come together."""

    op: Name
    branches: Annotated[Sequence[Name], Field(max_length=ROWS)]


class MostFrequent(Detail):
    """The class that is predicted most often; `different` counts the classes predicted at all."""

    class_: Annotated[int, Field(alias="class")]
    share: Share
    different: Count


class Relu(Detail):
    """A ReLU with its units, and those that are always 0."""

    place: Name
    units: Count
    dead: Count


class Repeated(Detail):
    """Evaluations that should agree; `spread` has the accuracy (or agreement) of each."""

    places: Annotated[Sequence[Name], Field(max_length=ROWS)]
    spread: Annotated[Sequence[Share], Field(min_length=1, max_length=20)]


class Batch(Detail):
    """What became of a batch of some size."""

    size: Count
    outcome: Literal["runs", "other-shape", "refused", "not-known"]
    output: Shape = ()
    reason: Name = ""


class Training(Detail):
    """Training mode beside evaluation mode."""

    equal: bool
    largest: float | None = None
    changed: Share = 0
    only_training: Annotated[Sequence[Name], Field(max_length=ROWS)] = ()
    only_evaluation: Annotated[Sequence[Name], Field(max_length=ROWS)] = ()
    problem: Name = ""


class NetworkFacts(Detail):
    """Everything that is known of one network; without `images` it could not be run."""

    parameters: Count
    trainable: Count
    multiply_adds: Count
    steps: Annotated[Sequence[Step], Field(max_length=ROWS)]
    more_steps: Count = 0
    unused: Annotated[Sequence[Unused], Field(max_length=ROWS)] = ()
    merges: Annotated[Sequence[Merge], Field(max_length=ROWS)] = ()
    problems: Annotated[Sequence[Name], Field(max_length=10)] = ()
    images: Count = 0
    labelled: bool = False
    most_frequent: MostFrequent | None = None
    dead: Annotated[Sequence[Relu], Field(max_length=ROWS)] = ()
    dropout: Repeated | None = None
    company: Repeated | None = None
    batches: Annotated[Sequence[Batch], Field(max_length=10)] = ()
    training_batches: Annotated[Sequence[Batch], Field(max_length=10)] = ()
    training: Training | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say besides the table, in sentences."""
        return tuple(_notes(self))


def network_facts(details: dict[str, Any], problems: list[str]) -> NetworkFacts | None:
    """The facts of a check's details; None where there are none, or with a sentence in `problems`, malformed ones."""
    if details.get("facts") is None:
        return None
    try:
        return NetworkFacts.model_validate(details["facts"])
    except ValidationError:
        problems.append(MALFORMED)
        return None


def by(sizes: Sequence[int]) -> str:
    """Sizes as "5×5"."""
    return "×".join(map(str, sizes))


def _notes(facts: NetworkFacts) -> Iterator[str]:
    if facts.trainable < facts.parameters:
        yield f"{facts.trainable:,} of the {facts.parameters:,} parameters may change in training, the others not."
    for one in facts.unused:
        name = one.layer or "the network itself"
        yield f"{name} is never used: its {one.parameters:,} parameters are not in the table, but in the total."
    for merge in facts.merges:
        yield f"Branches come together ({merge.op}): {'; '.join(merge.branches)}."
    yield from _batches(facts)
    if facts.most_frequent is not None and facts.images:
        yield _classes(facts.most_frequent, facts.images)
    if facts.dead:
        yield _dead(facts.dead, facts.images)
    yield from _repeated(facts)
    if facts.training is not None:
        yield _training(facts.training)
    yield from facts.problems


def _batches(facts: NetworkFacts) -> Iterator[str]:
    fine = [str(one.size) for one in facts.batches if one.outcome == "runs"]
    if fine:
        yield f"It takes batches of {listed(fine)} image{'' if fine == ['1'] else 's'}."
    unknown = [one for one in facts.batches if one.outcome == "not-known"]
    if unknown:
        sizes = listed([str(one.size) for one in unknown])
        yield f"Whether it takes batches of {sizes} is not known: {unknown[0].reason}."
    for one in facts.batches:
        if one.outcome == "refused":
            yield f"It refuses a batch of {one.size}: {one.reason}."
        if one.outcome == "other-shape":
            yield f"For a batch of {one.size} it gives the shape {by(one.output) or 'of a number'}: {one.reason}."
    evaluation = {one.size: one.outcome for one in facts.batches}
    for one in facts.training_batches:
        if one.outcome == "refused" and evaluation.get(one.size) == "runs":
            yield f"In training mode it refuses a batch of {one.size}: {one.reason}."


def _classes(found: MostFrequent, images: int) -> str:
    if found.class_ < 0:
        return f"For {percent(found.share)} of {images} images its outputs are no numbers."
    if found.different == 1:
        return f"It gives class {found.class_} for all of {images} images."
    return (
        f"Of {images} images it gives class {found.class_} most often, for {percent(found.share)}; "
        f"{found.different} different classes occur."
    )


def _dead(relus: Sequence[Relu], images: int) -> str:
    dead = [f"{one.dead} of {one.units} {one.place}" for one in relus if one.dead]
    if not dead:
        return f"Every unit of every ReLU gives more than 0 for some of {images} images."
    return f"Units of a ReLU that are 0 for all of {images} images: {'; '.join(dead)}."


def _repeated(facts: NetworkFacts) -> Iterator[str]:
    measure = "accuracies" if facts.labelled else "agreement with the first evaluation"
    for repeated, words in ((facts.dropout, "dropout is still active"), (facts.company, "an image's batch counts")):
        if repeated is not None:
            place = f" ({', '.join(repeated.places)})" if repeated.places else ""
            low, high = percent(min(repeated.spread)), percent(max(repeated.spread))
            yield f"In evaluation mode {words}{place}: {measure} from {low} to {high} for the same images."


def _training(found: Training) -> str:
    if found.problem:
        return f"Training mode could not be compared with evaluation mode: {found.problem}."
    if found.equal:
        return "Training mode computes the same as evaluation mode, but for dropout and the statistics of batches."
    only = [f"only training uses {one}" for one in found.only_training]
    only += [f"only evaluation uses {one}" for one in found.only_evaluation]
    more = f" ({'; '.join(only)})" if only else ""
    return (
        "Training mode computes something else than evaluation mode, even without dropout and the statistics of batches"
        f"{more}: {percent(found.changed)} of the predictions change."
    )


def listed(words: Sequence[str]) -> str:
    """Words as "1, 2 and 128"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
