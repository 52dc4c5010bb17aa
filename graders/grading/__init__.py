"""From evidence to checks: a pytest plugin runs the lab's graders and turns what they say into marks.

A grader is a function `test_*` in the lab's folder `public/` or `hidden/`:

    @check("part1/shape")
    def test_conv1_shape(notebook: Work) -> Verdict:
        ...

It sees evidence only, never the submission, and returns a `Verdict`. Fixtures: `lab`, `profile`, `evidence`,
`notebook`, `threshold`, `held_out`, `flags`. Before it runs, the gate answers what the lab's description can
answer (no notebook, nothing touched, marked by a person); what it raises is explained (`outcomes`, `blame`).

- `marks`: the decorator
- `work`: the evidence of one check's notebook, and what is missing from it
- `gate`, `blame`, `outcomes`: verdicts that no grader has to give
- `foreign`: what does not count where a part ran on the reference's file
- `points`: from shares to points
- `held_out`: images that no student had
- `intervals`: how sure a measured accuracy is
- `plugin`, `grade`: pytest, and the run of it
"""

from graders.grading.flags import Flags
from graders.grading.grade import Graded, grade_evidence, ungraded
from graders.grading.held_out import HeldOut, told
from graders.grading.intervals import wilson
from graders.grading.marks import check
from graders.grading.work import Found, MissingError, Work

__all__ = [
    "Flags",
    "Found",
    "Graded",
    "HeldOut",
    "MissingError",
    "Work",
    "check",
    "grade_evidence",
    "told",
    "ungraded",
    "wilson",
]
