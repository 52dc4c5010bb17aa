"""`labmark doctor`: does this machine have what marking needs? Each line is fine, or names its remedy."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graders.errors import DataError, LabError, LabmarkError
from graders.execution import prepare
from graders.execution.kernel import SOCKET_PATH
from graders.lab import Lab, load_lab
from graders.notebooks.release import stale_files
from graders.records import Record

PACKAGES = ("torch", "torchvision", "torchbearer", "papermill", "nbclient", "ipykernel", "pytest", "matplotlib")
FREE_GIB = 2
IMPORT_SECONDS = 120
# The kernel's sockets lie in a folder of their own below the temporary one: room for both names.
SOCKET_NAME = 45


class Finding(Record):
    """One line: what was looked at, what was found, what to do if that is not well."""

    what: str
    found: str
    ok: bool = True
    remedy: str = ""


def examine(lab_file: Path, data: Path | None = None) -> tuple[Finding, ...]:
    """Look at everything, whatever goes wrong on the way.

    Args:
        lab_file: The lab.toml.
        data: Folder with all of MNIST, if there is one.
    """
    findings = [_python(), *_packages(), _torch_pair(), _disk(), _temporary(), _sandbox(), *_lab(lab_file, data)]
    return tuple(findings)


def _python() -> Finding:
    return Finding(what="Python", found=f"{platform.python_version()} at {sys.executable}, {os.cpu_count()} processors")


def _packages() -> Iterable[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(what=name, found=version(name))
        except PackageNotFoundError:
            yield Finding(what=name, found="not installed", ok=False, remedy="bash scripts/setup.sh installs it")


def _torch_pair() -> Finding:
    """Import torch and torchvision where a crash does no harm: builds that do not match fail at import."""
    command = [sys.executable, "-c", "import torch, torchvision; print(torch.__version__, torchvision.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Finding(
            what="torch pair",
            found=f"import takes longer than {IMPORT_SECONDS} s",
            ok=False,
            remedy="look at the disk and at what else runs here",
        )
    if done.returncode == 0:
        return Finding(what="torch pair", found=f"torch and torchvision import together ({done.stdout.strip()})")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    remedy = "install torch and torchvision together and from the same place: bash scripts/setup.sh"
    if "torchvision::nms" in done.stderr:
        remedy = "torch is a CPU build and torchvision is not, or the other way round: uninstall both, then " + remedy
    return Finding(what="torch pair", found=f"does not import: {last}", ok=False, remedy=remedy)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return Finding(
        what="disk",
        found=f"{free:.1f} GiB free here",
        ok=free >= FREE_GIB,
        remedy="" if free >= FREE_GIB else f"make {FREE_GIB} GiB free; evidence of a student takes about 20 MB",
    )


def _temporary() -> Finding:
    folder = tempfile.gettempdir()
    short = len(os.fsencode(folder)) + SOCKET_NAME <= SOCKET_PATH
    return Finding(
        what="temporary folder",
        found=f"{folder}, {shutil.disk_usage(folder).free / 2**30:.1f} GiB free",
        ok=short,
        remedy="" if short else "its path is too long for the kernels' sockets: set TMPDIR to a shorter one",
    )


def _sandbox() -> Finding:
    return Finding(
        what="sandbox",
        found="none: notebooks run in processes of their own",
        remedy="mark strangers' notebooks only on a machine that holds nothing they may not read",
    )


def _lab(lab_file: Path, data: Path | None) -> Iterable[Finding]:
    try:
        lab = load_lab(lab_file)
    except LabError as error:
        yield Finding(what="lab", found=str(error), ok=False, remedy="mend lab.toml")
        return
    yield Finding(what="lab", found=f"{lab.id} {lab.version}: {len(lab.checks)} checks, {lab.max_score:g} points")
    yield _attempt("template", lambda: _template(lab), "run `labmark release` and commit what it writes")
    yield _attempt("embedded images", lambda: _checksums(lab.folder / lab.data.embedded), "restore the files from git")
    for name, profile in lab.profiles.items():
        if profile.data == "full" and data is None:
            remedy = "python scripts/fetch_mnist.py DIR, then --data DIR or LABMARK_DATA=DIR"
            yield Finding(what=f"images of {name}", found="no folder with all of MNIST was named", remedy=remedy)
        else:
            yield _attempt(f"images of {name}", partial(_images, lab, name, data), "see the message")


def _attempt(what: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what=what, found=look())
    except LabmarkError as error:
        return Finding(what=what, found=str(error), ok=False, remedy=remedy)


def _template(lab: Lab) -> str:
    stale = stale_files(lab, lab.root.parent / "student_template")
    if stale:
        raise LabError("; ".join(stale))
    return "student_template is what the reference gives today"


def _checksums(folder: Path) -> str:
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        for line in lines:
            expected, name = line.split(maxsplit=1)
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise DataError(f"{name} is damaged: its sha256 is not the one in SHA256SUMS")
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror})") from error
    return f"{len(lines)} files with the right checksums"


def _images(lab: Lab, profile: str, data: Path | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        prepare(lab, profile, data, Path(folder))
    return "complete"
