"""Part 1: the shape of conv1's maps, SimpleCNN, BetterCNN, its weights on disk."""

from collections.abc import Sequence

from graders.grading import Flags, Found, HeldOut, Work, check
from graders.lab5.accuracy import dropout_advice, judge_accuracy
from graders.lab5.facts import with_facts
from graders.lab5.networks import BETTER, BETTER_STAGES, SIMPLE, best_verdict, candidates, exported, trained
from graders.lab5.saved import judge_saved
from graders.lab5.training import loss_of, never_trained
from graders.lab5.written import CONV_5X5, judge_shape
from graders.models import NotExportable, compare, leaves, plan_of, read_network, stage_graph
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
    return best_verdict(found, lambda one: with_facts(_judge_stages(notebook, one, held_out), one, held_out.images))


def _judge_stages(work: Work, found: Found, held_out: HeldOut) -> Verdict:
    plan = plan_of(stage_graph(read_network(found.snapshot, "train"), loss=loss_of(work, found)))
    comparison = compare(BETTER_STAGES, plan)
    details = {**comparison.details, "advice": _advice(found, held_out)}
    if comparison.equal:
        return Verdict.passed("All thirteen stages are there, in the right order.", **details)
    if compare(BETTER_STAGES, leaves(plan)).equal:
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
    if never := never_trained(notebook, BETTER):
        return never
    found = trained(notebook, BETTER)
    return judge_accuracy(notebook, found, held_out, threshold, flags, blame_training=True)


@check("5.1/state-dict-saved")
def test_state_dict_saved(notebook: Work) -> Verdict:
    """bettercnn.weights is a plain state_dict, equal to the live model."""
    return judge_saved(notebook)
