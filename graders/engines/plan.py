"""What is still to be done: which students, and how much of the work each of them needs."""

import secrets
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from graders.engines.files import read_result, to_json, write_atomically
from graders.engines.keys import evidence_key, graders_hash, run_key
from graders.errors import EvidenceError, UsageError
from graders.evidence import read_record
from graders.intake import safe_names
from graders.lab import Lab
from graders.records import Outcome, Record, Result, Submission

SETTINGS = Path(".labmark") / "settings.json"
MOST_SEEDS = 10**6
"""Short enough to be copied by hand."""


class Need(Enum):
    """How much of the work a student needs."""

    NOTHING = "nothing"
    MARK = "mark"
    RUN = "run"


class Settings(Record):
    """What a run's folder is for; scores of different profiles are never mixed in one.

    Attributes:
        seed: Of the held-out images' jitter, 0 for none; None for the folder's own, drawn when the folder is made.
    """

    lab: str
    profile: str
    seed: int | None = None


class Plan(Record):
    """The work for one student. `before` is the result of an earlier run, if one can be read."""

    submission: Submission
    folder: Path
    key: str
    need: Need
    before: Result | None = None


def claim_folder(out: Path, settings: Settings, *, fresh: bool) -> Settings:
    """Make `out` and note what it is for.

    Returns:
        The settings, with the seed that was asked for, else the one that the folder has, else a new one.

    Raises:
        UsageError: it is a file, or holds results of another lab or profile and `fresh` is not set.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for the results with -o")
    path = out / SETTINGS
    try:
        found = read_record(path, Settings) if path.exists() else settings
        before = 0 if path.exists() and found.seed is None else found.seed
    except EvidenceError as error:
        raise UsageError(f"{path} cannot be read ({error}); name another folder with -o") from error
    if (found.lab, found.profile) != (settings.lab, settings.profile) and not fresh:
        raise UsageError(
            f"{out} holds results of {found.lab} in the {found.profile} profile; name another folder with -o, "
            f"or add --fresh to mark everything again as {settings.lab} in the {settings.profile} profile"
        )
    seeds = (settings.seed, before, secrets.randbelow(MOST_SEEDS) + 1)
    settings = settings.model_copy(update={"seed": next(one for one in seeds if one is not None)})
    write_atomically(path, to_json(settings))
    return settings


def choose(submissions: Sequence[Submission], only: Sequence[str]) -> tuple[Submission, ...]:
    """The submissions to mark.

    Raises:
        UsageError: `only` names a student who is not in the class.
    """
    known = {one.student for one in submissions}
    strangers = [name for name in only if name not in known]
    if strangers:
        raise UsageError(f"no submission of {', '.join(strangers)}; there are {', '.join(sorted(known)[:10])} …")
    return tuple(one for one in submissions if not only or one.student in only)


def make_plans(
    submissions: Sequence[Submission],
    lab: Lab,
    out: Path,
    settings: Settings,
    *,
    data: str,
    environment: dict[str, str],
) -> tuple[Plan, ...]:
    """Compare what is there with what the submissions ask for."""
    names = safe_names(one.student for one in submissions)
    marked_by = graders_hash(lab)
    shared = run_key(lab, settings.profile, data, environment)
    plans = []
    for submission in submissions:
        folder = out / "students" / names[submission.student]
        key = evidence_key(submission, shared)
        before = read_result(folder)
        need = _need(before, folder, key, marked_by, settings.seed or 0)
        plans.append(Plan(submission=submission, folder=folder, key=key, need=need, before=before))
    return tuple(plans)


def _need(before: Result | None, folder: Path, key: str, marked_by: str, seed: int) -> Need:
    if before is None or before.provenance.evidence_key != key or not (folder / "evidence" / "evidence.json").exists():
        return Need.RUN
    if any(check.outcome is Outcome.HARNESS_ERROR for check in before.checks):
        return Need.RUN
    reports = (folder / "report.html").exists() and (folder / "instructor.html").exists()
    same = (before.provenance.graders_hash, before.provenance.held_out_seed) == (marked_by, seed)
    return Need.NOTHING if same and reports else Need.MARK
