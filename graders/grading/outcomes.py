"""What an exception of a grader means for the student."""

import traceback

from graders.errors import EvidenceError, LabmarkError
from graders.grading.blame import described, explain
from graders.grading.work import MissingError, Work
from graders.models import NotExportable
from graders.records import Verdict


def verdict_of(error: BaseException, work: Work | None) -> Verdict:
    """Turn what a grader, or a fixture of it, raised into a verdict.

    Args:
        error: What was raised.
        work: The check's evidence, where it could be read.
    """
    try:
        return _student_verdict(error, work) or _harness_verdict(error)
    except EvidenceError as worse:  # the evidence that would explain it is malformed itself
        return _malformed(worse)


def _student_verdict(error: BaseException, work: Work | None) -> Verdict | None:
    if isinstance(error, MissingError) and work is not None:
        return explain(error, work)
    if isinstance(error, NotExportable):
        return not_exportable(error, work)
    if isinstance(error, EvidenceError):
        return _malformed(error)
    if isinstance(error, AssertionError) and (said := _own_words(error)):
        return Verdict.failed("CHECK_FAILED", said)
    return None


def _own_words(error: AssertionError) -> str:
    """The message that a grader gave its assertion; what an outer pytest adds ("assert 1 == 2") is left out."""
    text = str(error).split("\nassert ")[0]
    return "" if text.startswith("assert ") else text


def _malformed(error: EvidenceError) -> Verdict:
    return Verdict.rejected("MALFORMED_EVIDENCE", f"What the run left behind is not what it claims to be: {error}.")


def not_exportable(error: NotExportable, work: Work | None) -> Verdict:
    """A model whose graph cannot be had: a person must look, unless the model does not run at all."""
    reason = " ".join((error.reason or str(error)).split())
    for cell in work.cells if work else ():
        said = " ".join(cell.error.value.split()) if cell.error else ""
        if work and said and said in reason:
            message = f"The model does not run: {described(cell)}."
            return Verdict.failed("FORWARD_RAISES", message, cell=work.reference(cell))
    message = f"The model could not be turned into a graph, so a person must look at it: {reason}."
    return Verdict.review("NOT_EXPORTABLE", message)


def _harness_verdict(error: BaseException) -> Verdict:
    said = f" ({error})" if isinstance(error, LabmarkError) else ""
    trace = "".join(traceback.format_exception(error))
    return Verdict.harness_error(f"This check could not be graded, for a reason that is ours{said}.", harness=trace)
