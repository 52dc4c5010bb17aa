"""The only code of labmark that enters a student's kernel: spies, shims, collector.

It is copied onto the kernel's path as the package `labmark_runtime` and started as
`python -m labmark_runtime -f CONNECTION_FILE`, with LABMARK_RUNTIME naming its settings. It imports nothing else of
labmark and holds no secret: the student's code can read and change all of it, and what it writes is the student's
word until it is recomputed.

    kernel      prepare, launch, finish
    config      what the harness says
    collector   all spies together
    session     what they share; guard: a fault of ours never breaks a cell; patching: undoable patches
    registry    which modules are models; calls: what they were fed
    models      events; snapshots, export, graphs, undisturbed: how a state becomes files
    saving      torch.save, torch.load, load_state_dict
    trials      Torchbearer; loops: training by hand; steps: what a step tells; evaluations: calls on test data
    passes      which data feed a step; loaders: what data; hashing: which images; gradients: whether they were cleared
    drawn       matplotlib; variables, probes: values by name
    shims/      what time, network or GPU took away
"""

from typing import Any

__all__ = ["finish"]


def finish(probes: list[dict[str, Any]]) -> None:
    """Take the end state of the notebook and call the probes: the last cell that the harness sends.

    Args:
        probes: `[{"function": name, "inputs": [absolute path, ...]}, ...]`.

    Raises:
        RuntimeError: this process is not a kernel that labmark started.
    """
    from .kernel import finish as finish_kernel  # late: nothing is loaded before `__main__` has put the path right

    finish_kernel(probes)
