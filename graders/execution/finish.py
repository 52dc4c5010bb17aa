"""The last message to the kernel: our pictures for the student's functions, and the order to write down the rest."""

import shutil
import tempfile
from pathlib import Path

from graders.execution.job import MODULE, Job


def finish_code(job: Job) -> str:
    """Copy the pictures into the work folder, which the kernel may read, and say what to do with them.

    Returns:
        Code for the kernel. Nothing in it tells where the pictures came from.
    """
    # The notebook may have removed the folder that it ran in.
    job.work.mkdir(parents=True, exist_ok=True)
    calls = []
    for number, probe in enumerate(job.probes):
        folder = Path(tempfile.mkdtemp(prefix=f"pictures-{number}-", dir=job.work))
        copies = [shutil.copyfile(picture, folder / picture.name) for picture in probe.pictures]
        calls.append({"function": probe.function, "inputs": [str(copy) for copy in copies]})
    return f"import {MODULE}; {MODULE}.finish({calls!r})"
