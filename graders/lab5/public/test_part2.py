"""Part 2: the network is reloaded and reads ten pictures."""

from collections.abc import Mapping

from graders.evidence import Evidence
from graders.grading import Work, check
from graders.lab5.digits import holds_digits, is_plain, printed_digits, ten_digits
from graders.lab5.networks import all_reloaded
from graders.lab5.reading import Readings, never_loaded, own_readings
from graders.lab5.reloading import judge_reload
from graders.records import Verdict

UNCLEAR = "Expected ten predictions in a list called predictions; what was printed cannot be read with certainty."


@check("5.2/reload")
def test_reload(notebook: Work, evidence: Evidence) -> Verdict:
    """Loaded strictly into a fresh network, bit for bit, in evaluation mode, the same logits; the best of several."""
    verdicts = [judge_reload(notebook, evidence, one) for one in all_reloaded(notebook)]
    return max(verdicts, key=lambda verdict: verdict.share)


@check("5.2/classify-digits")
def test_classify_digits(notebook: Work) -> Verdict:
    """Ten predictions that are what the student's own network says."""
    if never := never_loaded(notebook):
        return never
    readings = own_readings(notebook)
    variable = notebook.notebook.variables.get("predictions")
    listed = ten_digits(variable.value) if variable else None
    text = notebook.printed()
    # The name may have been used again for something else: what was printed counts just as well.
    told = [one for one in (dict(enumerate(listed or ())), printed_digits(text)) if one]
    if not told and holds_digits(text):
        return Verdict.review("PREDICTIONS_UNCLEAR", f"{UNCLEAR} A person must look.")
    hint = "Put them into a list called predictions and print it."
    told = notebook.require(told or None, "ten predictions for 0.PNG to 9.PNG", ("predictions", "argmax"), hint)
    stated = max(told, key=lambda one: len(_agreeing(one, readings)))
    agreeing = _agreeing(stated, readings)
    table = [
        {"file": f"{number}.PNG", "truth": number, "predicted": readings[number][0], "stated": stated.get(number)}
        for number in range(10)
    ]
    if len(agreeing) == 10:
        return Verdict.passed("All ten predictions agree with your network's, computed again.", digits=table)
    if listed is None and not is_plain(text):
        message = (
            f"{UNCLEAR} As read, {len(agreeing)} of 10 agree with your network, computed again; a person must look."
        )
        return Verdict.review("PREDICTIONS_UNCLEAR", message, share=len(agreeing) / 10, digits=table)
    message = (
        f"Expected ten predictions that your own network gives; {len(agreeing)} of 10 agree when computed again. "
        "Is the network in evaluation mode, and are the pictures read as the task says?"
    )
    return Verdict.partial(len(agreeing) / 10, "PREDICTIONS_DIFFER", message, digits=table)


def _agreeing(stated: Mapping[int, int], readings: Readings) -> list[int]:
    return [number for number, said in stated.items() if said in readings[number]]
