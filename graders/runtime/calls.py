"""What models were fed: shapes for the export, and small batches of images for `inputs.safetensors`."""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from .guard import guarded
from .patching import Patches
from .registry import Registry, Spec
from .session import Session, Spy
from .tensors import raw_bytes

MAX_IMAGES = 16
MAX_BATCHES = 100


class Calls(Spy):
    """Watches every call of a model through one global hook, which computes nothing.

    Args:
        session: What all spies share.
        registry: Knows which modules are models.
        tell: Who else wants to know that a model is being called.
    """

    def __init__(self, session: Session, registry: Registry, tell: Callable[[nn.Module], object]) -> None:
        super().__init__(session)
        self._tell = tell
        self.inputs: dict[str, torch.Tensor] = {}
        self._registry = registry
        self._seen: set[str] = set()

    def install(self, patches: Patches) -> None:
        """Register the hook."""
        patches.on_undo(register_module_forward_pre_hook(self._before_call).remove)

    @guarded
    def _before_call(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self.session.hushed or not args or not isinstance(args[0], torch.Tensor):
            return
        if not self._registry.is_model(module):
            return
        self._tell(module)
        given = args[0]
        self._registry.calls[module] = Spec(tuple(given.shape), given.dtype)
        if not self.session.in_trial and len(self.inputs) < MAX_BATCHES and self._is_small(given):
            self._keep(given)

    def _is_small(self, given: torch.Tensor) -> bool:
        image = math.prod(self.session.config.input_shape)
        count = given.numel()
        return given.is_floating_point() and count % image == 0 and 1 <= count // image <= MAX_IMAGES

    def _keep(self, given: torch.Tensor) -> None:
        batch = given.detach().to("cpu", torch.float32, copy=True).contiguous()
        digest = hashlib.sha256(str(tuple(batch.shape)).encode() + raw_bytes(batch)).hexdigest()
        if digest not in self._seen:
            self._seen.add(digest)
            self.inputs[f"i{len(self.inputs)}"] = batch
            self.dirty = True

    def write(self) -> None:
        """Write the batches."""
        self.session.stage.tensors("inputs.safetensors", self.inputs)
