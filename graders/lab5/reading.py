"""What the student's own, reloaded network reads in the ten pictures."""

from collections.abc import Collection, Iterator

import numpy as np
import torch

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.grading import Found, MissingError, Work
from graders.lab5.networks import BETTER, WEIGHTS_FILE, exported, later_states, predictions, reloaded
from graders.lab5.pictures import digit_images, variants
from graders.models import Network, active_dropout, read_network
from graders.records import Verdict

REPEATS = 40
"""How often the pictures are shown to a network whose dropout acts, to see what it may read."""

Readings = tuple[tuple[int, ...], ...]


def never_loaded(work: Work) -> Verdict | None:
    """A blocked verdict where a network was made and the cells ran well, but nothing was loaded into it.

    That is what the check of the reloading costs.
    """
    try:
        reloaded(work)
    except MissingError:
        ran_well = all(cell.status == "ok" for cell in work.own_cells())
        if ran_well and work.models(class_name=BETTER):
            message = f"Expected a {BETTER} with the weights of {WEIGHTS_FILE}; one was made, but nothing was loaded."
            return Verdict.blocked("NOT_LOADED", message)
    return None


def own_readings(work: Work) -> Readings:
    """Recompute what the network reads in each picture.

    Returns:
        Per picture the digits that it may truly read: the first for the picture as ToTensor gives it with dropout
        off; then for the forms in which the student's own code showed it to a network (scaled, normalised,
        inverted), and with dropout acting, where it acted in the notebook too: that costs points elsewhere or none.

    Raises:
        MissingError: no network was loaded.
        NotExportable: it has no graph.
    """
    found = reloaded(work)
    network = exported(found)
    shown = variants(work)
    images = list(digit_images(work))
    owners = list(range(len(images)))
    for number, forms in shown.items():
        images += forms
        owners += [number] * len(forms)
    stacked = np.stack(images)
    readings: list[dict[int, None]] = [{} for _ in range(len(shown))]
    for read in (predictions(network, stacked, work), *_with_dropout(work, found, network, stacked)):
        for owner, digit in zip(owners, read, strict=True):
            readings[owner][int(digit)] = None
    return tuple(tuple(one) for one in readings)


def _with_dropout(work: Work, found: Found, network: Network, images: Array) -> Iterator[Array]:
    """Readings with the dropout that acted in the notebook: left active in eval mode, or eval mode forgotten."""
    acting = network if active_dropout(network) else None
    if next(later_states(work, found), found).event.training:
        try:
            acting = read_network(found.snapshot, "train")
        except EvidenceError:  # the eval graph does well enough
            acting = acting or None
    if acting is None:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(work.lab.seed)
        for _ in range(REPEATS):
            yield acting.run(images, dropout=True).outputs.argmax(axis=1)


def agrees(which: Collection[int], readings: Readings) -> bool:
    """Whether exactly these pictures may have been misread: picture k shows a k."""
    return all(
        any(digit != number for digit in read) if number in which else number in read
        for number, read in enumerate(readings)
    )
