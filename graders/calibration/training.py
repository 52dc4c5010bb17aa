"""One training of the reference, in a fork of a process that was warmed up once."""

import json
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from pydantic import TypeAdapter

from graders.errors import HarnessError
from graders.execution import Progress, execute_submission
from graders.execution.forked import fork, inspect_weights, run_job, warm
from graders.execution.job import LOG_CHARACTERS
from graders.execution.submission import RUNTIME
from graders.grading import grade_evidence
from graders.lab import Lab, NotebookSpec, load_lab
from graders.notebooks import solved_notebook
from graders.records import Submission

_ACCURACIES = TypeAdapter(dict[str, float])


@dataclass(frozen=True)
class Setup:
    """What is the same for all runs.

    Attributes:
        data: The images of the profile, laid out.
    """

    lab_file: Path
    profile: str
    data: Path


def prepare_process(library: Path) -> None:
    """Warm up a process that trains; interrupts are its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = Path(tempfile.mkdtemp(dir=library))
    warm(RUNTIME, own)


def measured_notebooks(lab: Lab, profile: str) -> tuple[NotebookSpec, ...]:
    """The notebooks with checks that have a threshold."""
    names = {lab.check(id_).notebook for id_ in lab.profile(profile).thresholds}
    return tuple(spec for spec in lab.notebooks if spec.file in names)


def train(setup: Setup, number: int) -> dict[str, float]:
    """Train the reference with other random numbers, and measure it on held-out images that are moved otherwise.

    Args:
        setup: Which lab, which profile.
        number: Of the random numbers and of the images' jitter, at least 1.

    Returns:
        Accuracy by check id, for each check with a threshold.

    Raises:
        HarnessError: the run broke down, or the reference got no accuracy.
    """
    with tempfile.TemporaryDirectory(prefix="labmark-calibrate-") as scratch:
        folder = Path(scratch)
        answer, log = folder / "accuracies.json", folder / "log.txt"

        def work() -> None:
            answer.write_text(json.dumps(_measured(setup, number, folder)), encoding="utf-8")

        # In a fork: marking starts threads of torch's, and then nothing more could be forked.
        with log.open("wb") as said:
            process = fork(work, said.fileno(), said.fileno())
            if process.wait():
                end = log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
                raise HarnessError(f"the reference could not be measured (run with seed {number}): {end}")
        return _ACCURACIES.validate_json(answer.read_bytes())


def _measured(setup: Setup, number: int, folder: Path) -> dict[str, float]:
    lab = load_lab(setup.lab_file)
    evidence = folder / "evidence"
    execute_submission(
        _reference(lab, setup.profile, folder / "reference"),
        lab,
        profile=setup.profile,
        folder=evidence,
        data=setup.data,
        store=folder / "store",
        report=_ignore,
        reseed=number,
        launch=run_job,
        inspect=inspect_weights,
    )
    wanted = lab.profile(setup.profile).thresholds
    graded = grade_evidence(evidence, lab, profile=setup.profile, seed=number)
    checks = {check.id: check for check in graded.checks if check.id in wanted}
    for check in checks.values():
        if "accuracy" not in check.details:
            raise HarnessError(f"{check.id}: the reference got no accuracy: {check.code}: {check.message}")
    return {id_: checks[id_].details["accuracy"] for id_ in wanted}


def _reference(lab: Lab, profile: str, folder: Path) -> Submission:
    """The reference as a submission: notebooks that are measured, and files that the others would have made."""
    folder.mkdir()
    specs = measured_notebooks(lab, profile)
    for spec in specs:
        nbformat.write(solved_notebook(lab, spec), folder / spec.file)
    run = {spec.file for spec in specs}
    files = {one.file: lab.root / one.reference for one in lab.handoffs if one.from_ not in run}
    return Submission(student="reference", folder=folder, notebooks={name: folder / name for name in run}, extras=files)


def _ignore(_: Progress) -> None:
    """Nobody follows the cells of a calibration."""
