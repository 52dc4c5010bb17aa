"""The facts about a student's network, as a check's details show them."""

from typing import Any

import numpy as np

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.grading import Found
from graders.models import Network, NotExportable, read_network
from graders.models.advice import advice
from graders.models.facts import Facts, as_details, facts
from graders.records import Verdict


def facts_details(found: Found, images: Array, labels: Array | None = None) -> dict[str, Any]:
    """The facts about a network and the advice that follows from them; neither changes a mark.

    Args:
        found: The network.
        images: Images of the lab (n, 1, 28, 28), 0 to 1; some two hundred are enough.
        labels: Their digits, if they are to be used.

    Returns:
        {"facts": plain JSON, "advice": [{"code", "message"}]}; the facts are None for a network that cannot be read.
    """
    try:
        known = _facts(found, images, labels)
    except EvidenceError:  # it has no graph, or is malformed: the check's own verdict says so
        return {"facts": None, "advice": []}
    told = advice(known, trained=found.event.moment != "initial")
    return {"facts": as_details(known), "advice": [{"code": code, "message": message} for code, message in told]}


def with_facts(verdict: Verdict, found: Found, images: Array) -> Verdict:
    """A verdict on a network, with the facts about it among its details, and their advice after its own."""
    told = facts_details(found, images)
    advised = [*verdict.details.get("advice", ()), *told["advice"]]
    return verdict.model_copy(update={"details": {**verdict.details, "facts": told["facts"], "advice": advised}})


def _facts(found: Found, images: Array, labels: Array | None) -> Facts:
    network = read_network(found.snapshot, "eval")
    if network.input_shape != images.shape[1:]:
        # Images of the network's own size that nobody drew: shapes and costs are what they are.
        images, labels = np.random.default_rng(0).random((64, *network.input_shape), dtype=np.float32), None
    return facts(network, _training_graph(found), images, labels)


def _training_graph(found: Found) -> Network | None:
    try:
        return read_network(found.snapshot, "train")
    except NotExportable:
        return None
