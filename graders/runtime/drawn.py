"""The arrays handed to matplotlib: drawn.json and drawn.safetensors."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from matplotlib.axes import Axes

from .guard import guarded
from .identity import Numbers
from .patching import Patches
from .session import Session, Spy
from .tensors import as_tensor, size

CALLS = ("imshow", "plot", "matshow", "pcolormesh")
MAX_DRAWINGS = 400
MAX_BYTES = 64 * 2**10
MAX_TOTAL = 8 * 2**20


class Drawn(Spy):
    """Watches the drawing methods of Axes; pyplot's functions end there too."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.drawings: list[dict[str, Any]] = []
        self.arrays: dict[str, torch.Tensor] = {}
        self.dropped = 0
        self._figures, self._axes = Numbers(), Numbers()
        self._untitled: list[tuple[dict[str, Any], Any]] = []
        self._inside = 0

    def install(self, patches: Patches) -> None:
        """Patch the drawing methods."""
        for name in CALLS:
            patches.wrap(Axes, name, partial(self._spied, name=name))

    def _spied(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def draw(axes: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._inside += 1  # matshow calls imshow: one drawing
            try:
                result = original(axes, *args, **kwargs)
            finally:
                self._inside -= 1
            if not self._inside:
                self._drew(name, axes, args, kwargs, result)
            return result

        return draw

    @guarded
    def _drew(self, name: str, axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if self.session.hushed:
            return
        found = [as_tensor(value) for value in _given(name, args, kwargs, result)]
        tensors = [tensor for tensor in found if tensor is not None]
        self.dirty = True
        if not tensors or not self._has_room(tensors):
            self.dropped += 1
            return
        number = len(self.drawings)
        keys = tuple(f"d{number}.{index}" for index in range(len(tensors)))
        self.arrays.update(zip(keys, tensors, strict=True))
        drawing = {
            "n": number,
            "execution_count": self.session.execution_count,
            "call": name,
            "figure": self._figures.of(axes.get_figure()),
            "axes": self._axes.of(axes),
            "arrays": keys,
        }
        self.drawings.append(drawing)
        self._untitled.append((drawing, axes))

    def _has_room(self, tensors: list[torch.Tensor]) -> bool:
        held = sum(map(size, self.arrays.values()))
        return (
            len(self.drawings) < MAX_DRAWINGS
            and all(size(tensor) <= MAX_BYTES for tensor in tensors)
            and held + sum(map(size, tensors)) <= MAX_TOTAL
        )

    @guarded
    def _entitle(self) -> None:
        for drawing, axes in self._untitled:
            drawing["title"] = str(axes.get_title())[:200]

    def end_cell(self) -> None:
        """Read the titles, which are often set after drawing."""
        self._entitle()
        self._untitled.clear()

    def write(self) -> None:
        """Write both files."""
        self.session.stage.tensors("drawn.safetensors", self.arrays)
        data = {"schema": "labmark/drawn/1", "drawings": self.drawings, "dropped": self.dropped}
        self.session.stage.json("drawn.json", data)


def _given(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> list[Any]:
    """The arrays of a call: the picture as given, or x and y of every line that was drawn."""
    if name == "plot":
        return [values for line in result for values in (line.get_xdata(orig=False), line.get_ydata(orig=False))]
    if args:
        return [args[-1] if name == "pcolormesh" else args[0]]
    return [value for key, value in kwargs.items() if key in ("X", "Z", "C")]
