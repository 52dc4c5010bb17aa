"""`python -m labmark_runtime -f CONNECTION_FILE`: a kernel for one notebook."""

import sys

from .kernel import launch, prepare

if __name__ == "__main__":
    here = sys.path.pop(0) if sys.path and not sys.flags.safe_path else None  # a torch.py of the student's waits here
    prepare()
    if here is not None:
        sys.path.insert(0, here)
    launch(sys.argv[1:])
