"""Calibrations on disk: made, gone on with, counted again."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graders.calibrated import Calibration, read_calibration
from graders.calibration import calibrate as run
from graders.calibration.training import measured_notebooks
from graders.errors import HarnessError, UsageError
from graders.lab import DEFAULT_LAB, Lab, load_lab

BROKEN = 4


class Pool:
    """Trains at once, in no time: the accuracy tells the number of the run."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.numbers: list[int] = []
        self.broken = False

    def submit(self, _: Callable[..., Any], setup: Any, number: int) -> Future[dict[str, float]]:
        """A training that is finished."""
        future: Future[dict[str, float]] = Future()
        if self.broken and number == BROKEN:
            future.set_exception(HarnessError("broke down"))
        else:
            self.numbers.append(number)
            thresholds = self.lab.profile(setup.profile).thresholds
            future.set_result({id_: round(0.9 + number / 1000, 4) for id_ in thresholds})
        return future


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Stands in for the processes."""
    pool = Pool(load_lab())

    @contextmanager
    def made(*_: object) -> Iterator[Pool]:
        yield pool

    monkeypatch.setattr(sys.modules["graders.calibration.calibrate"], "_pool", made)
    return pool


def calibrated(out: Path, runs: int, lab: Lab | None = None, seed: int = 0) -> Calibration:
    """The smoke profile, calibrated."""
    return run(
        lab or load_lab(),
        DEFAULT_LAB,
        profile="smoke",
        runs=runs,
        seed=seed,
        jobs=1,
        data=None,
        out=out,
        told=lambda done, total: None,
    )


def test_more_runs_are_added(pool: Pool, tmp_path: Path) -> None:
    """Asked for five after three, only the fourth and fifth are trained; the file holds all in order."""
    out = tmp_path / "smoke.json"
    calibrated(out, 3)
    found = calibrated(out, 5)
    assert pool.numbers == [1, 2, 3, 4, 5]
    assert found.runs == 5
    assert read_calibration(out) == found
    for one in found.checks.values():
        assert one.accuracies == (0.901, 0.902, 0.903, 0.904, 0.905)


def test_what_is_finished_is_kept_when_a_run_breaks_down(pool: Pool, tmp_path: Path) -> None:
    """The fourth training breaks down: three are on disk, and the same command goes on from there."""
    out, pool.broken = tmp_path / "smoke.json", True
    with pytest.raises(HarnessError):
        calibrated(out, 4)
    stored = read_calibration(out)
    assert stored is not None
    assert stored.runs == 3
    pool.broken = False
    assert calibrated(out, 4).runs == 4


def test_changed_thresholds_are_counted_again_without_training(pool: Pool, tmp_path: Path) -> None:
    """The accuracies stay, the false fails are those of the new thresholds."""
    out, lab = tmp_path / "smoke.json", load_lab()
    calibrated(out, 2)
    smoke = lab.profile("smoke")
    high = smoke.model_copy(update={"thresholds": dict.fromkeys(smoke.thresholds, 0.99)})
    found = calibrated(out, 2, lab.model_copy(update={"profiles": {**lab.profiles, "smoke": high}}))
    assert pool.numbers == [1, 2]
    assert {one.false_fails for one in found.checks.values()} == {2}


@pytest.mark.parametrize("change", [{"epochs": 1}, {"images": 640}])
def test_another_training_starts_anew(pool: Pool, tmp_path: Path, change: dict[str, int]) -> None:
    """Accuracies of more or less training are never mixed, nor are those of two seeds."""
    out, lab = tmp_path / "smoke.json", load_lab()
    calibrated(out, 2)
    other = lab.profile("smoke").model_copy(update=change)
    assert calibrated(out, 1, lab.model_copy(update={"profiles": {**lab.profiles, "smoke": other}})).runs == 1
    found = calibrated(out, 1, seed=10)
    assert next(iter(found.checks.values())).accuracies == (0.911,)


def test_a_profile_without_thresholds_is_refused(tmp_path: Path) -> None:
    """There is nothing to hold the accuracies against."""
    lab = load_lab()
    bare = lab.profile("smoke").model_copy(update={"thresholds": {}})
    with pytest.raises(UsageError, match="no thresholds"):
        calibrated(tmp_path / "smoke.json", 1, lab.model_copy(update={"profiles": {"smoke": bare}}))


def test_only_notebooks_with_thresholds_are_run() -> None:
    """Parts 2 and 3 train nothing."""
    lab = load_lab()
    assert [spec.file for spec in measured_notebooks(lab, "smoke")] == [lab.notebooks[0].file, lab.notebooks[3].file]
