"""A folder with one folder a student, the name of the folder being the student's id."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graders.errors import UsageError
from graders.lab import Lab
from graders.records import Submission

MIB = 2**20
MAX_FILES = 2000
"""Files of one submission that are looked at."""
LITTER = ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini")
IMPORTABLE = (".py", ".pth", ".so")
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
LAYOUT = "Lay the submissions out as SUBMISSIONS/<student id>/<notebook>.ipynb"


@dataclass(frozen=True)
class _Found:
    """What lies in one student's folder: regular files, in the order in which they are preferred."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def find_submissions(folder: Path, lab: Lab) -> tuple[Submission, ...]:
    """Find every student's files. Links are not followed, hidden folders not entered; nothing is opened.

    Args:
        folder: Holds one folder a student; its hidden folders and loose files are passed over.
        lab: Says which notebooks and files are looked for, and how large a submission may be.

    Returns:
        Submissions sorted by student. A folder without notebooks is a submission without notebooks.

    Raises:
        UsageError: the folder is missing, holds no student's folder, or is itself a student's.
    """
    try:
        homes = sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path))
        loose = [path for path in folder.iterdir() if path.is_file()]
    except FileNotFoundError as error:
        raise UsageError(f"{folder}: there is no such folder. {LAYOUT} and name that folder") from error
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is a file, not a folder of submissions. {LAYOUT} and name that folder") from error
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror})") from error
    if any(_looks_like(spec.file)(path) for spec in lab.notebooks for path in loose):
        raise UsageError(
            f"{folder} holds notebooks itself, so it is one student's folder. Name the folder above it, "
            f"{folder.resolve().parent}, to mark all in it, with --only {folder.resolve().name} to mark this one"
        )
    if not homes:
        raise UsageError(f"{folder}: no student's folder is in it. {LAYOUT}")
    return tuple(_submission(home, lab) for home in homes)


def _submission(home: Path, lab: Lab) -> Submission:
    student = _printable(home.name)
    if home.is_symlink():
        note = "The student's folder is a link and was not followed (REJECTED_ARTEFACT)."
        return Submission(student=student, folder=home, notebooks={}, notes=(note,))
    found = _look(home)
    size = sum(path.stat().st_size for path in found.files)
    if size > lab.limits.submission_mb * MIB:
        note = (
            f"The submission has {size / MIB:.0f} MiB; at most {lab.limits.submission_mb} MiB are marked, so none of "
            "its files was read. Take out what is not asked for (data sets, environments) and mark it again."
        )
        return Submission(student=student, folder=home, notebooks={}, notes=(*found.notes, note))
    notes = list(found.notes)
    names = [spec.file for spec in lab.notebooks]
    notebooks = _pick(names, found.files, home, notes)
    wanted = dict.fromkeys(
        [name for spec in lab.notebooks for name in spec.collect] + [one.file for one in lab.handoffs]
    )
    extras = _pick(list(wanted), found.files, home, notes)
    notes += _strangers(found.files, home, {*notebooks.values(), *extras.values()})
    return Submission(student=student, folder=home, notebooks=notebooks, extras=extras, notes=tuple(notes))


def _look(home: Path) -> _Found:
    """List the regular files of a folder and of the folders in it, those on top first."""
    files: list[Path] = []
    notes: list[str] = []
    for path in _entries(home, notes, home):
        if path.is_dir():
            if path.suffix.lower() == ".ipynb":
                notes.append(f"{_shown(path, home)} is a folder, not a notebook.")
            for below in _entries(path, notes, home):
                if below.is_dir():
                    notes.append(f"{_shown(below, home)} lies too deep and was not searched.")
                else:
                    files.append(below)
        else:
            files.append(path)
    if len(files) > MAX_FILES:
        notes.append(f"It has {len(files)} files; only the first {MAX_FILES} were looked at.")
    ordered = sorted(files, key=lambda path: (len(path.relative_to(home).parts), str(path)))
    return _Found(tuple(ordered[:MAX_FILES]), tuple(notes))


def _entries(folder: Path, notes: list[str], home: Path) -> Iterator[Path]:
    """Folders and regular files in a folder, by name; what else is there goes into the notes, litter does not."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        notes.append(f"{_shown(folder, home)} cannot be read ({error.strerror}).")
        return
    for path in entries:
        if path.is_symlink():
            notes.append(f"{_shown(path, home)} is a link and was not followed (REJECTED_ARTEFACT).")
        elif _hidden(path):
            continue
        elif path.is_dir() or path.is_file():
            yield path
        else:
            notes.append(f"{_shown(path, home)} is not a regular file and was left alone (REJECTED_ARTEFACT).")


def _pick(names: Sequence[str], files: Sequence[Path], home: Path, notes: list[str]) -> dict[str, Path]:
    """Find a file for each name: of that very name, else in other letters, else with something added to it."""
    picked: dict[str, Path] = {}
    for name in names:
        taken = set(picked.values())
        free = [path for path in files if path not in taken and path.name not in set(names) - {name}]
        candidates = [path for path in free if _looks_like(name)(path)]
        exact = [path for path in candidates if path.name == name]
        folded = [path for path in candidates if path.name.casefold() == name.casefold()]
        best = exact or folded or candidates
        if not best:
            continue
        picked[name] = best[0]
        shown = _shown(best[0], home)
        others = [_shown(path, home) for path in candidates if path != best[0]]
        if others:
            notes.append(f"{shown} was taken for {name}; {', '.join(others)} would fit too. Please make sure.")
        elif shown != name:
            notes.append(f"{shown} was taken for {name}.")
    return picked


def _looks_like(name: str) -> Callable[[Path], bool]:
    """Whether a file's name is a given one, perhaps with something before or after its stem.

    As `part.ipynb`: `part (1).ipynb`, `part-2.ipynb`, `Copy of part.ipynb`, `ann_PART.ipynb`; not `parts.ipynb`.
    """
    stem, ending = Path(name).stem, Path(name).suffix
    pattern = re.compile(rf"(.*[\W_])?{re.escape(stem)}([\W_].*)?{re.escape(ending)}", re.IGNORECASE | re.DOTALL)
    return lambda path: pattern.fullmatch(path.name) is not None


def _strangers(files: Sequence[Path], home: Path, used: set[Path]) -> Iterator[str]:
    """Name files that could change how Python runs, which no grader imports, and archives; neither is taken along."""
    for path in files:
        if path not in used and path.suffix in IMPORTABLE:
            yield f"{_shown(path, home)} was handed in beside the notebooks; it is not used (REJECTED_ARTEFACT)."
        elif path not in used and path.suffix.lower() in ARCHIVES:
            yield f"{_shown(path, home)} was not unpacked; if the notebooks are in it, unpack it here and mark again."


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name in LITTER


def _shown(path: Path, home: Path) -> str:
    return _printable(path.relative_to(home).as_posix() if path != home else path.name)


def _printable(name: str) -> str:
    """A file name whose bytes are not UTF-8 holds half characters that no report can be written with."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
