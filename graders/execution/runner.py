"""The child process that runs one notebook: `python -m graders.execution.runner JOB.json`.

It prints a line of JSON as each code cell ends, and writes the executed notebook and a `RunReport`.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from graders.execution.engine import run_notebook
from graders.execution.job import CellDone, Job
from graders.execution.kernel import Kernel
from graders.execution.processes import adopt_orphans, die_with_parent, end_descendants


def write_notebook(node: NotebookNode, path: Path) -> None:
    """Write an executed notebook, without papermill's own words: they are no evidence and differ from run to run."""
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
    nbformat.write(node, path)


def _announce(done: CellDone) -> None:
    sys.stdout.write(done.model_dump_json() + "\n")
    sys.stdout.flush()


def main(path: Path) -> None:
    """Run the job that a file describes; the file is removed, since it names folders that the kernel need not know."""
    die_with_parent()
    job = Job.model_validate_json(path.read_bytes())
    path.unlink()
    carry_out(job, Kernel)


def carry_out(job: Job, kernel: Callable[[Job], Kernel]) -> None:
    """Run a job, say on stdout when a cell has ended, and leave nothing running."""
    adopt_orphans()
    try:
        report, executed = run_notebook(job, _announce, kernel)
        # The notebook may have removed whatever lies above the folder that it ran in.
        job.report.parent.mkdir(parents=True, exist_ok=True)
        if executed is not None:
            write_notebook(executed, job.executed)
        job.report.write_text(report.model_dump_json(by_alias=True), encoding="utf-8")
    finally:
        end_descendants(os.getpid())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
