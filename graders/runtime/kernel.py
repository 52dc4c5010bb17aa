"""The student's kernel: what is loaded before the first cell, how it starts, how it is finished.

`prepare` does what does not depend on the notebook and is paid once by a warm process that forks; `launch` does the
rest in the process that becomes the kernel; `finish` is the last cell that the harness sends.
"""

import os
import random
from typing import Any

from .config import Config
from .reseeding import reseed

_BACKEND = "module://matplotlib_inline.backend_inline"


class _Running:
    """The collector of this process; None before `launch`."""

    collector: Any = None


def prepare() -> None:
    """Import the heavy libraries, on one thread, and export one small model so that the next is quick."""
    os.environ.setdefault("MPLBACKEND", _BACKEND)
    import matplotlib.pyplot  # noqa: F401
    import torch
    import torchbearer  # noqa: F401
    import torchvision  # noqa: F401
    from ipykernel import kernelapp  # noqa: F401

    from . import collector  # noqa: F401
    from .export import export_mode
    from .registry import Spec

    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    export_mode(torch.nn.Linear(1, 1), Spec((2, 1), torch.float32), {}, training=False)


def seed(number: int) -> None:
    """Seed torch, numpy and random."""
    import numpy as np
    import torch

    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)


def launch(argv: list[str]) -> None:
    """Start the kernel with the settings of LABMARK_RUNTIME; returns when it has been shut down.

    Args:
        argv: ipykernel's arguments, `["-f", connection_file]`.
    """
    from ipykernel.kernelapp import IPKernelApp

    config = Config.from_environment()
    app = IPKernelApp.instance()
    app.initialize(argv)
    # Each question for the kernel's banner would draw a tip by Python's random numbers: how many are asked is chance.
    app.shell.enable_tip = False
    attach(app.shell, config)
    reseed(config.reseed)
    seed(config.seed)
    app.start()


def attach(shell: Any, config: Config) -> None:
    """Install the collector into a running IPython shell and follow its cells."""
    from .collector import Collector
    from .traces import know_cells

    know_cells(shell)
    collector = Collector(config, lambda: shell.user_ns)
    collector.install(shell)
    # At rest, IPython's counter holds the number of the cell to come; during a cell that depends on its version.
    coming = [shell.execution_count]

    def before(*_: Any) -> None:
        collector.begin_cell(coming[0])

    def after(*_: Any) -> None:
        coming[0] = shell.execution_count
        collector.end_cell()

    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)
    _Running.collector = collector
    collector.write()


def finish(probes: list[dict[str, Any]]) -> None:
    """Take the end state of the notebook and call the probes. The harness sends this as the last cell.

    Args:
        probes: `[{"function": name, "inputs": [absolute path, ...]}, ...]`.

    Raises:
        RuntimeError: this process is not a kernel that labmark started.
    """
    if _Running.collector is None:
        raise RuntimeError("labmark's runtime is not running in this process")
    _Running.collector.finish(probes)
