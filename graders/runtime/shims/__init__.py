"""What time, the lack of a network or of a GPU broke, mended: the one table of shims.

A shim never changes what working code computes. Each use is told once, in a sentence of shims.json.
"""

from collections.abc import Callable
from typing import Any

from ..patching import Patches
from ..session import Session
from .aged import mend_imread, mend_torch_load, mend_wheel_tags
from .colab import offer_colab
from .datasets import redirect_datasets
from .devices import run_on_cpu
from .plotting import draw_inline, mend_subplots
from .progress import mend_progress_bars, offer_torchbearer_magic
from .shell import mend_shell

TABLE: dict[str, Callable[[Session, Patches], None]] = {
    "dataset classes read the profile's images, whatever root and download they are given": redirect_datasets,
    "devices that are not there become the cpu": run_on_cpu,
    "google.colab's files and drive do nothing": offer_colab,
    "scipy.misc.imread, gone since scipy 1.2": mend_imread,
    "wheel.pep425tags, gone since wheel 0.35": mend_wheel_tags,
    "torch.load reads whole modules again, as before torch 2.6": mend_torch_load,
    "whole floats among the arguments of subplot, refused since matplotlib 3.5": mend_subplots,
    "progress bars for notebooks, which need ipywidgets, become plain ones": mend_progress_bars,
}


def install_shims(session: Session, patches: Patches, shell: Any = None) -> None:
    """Install every shim of the table, and those of the shell where there is one."""
    for install in TABLE.values():
        install(session, patches)
    if shell is not None:
        mend_shell(session, patches, shell)
        offer_torchbearer_magic(patches, shell)
        draw_inline(session, patches, shell)
