"""What was drawn with imshow, judged by its data and never by its pixels on the page."""

from collections.abc import Collection, Iterable

import numpy as np

from graders.evidence import Array
from graders.grading import Work

TOLERANCE = 1e-4
CALLS = ("imshow", "matshow", "pcolormesh", "pcolor")


def drawn_pictures(work: Work, shape: tuple[int, int], keys: Collection[str] | None = None) -> list[Array]:
    """Grey pictures of one size handed to imshow, in order, float64 (rows, columns); of these keys only, if given."""
    found = []
    for drawing in work.notebook.drawings:
        for key in drawing.arrays if drawing.call in CALLS else ():
            array = work.notebook.drawn.get(key) if keys is None or key in keys else None
            if array is not None and (grey := _grey(array)) is not None and grey.shape == shape:
                found.append(grey.astype(np.float64))
    return found


def _grey(array: Array) -> Array | None:
    """A picture without axes of size 1 and without equal colour channels; None if it is no grey picture."""
    squeezed = array.squeeze()
    if squeezed.ndim == 3 and squeezed.shape[2] in (3, 4):
        first = squeezed[..., 0]
        return first if all(np.array_equal(first, squeezed[..., c]) for c in (1, 2)) else None
    return squeezed if squeezed.ndim == 2 else None


def same_picture(drawn: Array, wanted: Array) -> bool:
    """Whether a drawn picture has these values, perhaps scaled to another range (imshow does so anyway)."""
    if np.allclose(drawn, wanted, atol=TOLERANCE, rtol=TOLERANCE):
        return True
    return np.allclose(_unit(drawn), _unit(wanted), atol=TOLERANCE)


def _unit(picture: Array) -> Array:
    """The picture scaled to 0..1, as imshow does before it picks colours."""
    low, high = float(picture.min()), float(picture.max())
    if not np.isfinite([low, high]).all() or high <= low:
        return np.zeros(picture.shape)
    scaled: Array = (picture - low) / (high - low)
    return scaled


def matched(drawn: Iterable[Array], wanted: Array) -> int:
    """How many of the wanted pictures (n, rows, columns) are among the drawn ones; a drawn one counts once."""
    left = list(drawn)
    count = 0
    for picture in wanted:
        hit = next((number for number, one in enumerate(left) if same_picture(one, picture)), None)
        if hit is not None:
            left.pop(hit)
            count += 1
    return count


def tiles(caption: str, pictures: Array, digits: int = 3) -> dict[str, object]:
    """Small pictures (n, rows, columns) for the report."""
    rounded = np.round(np.nan_to_num(pictures.astype(np.float64)), digits)
    return {"caption": caption, "images": rounded.tolist()}


def as_pictures(tensor: Array | None, count: int, shape: tuple[int, int]) -> Array | None:
    """A tensor of `count` pictures, with or without axes of size 1, as (count, rows, columns); None if it is not."""
    if tensor is None or tensor.dtype.kind not in "fiu" or tensor.size != count * shape[0] * shape[1]:
        return None
    squeezed = tuple(size for size in tensor.shape if size != 1)
    if squeezed != (count, *shape):
        return None
    return tensor.reshape(count, *shape)
