"""The interpreter gives what the module gives; limits, fixed batches and taps."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from graders.errors import EvidenceError
from graders.evidence import Snapshot
from graders.models import Network, NetworkLimits, NotExportable, module_output, parameter_count, read_network
from graders.models.interpreter import one_thread

Make = Callable[..., Network]


def images(count: int, shape: tuple[int, ...] = (1, 28, 28)) -> Any:
    """Random images, always the same."""
    return np.random.default_rng(1).random((count, *shape), dtype=np.float32)


def direct(module: nn.Module, data: Any, batch: int = 250) -> Any:
    """The module's own outputs in eval mode, on one thread, in batches of the same size."""
    module.eval()
    with one_thread(), torch.no_grad():
        return torch.cat([module(part) for part in torch.split(torch.from_numpy(data), batch)]).numpy()


def test_same_bits_as_the_module(network_of: Make, better: nn.Module) -> None:
    """The same ATen calls on one thread give the same bits, also over several batches."""
    data = images(502)
    assert np.array_equal(network_of(better).run(data).outputs, direct(better, data))


def test_a_thousand_images_are_quick(network_of: Make, better: nn.Module) -> None:
    """The better network reads 1,000 images in well under two seconds on one busy thread (0.4 s on an idle one)."""
    network = network_of(better)
    started = time.process_time()
    network.run(images(1000))
    assert time.process_time() - started < 2


class Wild(nn.Module):
    """Many ways of writing things, in one network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding="same")
        self.bn = nn.BatchNorm2d(6)
        self.gn = nn.GroupNorm(3, 6)
        self.inorm = nn.InstanceNorm2d(6)
        self.prelu = nn.PReLU()
        self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)
        self.head = nn.Linear(6, 10)
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Branches, sizes, constants, in-place ops."""
        x = self.inorm(self.gn(F.relu_(self.bn(self.conv(x)))))
        a, b = x.chunk(2, 1)
        a = self.up(F.avg_pool2d(a, 2))
        b = F.interpolate(F.max_pool2d(b, 2), scale_factor=2)
        x = torch.cat([a, self.prelu(b)], dim=1) * torch.tensor(0.5)
        x = x + torch.zeros(x.shape[0], 6, 1, 1)
        x = F.adaptive_avg_pool2d(F.pad(x, (1, 1)), 1).view(x.size(0), -1)
        x = torch.maximum(x, torch.tensor(-9.0)).clamp(-5, 5) * self.scale
        x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-3)
        x = x + x.max(dim=1, keepdim=True)[0] - x.mean(1, keepdim=True)
        return F.log_softmax(self.head(F.dropout(x, 0.3, self.training)), dim=1)


def test_many_ops_agree_with_the_module(network_of: Make) -> None:
    """Normalisations, chunks, upsampling, constants and sizes compute what the module computes."""
    torch.manual_seed(0)
    module = Wild()
    data = images(7)
    assert np.array_equal(network_of(module).run(data).outputs, direct(module, data))


LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "conv": lambda c: nn.Conv2d(c, c, 3, padding=1),
    "grouped": lambda c: nn.Conv2d(c, c, 1, groups=c, bias=False),
    "relu": lambda c: nn.ReLU(inplace=True),
    "elu": lambda c: nn.ELU(),
    "gelu": lambda c: nn.GELU(),
    "silu": lambda c: nn.SiLU(inplace=True),
    "hardswish": lambda c: nn.Hardswish(),
    "mish": lambda c: nn.Mish(),
    "softplus": lambda c: nn.Softplus(),
    "leaky": lambda c: nn.LeakyReLU(0.2),
    "tanh": lambda c: nn.Tanh(),
    "sigmoid": lambda c: nn.Sigmoid(),
    "bn": lambda c: nn.BatchNorm2d(c),
    "gn": lambda c: nn.GroupNorm(1, c),
    "dropout": lambda c: nn.Dropout(0.4),
    "dropout2d": lambda c: nn.Dropout2d(0.4),
    "pool": lambda c: nn.MaxPool2d(3, stride=1, padding=1),
    "avg": lambda c: nn.AvgPool2d(2, ceil_mode=True),
    "adaptive": lambda c: nn.AdaptiveMaxPool2d(4),
    "upsample": lambda c: nn.Upsample(scale_factor=2, mode="bilinear"),
    "pad": lambda c: nn.ZeroPad2d(1),
    "reflect": lambda c: nn.ReflectionPad2d(1),
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=6),
    channels=st.integers(1, 4),
    count=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_random_networks_agree_with_the_module(
    network_of: Make, names: list[str], channels: int, count: int, seed: int
) -> None:
    """Whatever layers are stacked, the interpreter's outputs are those of the module in eval mode."""
    torch.manual_seed(seed)
    body = [LAYERS[name](channels) for name in names]
    module = nn.Sequential(
        nn.Conv2d(1, channels, 3), *body, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * channels, 5)
    )
    data = images(count, (1, 12, 12))
    found = network_of(module, shape=(1, 12, 12)).run(data).outputs
    assert np.allclose(found, direct(module, data), rtol=1e-4, atol=1e-5)


class Fixed(nn.Module):
    """A student who wrote the batch size into forward."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Works for batches of 8 only."""
        return self.fc(x.view(8, 784))  # type: ignore[no-any-return]


def test_a_fixed_batch_is_padded(network_of: Make) -> None:
    """A graph of batches of 8 reads 19 images: the last batch is filled up and cut again."""
    torch.manual_seed(0)
    module = Fixed()
    network = network_of(module, batch=8)
    data = images(19)
    expected = direct(module, np.concatenate([data, np.repeat(data[16:17], 5, axis=0)]), 8)[:19]
    assert network.batch == 8
    assert np.allclose(network.run(data).outputs, expected, atol=1e-6)


def test_squeeze_does_not_lose_a_single_image(network_of: Make) -> None:
    """A single image is run as a pair, since `squeeze` would take its batch dimension away."""

    class Squeezing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 10, 28)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).squeeze()  # type: ignore[no-any-return]

    network = network_of(Squeezing())
    assert network.run(images(1)).outputs.shape == (1, 10)


def test_dropout_is_off_unless_asked_for(network_of: Make) -> None:
    """Dropout that the graph leaves active acts only with `dropout=True`."""

    class Leaky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(F.dropout(x.flatten(1), 0.5))  # type: ignore[no-any-return]

    network = network_of(Leaky())
    data = images(4)
    first, second = network.run(data).outputs, network.run(data).outputs
    assert np.array_equal(first, second)
    assert not np.array_equal(first, network.run(data, dropout=True).outputs)


def test_taps_hold_values_before_ops_in_place(network_of: Make) -> None:
    """A tap shows the convolution's output although a ReLU overwrites it in place afterwards."""
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 5)
    module = nn.Sequential(conv, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(3 * 24 * 24, 10))
    data = images(3)
    network = network_of(module)
    raw = module_output(network, "0", data)
    assert raw.min() < 0
    assert np.array_equal(raw, direct(conv, data))
    assert np.array_equal(module_output(network, "0", data, activated=True), raw.clip(0))


def test_module_output_names_the_layers_there_are(network_of: Make, better: nn.Module) -> None:
    """Asking for a layer that is not there says which ones are."""
    with pytest.raises(EvidenceError, match=r"no layer called 'conv9'; it uses conv1, conv2, fc1, fc2, fc3"):
        module_output(network_of(better), "conv9", images(1))


def test_successors_leave_out_sizes(network_of: Make) -> None:
    """Who only asks for a value's size is no reader of it."""

    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.view(x.size(0), -1))  # type: ignore[no-any-return]

    network = network_of(Sized())
    assert network.successors("x") == ("view",)
    assert network.successors("view") == ("linear",)


def test_parameter_count(network_of: Make, better: nn.Module) -> None:
    """The count is that of the module's parameters."""
    assert parameter_count(network_of(better)) == sum(p.numel() for p in better.parameters())


def test_train_mode_statistics_do_not_last(network_of: Make) -> None:
    """Running the train graph leaves the running means as they were."""
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(784, 10))
    network = network_of(module, mode="train")
    before = {key: tensor.clone() for key, tensor in network.tensors.items()}
    network.run(images(5))
    assert all(torch.equal(network.tensors[key], tensor) for key, tensor in before.items())


def test_diverged_weights_can_be_read_but_not_run(network_of: Make, better: nn.Module) -> None:
    """NaN in the weights leaves the architecture readable; running says which tensor holds it."""
    with torch.no_grad():
        better.get_parameter("fc2.weight")[0, 0] = float("nan")
    network = network_of(better)
    with pytest.raises(EvidenceError, match=r"fc2\.weight holds NaN"):
        network.run(images(1))


def test_wrong_images_and_outputs_are_refused(network_of: Make, better: nn.Module) -> None:
    """Images of another size, no images, and outputs that are no rows of scores are refused in words."""
    network = network_of(better)
    with pytest.raises(EvidenceError, match=r"takes images of shape \(1, 28, 28\)"):
        network.run(images(2, (1, 32, 32)))
    with pytest.raises(ValueError, match="no images"):
        network.run(images(0))
    with pytest.raises(EvidenceError, match="one row of class scores"):
        network_of(nn.Conv2d(1, 2, 3)).run(images(2))


def test_large_networks_get_smaller_batches(snapshot_of: Callable[..., Snapshot], better: nn.Module) -> None:
    """The batch shrinks until its values fit; where two images do not fit, the network is refused."""
    snapshot = snapshot_of(better)
    one = 30 * 24 * 24
    assert read_network(snapshot, limits=NetworkLimits(node_elements=10 * one)).batch == 10
    with pytest.raises(EvidenceError, match="too large to be run"):
        read_network(snapshot, limits=NetworkLimits(node_elements=one))
    with pytest.raises(EvidenceError, match="tensors hold 59933 numbers"):
        read_network(snapshot, limits=NetworkLimits(parameters=1000))


def test_an_unknown_op_is_named(snapshot_of: Callable[..., Snapshot]) -> None:
    """An op outside the whitelist makes a network NOT_EXPORTABLE, and the reason names it."""

    class Fft(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.fft.fft2(x).real.flatten(1))  # type: ignore[no-any-return]

    with pytest.raises(NotExportable) as caught:
        read_network(snapshot_of(Fft()))
    assert "fft" in caught.value.reason


def test_a_failed_export_says_why(snapshot_of: Callable[..., Snapshot]) -> None:
    """Where the export failed, the reason is what it said."""

    class Deciding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.flatten(1)) if x.sum() > 0 else x

    snapshot = snapshot_of(Deciding())
    with pytest.raises(NotExportable) as caught:
        read_network(snapshot)
    assert caught.value.reason == snapshot.meta.exports["eval"].error != ""
