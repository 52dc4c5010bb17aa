"""Part 1: the shape of conv1's maps, SimpleCNN, BetterCNN, its weights on disk."""

from collections.abc import Sequence

from graders.grading import Flags, Found, HeldOut, Work, check
from graders.lab5.accuracy import dropout_advice, judge_accuracy
from graders.lab5.networks import BETTER, BETTER_STAGES, SIMPLE, best_verdict, candidates, exported, trained
from graders.lab5.saved import judge_saved
from graders.lab5.written import CONV_5X5, judge_shape
from graders.models import NotExportable, chain, compare, read_network, words
from graders.records import Verdict


@check("5.1/conv1-shape")
def test_conv1_shape(notebook: Work) -> Verdict:
    """32 maps of 24x24, however written."""
    rule = "There is one map for each of the 32 filters; a 5x5 kernel fits on 28 pixels in 28 - 5 + 1 places."
    return judge_shape(notebook.text, CONV_5X5, rule)


@check("5.1/simplecnn-trained")
def test_simplecnn_trained(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """The given network, trained, reaches the threshold."""
    return judge_accuracy(notebook, trained(notebook, SIMPLE), held_out, threshold, flags)


@check("5.1/bettercnn-architecture")
def test_bettercnn_architecture(notebook: Work, held_out: HeldOut) -> Verdict:
    """The thirteen stages, in any way of writing them; the best of several classes of that name."""
    found = candidates(notebook, "trained", "saved", "evaluated", "end", "initial", class_name=BETTER)
    return best_verdict(found, lambda one: _judge_stages(one, held_out))


def _judge_stages(found: Found, held_out: HeldOut) -> Verdict:
    chained = chain(read_network(found.snapshot, "train"))
    comparison = compare(BETTER_STAGES, chained.stages)
    table = [
        {
            "status": row.status,
            "expected": words(row.expected) if row.expected else None,
            "found": words(row.found) if row.found else None,
        }
        for row in comparison.rows
    ]
    details = {"stages": table, "advice": _advice(found, held_out), "sentences": list(comparison.sentences)}
    if comparison.equal and chained.is_chain:
        return Verdict.passed("All thirteen stages are there, in the right order.", **details)
    if comparison.equal:
        message = "All thirteen stages are there, but data does not go through them one after the other."
        return Verdict.partial(0.5, "NOT_A_CHAIN", message, **details)
    return Verdict.partial(comparison.share, comparison.code, _sentence(comparison.sentences), **details)


def _advice(found: Found, held_out: HeldOut) -> list[dict[str, object]]:
    try:
        return dropout_advice(exported(found), held_out)
    except NotExportable:  # its stages are known from the train graph all the same
        return []


def _sentence(sentences: Sequence[str]) -> str:
    more = len(sentences) - 1
    rest = f" {more} more {'difference is' if more == 1 else 'differences are'} listed below." if more else ""
    return f"{sentences[0]}{rest}"


@check("5.1/bettercnn-accuracy")
def test_bettercnn_accuracy(notebook: Work, held_out: HeldOut, threshold: float, flags: Flags) -> Verdict:
    """BetterCNN, trained, reaches the threshold."""
    return judge_accuracy(notebook, trained(notebook, BETTER), held_out, threshold, flags)


@check("5.1/state-dict-saved")
def test_state_dict_saved(notebook: Work) -> Verdict:
    """bettercnn.weights is a plain state_dict, equal to the live model."""
    return judge_saved(notebook)
