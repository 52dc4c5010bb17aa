"""How state_dicts differ: renames are found again, a prefix is told as one, every kind of fault has its sentence."""

import keyword
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from graders.evidence import Array
from graders.models.state_dicts import compare_state, looks_untrained, same_bits, wrapper_of

SHAPES = {"conv1.weight": (4, 1, 3, 3), "conv1.bias": (4,), "fc.weight": (2, 8), "fc.bias": (2,)}


def arrays(shapes: dict[str, tuple[int, ...]] = SHAPES, seed: int = 0) -> dict[str, Array]:
    """Random tensors of these shapes."""
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def changed(**changes: Any) -> dict[str, Array]:
    """The tensors with some of them exchanged; None leaves one out. Dots are written as double underscores."""
    told = {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in {**arrays(), **told}.items() if value is not None}


parts = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(lambda word: not keyword.iskeyword(word))
names = st.lists(parts, min_size=1, max_size=3).map(".".join)
name_lists = st.lists(names, min_size=1, max_size=8, unique=True)
examples = settings(max_examples=50, deadline=None)


@examples
@given(name_lists)
def test_a_state_dict_is_the_same_as_itself(listed: list[str]) -> None:
    """Whatever its names, with values or shapes alone."""
    state = arrays(dict.fromkeys(listed, (2, 3)))
    assert compare_state(state, state).same
    assert compare_state(dict.fromkeys(listed, (2, 3)), state).same


@examples
@given(name_lists, name_lists)
def test_a_prefix_is_told_as_a_prefix(listed: list[str], prefix: list[str]) -> None:
    """On either side, with whatever names: never as renames."""
    state, front = arrays(dict.fromkeys(listed, (2, 3))), prefix[0] + "."
    wrapped = {front + name: array for name, array in state.items()}
    difference = compare_state(state, wrapped)
    assert (difference.prefix, difference.renamed, difference.missing) == (front, (), ())
    assert difference.code == "PREFIXED_NAMES"
    back = compare_state(wrapped, state)
    assert (back.lost_prefix, back.renamed, back.missing) == (front, (), ())


@examples
@given(st.data())
def test_renamed_tensors_are_found_again_by_their_values(data: st.DataObject) -> None:
    """In any order, under any names, though all have one shape."""
    before = data.draw(name_lists)
    after = data.draw(st.lists(names, min_size=len(before), max_size=len(before), unique=True))
    after = [f"{name}_{k}" for k, name in enumerate(after)]
    order = data.draw(st.permutations(range(len(before))))
    state = arrays(dict.fromkeys(before, (2, 3)))
    found = {after[k]: state[before[k]] for k in order}
    assume(len(found) == len(before) and not found.keys() & set(before))
    difference = compare_state(state, found)
    given_up = (difference.missing, difference.unexpected, difference.changed)
    assert given_up == ((), (), ())
    # Where a part in front explains more names than none, that is told instead.
    if not (difference.prefix or difference.lost_prefix):
        assert {one.expected: one.found for one in difference.renamed} == {
            one: other for one, other in zip(before, after, strict=True) if one != other
        }


@examples
@given(
    st.permutations(["conv1", "conv2", "conv3", "fc4", "fc5"]), st.sampled_from(["{0}_{1}", "{0}.{1}", "{0}_layer{1}"])
)
def test_likely_renames_are_found_by_spelling_and_numbers(order: list[str], form: str) -> None:
    """Shapes alone, all alike, and in any order: conv_1 and conv_layer1 are conv1."""
    expected = {f"{name}.weight": (3, 3) for name in sorted(order)}
    found = {f"{form.format(name[:-1], name[-1])}.weight": (3, 3) for name in order}
    difference = compare_state(expected, found)
    assert all(one.expected.removesuffix(".weight")[-1] in one.found for one in difference.renamed)
    assert (len(difference.renamed), difference.missing) == (5, ())


def test_what_nothing_tells_apart_is_paired_by_order() -> None:
    """Weights with weights and biases with biases."""
    expected = {"a.weight": (3, 3), "a.bias": (3,), "b.weight": (3, 3), "b.bias": (3,)}
    found = {"x.weight": (3, 3), "x.bias": (3,), "y.weight": (3, 3), "y.bias": (3,)}
    pairs = {one.expected: one.found for one in compare_state(expected, found).renamed}
    assert pairs == {"a.weight": "x.weight", "a.bias": "x.bias", "b.weight": "y.weight", "b.bias": "y.bias"}


@examples
@given(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 31))
def test_any_bit_of_any_tensor_is_noticed(which: int, place: int, bit: int) -> None:
    """And the tensor is named, unless the bit makes a NaN, which is told as well."""
    state = arrays()
    name = list(state)[which]
    raw = np.frombuffer(state[name].tobytes(), np.uint32).copy()
    raw[place % raw.size] ^= np.uint32(1 << bit)
    other = {**state, name: raw.view(np.float32).reshape(state[name].shape)}
    assert compare_state(state, other).changed == (name,)


@pytest.mark.parametrize(
    ("found", "code", "sentence"),
    [
        (
            {f"module.{name}": array for name, array in arrays().items()},
            "PREFIXED_NAMES",
            "Every name begins with 'module.': the model was wrapped in DataParallel when it was saved. Save "
            "model.module.state_dict().",
        ),
        (
            {f"_orig_mod.{name}": array for name, array in arrays().items()},
            "PREFIXED_NAMES",
            "Every name begins with '_orig_mod.': the model was compiled by torch.compile when it was saved. Save "
            "model._orig_mod.state_dict().",
        ),
        (
            {f"net.{name}": array for name, array in arrays().items()},
            "PREFIXED_NAMES",
            "Every name begins with 'net.': the network was saved as part of another module. Save "
            "model.net.state_dict().",
        ),
        (
            {name.replace("conv1", "conv_1"): array for name, array in arrays().items()},
            "RENAMED_TENSORS",
            "2 tensors have another name: 'conv_1.weight' seems to be 'conv1.weight', 'conv_1.bias' seems to be "
            "'conv1.bias'. The names are those of the layers in __init__: call the layers the same where you save and "
            "where you load.",
        ),
        (
            changed(fc__bias=None),
            "MISSING_TENSORS",
            "'fc.bias' is missing. Save model.state_dict() as it is, with all its entries.",
        ),
        (
            changed(bn__running_mean=np.zeros(7), bn__num_batches_tracked=np.zeros((), np.int64)),
            "UNEXPECTED_BUFFERS",
            "'bn' is batch normalisation, which the expected network does "
            "not have. Saved by one class, loaded into another: use the same class.",
        ),
        (
            changed(fc9__weight=np.zeros((9, 9))),
            "UNEXPECTED_TENSORS",
            "'fc9.weight' belongs to no layer of the expected network. Saved by one class, loaded into another: use "
            "the same class.",
        ),
        (
            changed(fc__weight=np.zeros((8, 2), np.float32)),
            "TRANSPOSED",
            "'fc.weight' is turned round: expected [2, 8], found [8, 2]. nn.Linear(a, b) keeps its weights as [b, a]; "
            "save them as they are.",
        ),
        (
            changed(fc__weight=np.zeros((3, 8), np.float32), fc__bias=np.zeros(3, np.float32)),
            "WRONG_SHAPES",
            "'fc.weight' has another shape: expected [2, 8], found [3, 8], and 1 other as well. Give the layer in "
            "__init__ the numbers that are asked for.",
        ),
        (
            {name: array.astype(np.float16) for name, array in arrays().items()},
            "OTHER_DTYPE",
            "'conv1.weight' is float16 where float32 is expected, and 3 others as well: model.half(), model.double() "
            "or .to(...) changed the type. Save the network in the type that it was trained in.",
        ),
        (
            changed(fc__bias=np.array([np.nan, 1], np.float32)),
            "NOT_FINITE",
            "'fc.bias' holds NaN or infinite numbers: the training went astray. Try a smaller learning rate, train "
            "again, and save then.",
        ),
        (
            changed(fc__bias=np.zeros(2, np.float32)),
            "VALUES_DIFFER",
            "'fc.bias' holds other values. Save after the training, and load that very file.",
        ),
        (
            arrays({"conv1.weight": (9, 1, 3, 3), "out.bias": (5,)}),
            "ANOTHER_MODEL",
            "These are the names and shapes of SmallNet: the state_dict of another network was saved or loaded. Look "
            "at the name of the variable before .state_dict().",
        ),
    ],
)
def test_each_kind_of_difference_has_its_sentence(found: dict[str, Array], code: str, sentence: str) -> None:
    """Code and sentence of the first fault."""
    known = {"SmallNet": {"conv1.weight": (9, 1, 3, 3), "out.bias": (5,)}}
    fault = compare_state(arrays(), found, known).faults[0]
    assert (fault.code, fault.sentence) == (code, sentence)


def test_a_name_that_the_wrapped_network_lacks() -> None:
    """Expected of a wrapped network, found of the one inside."""
    wrapped = {f"net.{name}": shape for name, shape in SHAPES.items()}
    (sentence,) = compare_state(wrapped, SHAPES).sentences
    assert "Every name lacks the 'net.'" in sentence
    assert "model.net.load_state_dict(...)" in sentence


def test_a_wrapper_is_told_beside_renames() -> None:
    """DataParallel around a network whose layers are called otherwise, too."""
    found = {f"module.{name.replace('conv1', 'conv_1').replace('fc', 'f_c')}": s for name, s in SHAPES.items()}
    assert [one.code for one in compare_state(SHAPES, found).faults] == ["PREFIXED_NAMES", "RENAMED_TENSORS"]


def test_tied_tensors_that_were_left_out_are_told() -> None:
    """A format that keeps shared memory once loses a name."""
    state = arrays()
    tied = {**state, "head.weight": state["fc.weight"]}
    difference = compare_state(tied, state)
    assert (difference.tied, difference.missing, difference.code) == (
        (("head.weight", "fc.weight"),),
        (),
        "TIED_TENSORS_LEFT_OUT",
    )


def test_fits_is_what_torch_would_take() -> None:
    """Names and shapes; values and types are another matter."""
    assert compare_state(arrays(), arrays(seed=1)).fits
    assert compare_state(arrays(), {k: v.astype(np.float64) for k, v in arrays().items()}).fits
    assert not compare_state(arrays(), changed(fc__bias=None)).fits


def test_values_rounded_to_another_type_are_not_changed() -> None:
    """Half precision of the same numbers differs in type alone; other numbers differ in both."""
    half = {name: array.astype(np.float16) for name, array in arrays().items()}
    assert compare_state(arrays(), half).changed == ()
    assert compare_state(arrays(seed=1), half).changed == tuple(SHAPES)


def test_zero_and_minus_zero_are_different_bits() -> None:
    """Bit for bit means the bytes."""
    assert not same_bits(np.zeros(1), -np.zeros(1))
    assert same_bits(np.array([np.nan]), np.array([np.nan]))


def test_the_comparison_is_quick_on_large_state_dicts() -> None:
    """Ten thousand names that all changed are paired without a search of all pairs: it just has to end."""
    expected = {f"layer{k}.weight": (3, 3) for k in range(10_000)}
    found = {f"part{k}.weight": (3, 3) for k in range(10_000)}
    assert len(compare_state(expected, found).renamed) == 10_000


@pytest.mark.parametrize(
    ("listed", "prefix"), [(["module.a", "module.b"], "module."), (["module.a", "b"], ""), ([], ""), (["net.a"], "")]
)
def test_wrappers_of_torch_are_known_by_their_prefix(listed: list[str], prefix: str) -> None:
    """Only where every name has it."""
    assert wrapper_of(listed) == prefix


def test_new_weights_look_untrained_and_trained_ones_do_not() -> None:
    """A few steps of training take some weights beyond the bound that they were drawn from."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 10))

    def state() -> dict[str, Array]:
        return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}

    assert looks_untrained(state())
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(3):
        optimiser.zero_grad()
        network(torch.rand(16, 1, 8, 8)).square().sum().backward()
        optimiser.step()
    assert not looks_untrained(state())
