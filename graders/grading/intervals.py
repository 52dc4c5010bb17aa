"""Confidence intervals of measured shares."""

import math
from statistics import NormalDist


def wilson(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927); recommended by Brown, Cai and DasGupta, "Interval estimation for a
    binomial proportion", Statistical Science 16 (2001).

    Args:
        correct: From 0 to `total`.
        total: At least 1.
        confidence: That the interval holds the true share, between 0 and 1.

    Returns:
        Lower and upper end, both from 0 to 1.

    Raises:
        ValueError: the counts do not fit.
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} of {total} is no share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = correct / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    return low, 1.0 if correct == total else min(1.0, middle + half)
