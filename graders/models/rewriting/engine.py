"""The engine: tries the rules on every node, pass after pass, until none applies.

A pass goes through the nodes in order of execution, so that whatever a node reads is in its final form before the node
itself is looked at. What a rule puts in a node's place is looked at next. Passes, and changes in all of them, are
bounded: a graph that would take too long is left as it is by then, which computes the same.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graders.models.graph import Node, Ref, Value
from graders.models.network import Network
from graders.models.rewriting.draft import Change, Draft

MAX_PASSES = 25
ANY = "*"
Apply = Callable[[Draft, Node], Change | None]


@dataclass(frozen=True)
class Rule:
    """An identity of networks.

    Attributes:
        name: Of its function.
        ops: Base names of the ops that it may be about; `ANY` for all.
        apply: Gives what to put in a node's place, or None where the identity does not apply.
        exact: Whether every output keeps its bits; else sums are taken in another order.
        statement: The identity and its source.
    """

    name: str
    ops: tuple[str, ...]
    apply: Apply
    exact: bool
    statement: str


def rule(*ops: str, exact: bool = True) -> Callable[[Apply], Rule]:
    """Make a rule of a function; see `Rule`."""

    def made(apply: Apply) -> Rule:
        return Rule(apply.__name__, ops, apply, exact, apply.__doc__ or "")

    return made


def same_as(value: Value) -> Change:
    """The node gives what is there already."""
    return Change((), value)


def by(*nodes: Node) -> Change:
    """The node gives what the last of these gives."""
    return Change(nodes, Ref(nodes[-1].name))


def instead(node: Node, op: str, *args: Value) -> Change | None:
    """Another op and other arguments under the node's name; None if it is so already."""
    new = written(node, op, *args)
    return None if new == node else by(new)


def written(node: Node, op: str, *args: Value) -> Node:
    """A node with another op and arguments under its old name, from the same submodule."""
    return replace(node, op=f"aten.{op}", args=args, kwargs={})


def rewrite(network: Network, rules: Sequence[Rule]) -> tuple[Network, Mapping[str, int]]:
    """Apply rules to a network's graph, after its ops in place were made pure.

    Args:
        network: It is left as it is.
        rules: In the order in which they are tried on a node.

    Returns:
        The network with its new graph, which computes the same; and how often each rule applied, by name.

    Raises:
        EvidenceError: an op refuses its arguments for some size of a batch.
    """
    draft = Draft(network)
    fired: dict[str, int] = {}
    found = [one for one in rules if ANY not in one.ops]
    bases = {base for one in found for base in one.ops}
    by_base = {base: [one for one in rules if base in one.ops or ANY in one.ops] for base in bases}
    others = [one for one in rules if ANY in one.ops]
    for _ in range(MAX_PASSES):
        before = sum(fired.values())
        _pass(draft, by_base, others, fired)
        if sum(fired.values()) == before or draft.budget <= 0:
            break
    graph = replace(network.graph, nodes=tuple(draft.nodes.values()), output=draft.output)
    return network.with_graph(graph), fired


def _pass(draft: Draft, by_base: Mapping[str, Sequence[Rule]], others: Sequence[Rule], fired: dict[str, int]) -> None:
    waiting = deque(draft.nodes)
    draft.begin()
    while waiting:
        name = waiting.popleft()
        node = draft.nodes[name]
        for one in by_base.get(node.base, others):
            change = one.apply(draft, node)
            if change is not None and draft.apply(node, change):
                fired[one.name] = fired.get(one.name, 0) + 1
                waiting.extendleft(new.name for new in reversed(change.nodes))
                break
        else:
            draft.order[name] = None
    draft.end()
