"""Advice that follows from the facts about a network: what it means, and how to mend it. It costs no points."""

from collections.abc import Iterator, Sequence

from graders.models.batches import Batch
from graders.models.facts import Facts
from graders.models.health import Repeated

BATCH_STATISTICS_IN_EVAL, DEAD_RELUS = "BATCH_STATISTICS_IN_EVAL", "DEAD_RELUS"
CONSTANT_PREDICTIONS, SINGLE_IMAGE_FAILS, UNUSED_LAYER = "CONSTANT_PREDICTIONS", "SINGLE_IMAGE_FAILS", "UNUSED_LAYER"
MANY_DEAD = 0.5
"""More dead units of a ReLU than this share are worth a word; fewer are common and harmless."""
ENOUGH = 50
"""Fewer images say too little about what never happens."""
MAX_NAMED = 4


def advice(found: Facts, *, trained: bool = True) -> tuple[tuple[str, str], ...]:
    """What a student should know about their network.

    Args:
        found: Its facts.
        trained: Whether it was trained: what an untrained network predicts says nothing.

    Returns:
        Pairs of a stable code and a sentence or two.
    """
    return tuple(_advice(found, trained))


def _advice(found: Facts, trained: bool) -> Iterator[tuple[str, str]]:
    if found.unused:
        names = listed([layer.module or "the network itself" for layer in found.unused])
        yield (
            UNUSED_LAYER,
            f"forward never uses the weights of {names}, in training as in evaluation, so they learn nothing. "
            "Use them in forward, or take them out of __init__.",
        )
    health = found.health
    if health is None:
        return
    if health.company is not None:
        yield BATCH_STATISTICS_IN_EVAL, _company(found, health.company)
    single = next((one for one in health.batches if one.size == 1), None)
    if single is not None and single.outcome in ("refused", "other-shape"):
        yield SINGLE_IMAGE_FAILS, _single(single)
    if trained and health.images >= ENOUGH:
        yield from _idle(found, health.images)


def _company(found: Facts, repeated: Repeated) -> str:
    spread = found.spread(repeated)
    measure = "accuracies" if found.labels is not None else "agreement with the first evaluation"
    seen = (
        "In evaluation mode what the network says of an image depends on the other images of its batch "
        f"(the same images in other batches: {measure} from {min(spread):.0%} to {max(spread):.0%}). "
    )
    if not repeated.places:
        return seen + "Compute nothing over dimension 0, such as x.mean(0): every image must stand for itself."
    return (
        f"{seen}The batch normalisation ({listed(repeated.places)}) uses the batch's mean and variance: leave "
        "track_running_stats as it is, write training=self.training in F.batch_norm, and call model.eval()."
    )


def _single(batch: Batch) -> str:
    does = "refuses a batch of one image" if batch.outcome == "refused" else "gives no row of scores for a single image"
    mend = (
        "Keep the batch dimension: write flatten(x, 1), or squeeze(dim) with the dimension that you mean."
        if batch.lost_dimension
        else "In evaluation mode every image should be taken by itself."
    )
    return f"The network {does}: {batch.reason}. One picture, or the last batch of an epoch, can be just that. {mend}"


def _idle(found: Facts, images: int) -> Iterator[tuple[str, str]]:
    often, share = found.most_frequent
    if share == 1 and often >= 0:
        yield (
            CONSTANT_PREDICTIONS,
            f"The network gives class {often} for all of {images} different images: it has learned nothing about them. "
            "Look at the loss of the training: try a smaller learning rate, and see that the optimiser holds "
            "model.parameters() and that zero_grad, backward and step follow each other.",
        )
    relus = found.health.relus if found.health else ()
    dead = [one for one in relus if one.dead > MANY_DEAD * one.units]
    if dead:
        named = listed([f"{one.dead} of {one.units} {one.place}" for one in dead])
        yield (
            DEAD_RELUS,
            f"These units of a ReLU are 0 for all of {images} images, so nothing learns through them: {named}. "
            "Often the learning rate was too large, or a layer is wider than it need be.",
        )


def listed(names: Sequence[str]) -> str:
    """Some names as "a, b, c and 3 more"."""
    more = len(names) - MAX_NAMED
    shown = ", ".join(names[:MAX_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
