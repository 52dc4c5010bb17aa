"""A generator of data described: dataset class, split, items, batch size, batches."""

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import Dataset

MAX_DEPTH = 10


def describe(loader: Any) -> dict[str, Any]:
    """Loader data of anything that gives batches.

    A dataset is looked through (Subset, ConcatDataset, wrappers of the student's own) down to one with a boolean
    attribute `train`. The split is "train" only if no part of it is test data; where any is, it is "test".
    """
    data = getattr(loader, "dataset", loader)
    parts = [part for part in _walk(data) if type(_attribute(part, "train")) is bool]
    splits = {"train" if _attribute(part, "train") else "test" for part in parts}
    return {
        "dataset": type(parts[0] if parts else data).__name__,
        "split": "test" if "test" in splits else "train" if splits else None,
        "count": _count(lambda: len(data)),
        "batch_size": _count(lambda: loader.batch_size),
        "batches": _count(lambda: len(loader)),
    }


def _walk(data: Any, depth: int = 0) -> Iterator[Any]:
    yield data
    if depth >= MAX_DEPTH:
        return
    for value in list(getattr(data, "__dict__", {}).values()):
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Dataset):
                yield from _walk(item, depth + 1)


def _attribute(part: Any, name: str) -> Any:
    return getattr(part, "__dict__", {}).get(name)


def _count(ask: Callable[[], Any]) -> int | None:
    """The number, or None where the object does not know or its class gets it wrong."""
    try:
        found = ask()
    except Exception:  # noqa: BLE001 - `__len__` of a student's dataset may raise anything
        return None
    return found if type(found) is int else None
