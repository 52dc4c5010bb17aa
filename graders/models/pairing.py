"""Which tensor of one state_dict is which of another: by name, prefix, values, shape, and likeness of names."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from graders.evidence import Array

Shape = tuple[int, ...]
Described = Mapping[str, Shape | Array]
V = TypeVar("V")

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Pair:
    """A tensor under the name that is expected, and under the one that was found."""

    expected: str
    found: str


def wrapping(expected: Mapping[str, object], found: Mapping[str, object], usual: tuple[str, ...]) -> tuple[str, str]:
    """What all names of one side have in front, and those of the other do not.

    Args:
        expected: By name.
        found: By name.
        usual: Prefixes that are told as such even if no name below them is known.

    Returns:
        The prefix of the found names, and that of the expected ones; at most one of the two is not empty.
    """
    prefix = _prefix(expected, found, usual)
    return (prefix, "") if prefix else ("", _prefix(found, expected, usual))


def _prefix(plain: Mapping[str, object], wrapped: Mapping[str, object], usual: tuple[str, ...]) -> str:
    """The prefix without which most of the wrapped names are plain ones."""
    best, most = "", sum(name in plain for name in wrapped)
    for prefix in _common(wrapped):
        fitting = sum(name.removeprefix(prefix) in plain for name in wrapped)
        if fitting > most:
            best, most = prefix, fitting
    if best:
        return best
    known = (one for one in usual if wrapped and all(name.startswith(one) for name in wrapped))
    return next((one for one in known if not all(name.startswith(one) for name in plain)), "")


def _common(names: Mapping[str, object]) -> Iterator[str]:
    """Prefixes of whole parts ("a.", "a.b.") that all names have, the shortest first."""
    first = next(iter(names), "").split(".")
    for length in range(1, len(first)):
        prefix = ".".join(first[:length]) + "."
        if not all(name.startswith(prefix) for name in names):
            return
        yield prefix


def stripped(state: Mapping[str, V], prefix: str) -> dict[str, V]:
    """The state_dict without a prefix of its names."""
    return {name.removeprefix(prefix): value for name, value in state.items()}


def pairs(expected: Described, found: Described) -> tuple[Pair, ...]:
    """Tensors that are the same under whatever name, in the order of the expected ones.

    Equal names come first. What is left is paired by values, then among tensors of one shape by names that differ in
    spelling only ("conv_1.weight", "conv1.weight"), by the numbers in their names where both sides have the same
    numbers, by the last part of the name, and in the end by order. A name that differs in spelling only is found
    even if the shape is another.
    """
    chosen = {name: name for name in expected if name in found}
    for key in (_values, _spelling, _numbers, _leaf, _shape, _spelling_alone):
        left = [name for name in expected if name not in chosen]
        taken = set(chosen.values())
        right = [name for name in found if name not in taken]
        if not left or not right:
            break
        chosen |= _matched(key(expected, left), key(found, right), whole=key is _numbers)
    return tuple(Pair(name, chosen[name]) for name in expected if name in chosen)


Keys = dict[tuple[Hashable, ...], list[str]]
"""Names by what they have in common."""


def _matched(left: Keys, right: Keys, *, whole: bool) -> dict[str, str]:
    """Names under equal keys, in order; `whole`: only in groups whose keys are the same on both sides."""
    known = [key for key in left if key in right]
    if whole:
        one, other = _by_group(left), _by_group(right)
        alike = {group for group, keys in one.items() if other.get(group) == keys}
        known = [key for key in known if key[0] in alike]
    return {name: found for key in known for name, found in zip(left[key], right[key], strict=False)}


def _by_group(keys: Keys) -> dict[Hashable, set[tuple[Hashable, ...]]]:
    groups: dict[Hashable, set[tuple[Hashable, ...]]] = defaultdict(set)
    for key in keys:
        groups[key[0]].add(key)
    return groups


def _grouped(names: list[str], key: Callable[[str], tuple[Hashable, ...]]) -> Keys:
    groups: Keys = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return groups


def _dimensions(value: Shape | Array) -> Shape:
    return value if isinstance(value, tuple) else tuple(value.shape)


def _values(state: Described, names: list[str]) -> Keys:
    """By type, shape and bytes; shapes, and tensors that are all one number, say nothing."""
    groups: Keys = defaultdict(list)
    for name in names:
        value = state[name]
        if not isinstance(value, tuple) and value.size > 1 and (value != value.flat[0]).any():
            groups[content(value)].append(name)
    return groups


def content(value: Array) -> tuple[Hashable, ...]:
    """Equal for tensors that are equal bit for bit, and for no others: type, shape, digest."""
    return value.dtype.name, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest()


def _spelling(state: Described, names: list[str]) -> Keys:
    return _grouped(names, lambda name: (_dimensions(state[name]), _plain(name)))


def _numbers(state: Described, names: list[str]) -> Keys:
    groups = _grouped(names, lambda name: (_end(state, name), tuple(map(int, _NUMBER.findall(name)))))
    return {key: found for key, found in groups.items() if len(found) == 1}


def _leaf(state: Described, names: list[str]) -> Keys:
    return _grouped(names, lambda name: (_end(state, name),))


def _end(state: Described, name: str) -> tuple[Shape, str]:
    return _dimensions(state[name]), name.rpartition(".")[2]


def _shape(state: Described, names: list[str]) -> Keys:
    return _grouped(names, lambda name: (_dimensions(state[name]),))


def _spelling_alone(_: Described, names: list[str]) -> Keys:
    return _grouped(names, lambda name: (_plain(name),))


def _plain(name: str) -> str:
    """A name without case, underscores, dots and hyphens."""
    return re.sub(r"[_.\-]", "", name.lower())
