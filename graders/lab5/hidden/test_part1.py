"""Part 1: the second shape, and whether BetterCNN was honestly trained."""

from graders.grading import Found, Work, check
from graders.lab5.networks import BETTER, trained
from graders.lab5.training import aspects
from graders.lab5.written import CONV_7X3, judge_shape
from graders.records import Verdict

ASPECT = 0.25
"""What a broken aspect costs, of the whole."""


@check("5.1/conv1-shape-7x3")
def test_conv1_shape_7x3(notebook: Work) -> Verdict:
    """32 maps of 22x26, however written."""
    rule = "A side of n pixels and a kernel side of k pixels give n - k + 1; a 7x3 kernel is 7 high and 3 wide."
    return judge_shape(notebook.text, CONV_7X3, rule)


@check("5.1/training-evidence")
def test_training_evidence(notebook: Work) -> Verdict:
    """Weights moved, loss fell, own optimiser, gradients cleared, no test data; the best training counts."""
    verdicts = [_judge_training(notebook, one) for one in trained(notebook, BETTER)]
    grave = [verdict for verdict in verdicts if verdict.code == "TEST_DATA_IN_TRAINING"]
    return grave[0] if grave else max(verdicts, key=lambda verdict: verdict.share)


def _judge_training(work: Work, found: Found) -> Verdict:
    seen = [one for one in aspects(work, found) if one.held is not None]
    broken = sorted((one for one in seen if not one.held), key=lambda one: one.code != "TEST_DATA_IN_TRAINING")
    details = {"aspects": [{"code": one.code, "held": one.held} for one in seen]}
    if not broken:
        message = "The network was trained: weights moved, loss fell, with its own optimiser and fresh gradients."
        return Verdict.passed(message, **details)
    message = f"Expected an honest training of this network. {' '.join(one.said for one in broken)}"
    grave = {"WEIGHTS_UNCHANGED", "TEST_DATA_IN_TRAINING"} & {one.code for one in broken}
    share = 0 if grave else max(0.0, 1 - ASPECT * len(broken))
    return Verdict.partial(share, broken[0].code, message, **details)
