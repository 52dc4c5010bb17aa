"""What repeated trainings of the reference say about a lab's thresholds: `<lab>/calibration/<profile>.json`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from graders.evidence import read_record
from graders.lab import Lab
from graders.records import Record

Share = Annotated[float, Field(ge=0, le=1)]


class Distribution(Record):
    """Accuracies of one check over all runs, each 0 to 1.

    Attributes:
        accuracies: As measured on held-out images, in the order of the runs.
        images: How many held-out images there are.
        sd: Sample standard deviation; 0 of one run.
        threshold: That the profile asked for.
        below: Runs below the threshold.
        false_fails: Runs that would have cost points: below it by more than the interval of the measurement.
        rate: Share of false fails.
        at_most: Upper end of the rate's 95 % Wilson interval.
    """

    accuracies: tuple[Share, ...]
    images: int
    mean: Share
    sd: float
    min: Share
    median: Share
    threshold: Share
    below: int
    false_fails: int
    rate: Share
    at_most: Share


class Calibration(Record):
    """What `labmark calibrate` has measured in one profile.

    Attributes:
        basis: Hash of what the accuracies depend on: notebooks, images and amount of training, not the thresholds.
        seed: Run k, from 1, shifted the notebooks' seeds and the held-out images by `seed + k`.
        runs: How many trainings of the reference.
        checks: By check id.
    """

    schema_: Literal["labmark/calibration/1"] = Field(default="labmark/calibration/1", alias="schema")
    lab: str
    profile: str
    basis: str
    seed: int
    runs: int
    checks: dict[str, Distribution]


def calibration_file(lab: Lab, profile: str) -> Path:
    """Where the calibration of a profile lies."""
    return lab.root / "calibration" / f"{profile}.json"


def read_calibration(path: Path) -> Calibration | None:
    """A stored calibration; None where there is none.

    Raises:
        EvidenceError: the file is damaged.
    """
    return read_record(path, Calibration) if path.exists() else None
