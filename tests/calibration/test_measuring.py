"""What many accuracies of one check amount to."""

import pytest

from graders.calibrated import Calibration
from graders.calibration.measuring import distribution, table


def test_a_false_fail_lies_below_the_interval() -> None:
    """Of four runs two are below 0.9; the interval of 0.89 on 1,000 images reaches it, that of 0.8 does not."""
    found = distribution((0.95, 0.89, 0.8, 0.9), images=1000, threshold=0.9)
    assert (found.below, found.false_fails, found.rate) == (2, 1, 0.25)
    assert (found.min, found.median, found.mean) == (0.8, 0.895, 0.885)
    assert found.sd == pytest.approx(0.0625, abs=1e-3)
    assert 0.25 < found.at_most < 0.75


def test_no_false_fail_in_few_runs_is_no_promise() -> None:
    """With no false fail in forty runs the rate may still be 8.8 %; one run has no spread."""
    found = distribution((0.95,) * 40, images=1000, threshold=0.9)
    assert (found.rate, found.at_most) == (0, 0.0876)
    assert distribution((0.95,), images=1000, threshold=0.9).sd == 0


def test_the_table_has_a_line_for_each_check() -> None:
    """Threshold, smallest and median accuracy, and how often the reference fails."""
    checks = {id_: distribution((0.95, 0.85), images=1000, threshold=0.9) for id_ in ("part1/net", "part2/other")}
    found = Calibration(lab="lab", profile="quick", basis="b", seed=0, runs=2, checks=checks)
    header, *lines = table(found).splitlines()
    assert header.split() == ["check", "threshold", "min", "median", "false", "fails"]
    assert [line.split()[:4] for line in lines] == [[id_, "0.900", "0.850", "0.900"] for id_ in checks]
    assert "1 of 2 (at most 90.5 % at 95 % confidence)" in lines[0]
