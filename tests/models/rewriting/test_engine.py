"""The engine and its workspace: order, bounds, names, and what is refused."""

import pytest

from graders.models import Network, Node
from graders.models.canonical import canonical, normalised, stage_graph, stages
from graders.models.graph import Ref
from graders.models.notation import Stage, stage
from graders.models.rewriting import RULES, rewrite
from graders.models.rewriting.draft import Change, Draft, probe_batch
from graders.models.rewriting.engine import by, instead, rule, same_as
from tests.models.rewriting.sketches import CHANNELS, Sketch, conv, images, relu, rows


def kinds(network: Network) -> list[str]:
    """The kinds of the canonical stages."""
    return [one.kind for one in stages(network)]


@rule("relu")
def _shorter(draft: Draft, node: Node) -> Change | None:
    """No identity: gives another shape."""
    return instead(node, "amax.default", node.args[0], (1,))


@rule("relu")
def _refused_by_the_op(draft: Draft, node: Node) -> Change | None:
    """No identity: an op that does not take such arguments."""
    return instead(node, "linear.default", node.args[0], node.args[0])


@rule("tanh")
def _taken_name(draft: Draft, node: Node) -> Change | None:
    """Takes the name of a node that is still read."""
    return by(Node("n0", node.op, node.args, {}, ""))


@rule("tanh")
def _for_ever(draft: Draft, node: Node) -> Change | None:
    """Tanh as itself, which applies again and again."""
    return by(node)


@pytest.mark.parametrize("one", [_shorter, _refused_by_the_op, _taken_name])
def test_changes_that_do_not_fit_are_not_made(one: object) -> None:
    """Another shape, arguments that the op refuses, a name in use: the graph stays as it is."""
    s = Sketch()
    x = conv(s, s.input)
    both = s.op("add.Tensor", s.op("tanh.default", relu(s, x)), x)
    network = s.network(s.scores(both))
    after, fired = rewrite(network, [one])  # type: ignore[list-item]
    assert fired == {}
    assert after.graph == network.graph


def test_a_rule_that_never_ends_is_stopped() -> None:
    """Changes are bounded, and what is there by then still computes the same."""
    s = Sketch()
    network = s.network(s.scores(s.op("tanh.default", conv(s, s.input))))
    after, fired = rewrite(network, [_for_ever])
    assert 0 < fired["_for_ever"] < 2000
    assert (after.run(images()).outputs == network.run(images()).outputs).all()


def test_long_chains_take_no_more_changes_than_their_length() -> None:
    """Of 1,500 nodes a third has to move one place: that many changes are made, and the network is the same."""
    s = Sketch(shape=(1, 2, 2))
    x = s.input
    for _ in range(500):
        x = s.op("sigmoid.default", s.op("flatten.using_ints", s.op("unsqueeze.default", x, 1), 1, 2))
    after, fired = rewrite(s.network(s.scores(x), "train"), RULES)
    assert sum(fired.values()) < 3 * 1500
    assert [node.base for node in after.graph.nodes] == [*["sigmoid"] * 500, "flatten", "linear"]


def test_many_passes_over_one_knot_are_bounded() -> None:
    """ReLUs behind as many dropouts would need a change for each pair: what is done stays within the budget."""
    s = Sketch(shape=(2,))
    x = s.input
    for _ in range(60):
        x = s.op("dropout.default", x, 0.1, True)
    for _ in range(60):
        x = relu(s, s.op("neg.default", x))
    found = kinds(s.network(s.scores(x)))
    assert found[0] == "dropout"
    assert found.count("dropout") == 60


def test_rewriting_is_deterministic_and_keeps_the_names_of_modules() -> None:
    """Twice the same graph; every stage has the submodule that its op came from."""
    s = Sketch()
    x = s.op("max_pool2d.default", conv(s, s.input), (2, 2))
    network = s.network(s.scores(s.op("clamp_min.default", s.op("dropout.default", rows(s, x), 0.5, True), 0)))
    assert canonical(network).graph == canonical(network).graph
    found = stages(network)
    assert [(one.kind, one.module) for one in found][:5] == [
        ("conv", "m0"), ("relu", "m4"), ("max_pool", "m1"), ("dropout", "m3"), ("flatten", "m2"),
    ]  # fmt: skip
    assert [one.shape_out for one in found][1:3] == [(CHANNELS, 4, 4), (CHANNELS, 2, 2)]


def test_the_batch_of_the_dry_run_is_like_no_size() -> None:
    """251 images would be taken for the 251 columns of a picture."""
    s = Sketch(shape=(251 * 257,))
    network = s.network(s.op("linear.default", s.input, s.weight(5, 251 * 257)))
    assert probe_batch(network) == 263
    s = Sketch(shape=(4,))
    assert probe_batch(s.network(s.op("relu.default", s.input), batch=8)) == 8


def test_a_graph_of_a_fixed_batch_is_rewritten_for_that_batch() -> None:
    """Sizes are written as they are where the batch is fixed."""
    s = Sketch()
    x = s.op("view.default", conv(s, s.input), (3, CHANNELS * 16))
    network = s.network(s.scores(s.op("add.Tensor", x, 0)), batch=3)
    assert kinds(network) == ["conv", "flatten", "linear"]
    assert (canonical(network).run(images()).outputs == network.run(images()).outputs).all()


def test_the_input_itself_may_be_what_is_left() -> None:
    """A network of no-ops gives its input."""
    s = Sketch(shape=(5,))
    network = s.network(s.op("clone.default", s.op("mul.Tensor", s.input, 1)))
    assert canonical(network).graph.nodes == ()
    assert stages(network) == ()


def test_a_parameter_of_zeros_is_no_constant() -> None:
    """What is there to be learnt stays, whatever its value is."""
    s = Sketch()
    learnt = s.weight(1)
    s.weights[learnt.key][:] = 0
    network = s.network(s.scores(s.op("add.Tensor", conv(s, s.input), learnt)))
    assert kinds(network) == ["conv", "add_constant", "flatten", "linear"]


def test_random_ops_are_not_merged() -> None:
    """Two dropouts of the same values are two; two tanhs are one."""
    s = Sketch()
    x = conv(s, s.input)
    one, other = (s.op("dropout.default", x, 0.5, True) for _ in range(2))
    assert kinds(s.network(s.scores(s.op("add.Tensor", one, other)), "train"))[:4] == [
        "conv", "dropout", "dropout", "add",
    ]  # fmt: skip
    one, other = (s.op("tanh.default", x) for _ in range(2))
    found = stage_graph(s.network(s.scores(s.op("add.Tensor", one, other))))
    assert [one.kind for one in found.stages][:3] == ["conv", "tanh", "add"]
    assert found.sources[2] == (1, 1)


def test_layers_that_use_the_same_weights_are_marked() -> None:
    """The second use of a weight, or of its alias, is shared; two equal uses of the same values are one use."""
    s = Sketch(shape=(5,))
    first, second = s.weight(5, 5), s.weight(5, 5)
    x = s.op("linear.default", s.input, first)
    x = s.op("tanh.default", s.op("add.Tensor", x, s.op("linear.default", s.input, first)))
    x = s.op("linear.default", x, first)
    network = s.network(s.op("linear.default", x, second), aliases={second.key: first.key})
    assert [one.params.get("shared") for one in stages(network) if one.kind == "linear"] == [None, True, True]


def test_the_order_of_a_specification_is_the_order_of_a_graph() -> None:
    """However commuting stages are listed, they come out as the rules put them."""
    wanted = [stage(one) for one in ("relu", "max_pool 2x2", "dropout 0.2", "flatten")]
    for listed in (wanted, [wanted[1], wanted[2], wanted[0], wanted[3]], [wanted[1], wanted[3], wanted[0], wanted[2]]):
        assert [one.text for one in normalised(listed)] == [one.text for one in wanted]
        s = Sketch()
        x: Ref = conv(s, s.input)
        for one in listed:
            x = _written(s, x, one)
        assert kinds(s.network(s.scores(x), "train"))[1:5] == [one.kind for one in wanted]


def _written(s: Sketch, x: Ref, one: Stage) -> Ref:
    match one.kind:
        case "max_pool":
            return s.op("max_pool2d.default", x, (2, 2))
        case "dropout":
            return s.op("dropout.default", x, 0.2, True)
        case "flatten":
            return rows(s, x)
    return relu(s, x)


def test_every_rule_is_tried_in_the_order_of_the_table() -> None:
    """The first rule that applies wins."""
    s = Sketch()
    network = s.network(s.scores(s.op("hardtanh.default", conv(s, s.input), 0.0, float("inf"))))
    assert "bounds_as_clamp" not in rewrite(network, RULES)[1]
    assert rewrite(network, RULES)[1]["clamp_as_relu"] == 1


def test_same_as_reads_what_is_there() -> None:
    """A change without nodes only redirects readers."""
    assert same_as(Ref("x")) == Change((), Ref("x"))
