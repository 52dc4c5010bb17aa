"""Keys that say whether work already done still stands."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from graders.lab import PACKAGE, Lab
from graders.records import Submission

RUNNING_PARTS = ("evidence", "notebooks", "intake", "runtime", "execution")
GRADING_PARTS = ("models", "grading")


def hash_files(files: Iterable[tuple[str, Path]]) -> str:
    """sha256 over names and contents, in the order given."""
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return total.hexdigest()


@cache
def hash_sources(parts: tuple[str, ...]) -> str:
    """sha256 over labmark's own sources: the ground floor and the parts named, data included."""
    folders = [PACKAGE / part for part in parts]
    found = [*PACKAGE.glob("*.py"), *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    kept = sorted(path for path in found if "__pycache__" not in path.parts)
    return hash_files((str(path.relative_to(PACKAGE)), path) for path in kept)


def evidence_key(submission: Submission, lab: Lab, profile: str, data: str, environment: dict[str, str]) -> str:
    """What the evidence of a submission depends on, without running it.

    Args:
        submission: The files as they came in.
        lab: The lab; its assets and reference files count as well.
        profile: Name of the profile.
        data: Fingerprint of the images that notebooks see.
        environment: Versions of what the kernel runs on.
    """
    reference = [lab.root / "assets" / name for name in lab.assets]
    reference += [lab.root / handoff.reference for handoff in lab.handoffs]
    reference += [lab.root / notebook.file for notebook in lab.notebooks]
    probes = [path for n in lab.notebooks for p in n.probes for path in sorted((lab.folder / p.inputs).iterdir())]
    given = sorted({**submission.notebooks, **submission.extras}.items())
    parts = [
        hash_files(given),
        hash_files((path.name, path) for path in (*reference, *probes)),
        repr(submission.notes),
        lab.hash,
        profile,
        data,
        repr(sorted(environment.items())),
        hash_sources(RUNNING_PARTS),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def graders_hash(lab: Lab) -> str:
    """What turning evidence into marks depends on: the graders' code and their data."""
    return hash_sources((*GRADING_PARTS, lab.graders))
