"""A weak map keyed by identity: it never calls a student's `__eq__` or `__hash__` and keeps nothing alive."""

import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class IdentityMap(Generic[V]):
    """Values by the identity of an object that can be referred to weakly; an entry goes with its object."""

    def __init__(self) -> None:
        self._items: dict[int, tuple[weakref.ref[Any], V]] = {}

    def get(self, key: Any) -> V | None:
        """The value of that very object, or None."""
        item = self._items.get(id(key))
        return item[1] if item is not None and item[0]() is key else None

    def __contains__(self, key: object) -> bool:
        item = self._items.get(id(key))
        return item is not None and item[0]() is key

    def __setitem__(self, key: Any, value: V) -> None:
        number, items = id(key), self._items
        items[number] = (weakref.ref(key, lambda _: items.pop(number, None)), value)

    def __len__(self) -> int:
        return len(self._items)

    def live(self) -> Iterator[tuple[Any, V]]:
        """Pairs of the objects that still live and their values, in order of entry."""
        for reference, value in list(self._items.values()):
            key = reference()
            if key is not None:
                yield key, value


class Numbers:
    """Numbers objects from 1 in the order in which they are first seen; a number is never used again."""

    def __init__(self) -> None:
        self._map: IdentityMap[int] = IdentityMap()
        self._last = 0

    def of(self, key: Any) -> int:
        """The number of that very object."""
        number = self._map.get(key)
        if number is None:
            self._last += 1
            number = self._map[key] = self._last
        return number
