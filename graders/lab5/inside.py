"""What is inside a network: its first filters, their responses, inputs that an output likes."""

from dataclasses import dataclass

import numpy as np

from graders.evidence import Array
from graders.grading import Found, MissingError, Work
from graders.lab5.drawings import as_pictures, drawn_pictures, matched
from graders.lab5.networks import logits, reloaded
from graders.lab5.pictures import digit_images
from graders.models import Network, module_output

SIDE = 28
DIGITS = 10
SHUFFLES = 40
"""Per picture without a start: how many shuffles of its own pixels it is compared with."""
RISE = 1e-3
"""A response counts as higher from this difference of logits on."""
MAX_INPUTS = 64
EQUATIONS = 3000
"""How many of a picture's responses are enough to find its 784 pixels."""
HUGE = 1e9


def first_filters(found: Found) -> tuple[str, Array]:
    """Name of the first convolution and its filters, float (filters, rows, columns).

    Raises:
        MissingError: the network has no convolution of one input channel.
    """
    weights = found.snapshot.weights
    for one in found.snapshot.meta.tensors:
        if one.kind == "parameter" and len(one.shape) == 4 and one.shape[1] == 1 and one.name in weights:
            return one.name.rpartition(".")[0], weights[one.name][:, 0]
    raise MissingError("a network whose first convolution takes grey pictures", ("Conv2d",))


def recomputed_maps(work: Work, network: Network) -> list[Array]:
    """The first convolution's responses (maps, rows, columns) to all pictures that the notebook may have shown it.

    Those are the ten pictures and the recorded inputs; each before and after the ReLU.
    """
    module = first_filters(reloaded(work))[0]
    recorded = [batch for batch in work.notebook.inputs.values() if batch.shape[1:] == (1, SIDE, SIDE)]
    shown = [digit_images(work), *(batch.astype(np.float32) for batch in recorded)]
    images = np.concatenate(shown)[:MAX_INPUTS]
    raw = module_output(network, module, images)
    return [*raw, *np.maximum(raw, 0)]


def implied_maps(work: Work, maps: Array) -> list[Array]:
    """The first convolution's responses to the picture that these maps (maps, rows, columns) would come from.

    Students may show any picture of their own. Far more numbers than the picture has pixels follow from it, so maps
    that agree with what the found picture gives are true responses. Before and after the ReLU; none where the first
    convolution is not a plain one.
    """
    found = reloaded(work)
    name, filters = first_filters(found)
    bias = found.snapshot.weights.get(f"{name}.bias", np.zeros(len(filters)))
    places = SIDE - filters.shape[1] + 1, SIDE - filters.shape[2] + 1
    if maps.shape != (len(filters), *places):
        return []
    flat = np.nan_to_num(maps.reshape(len(filters), -1).astype(np.float64))
    windows = _windows(filters.shape[1], filters.shape[2])
    weights = filters.reshape(len(filters), -1).astype(np.float64)
    rng = np.random.default_rng(work.lab.seed)
    # After a ReLU only what is above zero tells anything; the rest of the equations are for the comparison.
    known = np.argwhere(flat > 0) if flat.min() >= 0 else np.argwhere(np.isfinite(flat))
    rows = rng.permutation(known)[:EQUATIONS]
    equations = np.zeros((len(rows), SIDE * SIDE))
    np.put_along_axis(equations, windows[rows[:, 1]], weights[rows[:, 0]], axis=1)
    values = flat[rows[:, 0], rows[:, 1]] - bias[rows[:, 0]]
    picture = np.linalg.lstsq(equations, values, rcond=None)[0]
    raw = (weights @ picture[windows].T + bias[:, None]).reshape(maps.shape)
    return [raw, np.maximum(raw, 0)]


def _windows(rows: int, columns: int) -> Array:
    """Per place of a kernel the pixels below it, as numbers in the flat picture: (places, rows * columns)."""
    pixels = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    return np.lib.stride_tricks.sliding_window_view(pixels, (rows, columns)).reshape(-1, rows * columns)


@dataclass(frozen=True)
class Climb:
    """Ten pictures and what they reach.

    Attributes:
        pictures: (10, 28, 28), number k is to maximise output k.
        before: Responses to exceed.
        after: Responses of the pictures.
        drawn: How many of the pictures were drawn.
    """

    pictures: Array
    before: tuple[float, ...]
    after: tuple[float, ...]
    drawn: int

    @property
    def higher(self) -> tuple[bool, ...]:
        """Which of them exceed what they must."""
        return tuple(after > before + RISE for before, after in zip(self.before, self.after, strict=True))


def named_climb(work: Work, network: Network) -> Climb | None:
    """The climb from `start_images` to `max_images`; without a start, from shuffled pixels."""
    pictures = as_pictures(work.tensor("max_images"), DIGITS, (SIDE, SIDE))
    if pictures is None:
        return None
    start = as_pictures(work.tensor("start_images"), DIGITS, (SIDE, SIDE))
    before = responses(work, network, start) if start is not None else shuffled(work, network, pictures)
    shown = matched(drawn_pictures(work, (SIDE, SIDE)), pictures)
    return Climb(pictures, before, responses(work, network, pictures), shown)


def drawn_climb(work: Work, network: Network) -> Climb | None:
    """The best of the ways to find ten pictures among those drawn: the last or first ten, every other one."""
    own = {cell.execution_count for cell in work.own_cells()}
    drawn = _drawn_in(work, own)
    ways = [drawn[-DIGITS:], drawn[:DIGITS], drawn[1::2], drawn[::2]] if len(drawn) >= DIGITS else []
    climbs = []
    for way in {tuple(map(id, one)): one for one in ways if len(one) == DIGITS}.values():
        pictures = np.stack(way)
        before, after = shuffled(work, network, pictures), responses(work, network, pictures)
        climbs.append(Climb(pictures, before, after, DIGITS))
    return max(climbs, key=lambda climb: sum(climb.higher), default=None)


def _drawn_in(work: Work, cells: set[int | None]) -> list[Array]:
    """Pictures of 28x28 drawn in these cells; from the whole notebook where they drew too few."""
    keys = {key for one in work.notebook.drawings if one.execution_count in cells for key in one.arrays}
    inside = drawn_pictures(work, (SIDE, SIDE), keys)
    return inside if len(inside) >= DIGITS else drawn_pictures(work, (SIDE, SIDE))


def responses(work: Work, network: Network, pictures: Array) -> tuple[float, ...]:
    """Output k for picture k."""
    scores = _finite(logits(network, _finite(pictures)[:, None], work))
    return tuple(float(score) for score in np.diagonal(scores))


def shuffled(work: Work, network: Network, pictures: Array) -> tuple[float, ...]:
    """The 95th percentile of output k over noise made of picture k's own pixels, in other places."""
    rng = np.random.default_rng(work.lab.seed)
    flat = np.repeat(_finite(pictures).reshape(DIGITS, 1, -1), SHUFFLES, axis=1)
    noise = rng.permuted(flat, axis=2).reshape(-1, 1, SIDE, SIDE)
    scores = _finite(logits(network, noise, work)).reshape(DIGITS, SHUFFLES, -1)
    return tuple(float(np.percentile(scores[k, :, k], 95)) for k in range(DIGITS))


def _finite(values: Array) -> Array:
    """float32 without NaN and infinity: what a student's picture holds must not reach the report as such."""
    return np.nan_to_num(values.astype(np.float32), nan=0, posinf=HUGE, neginf=-HUGE)
