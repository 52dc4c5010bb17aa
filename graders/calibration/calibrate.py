"""All runs of a calibration, several at a time, kept on disk as they are finished."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from graders.calibrated import Calibration, calibration_file, read_calibration
from graders.calibration.measuring import distribution
from graders.calibration.training import Setup, measured_notebooks, prepare_process, train
from graders.engines.files import to_json, write_atomically
from graders.errors import UsageError
from graders.execution import data_fingerprint, prepare
from graders.execution.forked import STARTED_WITH
from graders.execution.store import hashes_of, key_of
from graders.grading.held_out import held_out
from graders.lab import Lab


def calibrate(
    lab: Lab,
    lab_file: Path,
    *,
    profile: str,
    runs: int,
    seed: int,
    jobs: int,
    data: Path | None,
    out: Path | None,
    told: Callable[[int, int], None],
) -> Calibration:
    """Train the reference until there are `runs` trainings, and say how it does against the profile's thresholds.

    Args:
        lab: The lab.
        lab_file: Its lab.toml, for the processes.
        profile: Name of the profile.
        runs: Trainings in all; those of a stored calibration with the same basis and seed count.
        seed: Run k uses random numbers `seed + k`.
        jobs: Trainings at the same time.
        data: Folder with all of MNIST, for profiles that need it.
        out: The file; the lab's own by default.
        told: Called after each run: so many done, of so many.

    Raises:
        UsageError: the profile has no thresholds.
        HarnessError: a training broke down.
    """
    if not lab.profile(profile).thresholds:
        raise UsageError(f"the {profile} profile has no thresholds to calibrate")
    path = out or calibration_file(lab, profile)
    with tempfile.TemporaryDirectory(prefix="labmark-calibrate-") as scratch:
        setup = Setup(lab_file.absolute(), profile, prepare(lab, profile, data, Path(scratch) / "data"))
        keeper = _Keeper(lab, profile, basis(lab, profile, setup.data), seed, path)
        done = keeper.runs
        keeper.write()
        with _pool(Path(scratch), min(jobs, max(1, runs - done))) as pool:
            futures = [pool.submit(train, setup, seed + number) for number in range(done + 1, runs + 1)]
            for number, future in enumerate(futures, done + 1):
                keeper.add(future.result())
                told(number, runs)
    return keeper.calibration()


def basis(lab: Lab, profile: str, data: Path) -> str:
    """Hash of what accuracies depend on; thresholds are left aside, so that they can be set without training again."""
    wanted = lab.profile(profile)
    notebooks = hashes_of(lab.root / spec.file for spec in measured_notebooks(lab, profile))
    images = hashes_of(sorted((lab.folder / lab.data.held_out).glob("held-out-*")))
    return key_of([notebooks, images, wanted.epochs, data_fingerprint(data), lab.seed, sorted(wanted.thresholds)])


class _Keeper:
    """The runs so far, in memory and on disk."""

    def __init__(self, lab: Lab, profile: str, basis: str, seed: int, path: Path) -> None:
        self._lab, self._profile, self._basis, self._seed, self._path = lab, profile, basis, seed, path
        self._images = len(held_out(lab.folder / lab.data.held_out).labels)
        self._found: dict[str, list[float]] = {id_: [] for id_ in lab.profile(profile).thresholds}
        before = read_calibration(path)
        if before is not None and (before.basis, before.seed) == (basis, seed):
            self._found = {id_: list(one.accuracies) for id_, one in before.checks.items()}

    @property
    def runs(self) -> int:
        """How many are there."""
        return len(next(iter(self._found.values())))

    def add(self, accuracies: Mapping[str, float]) -> None:
        """Keep one more."""
        for id_, accuracy in accuracies.items():
            self._found[id_].append(accuracy)
        self.write()

    def write(self) -> None:
        """Write the file anew, whole or not at all; nothing as long as there is no run."""
        if self.runs:
            write_atomically(self._path, to_json(self.calibration()))

    def calibration(self) -> Calibration:
        """The record of all runs, held against the thresholds of today."""
        thresholds = self._lab.profile(self._profile).thresholds
        return Calibration(
            lab=self._lab.id,
            profile=self._profile,
            basis=self._basis,
            seed=self._seed,
            runs=self.runs,
            checks={id_: distribution(one, self._images, thresholds[id_]) for id_, one in self._found.items()},
        )


@contextmanager
def _pool(scratch: Path, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are warmed up; started with the variables that a kernel of its own would be started with."""
    before = {name: os.environ.get(name) for name in STARTED_WITH}
    os.environ.update(STARTED_WITH)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=prepare_process, initargs=(scratch,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
