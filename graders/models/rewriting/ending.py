"""A softmax at the end, where the loss decides whether it is part of what the network computes."""

import re
from collections.abc import Mapping
from dataclasses import replace

from graders.models.graph import Ref
from graders.models.network import Network
from graders.models.ops import arguments

_ENDINGS = ("softmax", "log_softmax")
_NEITHER = """
bcewithlogits binarycrossentropywithlogits multimargin multilabelmargin multilabelsoftmargin softmargin
hingeembedding marginranking tripletmargin cosineembedding ctc gaussiannll poissonnll
"""
LOSSES: Mapping[str, tuple[str, ...]] = {
    "crossentropy": ("log_softmax",),
    "nll": ("log_softmax",),
    "kldiv": ("log_softmax",),
    "mse": ("softmax",),
    "l1": ("softmax",),
    "smoothl1": ("softmax",),
    "huber": ("softmax",),
    "bce": ("softmax",),
    "binarycrossentropy": ("softmax",),
    **dict.fromkeys(_NEITHER.split(), ()),
}
"""Loss -> what may stand at a network's end for it. A loss that is not here is someone's own: either may.

Sources: `torch.nn.NLLLoss` and `torch.nn.KLDivLoss` expect log-probabilities. `torch.nn.CrossEntropyLoss` takes
log_softmax itself, which changes nothing the second time; after softmax it would. The other losses here compare with
probabilities. Those without any expect what no softmax gives.
"""


def loss_key(name: str) -> str:
    """A loss as in `LOSSES`: "torch.nn.CrossEntropyLoss" and "F.cross_entropy" are both "crossentropy"."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower()).removesuffix("loss")


def without_final(network: Network, loss: str | None) -> Network:
    """Leave out softmax or log_softmax over the classes at the very end, where it goes with the loss.

    The class with the largest output stays the same, and so does log_softmax of the outputs after log_softmax.

    Args:
        network: Its ops in normal form.
        loss: Name of the loss function or class; None if it is not known: then nothing is left out.
    """
    node = network.nodes.get(network.graph.output)
    if loss is None or node is None or node.base not in LOSSES.get(loss_key(loss), _ENDINGS):
        return network
    shape, source = network.shapes.get(node.name, ()), node.args[0]
    over = arguments(node)["dim"]
    if not isinstance(source, Ref) or len(shape) != 2 or over not in (1, -1) or network.nodes.get(source.name) is None:
        return network
    kept = tuple(one for one in network.graph.nodes if one is not node)
    return network.with_graph(replace(network.graph, nodes=kept, output=source.name))
