"""One notebook's run, from a notebook as read to a folder of evidence."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from graders.evidence import FileEntry, Files, Journal, JournalCell, read_record
from graders.execution.child import RunJob, run_job
from graders.execution.collect import Collector
from graders.execution.examine import Examiner, Kept
from graders.execution.figures import write_figures
from graders.execution.files import NOT_FOUND, link_or_copy
from graders.execution.handoffs import Given
from graders.execution.job import CellDone, Job, ProbeInput, RunReport
from graders.execution.place import Place, make_place
from graders.lab import Lab, NotebookSpec, Profile
from graders.notebooks import UnreadableNotebook, notebook_bytes, read_notebook
from graders.notebooks.cells import code_numbers, first_line, grade_id

MIB = 2**20
EXECUTED = "executed.ipynb"
JOURNAL = "journal.json"
FILES = "files"
# Beside the outputs an executed notebook holds the sources, and JSON's escapes around both.
EXECUTED_FACTOR = 4


@dataclass(frozen=True)
class Setting:
    """What is the same for all notebooks of a student's run.

    Attributes:
        data: Root of the images that notebooks see.
        runtime: Folder with the code that enters the kernel.
        check: Called often; what it raises ends the run.
        reseed: Not 0: other random numbers than the notebook's seeds give, for calibration.
        launch: Runs a job.
    """

    lab: Lab
    profile_name: str
    data: Path
    runtime: Path
    python: str
    check: Callable[[], None]
    reseed: int = 0
    launch: RunJob = run_job

    @property
    def profile(self) -> Profile:
        """The profile of that name."""
        return self.lab.profile(self.profile_name)


@dataclass(frozen=True)
class Task:
    """One notebook to be run: what it is, what it is given, how long it may take.

    Attributes:
        node: With given cells as they were given.
        tasks: Index of a cell -> the lab's task that it answers.
    """

    spec: NotebookSpec
    node: NotebookNode
    tasks: dict[int, str]
    given: tuple[Given, ...]
    seconds: float


def probe_inputs(lab: Lab, spec: NotebookSpec) -> tuple[ProbeInput, ...]:
    """The pictures for the student's functions, never what is expected of them."""
    return tuple(
        ProbeInput(function=one.function, pictures=tuple(sorted((lab.folder / one.inputs).glob("*.png"))))
        for one in spec.probes
    )


def run_notebook(
    task: Task, setting: Setting, examiner: Examiner, target: Path, announce: Callable[[CellDone], None]
) -> RunReport:
    """Run a notebook and write its evidence, all but the answers, into a folder.

    Args:
        task: What to run.
        setting: Where and on what.
        examiner: Looks at the files that the notebook writes.
        target: The folder; made here.
        announce: Called as each code cell ends.
    """
    with make_place() as place:
        _furnish(place, task, setting)
        report = setting.launch(_job(place, task, setting), str(place.base), setting.check, announce)
        collector = Collector(target)
        collector.stage(place.stage)
        _executed(place, target, setting.lab, collector)
        _files(place, task, examiner, target, collector.refused)
    write_journal(report.journal, target)
    return report


def not_run(task: Task, stop: str | None) -> Journal:
    """The journal of a notebook that was not run at all."""
    numbers = code_numbers(task.node)
    cells = tuple(
        JournalCell(
            index=index,
            number=numbers[index],
            task=task.tasks.get(index),
            grade_id=grade_id(cell),
            first_line=first_line(cell.source),
            status="not-run",
        )
        for index, cell in enumerate(task.node.cells)
        if index in numbers
    )
    return Journal(notebook=task.spec.file, cells=cells, stop=stop)


def write_journal(journal: Journal, target: Path) -> None:
    """Write journal.json into a notebook's folder."""
    target.mkdir(parents=True, exist_ok=True)
    (target / JOURNAL).write_text(journal.model_dump_json(by_alias=True), encoding="utf-8")


def read_executed(target: Path, lab: Lab) -> NotebookNode | None:
    """The executed notebook of a folder of evidence; None where there is none that can be read."""
    try:
        return read_notebook(target / EXECUTED, _executed_limit(lab)).node
    except UnreadableNotebook:
        return None


def _executed_limit(lab: Lab) -> int:
    return EXECUTED_FACTOR * (lab.limits.notebook_mb + lab.limits.output_mb) * MIB


def _furnish(place: Place, task: Task, setting: Setting) -> None:
    lab = setting.lab
    config: dict[str, Any] = {
        "seed": lab.seed,
        "reseed": setting.reseed,
        "epochs": setting.profile.epochs,
        "input_shape": lab.input_shape,
        "datasets": {lab.data.dataset: str(setting.data)},
        "variables": task.spec.variables,
        "tensors": task.spec.tensors,
        "models": _whole_models(task),
    }
    assets = [lab.root / "assets" / name for name in lab.assets]
    place.furnish(setting.runtime, config, [*assets, *(one.kept.path for one in task.given)])
    bare = deepcopy(task.node)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (place.room / "source.ipynb").write_bytes(notebook_bytes(bare))


def _whole_models(task: Task) -> dict[str, str]:
    """Files that the notebook takes for whole models: those that stand in for one, where it loads no state_dict."""
    if any("load_state_dict" in cell.source for cell in task.node.cells if cell.cell_type == "code"):
        return {}
    return {one.kept.entry.name: one.whole for one in task.given if one.whole}


def _job(place: Place, task: Task, setting: Setting) -> Job:
    limits = setting.lab.limits
    return Job(
        notebook=task.spec.file,
        source=place.room / "source.ipynb",
        room=place.room,
        work=place.work,
        executed=place.room / EXECUTED,
        report=place.room / "report.json",
        python=setting.python,
        environment=place.environment(setting.python),
        cell_seconds=setting.profile.cell_seconds,
        notebook_seconds=task.seconds,
        output_bytes=limits.output_mb * MIB,
        file_bytes=limits.submission_mb * MIB,
        tasks=task.tasks,
        probes=probe_inputs(setting.lab, task.spec),
    )


def _executed(place: Place, target: Path, lab: Lab, collector: Collector) -> None:
    collector.work(place.room, EXECUTED, EXECUTED, _executed_limit(lab))
    node = read_executed(target, lab)
    if node is not None:
        write_figures(node, target / "figures")


def _files(place: Place, task: Task, examiner: Examiner, target: Path, refused: dict[str, str]) -> None:
    """Keep what the notebook was given and what it has written, under the names that the lab knows."""
    folder = target / FILES
    given = {one.kept.entry.name: one.kept for one in task.given}
    kept = dict(given)
    for name in task.spec.collect:
        found = examiner.copy(place.work / name, folder / name, "written")
        if isinstance(found, str):
            refused.update({name: found} if found != NOT_FOUND else {})
        elif name not in given or found.entry.sha256 != given[name].entry.sha256:
            kept[name] = found
    for name, one in kept.items():
        if not (folder / name).is_file():
            link_or_copy(one.path, folder / name)
        if one.tensors is not None:
            link_or_copy(one.tensors, folder / f"{name}.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    record = Files(files=tuple(one.entry for one in kept.values()), refused=refused)
    (folder / "index.json").write_text(record.model_dump_json(by_alias=True), encoding="utf-8")


def written_files(target: Path) -> dict[str, Kept]:
    """Files of a folder of evidence that its notebook has written, by name.

    Raises:
        EvidenceError: the folder is not one that `run_notebook` has made.
    """
    folder = target / FILES
    if not (folder / "index.json").is_file():
        return {}
    entries = read_record(folder / "index.json", Files).files
    return {one.name: _kept(folder, one) for one in entries if one.origin == "written"}


def _kept(folder: Path, entry: FileEntry) -> Kept:
    tensors = folder / f"{entry.name}.safetensors"
    return Kept(folder / entry.name, entry, tensors if tensors.is_file() else None)
