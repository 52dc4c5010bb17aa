"""Part 2: the network is reloaded and reads ten pictures."""

from graders.grading import Found, Work, check
from graders.lab5.digits import printed_digits, ten_digits
from graders.lab5.networks import WEIGHTS_FILE, later_states, reloaded
from graders.lab5.reading import own_readings
from graders.lab5.saved import handed_in, same_tensors, state_of
from graders.records import Verdict


@check("5.2/reload")
def test_reload(notebook: Work) -> Verdict:
    """Loaded strictly into a fresh network, bit for bit, and put into evaluation mode."""
    found = reloaded(notebook)
    saved = handed_in(notebook)
    detail = found.event.detail
    strange = [*detail.get("missing", ()), *detail.get("unexpected", ())]
    if strange or not same_tensors(state_of(found), saved):
        which = f"; {strange[0]} did not fit" if strange else ""
        message = f"Expected a network with exactly the tensors of {WEIGHTS_FILE}; it has others{which}. Load strictly."
        return Verdict.failed("WEIGHTS_NOT_RELOADED", message)
    if detail.get("trained_before"):
        message = "The right weights are loaded, but into a network that was trained in this notebook before."
        return Verdict.partial(2 / 3, "NOT_A_FRESH_MODEL", f"{message} Make a new one.")
    if not detail.get("strict", True):
        message = "The right weights are loaded, but with strict=False, which would hide names that do not fit."
        return Verdict.partial(2 / 3, "NOT_STRICT", message)
    if not _in_eval_mode(notebook, found):
        message = "The right weights are loaded, but the network was left in training mode, where dropout acts."
        return Verdict.partial(2 / 3, "TRAINING_MODE", f"{message} Call model.eval() after loading.")
    return Verdict.passed("The weights are reloaded bit for bit into a new network in evaluation mode.")


def _in_eval_mode(work: Work, found: Found) -> bool:
    """Whether it was put into evaluation mode by its last event in this notebook."""
    last = next(later_states(work, found), found)
    return not last.event.training


@check("5.2/classify-digits")
def test_classify_digits(notebook: Work) -> Verdict:
    """Ten predictions that are what the student's own network says."""
    readings = own_readings(notebook)
    variable = notebook.notebook.variables.get("predictions")
    listed = ten_digits(variable.value) if variable else None
    stated = dict(enumerate(listed)) if listed else printed_digits(notebook.printed())
    hint = "Put them into a list called predictions and print it."
    stated = notebook.require(stated or None, "ten predictions for 0.PNG to 9.PNG", ("predictions", "argmax"), hint)
    agreeing = [number for number, said in stated.items() if said in readings[number]]
    table = [
        {"file": f"{number}.PNG", "truth": number, "predicted": readings[number][0], "stated": stated.get(number)}
        for number in range(10)
    ]
    if len(agreeing) == 10:
        return Verdict.passed("All ten predictions agree with your network's, computed again.", digits=table)
    message = (
        f"Expected ten predictions that your own network gives; {len(agreeing)} of 10 agree when computed again. "
        "Is the network in evaluation mode, and are the pictures read as the task says?"
    )
    return Verdict.partial(len(agreeing) / 10, "PREDICTIONS_DIFFER", message, digits=table)
