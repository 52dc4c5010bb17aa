"""Parts that had to run on the reference's file: what does not fit is then nobody's fault that can be seen from here.

A part that left no usable file is marked for that itself. Where later parts run on the reference's copy and the
student's own network has other shapes, nothing can be loaded, and all that follows would fail a second time for the
same fault: a person must look instead.
"""

from pathlib import PurePath

from graders.errors import EvidenceError
from graders.evidence import ModelEvent, NotebookEvidence
from graders.records import Outcome, Verdict


def spared(verdict: Verdict, notebook: NotebookEvidence | None) -> Verdict:
    """The verdict, or `review` where it only says that the reference's file does not fit the student's network."""
    if notebook is None or verdict.outcome not in (Outcome.FAILED, Outcome.BLOCKED):
        return verdict
    handed = {file for file, origin in notebook.run.handoffs.items() if origin == "reference"}
    try:
        misfit = next((one for one in notebook.events if _misfits(one, handed)), None)
    except EvidenceError:  # said by the verdict itself, where it rests on it
        return verdict
    if misfit is None:
        return verdict
    file = PurePath(str(misfit.detail["file"])).name
    message = (
        f"This part had to run on the lab's own {file}, which does not fit your {misfit.class_name}; "
        f"a person must look. In this run: {verdict.message}"
    )
    return Verdict.review("OTHER_WEIGHTS", message, **verdict.details).model_copy(update={"cell": verdict.cell})


def _misfits(event: ModelEvent, handed: set[str]) -> bool:
    """Whether weights of a file that was handed in were refused by the model."""
    detail = event.detail
    from_file = PurePath(str(detail.get("file") or "")).name in handed
    return event.moment == "loaded" and from_file and bool(detail.get("error") or detail.get("missing"))
