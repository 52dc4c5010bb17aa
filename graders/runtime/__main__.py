"""`python -m labmark_runtime -f CONNECTION_FILE`: a kernel for one notebook."""

import sys

if __name__ == "__main__":
    # A torch.py or json.py of the submission waits in the working folder. IPython adds that folder to the path again
    # once it has started, for the student's own imports.
    if not sys.flags.safe_path:
        sys.path.pop(0)
    from .kernel import launch, prepare

    prepare()
    launch(sys.argv[1:])
