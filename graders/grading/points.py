"""From shares to points.

A partial share earns points in steps of a quarter, the nearest, halves up; but never all points and never none:
who reads "partial" must see it in the figure.
"""

import math

from graders.records import Verdict

STEP = 0.25


def points(share: float, maximum: float) -> float:
    """Points for a share of a check.

    Args:
        share: 0 to 1.
        maximum: What the whole check is worth.

    Returns:
        0 or `maximum` for the shares 0 and 1, else the nearest multiple of `STEP` that is neither; for a check
        too small for that, half of `maximum`.
    """
    if share <= 0 or share >= 1:
        return maximum if share >= 1 else 0.0
    if maximum <= STEP:
        return round(maximum / 2, 2)
    below = math.ceil(maximum / STEP) - 1  # the last step that is not everything
    steps = math.floor(share * maximum / STEP + 0.5)
    return min(max(steps, 1), below) * STEP


def earned(verdict: Verdict, maximum: float) -> float:
    """Points of a verdict; those of `review` are provisional."""
    return points(verdict.share, maximum)
