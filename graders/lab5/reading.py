"""What the student's own, reloaded network reads in the ten pictures."""

import numpy as np

from graders.grading import Work
from graders.lab5.networks import exported, predictions, reloaded
from graders.lab5.pictures import digit_images, variants


def own_readings(work: Work) -> tuple[tuple[int, ...], ...]:
    """Recompute what the network reads in each picture.

    Returns:
        Per picture the digits that it may truly read, the first for the picture as ToTensor gives it, then for the
        forms in which the student's own code showed it to a network (scaled, normalised, inverted).

    Raises:
        MissingError: no network was loaded.
        NotExportable: it has no graph.
    """
    network = exported(reloaded(work))
    shown = variants(work)
    images = list(digit_images(work))
    owners = list(range(len(images)))
    for number, forms in shown.items():
        images += forms
        owners += [number] * len(forms)
    read = predictions(network, np.stack(images), work)
    found: list[dict[int, None]] = [{} for _ in range(len(shown))]
    for owner, digit in zip(owners, read, strict=True):
        found[owner][int(digit)] = None
    return tuple(tuple(one) for one in found)
