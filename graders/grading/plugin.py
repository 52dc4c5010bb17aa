"""The pytest plugin: one object per student, with the fixtures of the graders and the hooks that run them."""

import inspect
from collections.abc import Generator
from pathlib import Path

import pytest

from graders.calibrated import calibration_file, read_calibration
from graders.errors import HarnessError, LabError
from graders.evidence import Evidence
from graders.grading.flags import Flags
from graders.grading.gate import gate
from graders.grading.held_out import HeldOut, held_out
from graders.grading.marks import check_of
from graders.grading.outcomes import verdict_of
from graders.grading.work import Work
from graders.lab import CheckSpec, Lab
from graders.records import Verdict


class SettledError(Exception):
    """The gate has answered the check; carries the verdict past the grader."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Marker:
    """Runs a lab's graders over one student's evidence and keeps their verdicts.

    Attributes:
        verdicts: By check id.
        flags: What graders raised.
        trouble: What went wrong with pytest itself; graders' own exceptions are verdicts.
    """

    def __init__(self, lab: Lab, evidence: Evidence, profile: str, folder: Path, seed: int = 0) -> None:
        self._lab = lab
        self._evidence = evidence
        self._profile = profile
        self._folder = folder
        self._seed = seed
        self._works: dict[str, Work] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.raised = Flags()
        self.trouble: list[BaseException] = []

    # --- fixtures

    @pytest.fixture
    def lab(self) -> Lab:
        """The lab that is marked."""
        return self._lab

    @pytest.fixture
    def profile(self) -> str:
        """Name of the profile under which the notebooks were run."""
        return self._profile

    @pytest.fixture
    def evidence(self) -> Evidence:
        """All evidence of the student."""
        return self._evidence

    @pytest.fixture
    def notebook(self, request: pytest.FixtureRequest) -> Work:
        """The evidence of the check's notebook."""
        return self._work(self._spec(request.node))

    @pytest.fixture
    def threshold(self, request: pytest.FixtureRequest) -> float:
        """The accuracy that the profile asks of the check, 0 to 1."""
        id_ = self._spec(request.node).id
        thresholds = self._lab.profile(self._profile).thresholds
        if id_ not in thresholds:
            key = f"profiles.{self._profile}.thresholds"
            raise LabError.at("lab.toml", key, f"has no threshold for {id_}", "Add one")
        return thresholds[id_]

    @pytest.fixture
    def held_out(self) -> HeldOut:
        """Images and labels that no student had."""
        return held_out(self._folder / self._lab.data.held_out, self._seed)

    @pytest.fixture
    def flags(self) -> Flags:
        """Where a grader leaves leads for a person."""
        return self.raised

    # --- hooks

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """See that graders and checks belong to each other, one to one.

        Raises:
            LabError: they do not; names the check.
        """
        ids = [self._id(item) for item in items]
        checks = {one.id: one for one in self._lab.checks}
        problems = [f"{id_} has more than one grader" for id_ in checks if ids.count(id_) > 1]
        problems += [
            f"{item.name} marks no check of the lab" for item, id_ in zip(items, ids, strict=True) if id_ not in checks
        ]
        problems += [f"{one.id} has no grader" for one in checks.values() if not one.manual and one.id not in ids]
        problems += [
            f"{id_} is {checks[id_].visibility} but its grader is not in {checks[id_].visibility}/"
            for item, id_ in zip(items, ids, strict=True)
            if id_ in checks and item.path.parent != self._folder / checks[id_].visibility
        ]
        if problems:
            raise LabError(f"{self._folder.name}: {'; '.join(problems)}")

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Ask the gate before fixtures are made."""
        verdict = gate(self._lab, self._spec(item), self._evidence)
        if verdict is not None:
            raise SettledError(verdict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Run a grader and keep what it returns."""
        wanted = inspect.signature(pyfuncitem.obj).parameters
        verdict = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted})
        if not isinstance(verdict, Verdict):
            raise HarnessError(f"{pyfuncitem.name} returned {type(verdict).__name__}, not a Verdict")
        check = self._spec(pyfuncitem)
        self.verdicts[check.id] = self._calibrated(check, self._work(check).located(verdict))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Explain what a grader or a fixture of it raised."""
        if call.excinfo is not None:
            error, check = call.excinfo.value, self._spec(item)
            known = error.verdict if isinstance(error, SettledError) else None
            self.verdicts[check.id] = known or verdict_of(error, self._known_work(check))
        return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what kept graders from being collected."""
        if report.failed:
            self.trouble.append(HarnessError(f"{report.nodeid}: {report.longreprtext}"))

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Keep what broke pytest; print nothing."""
        self.trouble.append(excinfo.value)
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep the interruption, which pytest would swallow."""
        self.trouble.append(excinfo.value)

    # --- helpers

    def _calibrated(self, check: CheckSpec, verdict: Verdict) -> Verdict:
        """A verdict on a measured accuracy with what repeated trainings of the reference say of its threshold."""
        if "accuracy" not in verdict.details:
            return verdict
        found = read_calibration(calibration_file(self._lab, self._profile))
        known = found.checks.get(check.id) if found is not None else None
        if known is None or known.threshold != self._lab.profile(self._profile).thresholds.get(check.id):
            return verdict
        told = {"runs": len(known.accuracies), **known.model_dump(exclude={"accuracies", "images"})}
        return verdict.model_copy(update={"details": {**verdict.details, "calibration": told}})

    @staticmethod
    def _id(item: pytest.Item) -> str:
        return check_of(getattr(item, "obj", None) or (lambda: None)) or item.name

    def _spec(self, item: pytest.Item) -> CheckSpec:
        return self._lab.check(self._id(item))

    def _work(self, check: CheckSpec) -> Work:
        if check.id not in self._works:
            self._works[check.id] = Work(self._lab, check, self._evidence.notebooks[check.notebook])
        return self._works[check.id]

    def _known_work(self, check: CheckSpec) -> Work | None:
        return self._work(check) if check.notebook in self._evidence.notebooks else None
