"""What many accuracies of one check amount to."""

import statistics
from collections.abc import Sequence

from graders.calibrated import Calibration, Distribution
from graders.grading import wilson


def distribution(accuracies: Sequence[float], images: int, threshold: float) -> Distribution:
    """Describe the accuracies of one check.

    Args:
        accuracies: One a run, 0 to 1; at least one.
        images: On how many held-out images each was measured.
        threshold: What is asked for, 0 to 1.
    """
    lost = sum(wilson(round(one * images), images)[1] < threshold for one in accuracies)
    return Distribution(
        accuracies=tuple(accuracies),
        images=images,
        mean=round(statistics.fmean(accuracies), 4),
        sd=round(statistics.stdev(accuracies), 4) if len(accuracies) > 1 else 0.0,
        min=min(accuracies),
        median=round(statistics.median(accuracies), 4),
        threshold=threshold,
        below=sum(one < threshold for one in accuracies),
        false_fails=lost,
        rate=round(lost / len(accuracies), 4),
        at_most=round(wilson(lost, len(accuracies))[1], 4),
    )


def table(found: Calibration) -> str:
    """The calibration as lines for a terminal."""
    width = max(len(id_) for id_ in found.checks)
    lines = [f"{'check':{width}}  threshold     min  median  false fails"]
    for id_, one in found.checks.items():
        fails = f"{one.false_fails} of {found.runs} (at most {one.at_most * 100:.1f} % at 95 % confidence)"
        lines.append(f"{id_:{width}}  {one.threshold:9.3f}  {one.min:6.3f}  {one.median:6.3f}  {fails}")
    return "\n".join(lines)
