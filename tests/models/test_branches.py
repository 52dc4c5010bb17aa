"""Fan-outs, merges, disjoint paths, and what branches do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from graders.models import Network, active_dropout, branch_effects, evaluation_spread, topology

Make = Callable[..., Network]


class Forked(nn.Module):
    """Two or three convolutions of the same input; each subclass merges them another way."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Conv2d(1, 4, 1)
        self.b = nn.Conv2d(1, 4, 5, padding=2)
        self.c = nn.Conv2d(1, 4, 3, padding=1)
        self.block = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 49, 10)
        self.wide = nn.Linear(8 * 49, 10)

    def end(self, x: Any, head: nn.Module) -> Any:
        """Pool, flatten, classify."""
        return head(F.max_pool2d(x, 4).flatten(1))


class Added(Forked):
    """The lab's BranchModel."""

    def forward(self, x: Any) -> Any:
        """Sum of two branches."""
        return self.end(F.relu(self.a(x)) + F.relu(self.b(x)), self.head)


class Three(Forked):
    """Three branches in one sum of sums."""

    def forward(self, x: Any) -> Any:
        """Sum of three."""
        return self.end(self.a(x) + self.b(x) + self.c(x), self.head)


class Joined(Forked):
    """Concatenation."""

    def forward(self, x: Any) -> Any:
        """Two branches side by side."""
        return self.end(torch.cat([self.a(x), self.b(x)], 1), self.wide)


class Residual(Forked):
    """A skip connection."""

    def forward(self, x: Any) -> Any:
        """Its own input added to what a block makes of it."""
        x = F.relu(self.a(x))
        return self.end(x + self.block(x), self.head)


class Dense(Forked):
    """Each layer reads all before it."""

    def forward(self, x: Any) -> Any:
        """Two dense connections."""
        one = self.a(x)
        two = self.block(one + x)
        return self.end(torch.cat([one, two], 1), self.wide)


class Straight(Forked):
    """No branch at all; the size is asked for, x is squared."""

    def forward(self, x: Any) -> Any:
        """A chain."""
        return self.head(F.max_pool2d(self.a(x), 4).view(x.size(0), -1))


@pytest.mark.parametrize(
    ("kind", "op", "modules"),
    [
        (Added, "add", {("a",), ("b",)}),
        (Three, "add", {("a",), ("b",), ("c",)}),
        (Joined, "cat", {("a",), ("b",)}),
        (Residual, "add", {(), ("block",)}),
    ],
)
def test_branches_of_one_merge(network_of: Make, kind: type[nn.Module], op: str, modules: set[tuple[str, ...]]) -> None:
    """The branches of a merge are found with the submodules whose parameters they hold."""
    found = topology(network_of(kind()))
    assert [merge.op for merge in found.merges] == [op]
    assert len(found.fan_outs) == 1
    assert found.merges[0].fan_out == found.fan_outs[0]
    assert {branch.modules for branch in found.of(found.merges[0])} == modules


def test_what_a_branch_holds(network_of: Make) -> None:
    """A branch knows its parameters, their number, its name and its end."""
    branch = next(one for one in topology(network_of(Added())).branches if one.modules == ("b",))
    assert branch.parameters == ("b.weight", "b.bias")
    assert branch.parameter_count == 4 * 25 + 4
    assert (branch.name, branch.end) == ("b", "relu_1")


def test_a_direct_connection_is_a_branch_without_parameters(network_of: Make) -> None:
    """A skip connection counts as a path that holds nothing."""
    direct = next(one for one in topology(network_of(Residual())).branches if not one.parameters)
    assert (direct.path, direct.name) == ((), "the direct connection")


def test_dense_connections_have_two_paths_with_parameters(network_of: Make) -> None:
    """Paths that share no node are found even where one layer reads another's output."""
    found = topology(network_of(Dense()))
    joined = next(merge for merge in found.merges if merge.op == "cat")
    assert {branch.modules for branch in found.of(joined)} == {("a",), ("block",)}


def test_a_chain_has_no_merge(network_of: Make) -> None:
    """Asking for a size is no branch."""
    found = topology(network_of(Straight()))
    assert (found.fan_outs, found.merges, found.branches) == ((), (), ())


def images(count: int = 6) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(0).random((count, 1, 28, 28), dtype=np.float32)


@pytest.mark.parametrize("kind", [Added, Three, Joined, Residual])
def test_working_branches_have_effects(network_of: Make, kind: type[nn.Module]) -> None:
    """Every branch of an honest network changes the outputs and gets gradients."""
    effects = branch_effects(network_of(kind()), images())
    assert effects
    assert all(effect.changes_output and effect.gradient and not effect.without_gradient for effect in effects)


class Decorative(Forked):
    """A branch that is multiplied by nothing."""

    def forward(self, x: Any) -> Any:
        """The second branch does not count."""
        return self.end(self.a(x) + 0.0 * self.b(x), self.head)


class Detached(Forked):
    """A branch that no gradient reaches."""

    def forward(self, x: Any) -> Any:
        """The second branch does not learn."""
        return self.end(self.a(x) + self.b(x).detach(), self.head)


def test_decorative_branches_are_found(network_of: Make) -> None:
    """A branch times zero changes nothing and gets no gradient; its neighbour is at work."""
    effects = {effect.branch.name: effect for effect in branch_effects(network_of(Decorative()), images())}
    assert (effects["a"].changes_output, effects["a"].gradient) == (True, True)
    assert (effects["b"].changes_output, effects["b"].gradient) == (False, False)
    assert effects["b"].zeroed == effects["b"].shuffled == effects["b"].changed == 0


def test_detached_branches_are_found(network_of: Make) -> None:
    """A detached branch changes the output, but cannot learn."""
    effects = {effect.branch.name: effect for effect in branch_effects(network_of(Detached()), images())}
    assert (effects["b"].changes_output, effects["b"].gradient) == (True, False)
    assert effects["b"].without_gradient == ("b.weight", "b.bias")


class Dropping(Forked):
    """Dropout that forgets to ask for the mode."""

    def forward(self, x: Any) -> Any:
        """Dropout in eval mode too."""
        return self.end(F.dropout(self.a(x), 0.5), self.head)


def test_dropout_left_active(network_of: Make) -> None:
    """`F.dropout` without `training` is found in the eval graph, and its cost is the spread of accuracies."""
    network = network_of(Dropping())
    labels = network.run(images(60)).outputs.argmax(1)
    spread = evaluation_spread(network, images(60), labels, repeats=3, seed=5)
    assert active_dropout(network) == ("dropout",)
    assert spread == evaluation_spread(network, images(60), labels, repeats=3, seed=5)
    assert min(spread) < 1


def test_inactive_dropout_is_not_active(network_of: Make) -> None:
    """`nn.Dropout` is inactive in the eval graph, active in the train graph."""
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))
    assert active_dropout(network_of(module)) == ()
    assert len(active_dropout(network_of(module, "train"))) == 1
