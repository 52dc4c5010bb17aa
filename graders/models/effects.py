"""What parts of a network do: branches that change nothing, dropout that is still active in eval mode."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models.branches import Branch, topology
from graders.models.interpreter import execute, one_thread
from graders.models.network import Network, as_array
from graders.models.ops import RANDOM_SWITCHES, arguments

_SEED = 20


@dataclass(frozen=True)
class Effect:
    """What one branch with parameters does.

    Attributes:
        zeroed: Largest change of an output when the merge gets zeros in the branch's place.
        shuffled: The same when it gets the values of the next image of the batch.
        spread: Standard deviation of all outputs, to compare with.
        changed: Share of the images whose predicted class changes in either case (the larger).
        without_gradient: Keys of its parameters that get no gradient from the outputs.
    """

    branch: Branch
    zeroed: float
    shuffled: float
    spread: float
    changed: float
    without_gradient: tuple[str, ...]

    @property
    def changes_output(self) -> bool:
        """Whether the outputs depend on the branch, by more than a millionth of their spread."""
        return max(self.zeroed, self.shuffled) > 1e-6 * self.spread

    @property
    def gradient(self) -> bool:
        """Whether any of its parameters gets a gradient."""
        return set(self.without_gradient) != set(self.branch.parameters)


def branch_effects(network: Network, images: Array) -> tuple[Effect, ...]:
    """Take each branch with parameters away in turn, and see whether gradients reach its parameters.

    Args:
        network: Of the eval graph.
        images: (n, *input_shape); the first batch of them is used; at least two.

    Raises:
        EvidenceError: the images do not fit the network, or it refuses gradients.
    """
    branches = [branch for branch in topology(network).branches if branch.parameters]
    if not branches:
        return ()
    count = min(len(images), network.batch)
    plain = network.run(images[:count]).outputs
    reached = gradient_reach(network, images[:count])
    found = []
    for branch in branches:
        zeroed = _with_change(network, images[:count], branch, torch.zeros_like)
        shuffled = _with_change(network, images[:count], branch, _next_image)
        others = [zeroed, shuffled]
        found.append(
            Effect(
                branch=branch,
                zeroed=float(np.abs(zeroed - plain).max()),
                shuffled=float(np.abs(shuffled - plain).max()),
                spread=float(plain.std()),
                changed=max(float((other.argmax(1) != plain.argmax(1)).mean()) for other in others),
                without_gradient=tuple(key for key in branch.parameters if key not in reached),
            )
        )
    return tuple(found)


def _next_image(value: torch.Tensor) -> torch.Tensor:
    return value.roll(1, 0)


def _with_change(
    network: Network, images: Array, branch: Branch, change: Callable[[torch.Tensor], torch.Tensor]
) -> Array:
    """Outputs with the branch's value changed on its way into the merge."""
    with one_thread(), torch.no_grad():
        output = execute(
            network.graph,
            network.tensors,
            network.padded(images),
            substitute={(branch.reader, name): change for name in network.aliases(branch.end)},
        )
    return as_array(output)[: len(images)]


def gradient_reach(network: Network, images: Array) -> frozenset[str]:
    """Keys of the parameters that get a gradient other than zero from a fixed random weighting of the outputs.

    Args:
        network: The network; dropout is off.
        images: At most one batch.

    Raises:
        EvidenceError: the network refuses gradients (it overwrites what they need).
    """
    keys = sorted(network.parameter_keys)
    tensors = dict(network.tensors)
    leaves = {key: tensors[key].clone().requires_grad_() for key in keys if tensors[key].is_floating_point()}
    generator = torch.Generator().manual_seed(_SEED)
    with one_thread(), torch.enable_grad():
        output = execute(network.graph, {**tensors, **leaves}, network.padded(images))
        if not output.requires_grad:
            return frozenset()
        weights = torch.randn(output.shape, generator=generator).to(output.dtype)
        try:
            gradients = torch.autograd.grad((output * weights).sum(), list(leaves.values()), allow_unused=True)
        except RuntimeError as error:
            raise EvidenceError(f"gradients cannot be computed: {str(error).splitlines()[0][:200]}") from error
    return frozenset(
        key for key, gradient in zip(leaves, gradients, strict=True) if gradient is not None and bool(gradient.any())
    )


def active_dropout(network: Network) -> tuple[str, ...]:
    """Nodes that draw random numbers in this graph: in the eval graph, dropout that was left active."""
    found = []
    for node in network.graph.nodes:
        if node.base not in RANDOM_SWITCHES:
            continue
        name, off = RANDOM_SWITCHES[node.base]
        given = arguments(node)
        if given[name] != off and given.get("p", 1) != 0:
            found.append(node.name)
    return tuple(found)


def evaluation_spread(
    network: Network, images: Array, labels: Array, repeats: int = 5, seed: int = 0
) -> tuple[float, ...]:
    """Accuracies of repeated evaluations with the dropout that the graph leaves active.

    Args:
        network: Of the eval graph.
        images: (n, *input_shape).
        labels: (n,), classes from 0.
        repeats: How often.
        seed: Of the random numbers.

    Returns:
        An accuracy, 0 to 1, for each repetition.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        runs = [network.run(images, dropout=True).outputs for _ in range(repeats)]
    return tuple(float((outputs.argmax(1) == labels).mean()) for outputs in runs)
