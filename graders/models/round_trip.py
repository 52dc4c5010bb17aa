"""A state_dict's round trip as a test of a kind, with the negative controls that show that the test could fail.

The network's graph is run with the tensors of a file, and must give the bits that it gives with its own. That says
little of a network that gives the same whatever its weights are. So every trip runs two controls with it: an unloaded
network must give other outputs, and a spoilt tensor must be noticed, by the comparison of tensors and by the outputs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from graders.errors import EvidenceError, HarnessError
from graders.evidence import Array
from graders.models.evaluation import boxed
from graders.models.network import Network
from graders.models.state_dicts import compare_state, same_bits

SEED = 20
SECONDS = 60.0
MOST_SPOILT = 40
"""Tensors that are spoilt in turn; of larger networks as many, evenly chosen."""


@dataclass(frozen=True)
class RoundTrip:
    """What came of a round trip and its controls.

    Attributes:
        equal: Whether the outputs are equal bit for bit.
        fresh_differs: Whether the network with unloaded weights gives other outputs.
        heard: Tensors that change the outputs when they are spoilt.
        unheard: Tensors that do not: dead units, or layers that the outputs do not depend on.
    """

    equal: bool
    fresh_differs: bool
    heard: tuple[str, ...]
    unheard: tuple[str, ...]

    @property
    def telling(self) -> bool:
        """Whether equal outputs say anything: both controls came out differently."""
        return self.fresh_differs and bool(self.heard)


def round_trip(network: Network, state: Mapping[str, Array], images: Array, memory_mb: int) -> RoundTrip:
    """Run a network with its own tensors, with those of a file, and with those that must be noticed.

    Args:
        network: In eval mode, with the weights of the live model.
        state: The file's tensors under the network's own names.
        images: (n, *input_shape); a few are enough.
        memory_mb: As for `evaluate`. All runs share one process.

    Raises:
        EvidenceError: the network cannot be run, or the tensors do not fit it.
        HarnessError: a spoilt tensor was not noticed by the comparison of tensors: that is broken.
    """
    used = {key: state[key] for key in sorted(network.parameter_keys & state.keys())}
    if not notices_corruption(used):
        raise HarnessError("a spoilt tensor was not noticed by the comparison of tensors")
    spoilt = dict(_spoilt(used))
    variants = [network, network.with_weights(state), network.with_weights(fresh_weights(used))]
    variants += [network.with_weights({**used, key: array}) for key, array in spoilt.items()]
    own, loaded, fresh, *others = _outputs(variants, images, memory_mb)
    heard = tuple(key for key, output in zip(spoilt, others, strict=True) if _differ(output, loaded))
    return RoundTrip(
        equal=same_bits(own, loaded),
        fresh_differs=_differ(fresh, loaded),
        heard=heard,
        unheard=tuple(key for key in spoilt if key not in heard),
    )


def notices_corruption(state: Mapping[str, Array]) -> bool:
    """Whether comparing names exactly the tensor of which one number was changed, for each tensor in turn."""
    generator = np.random.default_rng(SEED)
    filled = (key for key, array in state.items() if array.size)
    return all(
        compare_state({key: state[key]}, {key: _one_bit(state[key], generator)}).changed == (key,) for key in filled
    )


def fresh_weights(state: Mapping[str, Array]) -> dict[str, Array]:
    """Random weights as an unloaded network could have: uniform, as far from 0 as the tensor's own on average."""
    generator = np.random.default_rng(SEED)
    return {key: _random_like(array, generator) for key, array in state.items()}


def _random_like(array: Array, generator: np.random.Generator) -> Array:
    if array.dtype.kind != "f" or not array.size:
        return array
    spread = float(np.abs(array, dtype=np.float64).mean()) or 0.1
    return generator.uniform(-2 * spread, 2 * spread, array.shape).astype(array.dtype)


def _spoilt(state: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Tensors, each with every number changed, so that a unit that is dead does not hide it."""
    floats = [key for key, array in state.items() if array.dtype.kind == "f" and array.size]
    step = max(1, -(-len(floats) // MOST_SPOILT))
    generator = np.random.default_rng(SEED)
    for key in floats[::step]:
        array = state[key]
        noise = generator.uniform(0.5, 1, array.shape) * (float(np.abs(array, dtype=np.float64).max()) or 1.0)
        yield key, (array + noise).astype(array.dtype)


def _one_bit(array: Array, generator: np.random.Generator) -> Array:
    """A copy of which the lowest bit of one number is turned."""
    data = bytearray(np.ascontiguousarray(array).tobytes())
    place = int(generator.integers(array.size)) * array.dtype.itemsize
    data[place] ^= 1
    return np.frombuffer(bytes(data), array.dtype).reshape(array.shape)


def _differ(one: Array, other: Array) -> bool:
    """Whether outputs differ by more than a millionth of their size: -0 and rounding are no answer to other weights."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return not np.array_equal(one, other, equal_nan=True)
    return float(np.abs(one - other).max()) > 1e-6 * float(np.abs(other).max())


def _outputs(networks: list[Network], images: Array, memory_mb: int) -> Array:
    """The outputs (networks, n, classes) of each network, all from one process."""
    shape = (len(networks), len(images), networks[0].classes)
    size = 4 * int(np.prod(shape))

    def work() -> bytes:
        runs = (one.run(images).outputs for one in networks)
        return b"".join(np.ascontiguousarray(outputs, dtype=np.float32).tobytes() for outputs in runs)

    answer = boxed(work, memory_mb, SECONDS, size)
    if len(answer) != size:
        raise EvidenceError("the process that ran the network ended without its outputs: it crashed")
    return np.frombuffer(answer, np.float32).reshape(shape)
