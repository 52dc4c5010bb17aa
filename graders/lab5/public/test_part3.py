"""Part 3: filters, response maps, inputs that maximise the outputs."""

import numpy as np

from graders.grading import Work, check
from graders.lab5.drawings import as_pictures, drawn_pictures, equal, matched, tiles
from graders.lab5.inside import drawn_climb, first_filters, implied_maps, named_climb, recomputed_maps
from graders.lab5.networks import exported, reloaded
from graders.records import Verdict


@check("5.3/filters")
def test_filters(notebook: Work) -> Verdict:
    """The loaded filters as a tensor and as pictures."""
    filters = first_filters(reloaded(notebook))[1]
    size = (filters.shape[1], filters.shape[2])
    tensor, drawn = as_pictures(notebook.tensor("filters"), len(filters), size), drawn_pictures(notebook, size)
    hint = 'Draw each filter with imshow, and call the tensor "filters".'
    notebook.require(
        True if drawn or tensor is not None else None, "drawn filters of conv1", ("filters", "conv1"), hint
    )
    shown = matched(drawn, filters)
    details = {"tiles": tiles("conv1's filters", filters), "drawn": shown}
    return _tensor_verdict("filters", "conv1's loaded filters", equal(tensor, filters), shown, len(filters), details)


@check("5.3/feature-maps")
def test_feature_maps(notebook: Work) -> Verdict:
    """conv1's response maps, as the network gives them for a picture that went through it."""
    network = exported(reloaded(notebook))
    candidates = recomputed_maps(notebook, network)
    count, *rest = candidates[0].shape
    size = (rest[0], rest[1])
    tensor, drawn = as_pictures(notebook.tensor("feature_maps"), count, size), drawn_pictures(notebook, size)
    hint = 'Register a forward hook on conv1, draw each map with imshow, and call the tensor "feature_maps".'
    notebook.require(
        True if drawn or tensor is not None else None, "drawn response maps of conv1", ("feature_maps", "conv1"), hint
    )
    if max(matched(drawn, maps) for maps in candidates) < count:
        own = [tensor] if tensor is not None else []
        own += [np.stack(some) for some in (drawn[:count], drawn[-count:]) if len(some) == count]
        candidates += [maps for one in own for maps in implied_maps(notebook, one)]
    kept = [maps for maps in candidates if equal(tensor, maps)]
    counts = [matched(drawn, maps) for maps in candidates]
    shown = max(counts)
    best = kept[0] if kept and not shown else candidates[counts.index(shown)]
    details = {"tiles": tiles("conv1's response maps", best), "drawn": shown}
    return _tensor_verdict("feature_maps", "conv1's responses, computed again", bool(kept), shown, count, details)


def _tensor_verdict(name: str, what: str, kept: bool, shown: int, count: int, details: dict[str, object]) -> Verdict:
    """Drawn right is right; a right tensor that was not drawn is half; drawn ones count singly."""
    if shown == count:
        return Verdict.passed(f"All {count} pictures that you drew are {what}.", **details)
    half = 0.5 if kept else 0.0
    share = half + (1 - half) * shown / count
    said = f"the tensor {name} is right, but " if half else ""
    message = f"Expected {count} drawn pictures, equal to {what}; {said}{shown} such pictures were drawn."
    return Verdict.partial(share, "PICTURES_DIFFER", message, **details)


@check("5.3/max-activation")
def test_max_activation(notebook: Work) -> Verdict:
    """Ten pictures, each with a higher response of its own output than where the climb began."""
    network = exported(reloaded(notebook))
    climb = named_climb(notebook, network) or drawn_climb(notebook, network)
    hint = "Call the pictures at the start start_images, those at the end max_images, and draw them with imshow."
    climb = notebook.require(climb, "ten pictures of 28x28", ("max_images", "start_images", "imshow"), hint)
    higher = sum(climb.higher)
    details = {
        "before": [round(one, 3) for one in climb.before],
        "after": [round(one, 3) for one in climb.after],
        "tiles": tiles("pictures that maximise each output", climb.pictures, digits=2),
    }
    if higher == 10 and climb.drawn == 10:
        return Verdict.passed("All ten pictures have a higher response than their start, computed again.", **details)
    if higher == 10:
        message = f"All ten pictures have a higher response than their start; {climb.drawn} of them were drawn."
        return Verdict.partial((20 + climb.drawn) / 30, "NOT_ALL_DRAWN", message, **details)
    message = f"Expected ten pictures with a higher response of their own output than their start; {higher} have it."
    return Verdict.partial(higher / 10 * (20 + climb.drawn) / 30, "RESPONSE_NOT_HIGHER", message, **details)
