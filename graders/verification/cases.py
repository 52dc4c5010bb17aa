"""The cases that grade the graders: faults, right solutions, and what a person must read, as edits of the reference.

They lie in TOML files in the folder `verify` beside the lab.toml: what a fault of this lab looks like is the lab's
knowledge, and a new one takes no code.

    [groups]
    net = [["part1.ipynb", "model"], ["part2.ipynb", "model"]]      # one name for a cell in several notebooks
    [[mutants]]                                                     # a fault: its check must lose points, no other may
    id = "kernel-5x5"
    story = "The kernels are 5x5."
    owner = "1/architecture"
    codes = ["WRONG_STAGE"]
    edits = [{group = "net", old = "3, 3", new = "5, 5"}]
    [[variants]]                                                    # right all the same: nothing may be lost
    [[reviews]]                                                     # the owner must leave it to a person
    [[trainings]]                                                   # what the fast form leaves out where it can
    notebook = "part1.ipynb"
    cells = ["train"]
    depends = ["model"]
    checks = ["1/accuracy"]
"""

import json
import tomllib
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from graders.errors import LabError
from graders.lab import Lab
from graders.notebooks.release import solved_notebook
from graders.records import Record

FOLDER = "verify"

Kind = Literal["mutant", "variant", "review"]
Place = tuple[str, str]
Notebooks = dict[str, dict[str, Any]]


class Edit(Record):
    """One change of a cell, or of the same cell of several notebooks.

    Attributes:
        notebook: File name; with `cell`, or else a `group` is given.
        old: Text that occurs exactly once, and `new`, which takes its place.
        source: The whole source of the cell, or of the class `replaces` in it.
        append: Lines that come after the cell's own.
    """

    notebook: str | None = None
    cell: str | None = None
    group: str | None = None
    old: str | None = None
    new: str | None = None
    source: str | None = None
    append: str | None = None
    replaces: str | None = Field(default=None, alias="class")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.group is None) == (self.notebook is None) or (self.notebook is None) != (self.cell is None):
            raise ValueError("an edit names either a group, or a notebook and a cell")
        if sum(one is not None for one in (self.old, self.source, self.append)) != 1:
            raise ValueError("an edit has exactly one of old (with new), source and append")
        if (self.old is None) != (self.new is None) or (self.replaces is not None and self.source is None):
            raise ValueError("old goes with new, and class with source")
        return self


class Case(Record):
    """One case; a variant has neither owner nor codes.

    Attributes:
        fast: The notebooks that the fast form runs.
        needs: Checks whose trainings it needs although it edits nothing of them.
        only_full: The fast form leaves it out: another case is much like it.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    story: str
    kind: Kind
    edits: tuple[Edit, ...] = Field(min_length=1)
    owner: str = ""
    codes: tuple[str, ...] = ()
    fast: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    only_full: bool = False


class Training(Record):
    """Cells that take long, which the fast form empties in a case that has nothing to do with them.

    Attributes:
        cells: What is emptied, of one notebook.
        depends: Other cells of it that this training depends on: a case that edits one of them needs it.
        checks: What cannot be judged without it; their results are left out.
    """

    notebook: str
    cells: tuple[str, ...] = Field(min_length=1)
    depends: tuple[str, ...] = ()
    checks: tuple[str, ...] = Field(min_length=1)


class Cases(Record):
    """All cases of a lab, the groups of cells that their edits name, and the trainings that a case may not need."""

    groups: dict[str, tuple[Place, ...]] = Field(default_factory=dict)
    trainings: tuple[Training, ...] = ()
    cases: tuple[Case, ...] = ()

    def needless(self, case: Case) -> tuple[Training, ...]:
        """The trainings that a case has nothing to do with.

        It edits none of their cells, and neither is owned by a check of theirs nor says that it needs one.
        """
        edited = {place for edit in case.edits for place in self.places(edit)}
        return tuple(
            one
            for one in self.trainings
            if not {case.owner, *case.needs} & set(one.checks)
            and edited.isdisjoint((one.notebook, cell) for cell in (*one.cells, *one.depends))
        )

    def places(self, edit: Edit) -> tuple[Place, ...]:
        """Notebook and cell of everything that an edit changes."""
        if edit.group is not None:
            return self.groups[edit.group]
        return ((str(edit.notebook), str(edit.cell)),)

    def chosen(self, only: Iterable[str], *, full: bool) -> tuple[Case, ...]:
        """The cases with these ids; where none is named, all that the form runs.

        Raises:
            LabError: there is none of that name.
        """
        wanted = set(only)
        if strange := sorted(wanted - {case.id for case in self.cases}):
            raise LabError(f"no case is called {', '.join(strange)}")
        if wanted:
            return tuple(case for case in self.cases if case.id in wanted)
        return tuple(case for case in self.cases if full or not case.only_full)


def load_cases(lab: Lab) -> Cases:
    """Read all cases of a lab.

    Raises:
        LabError: there are none, a file is not in the format, or a case names what the lab does not have.
    """
    files = sorted((lab.root / FOLDER).glob("*.toml"))
    if not files:
        raise LabError(f"{lab.root / FOLDER} holds no cases (*.toml)")
    groups: dict[str, tuple[Place, ...]] = {}
    trainings: list[Training] = []
    found: list[Case] = []
    for path in files:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            groups |= Cases(groups=data.pop("groups", {})).groups
            trainings += [Training.model_validate(one) for one in data.pop("trainings", [])]
            for kind in ("mutant", "variant", "review"):
                found += [Case.model_validate({**one, "kind": kind}) for one in data.pop(f"{kind}s", [])]
        except (tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
            raise LabError(f"{path}: {error}") from error
        if data:
            raise LabError(f"{path}: {', '.join(data)} means nothing here")
    cases = Cases(groups=groups, trainings=tuple(trainings), cases=tuple(found))
    for training in trainings:
        _check_training(training, lab)
    for case in cases.cases:
        _check(case, cases, lab)
    if doubled := {one.id for one in found if sum(one.id == other.id for other in found) > 1}:
        raise LabError(f"{files[0].parent}: several cases are called {', '.join(sorted(doubled))}")
    return cases


def _check_training(training: Training, lab: Lab) -> None:
    of_notebook = {check.id for check in lab.checks if check.notebook == training.notebook}
    if strange := sorted(set(training.checks) - of_notebook):
        raise LabError(f"a training names {', '.join(strange)}, which no check of {training.notebook!r} is called")


def _check(case: Case, cases: Cases, lab: Lab) -> None:
    checks = {check.id for check in lab.checks}
    if case.kind == "variant" and (case.owner or case.codes):
        raise LabError(f"{case.id}: a variant loses nothing, so it has no owner and no codes")
    if case.kind != "variant" and (case.owner not in checks or not case.codes):
        raise LabError(f"{case.id}: the owner must be a check of the lab, and codes must be given")
    if unknown := {edit.group for edit in case.edits if edit.group is not None} - set(cases.groups):
        raise LabError(f"{case.id}: no group is called {', '.join(sorted(map(str, unknown)))}")
    names = {spec.file for spec in lab.notebooks}
    places = [place for edit in case.edits for place in cases.places(edit)]
    if strange := {*(notebook for notebook, _ in places), *case.fast} - names:
        raise LabError(f"{case.id}: the lab has no notebook {', '.join(sorted(strange))}")


def fast_notebooks(case: Case, cases: Cases, lab: Lab) -> tuple[str, ...]:
    """What the fast form runs: as the case says; else the owner's notebook, or all that a variant edits."""
    wanted = set(case.fast)
    if not wanted and case.kind == "mutant":
        wanted = {check.notebook for check in lab.checks if check.id == case.owner}
    if not wanted:
        wanted = {notebook for edit in case.edits for notebook, _ in cases.places(edit)}
    return tuple(spec.file for spec in lab.notebooks if spec.file in wanted)


def solved(lab: Lab) -> Notebooks:
    """The reference's notebooks as a perfect student hands them in."""
    return {spec.file: json.loads(json.dumps(solved_notebook(lab, spec))) for spec in lab.notebooks}


def edited(case: Case, cases: Cases, notebooks: Notebooks) -> Notebooks:
    """Notebooks with a case's edits; the given ones are left as they are.

    Raises:
        LabError: a cell is not there, or the text to replace does not occur exactly once.
    """
    new = deepcopy(notebooks)
    for edit in case.edits:
        for place in cases.places(edit):
            cell = _cell(new, place, case.id)
            cell["source"] = _source("".join(cell["source"]), edit, f"{case.id}: {place[0]}, cell {place[1]}")
    return new


def without(trainings: Iterable[Training], notebooks: Notebooks) -> Notebooks:
    """Notebooks in which the cells of these trainings do nothing; the given ones are left as they are.

    Raises:
        LabError: a cell is not there.
    """
    new = deepcopy(notebooks)
    for training in trainings:
        for cell in training.cells:
            _cell(new, (training.notebook, cell), "a training")["source"] = "pass"
    return new


def _cell(notebooks: Notebooks, place: Place, case: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in notebooks[place[0]]["cells"] if one.get("id") == place[1]]
    if len(found) != 1:
        raise LabError(f"{case}: {place[0]} has {len(found)} cells called {place[1]}")
    return found[0]


def _source(source: str, edit: Edit, where: str) -> str:
    if edit.append is not None:
        return f"{source}\n{edit.append.rstrip()}"
    if edit.replaces is not None:
        return _with_class(source, edit.replaces, str(edit.source), where)
    if edit.source is not None:
        return edit.source.rstrip()
    if source.count(str(edit.old)) != 1:
        raise LabError(f"{where}: {edit.old!r} occurs {source.count(str(edit.old))} times, not once")
    return source.replace(str(edit.old), str(edit.new))


def _with_class(source: str, name: str, new: str, where: str) -> str:
    """Replace a class from its line to the next one that is not indented."""
    lines = source.splitlines()
    start = next(
        (place for place, line in enumerate(lines) if line.startswith((f"class {name}(", f"class {name}:"))), -1
    )
    if start < 0:
        raise LabError(f"{where}: there is no class {name}")
    end = next((place for place in range(start + 1, len(lines)) if lines[place][:1].strip()), len(lines))
    return "\n".join([*lines[:start], *new.strip("\n").splitlines(), "", *lines[end:]]).rstrip()


def write_submission(notebooks: Notebooks, folder: Path, only: Iterable[str]) -> dict[str, Path]:
    """Write some notebooks of a submission; file name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in notebooks if name in set(only)}
    for name, path in paths.items():
        path.write_text(json.dumps(notebooks[name], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return paths
