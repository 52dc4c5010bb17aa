"""Sentences for a student about what differs, in the words of their own layers."""

from collections.abc import Sequence
from typing import Any

from graders.models.notation import ACTIVATIONS, DIMENSIONS, Shape, Stage, by
from graders.models.rows import Row

_NAMES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "elu": "ELU",
    "celu": "CELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "max_pool": "max pooling",
    "avg_pool": "average pooling",
    "batch_norm": "batch normalisation",
    "flatten": "flattening",
    "dropout": "dropout",
    "log_softmax": "log-softmax",
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def words(one: Stage) -> str:
    """A stage in words without an article: "max pooling 2x2", "convolution with 15 maps, 3x3"."""
    params = one.params
    if one.kind.startswith("conv") and "out" in params:
        name = "transposed convolution" if "transpose" in one.kind else "convolution"
        return f"{name} with {params['out']} maps, {by(params['kernel'])}{_unusual(one)}"
    if one.kind == "linear":
        return f"linear layer with {params['out']} outputs{'' if params['bias'] else ' without bias'}"
    if one.kind.endswith("dropout"):
        name = "dropout of whole maps" if params["maps"] else one.kind.replace("_", " ")
        return f"{name} with rate {params['rate']:g}"
    name = _NAMES.get(one.kind, one.kind.rstrip("0123456789d").replace("_", " ") if "pool" in one.kind else "")
    name = name or one.kind.replace("_", " ")
    return f"{name} {by(params['kernel'])}{_unusual(one)}" if one.kind in DIMENSIONS else name


def _unusual(one: Stage) -> str:
    """What of a convolution or pooling is not as usual, after a comma each."""
    # The notation already leaves out what is usual: kind, [maps,] kernel, then pairs and flags.
    rest = one.text.split()[3 if "out" in one.params else 2 :]
    text = " ".join(rest).replace("no_bias", "without bias").replace("ceil", "rounding up")
    for word in ("stride", "padding", "dilation", "groups", "without", "rounding"):
        text = text.replace(f" {word}", f", {word}")
    return f", {text}" if text else ""


def article(one: Stage) -> str:
    """A stage in words with the article it needs: "a ReLU", "max pooling 2x2"."""
    countable = one.kind.startswith("conv") or one.kind == "linear" or one.kind in ACTIVATIONS
    text = words(one)
    if not countable or "softmax" in one.kind:
        return text
    return f"{'an' if text[0] in 'aeiouAEIO' or text.startswith('SELU') else 'a'} {text}"


class Namer:
    """Names the stages of one network so that its author finds them."""

    def __init__(self, found: Sequence[Stage]) -> None:
        self.found = found

    def name(self, one: Stage) -> str:
        """The stage's name: "conv2 (15 maps, 3x3)", "the second max pooling 2x2", "the ReLU after fc1"."""
        if one.module:
            return f"{one.module} ({_inside(one)})"
        place = next(place for place, other in enumerate(self.found) if other is one)
        twins = [other for other in self.found if other.same_as(one)]
        if len(twins) == 1:
            return article(one) if one.kind.endswith("dropout") or one.kind == "flatten" else f"the {words(one)}"
        if one.kind in ACTIVATIONS and place:
            return f"the {words(one)} after {self.short(self.found[place - 1])}"
        count = next(number for number, other in enumerate(twins) if other is one)
        ordinal = _ORDINALS[count] if count < len(_ORDINALS) else f"{count + 1}th"
        return f"the {ordinal} {words(one)}"

    def short(self, one: Stage) -> str:
        """The name of its submodule alone, if it has one."""
        return one.module or self.name(one)


def _inside(one: Stage) -> str:
    if one.kind.startswith("conv") and "out" in one.params:
        return f"{one.params['out']} maps, {by(one.params['kernel'])}{_unusual(one)}"
    return f"{one.params['out']} outputs" if one.kind == "linear" else words(one)


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """A sentence for each difference, in the order of the network; neighbours that are missing share one."""
    namer = Namer([row.found for row in rows if row.found is not None and not (row.moved and row.status == "missing")])
    found: list[str] = []
    place = 0
    while place < len(rows):
        row = rows[place]
        group = 1
        if row.status == "missing" and not row.moved:
            while place + group < len(rows) and rows[place + group].code in ("MISSING_STAGE", "MISSING_ACTIVATION"):
                group += 1
            found.append(_missing(rows, place, group, namer))
        elif row.status == "missing":
            found.append(_out_of_place(rows, place, namer))
        elif row.status == "different" and row.expected and row.found:
            found.append(_different(rows, place, row.expected, row.found, namer))
        elif row.status == "extra" and not row.moved and row.found:
            found.append(f"your network has an extra {_extra(row.found)}{_after(rows, place, namer)}")
        place += group
    return tuple(_sentence(one, namer) for one in found)


def _sentence(text: str, namer: Namer) -> str:
    """A capital at the start, unless that is a layer's name, which is kept as its author writes it; a full stop."""
    is_name = text.partition(" ")[0] in {one.module for one in namer.found}
    return f"{text if is_name else text[0].upper() + text[1:]}."


def _extra(one: Stage) -> str:
    return f"{words(one)} ({one.module})" if one.module else words(one)


def _previous(rows: Sequence[Row], place: int) -> Stage | None:
    """The stage of the network before a row."""
    here = [row.found for row in rows[:place] if row.found and not (row.moved and row.status == "missing")]
    return here[-1] if here else None


def _next(rows: Sequence[Row], place: int) -> Stage | None:
    here = [row.found for row in rows[place:] if row.found and not (row.moved and row.status == "missing")]
    return here[0] if here else None


def _after(rows: Sequence[Row], place: int, namer: Namer) -> str:
    before = _previous(rows, place)
    return f" after {namer.name(before)}" if before else " at the start"


def _missing(rows: Sequence[Row], place: int, count: int, namer: Namer) -> str:
    wanted = [article(row.expected) for row in rows[place : place + count] if row.expected]
    listed = wanted[0] if len(wanted) == 1 else f"{', '.join(wanted[:-1])} and {wanted[-1]}"
    follower = _next(rows, place + count)
    if follower is None:
        rest = "yours ends there"
    else:
        way = "into" if "pool" in follower.kind else "to"
        rest = f"yours goes straight {way} {namer.name(follower) if follower.module else words(follower)}"
    start = _after(rows, place, namer).strip()
    return f"{start} {listed} {'is' if count == 1 else 'are'} expected; {rest}"


def _out_of_place(rows: Sequence[Row], place: int, namer: Namer) -> str:
    row = rows[place]
    there = next(at for at, other in enumerate(rows) if other.status == "extra" and other.found is row.found)
    before = _previous(rows, there)
    where = f"after {namer.name(before)}" if before else "at the start"
    wanted = article(row.expected) if row.expected else ""
    return f"{_after(rows, place, namer).strip()} {wanted} is expected; yours comes {where}"


def _different(rows: Sequence[Row], place: int, expected: Stage, found: Stage, namer: Namer) -> str:
    if expected.kind != found.kind:
        start = _after(rows, place, namer).strip()
        return f"{start} {article(expected)} is expected; yours has {article(found)} there"
    parts = [
        f"{_parameter(name, found)} where {_value(value)} {_is(name)} expected"
        for name, value in expected.params.items()
        if found.params.get(name) != value and not _follows(name, expected, found)
    ]
    name = found.module or words(found).split(" with ")[0]
    if not found.module and found.kind in DIMENSIONS:
        name = f"the {words(found).split(by(found.params['kernel']))[0]}{_after(rows, place, namer).strip()}"
    return f"{name} has {' and '.join(parts)}{_consequence(expected, found)}"


def _follows(name: str, expected: Stage, found: Stage) -> bool:
    """A pooling's stride that differs only because its kernel does."""
    is_pool = "pool" in found.kind and name == "stride"
    return is_pool and all(one.params["stride"] == one.params["kernel"] for one in (expected, found))


def _parameter(name: str, found: Stage) -> str:
    value = found.params.get(name)
    if name == "out":
        return f"{value} {'maps' if found.kind.startswith('conv') else 'outputs'}"
    labels = {"bias": "bias", "maps": "whole maps dropped", "ceil": "rounding up"}
    return f"{labels.get(name, name)} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return by(value) if isinstance(value, tuple) else f"{value}"


def _is(name: str) -> str:
    return "are" if name == "out" else "is"


def _consequence(expected: Stage, found: Stage) -> str:
    """What a wrong parameter does to the size of the picture, where that is its doing alone."""
    ours, theirs = expected.shape_out, found.shape_out
    if not ours or not theirs or _picture(expected.shape_in) != _picture(found.shape_in):
        return ""
    if len(ours) < 2 or _picture(ours) == _picture(theirs):
        return ""
    return f", so its output is {by(_picture(theirs))} where {by(_picture(ours))} is expected"


def _picture(shape: Shape | None) -> Shape:
    return shape[1:] if shape else ()
