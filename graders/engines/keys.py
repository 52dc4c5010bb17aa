"""Keys that say whether work already done still stands."""

from graders.execution.store import hash_of_code, hashes_of, key_of
from graders.lab import PACKAGE, Lab
from graders.records import Submission

FLOOR = ("calibrated.py", "errors.py", "idx.py", "lab.py", "records.py")
RUNNING_PARTS = ("evidence", "notebooks", "intake", "runtime", "execution")
GRADING_PARTS = ("models", "grading")


def run_key(lab: Lab, profile: str, data: str, environment: dict[str, str]) -> str:
    """What the evidence of every submission depends on.

    Args:
        lab: The lab; its notebooks, assets, reference files and probes count as well.
        profile: Name of the profile.
        data: Fingerprint of the images that notebooks see.
        environment: Versions of what the kernel runs on.
    """
    names = [f"assets/{name}" for name in lab.assets]
    names += [handoff.reference for handoff in lab.handoffs]
    names += [notebook.file for notebook in lab.notebooks]
    probes = [path for n in lab.notebooks for p in n.probes for path in sorted((lab.folder / p.inputs).iterdir())]
    files = hashes_of((*(lab.root / name for name in names), *probes))
    return key_of([files, lab.hash, profile, data, environment, _code(*RUNNING_PARTS)])


def evidence_key(submission: Submission, shared: str) -> str:
    """What the evidence of one submission depends on, without running it.

    Args:
        submission: The files as they came in.
        shared: The `run_key` of the class.
    """
    given = sorted({**submission.notebooks, **submission.extras}.items())
    return key_of([shared, [[name, hashes_of([path])] for name, path in given], submission.notes])


def graders_hash(lab: Lab) -> str:
    """What turning evidence into marks depends on: the graders' code and their data, calibrations included."""
    calibrations = hashes_of(sorted((lab.root / "calibration").glob("*.json")))
    return key_of([_code(*GRADING_PARTS, lab.graders), calibrations])


def _code(*parts: str) -> list[object]:
    """Labmark's own sources: the ground floor and the parts named, data included."""
    return [hashes_of(PACKAGE / name for name in FLOOR), hash_of_code(tuple(PACKAGE / part for part in parts))]
