"""Tests of the collector as a whole, and of the small parts below it."""

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.axes
import pytest
import torch
import torchbearer
from torch import nn
from torch.nn.modules import module as torch_module
from torch.optim import optimizer as torch_optimizer
from torch.utils.data import DataLoader

from graders.evidence import Shims, read_record
from graders.runtime.config import VARIABLE, Config
from graders.runtime.guard import Notes, guarded, one_line
from graders.runtime.identity import IdentityMap, Numbers
from graders.runtime.patching import Patches

WATCHED: list[tuple[Any, str]] = [
    (torch, "save"),
    (torch, "load"),
    (torch, "zeros"),
    (torch.Tensor, "backward"),
    (torch.autograd, "backward"),
    (torch.Tensor, "to"),
    (nn.Module, "load_state_dict"),
    (nn.Module, "to"),
    (DataLoader, "__iter__"),
    (torchbearer.Trial, "run"),
    (torchbearer.Trial, "__init__"),
    (matplotlib.axes.Axes, "imshow"),
]


def test_uninstall_takes_every_patch_back(tmp_path: Path) -> None:
    """The same objects as before, and no hook left."""
    from graders.runtime.collector import Collector

    before = [getattr(owner, name) for owner, name in WATCHED]
    hooks = len(torch_module._global_forward_pre_hooks), len(torch_optimizer._global_optimizer_post_hooks)
    collector = Collector(Config(stage=tmp_path), dict)
    collector.install()
    assert all(getattr(owner, name) is not old for (owner, name), old in zip(WATCHED, before, strict=True))
    collector.uninstall()
    assert all(getattr(owner, name) is old for (owner, name), old in zip(WATCHED, before, strict=True))
    assert "to" not in vars(torch.Tensor)
    assert hooks == (len(torch_module._global_forward_pre_hooks), len(torch_optimizer._global_optimizer_post_hooks))


def test_an_empty_notebook_leaves_every_file(lab: Any) -> None:
    """Files exist from the first cell on, so a missing one means that the run went wrong."""
    lab.cell()
    assert {str(path.relative_to(lab.stage)) for path in lab.stage.rglob("*") if path.is_file()} == {
        "models/index.json",
        "inputs.safetensors",
        "trials.json",
        "trained_images.safetensors",
        "drawn.json",
        "drawn.safetensors",
        "variables.json",
        "tensors.safetensors",
        "probes.json",
        "probes.safetensors",
        "shims.json",
    }


def test_only_what_changed_is_written_again(lab: Any, tiny: nn.Module, batch: torch.Tensor) -> None:
    """A cell without events touches no file; a removed file comes back with its next change."""
    lab.cell()
    for path in lab.stage.rglob("*.json"):
        path.unlink()
    lab.cell(lambda: tiny(batch))
    assert list(lab.stage.rglob("*.json")) == []
    assert "i0" in lab.evidence.inputs
    lab.cell(lambda: lab.collector.notes.tell("something"))
    assert read_record(lab.stage / "shims.json", Shims).used == ("something",)


def test_odd_objects_in_the_namespace_break_nothing(lab: Any, tiny: nn.Module) -> None:
    """Objects whose every attribute raises, or that claim to be modules, are passed over."""

    class Odd:
        def __getattribute__(self, name: str) -> Any:
            raise OSError(name)

        def __eq__(self, other: object) -> bool:
            raise OSError

        __hash__ = None  # type: ignore[assignment]

    class Liar:
        __class__ = nn.Module  # type: ignore[assignment]

    lab.names.update(odd=Odd(), many=[Odd()], liar=Liar(), model=tiny)
    lab.finish()
    assert lab.moments() == ["end"]


def test_a_fault_of_ours_becomes_a_sentence(make_lab: Callable[..., Any], tiny: nn.Module) -> None:
    """The student's cell goes on, and the fault can be read in the evidence."""

    class Broken(nn.Linear):
        def __repr__(self) -> str:
            raise ZeroDivisionError("in\nrepr")

    lab = make_lab()
    model = Broken(2, 2)
    lab.cell(lambda: model.load_state_dict(model.state_dict()), model=model)
    assert lab.evidence.shims == ("internal: Models.begin: ZeroDivisionError: in repr",)
    assert lab.evidence.events == ()
    lab.collector.notes.sentences.clear()


def test_guarded_methods_let_interrupts_pass() -> None:
    """A time limit must reach the cell."""

    class Part:
        notes = Notes()

        @guarded
        def interrupted(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Part().interrupted()


def test_notes_are_kept_once_in_one_line() -> None:
    """Order of first use, no repetition, no line breaks."""
    notes = Notes()
    for sentence in ("b", "a\n b", "b"):
        notes.tell(sentence)
    assert notes.sentences == ["b", "a b"]
    assert len(one_line("x" * 900)) == 500


def test_patches_restore_what_was_and_remove_what_was_not() -> None:
    """An inherited method that was patched on a subclass is inherited again."""

    class Base:
        def greet(self) -> str:
            """Say hello."""
            return "hello"

    class Child(Base):
        pass

    patches = Patches()
    patches.wrap(Child, "greet", lambda original: lambda self: original(self) + "!")
    assert (Child().greet(), Child.greet.__doc__, Base().greet()) == ("hello!", "Say hello.", "hello")
    patches.undo()
    assert "greet" not in vars(Child)


def test_identity_maps_are_weak_and_do_not_ask_the_object() -> None:
    """An entry goes with its object; equality is never called."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    one, other = Odd(), Odd()
    names: IdentityMap[str] = IdentityMap()
    names[one], names[other] = "one", "other"
    assert (names.get(one), names.get(other), names.get(Odd())) == ("one", "other", None)
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    assert [value for _, value in names.live()] == ["other"]


def test_numbers_are_never_used_again() -> None:
    """A later object at the same address is another one."""

    class Thing:
        pass

    numbers = Numbers()
    assert [numbers.of(Thing()) for _ in range(3)] == [1, 2, 3]


def test_the_configuration_is_read_as_the_harness_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists become tuples; an unknown key is refused; without a file the kernel does not start."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"stage": "/s", "seed": 3, "epochs": 2, "variables": ["a"], "input_shape": [1, 2, 2]}))
    monkeypatch.setenv(VARIABLE, str(path))
    config = Config.from_environment()
    assert (config.stage, config.variables, config.input_shape, config.tensors) == (Path("/s"), ("a",), (1, 2, 2), ())
    path.write_text('{"stage": "/s", "surprise": 1}')
    with pytest.raises(TypeError, match="surprise"):
        Config.from_environment()
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SystemExit, match=VARIABLE):
        Config.from_environment()
