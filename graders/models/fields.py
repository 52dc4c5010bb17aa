"""Receptive fields: which part of the picture one value of a map depends on.

Source: A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019. With
the jump j (pixels of the picture between neighbouring values of a map), a window of k values with dilation d, stride s
and padding p makes of a field from first to last pixel [a, b] (of the map's first value) and the jump j

    a' = a - p j        b' = b - p j + d (k - 1) j        j' = s j        size = b' - a' + 1

Where branches merge, the field is what all of them see together (the largest of them, where they are centred alike).
Normalisation is read past, as is usual. What this arithmetic does not cover (flattened values, slices, enlarged
pictures) has no field here, rather than a guessed one. A field may be larger than the picture: the rest is padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graders.models.notation import ACTIVATIONS, DIMENSIONS, Shape, Stage

_ELEMENTWISE = ACTIVATIONS | {
    *("add", "sub", "mul", "div", "maximum", "minimum", "cat", "stack", "add_constant", "bias", "max", "min"),
    *("batch_norm", "instance_norm", "group_norm", "layer_norm", "neg", "abs", "square", "sqrt", "exp", "pow"),
    *("dropout", "alpha_dropout"),
}


@dataclass(frozen=True)
class Field:
    """What the first value of a map sees; one number for each axis of the picture.

    Attributes:
        first: The first pixel, counted from the picture's first; negative in the padding.
        last: The last pixel.
        jump: Pixels from the field of one value to that of its neighbour.
    """

    first: Shape
    last: Shape
    jump: Shape

    @property
    def size(self) -> Shape:
        """Pixels along each axis."""
        return tuple(last - first + 1 for first, last in zip(self.first, self.last, strict=True))


def pixel(axes: int) -> Field:
    """The field of the picture itself."""
    return Field((0,) * axes, (0,) * axes, (1,) * axes)


def merged(fields: Sequence[Field | None]) -> Field | None:
    """What several maps of the same size see together; None where one is unknown or their jumps differ."""
    known = [field for field in fields if field is not None]
    if not known or len(known) < len(fields) or len({field.jump for field in known}) > 1:
        return None
    first = tuple(map(min, zip(*(field.first for field in known), strict=True)))
    last = tuple(map(max, zip(*(field.last for field in known), strict=True)))
    return Field(first, last, known[0].jump)


def after(stage: Stage, field: Field | None) -> Field | None:
    """The field after a stage; None where the arithmetic does not cover it."""
    if field is None or len(stage.shape_in or ()) != len(field.jump) + 1:
        return None
    if stage.kind in DIMENSIONS and "transpose" not in stage.kind and DIMENSIONS[stage.kind] == len(field.jump):
        return _window(stage, field)
    same_size = stage.shape_in is not None and stage.shape_out is not None and stage.shape_in[1:] == stage.shape_out[1:]
    return field if stage.kind in _ELEMENTWISE and same_size else None


def _window(stage: Stage, field: Field) -> Field:
    params, axes = stage.params, range(len(field.jump))
    shift = [params["padding"][axis] * field.jump[axis] for axis in axes]
    reach = [params["dilation"][axis] * (params["kernel"][axis] - 1) * field.jump[axis] for axis in axes]
    return Field(
        tuple(field.first[axis] - shift[axis] for axis in axes),
        tuple(field.last[axis] - shift[axis] + reach[axis] for axis in axes),
        tuple(field.jump[axis] * params["stride"][axis] for axis in axes),
    )
