"""Part 2 as it is when weights were loaded into a network."""

from collections.abc import Callable
from typing import Any

from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN

Book = Callable[[int], NotebookFolder]
FILE = "bettercnn.weights"


def reloaded_part(book: Book, learned: BetterCNN) -> NotebookFolder:
    """Part 2 with the trained network loaded and in eval mode at the end."""
    made = book(2)
    made.answer("reload-model")
    weights = {name: tensor.numpy() for name, tensor in learned.state_dict().items()}
    made.file(FILE, weights, origin="part")
    detail: dict[str, Any] = {
        "file": FILE,
        "sha256": None,
        "strict": True,
        "missing": [],
        "unexpected": [],
        "trained_before": False,
    }
    made.event("loaded", learned, name="BetterCNN", training=True, detail=detail)
    made.event("end", learned, name="BetterCNN", training=False)
    return made


def loaded_into(book: Book, weights: BetterCNN, network: BetterCNN, *, origin: str = "part") -> NotebookFolder:
    """Part 2 in which a class of the student's own got these weights."""
    made = book(2)
    network.load_state_dict(weights.state_dict())
    made.run["handoffs"] = {FILE: origin}
    made.file(FILE, {name: tensor.numpy() for name, tensor in weights.state_dict().items()}, origin=origin)
    made.event("loaded", network.eval(), name="BetterCNN", detail={"file": FILE, "strict": True})
    return made
