"""Every rule is an identity: random networks give the same logits before and after it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.models import Network
from graders.models.canonical import canonical
from graders.models.rewriting import RULES, Rule, rewrite
from tests.models.rewriting.sketches import CHOICES, PIECES, Chosen, images, written

# torch tells that it copies its input for this kind of padding.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")
BY_NAME = {rule.name: rule for rule in RULES}
DIRECTED = [(name, number) for name, pieces in PIECES.items() for number in range(len(pieces))]


def outputs(network: Network, *, dropout: bool = False) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Logits of seven images; random numbers always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return network.run(images(), dropout=dropout).outputs


def assert_same(before: Network, after: Network, *, exact: bool) -> None:
    """The same logits, with and without dropout; to the bit where the identity is one of floating point too."""
    for dropout in (False, True):
        one, other = outputs(before, dropout=dropout), outputs(after, dropout=dropout)
        # Sums of other kernels are taken in another order, so that the last bits differ.
        assert np.array_equal(one, other) if exact else np.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_every_rule_has_a_name_a_statement_with_its_source_and_a_piece() -> None:
    """Nothing is in the table that is not stated and tested."""
    assert len(BY_NAME) == len(RULES)
    assert set(PIECES) == set(BY_NAME)
    assert [rule.name for rule in RULES if "Source: " not in rule.statement and "As `" not in rule.statement] == []


@pytest.mark.parametrize(("name", "number"), DIRECTED, ids=lambda value: str(value))
def test_a_rule_applies_where_it_should_and_changes_no_logit(name: str, number: int) -> None:
    """Each rule alone fires on its own piece, and the network computes what it did."""
    s, output = written([Chosen(name, number)])
    network = s.network(output)
    after, fired = rewrite(network, [BY_NAME[name]])
    assert fired.get(name, 0) >= 1
    assert_same(network, after, exact=BY_NAME[name].exact)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_rule_alone_changes_no_logit(rule: Rule, data: st.DataObject) -> None:
    """Each rule alone, in random networks with pieces that it is about and others around them."""
    own = st.sampled_from([one for one in CHOICES if one.rule == rule.name])
    some = st.lists(st.sampled_from(CHOICES), max_size=2)
    pieces = [*data.draw(some), data.draw(own), *data.draw(some)]
    s, output = written(pieces, data.draw(st.integers(0, 9)))
    network = s.network(output, data.draw(st.sampled_from(["train", "eval"])))
    after, _ = rewrite(network, [rule])
    assert_same(network, after, exact=rule.exact)


@settings(max_examples=40, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(CHOICES), min_size=1, max_size=6),
    seed=st.integers(0, 9),
    train=st.booleans(),
)
def test_the_canonical_form_computes_the_same_and_is_final(pieces: list[Chosen], seed: int, train: bool) -> None:
    """All rules together keep the logits, and what they give is left as it is when they are applied once more."""
    s, output = written(pieces, seed)
    network = s.network(output, "train" if train else "eval")
    after = canonical(network)
    before, found = outputs(network), outputs(after)
    assert np.allclose(before, found, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(before).max())))
    again, fired = rewrite(after, RULES)
    assert fired == {}
    assert again.graph == after.graph
