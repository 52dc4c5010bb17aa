"""Grades the graders: `labmark verify`.

    reference (full marks) ──edits──▶ mutants: one fault each ──run, mark──▶ killed? in its own check alone?
                                └──▶ variants: right all the same ────────▶ every point kept?

`cases` reads the edits, `running` runs and marks one case in a warm process, `judging` holds it against the
reference, `verify` does all of them, `matrix` prints what came of it.
"""

from graders.verification.cases import Cases, load_cases
from graders.verification.judging import Judged
from graders.verification.matrix import figures, matrix
from graders.verification.verify import Verification, verify

__all__ = ["Cases", "Judged", "Verification", "figures", "load_cases", "matrix", "verify"]
