"""Other random numbers from the same notebook: what an author needs to see how much a training's accuracy scatters.

A notebook that sets its seed gives the same network on every run. With a number other than 0 each seed that it sets
is replaced by one drawn from the seed and the number: equal seeds stay equal, and nothing else changes.
"""

import hashlib
from collections.abc import Callable
from numbers import Integral
from typing import Any

from .patching import Patches


def shifted(seed: int, number: int) -> int:
    """The seed, 0 to 2**32 - 1, that stands in for a seed under a number; the seed itself under 0."""
    if number == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")


def reseed(number: int) -> Patches:
    """Shift every seed that is set from now on; 0 leaves everything as it is.

    Covered are the seeding functions of torch, numpy and random, and numpy's `default_rng`. A `torch.Generator` of the
    notebook's own keeps its seed: that type cannot be changed.

    Returns:
        What was replaced, to be undone.
    """
    patches = Patches()
    if number == 0:
        return patches
    import random

    import numpy as np
    import torch

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def seeded(*args: Any, **kwargs: Any) -> Any:
            first = [_shifted(one, number) for one in args[:1]]
            named = {name: _shifted(one, number) if name in ("seed", "a") else one for name, one in kwargs.items()}
            return original(*first, *args[1:], **named)

        return seeded

    for owner, name in (
        (torch, "manual_seed"),
        (torch.random, "manual_seed"),
        (np.random, "seed"),
        (np.random, "default_rng"),
        (random, "seed"),
    ):
        patches.wrap(owner, name, make)
    return patches


def _shifted(value: Any, number: int) -> Any:
    return shifted(int(value), number) if isinstance(value, Integral) else value
