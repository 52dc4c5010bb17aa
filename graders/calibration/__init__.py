"""How often would the reference itself miss a threshold? Trains it again and again with other random numbers.

- `training`: one run, in a fork of a warm process
- `measuring`: what many runs amount to
- `calibrate`: the runs, side by side; the file is rewritten after each
"""

from graders.calibration.calibrate import calibrate
from graders.calibration.measuring import distribution, table

__all__ = ["calibrate", "distribution", "table"]
