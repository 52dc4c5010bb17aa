"""Which network a check means, and its logits."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from graders.evidence import Array
from graders.grading import Found, MissingError, Work
from graders.models import (
    Network,
    NotExportable,
    compare_state,
    evaluate,
    leaves,
    read_network,
    snapshot_state,
    specification,
)
from graders.records import Outcome, Verdict

SIMPLE, BETTER, BRANCH, OWN = "SimpleCNN", "BetterCNN", "BranchModel", "OwnNet"
WEIGHTS_FILE = "bettercnn.weights"
READABLE = ("state_dict", "checkpoint")
"""Kinds of weights files whose tensors were kept."""

BETTER_STAGES = leaves(
    specification(
        [
            "conv 30 5x5",
            "relu",
            "max_pool 2x2",
            "conv 15 3x3",
            "relu",
            "max_pool 2x2",
            "dropout 0.2",
            "flatten",
            "linear 128",
            "relu",
            "linear 50",
            "relu",
            "linear 10",
        ]
    )
)
"""The thirteen stages of BetterCNN."""

BETTER_SHAPES = {
    "conv1.weight": (30, 1, 5, 5),
    "conv1.bias": (30,),
    "conv2.weight": (15, 30, 3, 3),
    "conv2.bias": (15,),
    "fc1.weight": (128, 375),
    "fc1.bias": (128,),
    "fc2.weight": (50, 128),
    "fc2.bias": (50,),
    "fc3.weight": (10, 50),
    "fc3.bias": (10,),
}
"""Names and shapes of BetterCNN's state_dict."""

SIMPLE_SHAPES = {
    "conv1.weight": (32, 1, 5, 5),
    "conv1.bias": (32,),
    "fc1.weight": (128, 4608),
    "fc1.bias": (128,),
    "fc2.weight": (10, 128),
    "fc2.bias": (10,),
}
"""Names and shapes of SimpleCNN's state_dict."""

LATEST = 4
"""How many trained networks of a class are looked at, from the last one back."""


def logits(network: Network, images: Array, work: Work) -> Array:
    """The network's outputs (n, classes) on our images, in eval mode, dropout off, under the lab's memory limit."""
    return evaluate(network, images, work.lab.limits.evaluation_mb)


def predictions(network: Network, images: Array, work: Work) -> Array:
    """The class that the network gives each image, int64 (n,)."""
    return np.asarray(np.argmax(logits(network, images, work), axis=1))


def latest(found: Iterable[Found]) -> tuple[Found, ...]:
    """Different states of networks, the last one first, at most `LATEST`."""
    states = {one.event.model: one for one in reversed(tuple(found))}
    return tuple(states.values())[:LATEST]


def trained(work: Work, class_name: str) -> tuple[Found, ...]:
    """The trained networks of a class, the last one first.

    Raises:
        MissingError: none was trained.
    """
    return candidates(work, "trained", class_name=class_name)


def candidates(work: Work, *moments: str, class_name: str) -> tuple[Found, ...]:
    """The networks of a class at the first of these moments for which there is one, the last one first.

    Raises:
        MissingError: there is none.
    """
    moment = work.model(*moments, class_name=class_name).event.moment
    return latest(work.models(moment, class_name=class_name))


def best_verdict(found: Iterable[Found], judge: Callable[[Found], Verdict]) -> Verdict:
    """The best verdict on any of several networks, the first that passes if one does.

    Raises:
        NotExportable: none passes, and one has no graph: a person must look at that one.
    """
    verdicts: list[Verdict] = []
    unknown: NotExportable | None = None
    for one in found:
        try:
            verdicts.append(judge(one))
        except NotExportable as error:
            unknown = error
            continue
        if verdicts[-1].outcome is Outcome.PASSED:
            return verdicts[-1]
    if unknown is not None:
        raise unknown
    return max(verdicts, key=lambda verdict: verdict.share)


def reloaded(work: Work) -> Found:
    """The network of part 2 or 3 that the saved weights were loaded into last.

    Raises:
        MissingError: none was loaded.
    """
    return all_reloaded(work)[0]


def all_reloaded(work: Work) -> tuple[Found, ...]:
    """The networks that weights were loaded into, the last one first, at most `LATEST`.

    Raises:
        MissingError: none was loaded.
    """
    loads = [one for one in work.models("loaded") if takes_images(one)]
    named = [one for one in loads if one.event.class_name == BETTER] or loads or _copied_by_hand(work)
    if not named:
        hint = f'Call load_state_dict on a new {BETTER} with what torch.load("{WEIGHTS_FILE}") gives.'
        raise MissingError(
            f"a {BETTER} with the weights of {WEIGHTS_FILE} loaded", (BETTER, "load_state_dict", WEIGHTS_FILE), hint
        )
    return tuple(reversed(named))[:LATEST]


def _copied_by_hand(work: Work) -> list[Found]:
    """Networks that hold exactly the file's tensors though load_state_dict was never called: that is loading, too."""
    entry = work.notebook.files.get(WEIGHTS_FILE)
    if entry is None or entry.kind not in READABLE:
        return []
    tensors = work.notebook.file_tensors(WEIGHTS_FILE)
    known = (one for one in work.models("evaluated", "end") if takes_images(one))
    return [one for one in known if compare_state(snapshot_state(one.snapshot), tensors).same]


def takes_images(found: Found) -> bool:
    """Whether a model is a network for the lab's images at all (and not, say, a layer that was saved alone)."""
    return any(tensor.kind == "parameter" for tensor in found.snapshot.meta.tensors)


def later_states(work: Work, found: Found) -> Iterator[Found]:
    """The same object's later events, the last one first."""
    for one in reversed(work.models()):
        if one.event.identity == found.event.identity and one.event.n > found.event.n:
            yield one


def exported(found: Found) -> Network:
    """A network in eval mode.

    Raises:
        NotExportable: it has no graph.
        EvidenceError: it is malformed.
    """
    return read_network(found.snapshot, "eval")
