"""Evaluation in a process of its own."""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Array
from graders.models import Network, NetworkOutput, evaluate
from graders.models.evaluation import boxed

Make = Callable[..., Network]


def images(count: int = 5) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(0).random((count, 1, 28, 28), dtype=np.float32)


def test_same_bits_as_here(network_of: Make, better: nn.Module) -> None:
    """The child computes what this process computes, bit for bit."""
    network = network_of(better)
    found = evaluate(network, images(300), memory_mb=1024)
    assert found.dtype == np.float32
    assert found.shape == (300, 10)
    assert np.array_equal(found, network.run(images(300)).outputs)


def replace_run(network: Network, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Array]) -> None:
    """Let a network's run do something else."""
    monkeypatch.setattr(network, "run", lambda *_: NetworkOutput(act()))


def test_a_crash_is_an_error_in_words(network_of: Make, better: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that dies leaves a sentence, not a hole."""
    network = network_of(better)
    replace_run(network, monkeypatch, lambda: os._exit(3))
    with pytest.raises(EvidenceError, match="crashed"):
        evaluate(network, images(), 512)


def slowly() -> Array:
    """Zeros after a minute."""
    time.sleep(60)
    return np.zeros(1)


def test_too_slow(network_of: Make, better: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that takes too long is ended in time."""
    network = network_of(better)
    replace_run(network, monkeypatch, slowly)
    started = time.monotonic()
    with pytest.raises(EvidenceError, match="too long"):
        evaluate(network, images(), 512, seconds=0.5)
    assert time.monotonic() - started < 10


def test_too_much_memory(network_of: Make, better: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory beyond the limit is refused in the child, and told."""
    network = network_of(better)
    replace_run(network, monkeypatch, lambda: torch.zeros(2**28).numpy())
    with pytest.raises(EvidenceError, match="cannot be run"):
        evaluate(network, images(), memory_mb=256)


@pytest.mark.parametrize("size", [(5, 9), (5, 11), (50000, 10)])
def test_answers_of_another_size(
    network_of: Make, better: nn.Module, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """An answer that is not (n, classes) numbers is no answer."""
    network = network_of(better)
    replace_run(network, monkeypatch, lambda: np.zeros(size, np.float32))
    with pytest.raises(EvidenceError, match=r"crashed|more than its outputs"):
        evaluate(network, images(), 512)


def test_what_the_network_refuses_is_passed_on(network_of: Make, better: nn.Module) -> None:
    """An error of evidence in the child is the same error here."""
    with torch.no_grad():
        better.get_parameter("fc1.bias")[0] = float("inf")
    with pytest.raises(EvidenceError, match=r"fc1\.bias holds NaN or infinite numbers"):
        evaluate(network_of(better), images(), 512)


def test_any_work_can_be_done_in_the_box() -> None:
    """Bytes come back as they are, up to the size agreed on; more is refused."""
    assert boxed(lambda: b"abc", 256, 10, size=5) == b"abc"
    assert boxed(lambda: b"", 256, 10, size=5) == b""
    with pytest.raises(EvidenceError, match=r"crashed|more than its outputs"):
        boxed(lambda: b"abcdef", 256, 10, size=5)
