"""One student's evidence graded: pytest run in this process, nothing of the user's in it.

pytest keeps state per process (environment variables, sys.modules), so grade one student at a time in a process;
a class is graded by several processes.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graders.errors import EvidenceError, HarnessError, LabmarkError
from graders.evidence import Evidence
from graders.grading.foreign import spared
from graders.grading.gate import gate
from graders.grading.outcomes import verdict_of
from graders.grading.plugin import Marker
from graders.grading.points import earned
from graders.grading.work import Work
from graders.lab import CheckSpec, Lab
from graders.records import Check, Flag, Verdict, Visibility

# Of pytest only collecting, fixtures and running are wanted: no terminal, no configuration, no conftest, no plugin of
# the machine, no capturing of file descriptors (a worker has its own), no rewriting of assertions.
_WITHOUT = (
    "cacheprovider",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "pastebin",
    "setuponly",
    "setupplan",
    "stepwise",
    "terminal",
    "threadexception",
    "unittest",
    "unraisableexception",
    "warnings",
)
_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST", "PYTEST_VERSION")


@dataclass(frozen=True)
class Graded:
    """What graders say of one student.

    Attributes:
        checks: Every check of the lab exactly once, in its order.
        flags: Leads for a person.
        notes: Sentences that every reader must see: shims, caps, whose weights were used.
    """

    checks: tuple[Check, ...]
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The sum of the checks' points."""
        return round(sum(check.points for check in self.checks), 2)


def grade_evidence(
    evidence_folder: Path,
    lab: Lab,
    *,
    profile: str,
    folder: Path | None = None,
    seed: int = 0,
) -> Graded:
    """Grade one student's evidence.

    Args:
        evidence_folder: `students/<id>/evidence`.
        lab: The lab.
        profile: Name of the profile under which the notebooks were run; decides the thresholds.
        folder: The folder that holds `public/` and `hidden/`; the lab's own by default.
        seed: Of the held-out images' jitter; 0 for the images as they are stored.

    Raises:
        LabError: graders and checks do not belong to each other.
        HarnessError: pytest itself failed.
        UsageError: the lab has no such profile.
    """
    lab.profile(profile)
    try:
        evidence = Evidence(evidence_folder)
    except EvidenceError as error:  # evidence.json is ours: its loss costs the student nothing
        return ungraded(lab, f"The evidence of this run cannot be read ({error}); run the notebooks again.")
    marker = Marker(lab, evidence, profile, folder or lab.folder, seed)
    _run(marker, folder or lab.folder)
    verdicts = {spec.id: marker.verdicts.get(spec.id) or _manual(lab, spec, evidence) for spec in lab.checks}
    return Graded(
        checks=tuple(
            _check(spec, spared(verdicts[spec.id], evidence.notebooks.get(spec.notebook))) for spec in lab.checks
        ),
        flags=marker.raised.all,
        notes=(*evidence.index.notes, *_notes(evidence)),
    )


def ungraded(lab: Lab, message: str) -> Graded:
    """What is said where nothing could be checked, through a fault of ours: every check a harness error."""
    verdict = Verdict.harness_error(message)
    return Graded(checks=tuple(_check(spec, verdict) for spec in lab.checks))


def _run(marker: Marker, folder: Path) -> None:
    targets = [str(folder / one) for one in Visibility if (folder / one).is_dir()]
    options = ["-c", os.devnull, "--rootdir", str(folder), "--noconftest", "--import-mode=importlib", "--assert=plain"]
    options += ["--capture=no", "--disable-plugin-autoload", *(f"-pno:{name}" for name in _WITHOUT)]
    with _clean_environment():
        code = pytest.main([*options, *targets], plugins=[marker])
    for trouble in marker.trouble:
        if isinstance(trouble, LabmarkError | KeyboardInterrupt):
            raise trouble
        raise HarnessError(f"the graders could not be run: {trouble!r}") from trouble
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise HarnessError(f"the graders could not be run: pytest ended with {code!r}")


@contextmanager
def _clean_environment() -> Iterator[None]:
    """Hide pytest's variables for a while: the user's, and those of an outer run."""
    hidden = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    try:
        yield
    finally:
        for name in _VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(hidden)


def _manual(lab: Lab, spec: CheckSpec, evidence: Evidence) -> Verdict:
    """The verdict on a check without a grader: one that a person marks."""
    try:
        verdict = gate(lab, spec, evidence)
    except EvidenceError as error:
        return verdict_of(error, Work(lab, spec, evidence.notebooks[spec.notebook]))
    return verdict or Verdict.harness_error(f"No grader said anything about {spec.id}.")


def _check(spec: CheckSpec, verdict: Verdict) -> Check:
    return Check(
        id=spec.id,
        title=spec.title,
        category=spec.category,
        outcome=verdict.outcome,
        points=earned(verdict, spec.points),
        max_points=spec.points,
        visibility=spec.visibility,
        code=verdict.code,
        message=verdict.message,
        details=_finite(verdict.details),
        cell=verdict.cell,
    )


def _finite(value: Any) -> Any:
    """Details that can be written as JSON: a student's NaN or infinity is told as a word."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _notes(evidence: Evidence) -> Iterator[str]:
    """What was mended or capped, each sentence once with the notebooks that it is about."""
    told: dict[str, list[str]] = {}
    for name, notebook in evidence.notebooks.items():
        try:
            shims = notebook.shims
        except EvidenceError as error:
            shims = (f"What was mended is not known ({error}).",)
        for shim in shims:
            told.setdefault(shim, []).append(name)
    for shim, names in told.items():
        yield f"{', '.join(names)}: {shim}"
