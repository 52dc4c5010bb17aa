"""What a check's details hold to be looked at: stages, accuracy, confusion matrix, digits, tiles.

The details are our graders' own, yet parts of them repeat what a student wrote, so each kind is validated and
left out with a sentence where it is not what it should be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from graders.errors import EvidenceError
from graders.evidence import Array, read_bytes
from graders.lab import Lab
from graders.reports.detail import Detail
from graders.reports.drawing import Drawing, Stage, draw
from graders.reports.facts import NetworkFacts, network_facts
from graders.reports.pictures import data_uri, grey_tiles
from graders.reports.words import percent

MAX_ASSET_BYTES = 256 * 1024
LEVELS = 5  # shades of the confusion matrix

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Scalar = str | int | float | bool | None
M = TypeVar("M", bound=Detail)


class Advice(Detail):
    """A hint that costs no points."""

    code: str
    message: str


class Sentences(Detail):
    """What is different about the stages, first difference first."""

    sentences: Annotated[Sequence[str], Field(max_length=100)]


class Accuracy(Detail):
    """The recomputed accuracy, the bar it is held against, and what the notebook claims."""

    accuracy: Share
    correct: Count | None = None
    total: Count | None = None
    threshold: Share | None = None
    claimed: Scalar = None

    @property
    def claim(self) -> str:
        """The claim as a person wrote it: a share as per cent, anything else as it stands, empty for none."""
        if self.claimed is None:
            return ""
        number = isinstance(self.claimed, float) and 0 <= self.claimed <= 1
        return percent(float(self.claimed)) if number else str(self.claimed)


class Confusion(Detail):
    """Counts by true class (rows) and predicted class (columns)."""

    confusion: Annotated[Sequence[Sequence[Count]], Field(min_length=2, max_length=20)]

    @model_validator(mode="after")
    def _square(self) -> Self:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("the matrix is not square")
        return self

    def level(self, row: int, column: int) -> int:
        """How strongly a cell is coloured, 0 to `LEVELS`: the root of its share of the row, so that rare ones show."""
        count, total = self.confusion[row][column], sum(self.confusion[row])
        return math.ceil(LEVELS * math.sqrt(count / total)) if count else 0

    @property
    def mistakes(self) -> list[tuple[int, int, int]]:
        """The most frequent confusions as (true, predicted, count), at most three."""
        size = range(len(self.confusion))
        found = [(row, column, self.confusion[row][column]) for row in size for column in size if row != column]
        return sorted((one for one in found if one[2]), key=lambda one: (-one[2], one[0], one[1]))[:3]


class Digit(Detail):
    """One picture of the lab's own: what it shows, what the network says, what the notebook says."""

    file: str
    truth: Scalar = None
    predicted: Scalar = None
    stated: Scalar = None


class Digits(Detail):
    """All of them."""

    digits: Annotated[Sequence[Digit], Field(max_length=100)]


class Tiles(Detail):
    """Small grey pictures: n matrices of any sides up to 64."""

    caption: str
    images: Annotated[Sequence[Sequence[Sequence[FiniteFloat]]], Field(min_length=1, max_length=128)]

    @property
    def arrays(self) -> list[Array]:
        """The pictures as matrices.

        Raises:
            ValueError: one is empty, ragged or too large.
        """
        arrays = [np.asarray(image, dtype=np.float64) for image in self.images]
        if any(one.ndim != 2 or not one.size or max(one.shape) > 64 or np.abs(one).max() > 1e30 for one in arrays):
            raise ValueError("a picture is empty or too large")
        return arrays


@dataclass(frozen=True)
class DigitView:
    """A digit with its picture, if there is one."""

    digit: Digit
    picture: str | None

    @property
    def right(self) -> bool:
        """Whether the network is right."""
        return self.digit.predicted == self.digit.truth


@dataclass(frozen=True)
class Visuals:
    """Everything to be looked at of one check; `problems` names what had to be left out."""

    title: str
    stages: tuple[Stage, ...] = ()
    drawing: Drawing | None = None
    facts: NetworkFacts | None = None
    differences: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    confusion: Confusion | None = None
    digits: tuple[DigitView, ...] = ()
    caption: str = ""
    tiles: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether an evaluation on held-out images is among them."""
        return self.accuracy is not None or self.confusion is not None


def visuals(title: str, details: dict[str, Any], lab: Lab) -> Visuals:
    """Read what the details of one check hold."""
    problems: list[str] = []
    stages = _many(details, "stages", Stage, problems)
    drawing = _drawing(stages, problems)
    sentences = _one(details, "sentences", Sentences, problems)
    accuracy = _one(details, "accuracy", Accuracy, problems)
    confusion = _one(details, "confusion", Confusion, problems)
    digits = _one(details, "digits", Digits, problems)
    caption, tiles = _tiles(details, problems)
    return Visuals(
        title=title,
        stages=stages,
        drawing=drawing,
        facts=network_facts(details, problems),
        differences=tuple(sentences.sentences) if sentences else (),
        accuracy=accuracy,
        confusion=confusion,
        digits=tuple(DigitView(one, _picture(one.file, lab)) for one in digits.digits) if digits else (),
        caption=caption,
        tiles=tiles,
        problems=tuple(problems),
    )


def advice(details: dict[str, Any]) -> tuple[Advice, ...]:
    """The advice of a check; empty where there is none or it is malformed."""
    return _many(details, "advice", Advice, [])


def _one(details: dict[str, Any], key: str, kind: type[M], problems: list[str]) -> M | None:
    if details.get(key) is None:
        return None
    try:
        return kind.model_validate(details)
    except ValidationError:
        problems.append(f"The {key} could not be drawn: its data are malformed.")
        return None


def _many(details: dict[str, Any], key: str, kind: type[M], problems: list[str]) -> tuple[M, ...]:
    found = details.get(key)
    if found is None:
        return ()
    try:
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise TypeError(key)
        return tuple(kind.model_validate(one) for one in found)
    except (ValidationError, TypeError):
        problems.append(f"The {key} could not be drawn: its data are malformed.")
        return ()


def _drawing(stages: Sequence[Stage], problems: list[str]) -> Drawing | None:
    try:
        return draw(stages) if stages else None
    except ValueError as error:
        problems.append(f"The stages stand in a table only: {error}.")
        return None


def _tiles(details: dict[str, Any], problems: list[str]) -> tuple[str, tuple[str, ...]]:
    if details.get("tiles") is None:
        return "", ()
    try:
        tiles = Tiles.model_validate(details["tiles"])
        return tiles.caption, grey_tiles(tiles.arrays)
    except ValueError:  # pydantic's ValidationError and numpy's complaint of ragged rows both are one
        problems.append("The tiles could not be drawn: their data are malformed.")
        return "", ()


def _picture(file: str, lab: Lab) -> str | None:
    if file not in lab.assets:
        return None
    try:
        return data_uri(read_bytes(lab.root / "assets" / file, MAX_ASSET_BYTES))
    except EvidenceError:
        return None
