"""The files of evidence as frozen records; the package's docstring draws the folder."""

from typing import Any, Literal

from pydantic import Field

from graders.records import Record

# --- the harness's own records ------------------------------------------------------------------------

CellStatus = Literal["ok", "error", "timeout", "exit", "crashed", "output-limit", "not-run"]
NotebookStatus = Literal[
    "complete",
    "errors",
    "incomplete",
    "crashed",
    "time-limit",
    "output-limit",
    "missing",
    "unreadable",
    "harness-error",
]


class CellError(Record):
    """An exception that a cell raised. `line` counts from 1 inside the cell, where known."""

    name: str
    value: str
    line: int | None = None


class JournalCell(Record):
    """One code cell as the harness sent it.

    Attributes:
        index: Position among all cells of the executed notebook, from 0.
        number: Position among its code cells, from 1.
        task: Id of the lab's task that the cell answers, or None.
        grade_id: nbgrader's id of the cell in the submission, if it has one.
        first_line: First line of its source that says something, at most 80 characters.
        execution_count: As the kernel reported it.
    """

    index: int
    number: int
    task: str | None = None
    grade_id: str | None = None
    first_line: str = ""
    status: CellStatus
    execution_count: int | None = None
    error: CellError | None = None
    seconds: float = 0


class Journal(Record):
    """What the harness saw of one notebook's run; the witness of record, unlike papermill's metadata.

    Attributes:
        stop: Code of what ended the run early: `INCOMPLETE`, `CRASHED`, `TIME_LIMIT`, `OUTPUT_LIMIT`; else None.
        stop_cell: Number of the cell where it ended.
        kernel_exit: Exit status of the kernel, negative for a signal; None where it was ended by the harness.
    """

    schema_: Literal["labmark/journal/1"] = Field(default="labmark/journal/1", alias="schema")
    notebook: str
    cells: tuple[JournalCell, ...] = ()
    stop: str | None = None
    stop_cell: int | None = None
    kernel_exit: int | None = None
    seconds: float = 0
    peak_mb: float | None = None


class Answer(Record):
    """What the submission holds for one task, read from the notebook without running it.

    Attributes:
        kind: `written` or `code`.
        found: Whether a cell for the task exists.
        touched: Whether it differs from the template's stub.
        text: Source of the cell (several matched cells are joined by a blank line).
        number: Number of the (first) code cell; None for written answers.
    """

    kind: Literal["written", "code"]
    found: bool
    touched: bool
    text: str = ""
    number: int | None = None


class Answers(Record):
    """`answers.json`: everything by task id.

    `printed` holds each code task's text outputs of this run; `claimed` the same from the outputs stored in the
    submitted file (a claim, never scored).
    """

    schema_: Literal["labmark/answers/1"] = Field(default="labmark/answers/1", alias="schema")
    answers: dict[str, Answer] = Field(default_factory=dict)
    printed: dict[str, str] = Field(default_factory=dict)
    claimed: dict[str, str] = Field(default_factory=dict)


class FileEntry(Record):
    """A file that the notebook wrote (or was given) under a whitelisted name.

    Attributes:
        kind: What a weights file turned out to hold: `state_dict` (plain, dense, finite tensors by name; also
            written as `<name>.safetensors`), `checkpoint` (a dictionary that holds such a state_dict under a key, with
            the tensors of that written likewise), `module` (a whole pickled model), `other`, `unreadable`; `data`
            for files that are no weights.
        problem: Why it is not usable, in a sentence; empty if it is.
        code: Stable word for the problem, such as `OPTIMISER_SAVED`; empty if there is none.
        legacy: In torch's older, pre-1.6 file format.
        device: Where its tensors were when they were saved, such as "cuda:0"; empty for the CPU.
        needs: Words of which a notebook's code must hold one to read the file as it is: the key of a checkpoint, the
            prefix of a wrapped model's names. Empty if any notebook that loads a state_dict can.
        origin: `written` by this notebook, or handed in: `part` (an earlier notebook of this run), `submitted`,
            `reference`.
    """

    name: str
    size: int
    sha256: str
    kind: Literal["state_dict", "checkpoint", "module", "other", "unreadable", "data"]
    problem: str = ""
    code: str = ""
    legacy: bool = False
    device: str = ""
    needs: tuple[str, ...] = ()
    origin: Literal["written", "part", "submitted", "reference"] = "written"


class Files(Record):
    """`files/index.json`. `refused` names what was not collected, with the reason."""

    schema_: Literal["labmark/files/1"] = Field(default="labmark/files/1", alias="schema")
    files: tuple[FileEntry, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)


class NotebookRun(Record):
    """One notebook in `evidence.json`. `folder` is relative to the evidence folder; empty if nothing was run.

    `message` is a plain sentence for people; `handoffs` says per handed-in file where it came from.
    """

    name: str
    status: NotebookStatus
    message: str
    folder: str = ""
    key: str = ""
    handoffs: dict[str, Literal["part", "submitted", "reference"]] = Field(default_factory=dict)


class EvidenceIndex(Record):
    """`evidence.json`."""

    schema_: Literal["labmark/evidence/1"] = Field(default="labmark/evidence/1", alias="schema")
    student: str
    key: str
    profile: str
    sandbox: str
    notebooks: tuple[NotebookRun, ...]
    notes: tuple[str, ...] = ()


# --- the kernel's word --------------------------------------------------------------------------------


class Variable(Record):
    """A named variable at the end of the notebook: None, bool, int, float, str, or nested lists of those."""

    value: Any
    execution_count: int


class Variables(Record):
    """`variables.json`."""

    schema_: Literal["labmark/variables/1"] = Field(default="labmark/variables/1", alias="schema")
    variables: dict[str, Variable] = Field(default_factory=dict)


Moment = Literal["initial", "trained", "evaluated", "saved", "loaded", "end"]


class ModelEvent(Record):
    """Something that happened to a model.

    Attributes:
        moment: `initial` (before its first optimiser step), `trained`, `evaluated`, `saved`, `loaded`, `end`.
        model: Number n of the snapshot `models/<n>/`; equal states share one.
        identity: Number of the live object: equal for events of the same module object.
        class_name: Of the module.
        names: Variables of the namespace that held the module then.
        training: Its mode flag then.
        detail: By moment. trained: {"trial": n|null, "loop": n|null, "steps": int}; evaluated: {"trial": n,
            "metrics": {...}, "data_key": str}; saved: {"file": str, "kind": "state_dict"|"module"|"other",
            "whole": bool}; loaded: {"file": str|null, "sha256": str|null, "strict": bool, "missing": [str],
            "unexpected": [str], "trained_before": bool}, with "error": str where it was refused, and "whole": true
            where torch.load gave the model itself.
    """

    n: int
    moment: Moment
    execution_count: int
    model: int
    identity: int
    class_name: str
    names: tuple[str, ...] = ()
    training: bool
    detail: dict[str, Any] = Field(default_factory=dict)


class ModelIndex(Record):
    """`models/index.json`."""

    schema_: Literal["labmark/models/1"] = Field(default="labmark/models/1", alias="schema")
    events: tuple[ModelEvent, ...] = ()


class TensorMeta(Record):
    """A parameter or buffer. `alias_of` names the first tensor that shares its memory."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: Literal["parameter", "buffer"]
    trainable: bool = False
    alias_of: str | None = None


class ExportMeta(Record):
    """How the export to a graph went. `batch` is 0 for a free batch dimension, else the fixed size."""

    ok: bool
    batch: int = 0
    error: str = ""


class ModelMeta(Record):
    """`models/<n>/model.json`. `state_keys` are the state_dict's keys in order, aliases included."""

    schema_: Literal["labmark/model/1"] = Field(default="labmark/model/1", alias="schema")
    class_name: str
    text: str
    tensors: tuple[TensorMeta, ...] = ()
    state_keys: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    exports: dict[Literal["train", "eval"], ExportMeta] = Field(default_factory=dict)


class Drawing(Record):
    """An array handed to matplotlib.

    `call` is the method; `axes` numbers the axes within the notebook; `arrays` are keys of drawn.safetensors
    (imshow: the picture as given; plot: x and y).
    """

    n: int
    execution_count: int
    call: str
    figure: int
    axes: int
    title: str = ""
    arrays: tuple[str, ...] = ()


class Drawings(Record):
    """`drawn.json`. `dropped` counts calls beyond the cap."""

    schema_: Literal["labmark/drawn/1"] = Field(default="labmark/drawn/1", alias="schema")
    drawings: tuple[Drawing, ...] = ()
    dropped: int = 0


class Probe(Record):
    """The student's function called on one of our inputs after the last cell.

    `tensor` is a key of probes.safetensors.
    """

    function: str
    input: str
    status: Literal["ok", "error", "missing", "wrong-type"]
    error: str = ""
    type_name: str = ""
    tensor: str | None = None


class Probes(Record):
    """`probes.json`."""

    schema_: Literal["labmark/probes/1"] = Field(default="labmark/probes/1", alias="schema")
    probes: tuple[Probe, ...] = ()


class Shims(Record):
    """`shims.json`: sentences, each once, in the order of first use."""

    schema_: Literal["labmark/shims/1"] = Field(default="labmark/shims/1", alias="schema")
    used: tuple[str, ...] = ()
