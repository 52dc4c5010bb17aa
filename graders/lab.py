"""`lab.toml` read into a frozen `Lab`: notebooks, tasks, checks and points, profiles, thresholds.

Every complaint names the file, the key and the remedy. The engine learns all it knows of a lab from here.
"""

import hashlib
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from graders.errors import LabError, UsageError
from graders.records import Record, Visibility

PACKAGE = Path(__file__).resolve().parent
DEFAULT_LAB = PACKAGE.parent / "reference" / "lab.toml"

Points = Annotated[float, Field(gt=0)]
Positive = Annotated[int, Field(gt=0)]
GradeId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_\-]+$")]
PlainName = Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]


class Task(Record):
    """One answer cell: `id` is its nbgrader grade_id, unique in the lab."""

    id: GradeId
    kind: Literal["written", "code"]
    title: str


class ProbeSpec(Record):
    """A function of the student's that is called on our own inputs after the last cell.

    `inputs` is a folder below the graders' folder; its pictures are handed over, its expectations never.
    """

    function: str = Field(pattern=r"^[A-Za-z_]\w*$")
    inputs: str


class NotebookSpec(Record):
    """A notebook of the lab.

    Attributes:
        file: Its name in reference/, student_template/ and submissions.
        collect: Files it writes that are kept as evidence.
        variables: Names whose JSON values are kept at the end.
        tensors: Names whose tensors are kept at the end.
    """

    file: PlainName
    title: str
    tasks: tuple[Task, ...]
    collect: tuple[PlainName, ...] = ()
    variables: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    probes: tuple[ProbeSpec, ...] = ()

    @property
    def stem(self) -> str:
        """The file name without its ending: the name of its folder in the evidence."""
        return Path(self.file).stem


class CheckSpec(Record):
    """A check: what it is worth and which tasks it marks."""

    id: str = Field(pattern=r"^[a-zA-Z0-9_.\-]+/[a-zA-Z0-9_\-]+$")
    title: str
    points: Points
    category: str
    visibility: Visibility
    notebook: PlainName
    tasks: tuple[GradeId, ...] = ()
    manual: bool = False


class Handoff(Record):
    """A file that one notebook makes and later ones read."""

    file: PlainName
    kind: Literal["state_dict", "data"]
    from_: PlainName = Field(alias="from")
    to: tuple[PlainName, ...]
    reference: str


class DataSpec(Record):
    """Where the images come from; folders lie below the graders' folder."""

    dataset: str
    embedded: str
    held_out: str


class Limits(Record):
    """Sizes in MiB that end a run or refuse a file."""

    submission_mb: Positive
    notebook_mb: Positive
    output_mb: Positive
    file_mb: Positive
    evaluation_mb: Positive


class Profile(Record):
    """How much is trained, on what, with which limits in seconds.

    Attributes:
        images: So many training images, the first of the set; 0 means all.
        test_images: Likewise of the test images that notebooks see; held-out images are never fewer.
        epochs: Of one training; 0 means no cap.
        thresholds: Accuracy that a check asks for, 0 to 1, by check id.
    """

    title: str
    data: Literal["embedded", "full"]
    images: int = Field(default=0, ge=0)
    test_images: int = Field(default=0, ge=0)
    epochs: int = Field(ge=0)
    cell_seconds: Positive
    notebook_seconds: Positive
    submission_seconds: Positive
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]]


class Lab(Record):
    """A lab. `root` is the reference folder, `folder` the graders' folder; both absolute."""

    schema_: Literal["labmark/lab/1"] = Field(alias="schema")
    id: str
    version: str
    title: str
    max_score: Points
    graders: str = Field(pattern=r"^[a-z_][a-z0-9_]*$")
    seed: int
    input_shape: tuple[Positive, ...]
    assets: tuple[PlainName, ...] = ()
    data: DataSpec
    limits: Limits
    profiles: dict[str, Profile]
    notebooks: tuple[NotebookSpec, ...]
    handoffs: tuple[Handoff, ...] = ()
    checks: tuple[CheckSpec, ...]
    root: Path = Field(exclude=True)

    @property
    def folder(self) -> Path:
        """The folder with the checks of this lab and their data."""
        return PACKAGE / self.graders

    @cached_property
    def hash(self) -> str:
        """sha256 over lab.toml's content as read: what a mark depends on besides the graders' code."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def notebook(self, name: str) -> NotebookSpec:
        """The notebook of that file name.

        Raises:
            KeyError: no such notebook.
        """
        return next((one for one in self.notebooks if one.file == name), None) or _missing(name)

    def check(self, id_: str) -> CheckSpec:
        """The check of that id.

        Raises:
            KeyError: no such check.
        """
        return next((one for one in self.checks if one.id == id_), None) or _missing(id_)

    def task(self, id_: str) -> Task:
        """The task of that id.

        Raises:
            KeyError: no such task.
        """
        return next((t for n in self.notebooks for t in n.tasks if t.id == id_), None) or _missing(id_)

    def profile(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            UsageError: the lab has no such profile.
        """
        if name not in self.profiles:
            raise UsageError(f"the lab has no profile {name!r}; it has {', '.join(self.profiles)}")
        return self.profiles[name]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        files = [one.file for one in self.notebooks]
        tasks = [task.id for one in self.notebooks for task in one.tasks]
        checks = [one.id for one in self.checks]
        for what, names in (("notebooks", files), ("tasks", tasks), ("checks", checks)):
            _unique(what, names)
        for check in self.checks:
            _known(f"checks[{check.id}].notebook", [check.notebook], files)
            here = [task.id for one in self.notebooks if one.file == check.notebook for task in one.tasks]
            _known(f"checks[{check.id}].tasks", check.tasks, here)
        for handoff in self.handoffs:
            _known(f"handoffs[{handoff.file}]", [handoff.from_, *handoff.to], files)
        for name, profile in self.profiles.items():
            _known(f"profiles.{name}.thresholds", profile.thresholds, checks)
        total = sum(one.points for one in self.checks)
        if total != self.max_score:
            raise ValueError(f"max_score: is {self.max_score:g}, but the checks add up to {total:g}")
        return self


def _missing(name: str) -> Any:
    raise KeyError(name)


def _unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} occurs more than once")


def _known(key: str, names: Any, known: list[str]) -> None:
    strange = [name for name in names if name not in known]
    if strange:
        raise ValueError(f"{key}: {', '.join(strange)} is not one of {', '.join(known)}")


def load_lab(path: Path = DEFAULT_LAB) -> Lab:
    """Read a lab's description.

    Args:
        path: The `lab.toml`; its folder is the reference folder.

    Raises:
        LabError: the file is missing, is not TOML, or says something that makes no sense.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError.at(path, "file", f"cannot be read ({error.strerror})", "Name a lab.toml with --lab") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError.at(path, "file", f"is not TOML: {error}", "Mend the line it names") from error
    try:
        return Lab.model_validate({**data, "root": path.resolve().parent})
    except ValidationError as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: ValidationError) -> LabError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if not key:
        key, _, problem = problem.partition(": ")
    remedies = {
        "missing": "Add the key",
        "extra_forbidden": "Remove the key, or mend its spelling",
        "value_error": "Make the two agree",
    }
    return LabError.at(path, key, problem, remedies.get(first["type"], "Mend the value"))
