"""What was drawn with imshow, judged by its data and never by its pixels on the page."""

from collections.abc import Collection, Sequence

import numpy as np

from graders.evidence import Array
from graders.grading import Work

TOLERANCE = 3e-4
"""Root of the mean square, of pictures scaled to 0..1."""
ROUNDED = 1e-2
"""The same for pictures that were drawn as whole numbers, 0 to 255."""
MAX_GAP = 4
"""Pixels between the pictures of a sheet, as `torchvision.utils.make_grid` leaves them."""
MAX_ON_SHEET = 1024
CALLS = ("imshow", "matshow", "pcolormesh", "pcolor")


def drawn_pictures(work: Work, shape: tuple[int, int], keys: Collection[str] | None = None) -> list[Array]:
    """Grey pictures of one size handed to imshow, in order, (rows, columns); of these keys only, if given.

    A sheet of several such pictures counts as those.
    """
    found = []
    for drawing in work.notebook.drawings:
        for key in drawing.arrays if drawing.call in CALLS else ():
            array = work.notebook.drawn.get(key) if keys is None or key in keys else None
            if array is not None and (grey := _grey(array)) is not None:
                found += [grey] if grey.shape == shape else _cut(grey, shape)
    return found


def _cut(sheet: Array, shape: tuple[int, int]) -> list[Array]:
    """The pictures on a sheet, in order: side by side, or with gaps between and around them."""
    found: list[Array] = []
    for gap in range(MAX_GAP + 1):
        steps = shape[0] + gap, shape[1] + gap
        counts = [(size - gap) // step for size, step in zip(sheet.shape, steps, strict=True)]
        fits = all((size - gap) % step == 0 for size, step in zip(sheet.shape, steps, strict=True))
        if not fits or min(counts) < 1 or counts[0] * counts[1] > MAX_ON_SHEET:
            continue
        tops, lefts = ([gap + step * n for n in range(count)] for count, step in zip(counts, steps, strict=True))
        found += [sheet[top : top + shape[0], left : left + shape[1]] for top in tops for left in lefts]
    return found


def _grey(array: Array) -> Array | None:
    """A picture without axes of size 1 and without equal colour channels; None if it is no grey picture."""
    squeezed = array.squeeze()
    if squeezed.ndim == 3 and squeezed.shape[2] in (3, 4):
        first = squeezed[..., 0]
        return first if all(np.array_equal(first, squeezed[..., c]) for c in (1, 2)) else None
    return squeezed if squeezed.ndim == 2 else None


def matched(drawn: Sequence[Array] | Array, wanted: Array) -> int:
    """How many of the wanted pictures (n, rows, columns) are among the drawn ones; a drawn one counts once.

    Brightness and contrast do not matter: imshow scales each picture by itself before it picks colours. Nor does it
    if rows and columns are exchanged in all of them.
    """
    if not len(drawn):
        return 0
    limits = np.array([ROUNDED if one.dtype.kind in "iu" else TOLERANCE for one in drawn])
    have = _units(np.stack(list(drawn)))
    return max(_pairs(have, _units(one), limits) for one in (wanted, wanted.swapaxes(1, 2)))


def _pairs(have: Array, want: Array, limits: Array) -> int:
    # Mean squares of all differences at once: |a - b|^2 = |a|^2 + |b|^2 - 2ab.
    squares = (want**2).sum(1)[:, None] + (have**2).sum(1)[None] - 2 * want @ have.T
    same = squares / have.shape[1] <= limits**2
    count = 0
    for row in same:
        if row.any():
            same[:, row.argmax()] = False
            count += 1
    return count


def _units(pictures: Array) -> Array:
    """Pictures (n, rows, columns) scaled to 0..1 each, as rows; one that is flat or not finite becomes 0."""
    flat = np.nan_to_num(pictures.reshape(len(pictures), -1).astype(np.float64))
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    units: Array = (flat - low) / np.where(high > low, high - low, 1)
    return units


def tiles(caption: str, pictures: Array, digits: int = 3) -> dict[str, object]:
    """Small pictures (n, rows, columns) for the report."""
    rounded = np.round(np.nan_to_num(pictures.astype(np.float64)), digits)
    return {"caption": caption, "images": rounded.tolist()}


def equal(tensor: Array | None, wanted: Array) -> bool:
    """Whether a tensor of pictures holds these values, in this order."""
    return tensor is not None and np.allclose(tensor, wanted, atol=1e-5, rtol=1e-4)


def as_pictures(tensor: Array | None, count: int, shape: tuple[int, int]) -> Array | None:
    """A tensor of `count` pictures, with or without axes of size 1, as (count, rows, columns); None if it is not."""
    if tensor is None or tensor.dtype.kind not in "fiu" or tensor.size != count * shape[0] * shape[1]:
        return None
    squeezed = tuple(size for size in tensor.shape if size != 1)
    if squeezed != (count, *shape):
        return None
    return tensor.reshape(count, *shape)
