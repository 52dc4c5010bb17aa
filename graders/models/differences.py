"""What differs between two stages of the same kind, in words."""

from typing import Any

from graders.models.notation import Stage, by
from graders.models.wording import listed, size

_VERBS = {
    "maps": (
        "drops single numbers (Dropout) where whole maps (Dropout2d) are expected to be dropped",
        "drops whole maps (Dropout2d) where single numbers (Dropout) are expected to be dropped",
    ),
    "ceil": (
        "rounds its size down where up (ceil_mode=True) is expected",
        "rounds its size up (ceil_mode=True) where down is expected",
    ),
    "shared": (
        "has weights of its own; those of an earlier layer are expected there once more",
        "uses the weights of an earlier layer a second time; a layer of its own is expected",
    ),
}
"""Parameters that are on or off, with what a stage does where it is wrongly off, and wrongly on."""


def differing(expected: Stage, found: Stage) -> str:
    """What a stage has and does otherwise, to follow its name: "has 16 maps where 15 are expected"."""
    names = [
        name
        for name in {**expected.params, **found.params}
        if found.params.get(name) != expected.params.get(name) and not _follows(name, expected, found)
    ]
    had = [_noun(name, found.params.get(name), expected.params.get(name), found.kind) for name in names]
    done = [_VERBS[name][bool(found.params.get(name))] for name in names if name in _VERBS]
    nouns = [noun for name, noun in zip(names, had, strict=True) if name not in _VERBS]
    return listed([*([f"has {listed(nouns)}"] if nouns else []), *done])


def _follows(name: str, expected: Stage, found: Stage) -> bool:
    """A pooling's stride that differs only because its kernel does."""
    is_pool = "pool" in found.kind and name == "stride"
    return is_pool and all(one.params["stride"] == one.params["kernel"] for one in (expected, found))


def _noun(name: str, given: Any, wanted: Any, kind: str) -> str:
    match name:
        case "out":
            return f"{given} {'maps' if kind.startswith('conv') else 'outputs'} where {wanted} are expected"
        case "kernel":
            return f"{'windows' if 'pool' in kind else 'kernels'} of {by(given)} where {by(wanted)} is expected"
        case "padding":
            return _unless(0, name, given, wanted)
        case "dilation":
            return _unless(1, name, given, wanted)
        case "groups":
            return f"groups={given} where {f'groups={wanted}' if wanted != 1 else 'no grouping'} is expected"
        case "bias":
            return "a bias where none is expected" if given else "no bias (bias=False) where one is expected"
    return f"{name} {size(given)} where {size(wanted)} is expected"


def _unless(usual: int, name: str, given: Any, wanted: Any) -> str:
    """Where the number is as usual, it is "no padding" rather than "padding 0"."""

    def is_usual(value: Any) -> bool:
        return set(value if isinstance(value, tuple) else (value,)) <= {usual}

    has = f"no {name}" if is_usual(given) else f"{name} {size(given)}"
    return f"{has} where {'none' if is_usual(wanted) else size(wanted)} is expected"
