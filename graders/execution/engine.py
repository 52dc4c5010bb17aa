"""The papermill engine that runs a notebook and keeps the journal.

Papermill stops at the first error and calls cells completed that never ran; so the cells are sent by our own
conductor, which goes on after errors, ends what does not end, and believes replies of the kernel only.
"""

import asyncio
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import papermill.engines
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook

from graders.errors import HarnessError
from graders.evidence import Journal, JournalCell
from graders.evidence.schema import CellError, CellStatus
from graders.execution.ask import Ask, Ended, ask
from graders.execution.finish import finish_code
from graders.execution.job import (
    CRASHED,
    FINISH_SECONDS,
    INCOMPLETE,
    OUTPUT_LIMIT,
    TIME_LIMIT,
    CellDone,
    Job,
    RunReport,
)
from graders.execution.kernel import Kernel
from graders.execution.outputs import Outputs
from graders.execution.traces import cell_error
from graders.notebooks.cells import first_line, grade_id

ENGINE = "labmark"
EXIT_SECONDS = 5.0


@dataclass(frozen=True)
class Ran:
    """How one cell went. `stop` is the journal's code where nothing more can or may be run."""

    status: CellStatus
    execution_count: int | None = None
    error: CellError | None = None
    stop: str | None = None


class LabmarkEngine(papermill.engines.Engine):  # type: ignore[misc] # papermill is not typed
    """Hands the notebook to the conductor that `execute_notebook` was given."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:  # noqa: ARG003 - papermill's
        """Run all cells; `conductor` among the options says how."""
        conductor: Conductor = kwargs["conductor"]
        asyncio.run(conductor.conduct(nb_man))


def run_notebook(
    job: Job, announce: Callable[[CellDone], None], kernel: Callable[[Job], Kernel] = Kernel
) -> tuple[RunReport, NotebookNode | None]:
    """Run a notebook under papermill.

    Args:
        job: What to run, where, within which limits.
        announce: Called as each code cell ends.
        kernel: Makes the kernel.

    Returns:
        What was seen, and the executed notebook; None for that if the kernel could not even be started.
    """
    papermill.engines.papermill_engines.register(ENGINE, LabmarkEngine)
    conductor = Conductor(job, announce, kernel)
    try:
        execute_notebook(
            str(job.source),
            None,
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            conductor=conductor,
        )
    except PapermillExecutionError:
        # Some cell raised; papermill has then put cells of its own into its notebook. The conductor has a copy.
        pass
    except HarnessError as error:
        return RunReport(journal=conductor.journal(), fault=str(error)), None
    report = RunReport(journal=conductor.journal(), unfinished=conductor.unfinished)
    return report, conductor.executed


@dataclass
class Conductor:
    """Sends the cells of one notebook, one after the other, and writes down what happens."""

    job: Job
    announce: Callable[[CellDone], None]
    kernel: Callable[[Job], Kernel]
    cells: list[JournalCell] = field(default_factory=list)
    stop: str | None = None
    stop_cell: int | None = None
    seconds: float = 0
    kernel_exit: int | None = None
    peak_mb: float | None = None
    unfinished: str = ""
    executed: NotebookNode | None = None

    def journal(self) -> Journal:
        """What was seen so far."""
        return Journal(
            notebook=self.job.notebook,
            cells=tuple(self.cells),
            stop=self.stop,
            stop_cell=self.stop_cell,
            kernel_exit=self.kernel_exit,
            seconds=round(self.seconds, 3),
            peak_mb=self.peak_mb,
        )

    async def conduct(self, nb_man: Any) -> None:
        """Run everything, then let the kernel write down what is left.

        Raises:
            HarnessError: the kernel could not be started.
        """
        kernel = self.kernel(self.job)
        try:
            await kernel.start()
            await self._all_cells(nb_man, kernel)
            await self._finish(kernel)
        finally:
            self.kernel_exit = kernel.own_exit
            await kernel.end()
            self.peak_mb = kernel.peak_mb
        self.executed = copy.deepcopy(nb_man.nb)

    async def _all_cells(self, nb_man: Any, kernel: Kernel) -> None:
        outputs = Outputs(self.job.output_bytes)
        started = time.monotonic()
        code = [(index, cell) for index, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]
        for number, (index, cell) in enumerate(code, 1):
            begun = time.monotonic()
            ran = Ran("not-run")
            if self.stop is None:
                left = self.job.notebook_seconds - (begun - started)
                nb_man.cell_start(cell, index)
                ran = await self._cell(kernel, cell, outputs, left)
                nb_man.cell_complete(cell, cell_index=index)
            if ran.stop is not None:
                self.stop, self.stop_cell = ran.stop, number
            now = time.monotonic()
            self.seconds = now - started
            self._note(index, number, cell, ran, now - begun)
            self.announce(CellDone(cell=number, cells=len(code), seconds=round(self.seconds, 3)))

    def _note(self, index: int, number: int, cell: NotebookNode, ran: Ran, seconds: float) -> None:
        self.cells.append(
            JournalCell(
                index=index,
                number=number,
                task=self.job.tasks.get(index),
                grade_id=grade_id(cell),
                first_line=first_line(cell.source),
                status=ran.status,
                execution_count=ran.execution_count,
                error=ran.error,
                seconds=round(seconds, 3) if ran.status != "not-run" else 0,
            )
        )

    async def _cell(self, kernel: Kernel, cell: NotebookNode, outputs: Outputs, left: float) -> Ran:
        """Run one cell within its own limit and what is left of the notebook's."""
        if not cell.source.strip():
            return Ran("ok")
        if left <= 0:
            return Ran("not-run", stop=TIME_LIMIT)
        outputs.begin()
        asked = await ask(kernel, cell.source, min(self.job.cell_seconds, left), outputs=outputs)
        cell.outputs = outputs.nodes()
        ran = await _judged(kernel, asked, cell.source)
        cell.execution_count = ran.execution_count
        if ran.status == "timeout" and ran.stop is None and left <= self.job.cell_seconds:
            return Ran("timeout", ran.execution_count, ran.error, TIME_LIMIT)
        return ran

    async def _finish(self, kernel: Kernel) -> None:
        """Ask the runtime for the rest of the evidence; what it recorded before is there in any case."""
        if kernel.exit_status is not None:
            self.unfinished = "the kernel had ended"
            return
        asked = await ask(kernel, finish_code(self.job), FINISH_SECONDS, quiet=True)
        if asked.ended is Ended.TIMEOUT:
            self.unfinished = f"it took longer than {FINISH_SECONDS:g} s"
        elif asked.ended is not Ended.REPLIED:
            self.unfinished = "the kernel ended over it"
        elif asked.status != "ok":
            error = cell_error(asked.content)
            self.unfinished = f"{error.name}: {error.value}"[:300]


async def _judged(kernel: Kernel, asked: Ask, source: str) -> Ran:
    """Turn what was seen into the status of a cell."""
    if asked.ended is Ended.FLOOD:
        return Ran("output-limit", asked.count, stop=OUTPUT_LIMIT)
    if asked.ended is Ended.TIMEOUT:
        return Ran("timeout", asked.count, stop=None if asked.recovered else TIME_LIMIT)
    if asked.ended is Ended.DIED or (asked.quits and await _has_quit(kernel)):
        return Ran("crashed", asked.count, stop=CRASHED)
    if asked.status == "ok":
        return Ran("ok", asked.count)
    error = cell_error(asked.content, asked.count, source)
    if error.name == "SystemExit":
        return Ran("exit", asked.count, error, INCOMPLETE)
    return Ran("error", asked.count, error)


async def _has_quit(kernel: Kernel) -> bool:
    """Whether the kernel, which has said that it will quit, does so."""
    deadline = time.monotonic() + EXIT_SECONDS
    while kernel.exit_status is None and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return kernel.exit_status is not None
