"""Runs a submission in forks of this process: `python -m tests.execution.forked_run ORDER`, started by a test."""

import json
import os
import sys
from pathlib import Path

import graders.lab
from graders.execution import execute_submission
from graders.execution.forked import fork, inspect_weights, run_job, warm
from graders.execution.processes import descendants
from graders.execution.submission import RUNTIME
from graders.lab import Lab
from graders.records import Submission


def main(order: Path) -> None:
    """Do what a JSON file says: lab, submission, and the folders to use."""
    told = json.loads(order.read_text())
    base = Path(told["base"])
    graders.lab.PACKAGE = base
    lab = Lab.model_validate({**told["lab"], "root": told["root"]})
    library = base / "library"
    library.mkdir()
    warm(RUNTIME, library)

    def run() -> None:
        execute_submission(
            Submission.model_validate(told["submission"]),
            lab,
            profile="quick",
            folder=base / "forked" / "evidence",
            data=base / "images",
            store=base / "forked" / "store",
            report=lambda _: None,
            launch=run_job,
            inspect=inspect_weights,
        )

    # As `labmark verify` does: each case in a fork of its own.
    status = fork(run, 1, 2).wait()
    sys.exit(status or len(descendants(os.getpid())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
