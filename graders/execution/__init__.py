"""Runs students' notebooks in processes of their own and leaves evidence: plain files, no student code in them.

`submission` goes through a student's notebooks; `notebook` runs one of them in a `place`, through a `child` process,
the `runner`, which drives papermill with an `engine` of ours and a `kernel` in yet another process; `ask` follows one
request, `outputs` keeps what is printed within limits. `collect` carries named files out, `examine` and `weights`
look at weights files, `handoffs` chooses what a notebook is given, `store` keeps what need not be run again.
"""

from graders.execution.dataset import data_fingerprint, prepare
from graders.execution.environment import fingerprint
from graders.execution.progress import Progress
from graders.execution.submission import execute_submission

__all__ = ["Progress", "data_fingerprint", "execute_submission", "fingerprint", "prepare"]
