"""How two state_dicts differ: tensors left out, called otherwise, of other shapes or values, and what to do about it.

A difference is a list of faults. Each has a stable code and a sentence that says what is wrong and how to mend it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graders.evidence import Array, Snapshot
from graders.models.pairing import Pair, Shape, content, pairs, stripped, wrapping

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""What batch normalisation keeps beside its parameters."""
WRAPPERS = {
    "module.": ("the model was wrapped in DataParallel when it was saved", "model.module.state_dict()"),
    "_orig_mod.": ("the model was compiled by torch.compile when it was saved", "model._orig_mod.state_dict()"),
}
"""Prefixes that torch puts before every name: why, and what to save instead."""
MOST = 3
"""Names that a sentence shows."""

Described = Mapping[str, "Shape | Array"]
"""A state_dict: the shapes of its tensors, or the tensors."""


@dataclass(frozen=True)
class StateFault:
    """One thing in which a state_dict is not as expected.

    Attributes:
        code: Stable upper-case word.
        sentence: What is wrong, and how to mend it.
    """

    code: str
    sentence: str


@dataclass(frozen=True)
class StateDifference:
    """How a state_dict differs from the expected one. Names are those of the expected one unless said otherwise.

    Attributes:
        prefix: What every found name has in front of the expected one; empty if nothing.
        lost_prefix: What every expected name has in front of the found one; empty if nothing.
        renamed: Likely renames: same shape, another name.
        missing: Names that were not found under any other name.
        unexpected: Found names that nothing was expected under.
        reshaped: Tensors of another shape: name, expected, found.
        retyped: Tensors of another dtype: name, expected, found.
        changed: Tensors that hold other values; known where both sides are tensors.
        not_finite: Found tensors with NaN or infinity.
        tied: Missing names whose tensor is expected to be that of another name, which was found: (missing, other).
        model: Known model whose shapes these are, where they are not the expected ones; empty if none.
    """

    prefix: str = ""
    lost_prefix: str = ""
    renamed: tuple[Pair, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[tuple[str, Shape, Shape], ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()
    changed: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    model: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing differs at all."""
        return self == StateDifference()

    @property
    def fits(self) -> bool:
        """Whether load_state_dict would take it strictly: names and shapes, whatever the values."""
        names = self.prefix or self.lost_prefix or self.renamed or self.missing or self.unexpected or self.tied
        return not (names or self.reshaped)

    @property
    def transposed(self) -> tuple[str, ...]:
        """Tensors whose shape is the expected one turned round."""
        return tuple(name for name, expected, found in self.reshaped if expected == found[::-1])

    @property
    def faults(self) -> tuple[StateFault, ...]:
        """What differs, one fault for each kind, the one that explains most first."""
        return tuple(_faults(self))

    @property
    def code(self) -> str:
        """Code of the first fault; empty where nothing differs."""
        return self.faults[0].code if self.faults else ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of all faults."""
        return tuple(fault.sentence for fault in self.faults)


def compare_state(
    expected: Described, found: Described, known: Mapping[str, Mapping[str, Shape]] | None = None
) -> StateDifference:
    """Compare a state_dict with the one that is expected.

    Args:
        expected: Tensors, or their shapes where no more is known.
        found: Likewise. Values are compared where both sides are tensors.
        known: Shapes of other models by the model's name, to say whose weights these are.
    """
    prefix, lost = wrapping(expected, found, tuple(WRAPPERS))
    bare, inner = stripped(expected, lost), stripped(found, prefix)
    matched = pairs(bare, inner)
    taken = {one.expected for one in matched}, {one.found for one in matched}
    missing = [name for name in bare if name not in taken[0]]
    tied = _tied(missing, bare, inner)
    model = "" if prefix or lost else _known(expected, found, known or {})
    both = [(one, bare[one.expected], inner[one.found]) for one in matched]
    return StateDifference(
        prefix=prefix,
        lost_prefix=lost,
        renamed=tuple(one for one in matched if one.expected != one.found),
        missing=tuple(name for name in missing if name not in tied),
        unexpected=tuple(name for name in inner if name not in taken[1]),
        reshaped=tuple((one.expected, shape_of(a), shape_of(b)) for one, a, b in both if shape_of(a) != shape_of(b)),
        retyped=tuple((one.expected, t[0], t[1]) for one, a, b in both if (t := _types(a, b))),
        changed=tuple(one.expected for one, a, b in both if _changed(a, b)),
        not_finite=tuple(name for name, value in inner.items() if not _finite(value)),
        tied=tuple(tied.items()),
        model=model,
    )


def wrapper_of(names: Iterable[str]) -> str:
    """The prefix that torch put before all names when the model was wrapped or compiled; empty if none."""
    listed = list(names)
    return next((one for one in WRAPPERS if listed and all(name.startswith(one) for name in listed)), "")


def snapshot_state(snapshot: Snapshot) -> dict[str, Array]:
    """A snapshot's state_dict: constants of the graph left out, aliases filled in."""
    weights = snapshot.weights
    first = {one.name: one.alias_of or one.name for one in snapshot.meta.tensors}
    keys = snapshot.meta.state_keys
    return {key: weights[first.get(key, key)] for key in keys if first.get(key, key) in weights}


def looks_untrained(state: Mapping[str, Array]) -> bool:
    """Whether all weights lie where torch's convolutions and linear layers start: within 1/sqrt(inputs of a unit).

    So `reset_parameters` of both makes them (kaiming_uniform_ with a = sqrt(5)). Thousands of weights lie near that
    bound, so that a few steps of training take some of them across.
    """
    weights = [array for array in state.values() if array.ndim >= 2 and array.size and array.dtype.kind == "f"]
    bounds = [1 / np.sqrt(np.prod(array.shape[1:])) for array in weights]
    within = (np.abs(array).max() <= bound * (1 + 1e-6) for array, bound in zip(weights, bounds, strict=True))
    return bool(weights) and all(within)


def shape_of(value: Shape | Array) -> Shape:
    """Shape of a tensor, or the shape itself."""
    return tuple(value) if isinstance(value, tuple) else tuple(value.shape)


def same_bits(one: Array, other: Array) -> bool:
    """Whether two tensors are equal bit for bit: type, shape, values. A NaN equals itself, 0 is not -0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _types(one: Shape | Array, other: Shape | Array) -> tuple[str, str] | None:
    if isinstance(one, tuple) or isinstance(other, tuple) or one.dtype == other.dtype:
        return None
    return one.dtype.name, other.dtype.name


def _changed(one: Shape | Array, other: Shape | Array) -> bool:
    """Whether two tensors of one shape hold other values; one that was only rounded to a smaller type does not."""
    if isinstance(one, tuple) or isinstance(other, tuple) or one.shape != other.shape:
        return False
    if one.dtype == other.dtype:
        return not same_bits(one, other)
    narrow = min(one.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
    with np.errstate(over="ignore"):
        return not same_bits(one.astype(narrow), other.astype(narrow))


def _finite(value: Shape | Array) -> bool:
    return isinstance(value, tuple) or value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _tied(missing: Sequence[str], expected: Described, found: Described) -> dict[str, str]:
    """Missing names whose tensor is that of a found name; two biases may be equal by chance: all zeros, say."""
    if not missing:
        return {}
    weights = {name: value for name, value in expected.items() if not isinstance(value, tuple) and value.ndim > 1}
    kept = {content(value): name for name, value in weights.items() if name in found}
    return {name: kept[key] for name in missing if name in weights and (key := content(weights[name])) in kept}


def _known(expected: Described, found: Described, known: Mapping[str, Mapping[str, Shape]]) -> str:
    """The known model that these are the names and shapes of, failing that the shapes alone."""
    shapes = {name: shape_of(value) for name, value in found.items()}
    if sorted(shapes.values()) == sorted(shape_of(value) for value in expected.values()):
        return ""
    exact = [model for model, table in known.items() if dict(table) == shapes]
    alike = [model for model, table in known.items() if sorted(table.values()) == sorted(shapes.values())]
    return next(iter([*exact, *alike]), "")


# --- sentences


def _faults(difference: StateDifference) -> Iterator[StateFault]:
    if difference.model:
        yield StateFault(
            "ANOTHER_MODEL",
            f"These are the names and shapes of {difference.model}: the state_dict of another network was saved or "
            "loaded. Look at the name of the variable before .state_dict().",
        )
        return
    yield from _prefixes(difference)
    if difference.renamed:
        yield StateFault("RENAMED_TENSORS", _renames(difference.renamed))
    yield from _lacking(difference)
    yield from _shapes(difference)
    yield from _values(difference)


def _prefixes(difference: StateDifference) -> Iterator[StateFault]:
    prefix, lost = difference.prefix, difference.lost_prefix
    reason, remedy = WRAPPERS.get(prefix, ("the network was saved as part of another module", ""))
    if prefix:
        inner = prefix.rstrip(".")
        remedy = remedy or f"model.{inner}.state_dict()"
        yield StateFault("PREFIXED_NAMES", f"Every name begins with '{prefix}': {reason}. Save {remedy}.")
    if lost:
        inner = lost.rstrip(".")
        yield StateFault(
            "PREFIX_LACKING",
            f"Every name lacks the '{lost}' that the network's own names begin with: load it into the network inside, "
            f"model.{inner}.load_state_dict(...).",
        )


def _renames(renamed: Sequence[Pair]) -> str:
    shown = ", ".join(f"'{one.found}' seems to be '{one.expected}'" for one in renamed[:MOST])
    return (
        f"{_count(len(renamed), 'tensor has', 'tensors have')} another name: {shown}{_more(renamed)}. The names are "
        "those of the layers in __init__: call the layers the same where you save and where you load."
    )


def _lacking(difference: StateDifference) -> Iterator[StateFault]:
    if difference.missing:
        yield StateFault(
            "MISSING_TENSORS",
            f"{_names(difference.missing)} {_be(difference.missing)} missing. Save model.state_dict() as it is, with "
            "all its entries.",
        )
    if difference.tied:
        name, other = difference.tied[0]
        yield StateFault(
            "TIED_TENSORS_LEFT_OUT",
            f"'{name}' is missing. It is the same tensor as '{other}', but load_state_dict wants both names: save "
            "model.state_dict() as it is.",
        )
    layers = dict.fromkeys(_layer(name) for name in difference.unexpected if name.endswith(BUFFERS))
    others = [name for name in difference.unexpected if _layer(name) not in layers]
    if layers:
        yield StateFault(
            "UNEXPECTED_BUFFERS",
            f"{_names(list(layers))} {_be(list(layers))} batch normalisation, which the expected network does not "
            "have. Saved by one class, loaded into another: use the same class.",
        )
    if others:
        yield StateFault(
            "UNEXPECTED_TENSORS",
            f"{_names(others)} {_belong(others)} to no layer of the expected network. Saved by one class, loaded into "
            "another: use the same class.",
        )


def _shapes(difference: StateDifference) -> Iterator[StateFault]:
    turned = difference.transposed
    if turned:
        name, expected, found = next(one for one in difference.reshaped if one[0] == turned[0])
        yield StateFault(
            "TRANSPOSED",
            f"'{name}' is turned round: expected {_shape(expected)}, found {_shape(found)}{_also(turned)}. "
            "nn.Linear(a, b) keeps its weights as [b, a]; save them as they are.",
        )
    rest = [one for one in difference.reshaped if one[0] not in turned]
    if rest:
        name, expected, found = rest[0]
        yield StateFault(
            "WRONG_SHAPES",
            f"'{name}' has another shape: expected {_shape(expected)}, found {_shape(found)}"
            f"{_also([one[0] for one in rest])}. Give the layer in __init__ the numbers that are asked for.",
        )


def _values(difference: StateDifference) -> Iterator[StateFault]:
    if difference.retyped:
        name, expected, found = difference.retyped[0]
        yield StateFault(
            "OTHER_DTYPE",
            f"'{name}' is {found} where {expected} is expected{_also([one[0] for one in difference.retyped])}: "
            "model.half(), model.double() or .to(...) changed the type. Save the network in the type that it was "
            "trained in.",
        )
    if difference.not_finite:
        yield StateFault(
            "NOT_FINITE",
            f"{_names(difference.not_finite)} {_hold(difference.not_finite)} NaN or infinite numbers: the training "
            "went astray. Try a smaller learning rate, train again, and save then.",
        )
    if difference.changed:
        yield StateFault(
            "VALUES_DIFFER",
            f"{_names(difference.changed)} {_hold(difference.changed)} other values. Save after the training, and load "
            "that very file.",
        )


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:MOST]) + _more(names)


def _more(things: Sequence[object]) -> str:
    return f" and {len(things) - MOST} more" if len(things) > MOST else ""


def _also(names: Sequence[str]) -> str:
    return f", and {_count(len(names) - 1, 'other', 'others')} as well" if len(names) > 1 else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _be(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _belong(names: Sequence[str]) -> str:
    return "belongs" if len(names) == 1 else "belong"


def _hold(names: Sequence[str]) -> str:
    return "holds" if len(names) == 1 else "hold"


def _shape(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"
