"""Progress bars of notebooks, drawn as text where ipywidgets is missing; Torchbearer's line magic."""

from typing import Any

import torchbearer.magics
import tqdm  # its stubs are a package of their own
import tqdm.notebook

from ..patching import Patches
from ..session import Session


def mend_progress_bars(session: Session, patches: Patches) -> None:
    """Let tqdm's bars for notebooks be plain ones where they could only raise ImportError (IProgress not found).

    Torchbearer draws with them, unless it is told `set_notebook(False)`.
    """
    if tqdm.notebook.IProgress is not None:
        return

    class PlainBar(tqdm.tqdm):  # type: ignore[misc] # tqdm is not typed
        """A bar of text that takes what a bar for notebooks takes."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("display", None)  # of bars for notebooks only
            session.notes.tell("Progress bars for notebooks were drawn as text: ipywidgets is not installed here.")
            super().__init__(*args, **kwargs)

    for owner, name in ((tqdm.notebook, "tqdm"), (tqdm.notebook, "tqdm_notebook"), (tqdm, "tqdm_notebook")):
        patches.replace(owner, name, PlainBar)


def offer_torchbearer_magic(patches: Patches, shell: Any) -> None:
    """Give the shell `%torchbearer notebook`, which Torchbearer registers only if it is imported inside a shell."""
    magics = shell.magics_manager.magics["line"]
    if "torchbearer" not in magics:
        magics["torchbearer"] = torchbearer.magics.torchbearer
        patches.on_undo(lambda: magics.pop("torchbearer", None))
