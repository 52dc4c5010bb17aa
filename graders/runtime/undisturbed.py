"""Running a student's model on the side and leaving everything as it was."""

import io
import logging
import random
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as torch_module

from .tensors import raw_bytes

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


@contextmanager
def undisturbed(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Inside, the module is in the given mode, without the student's hooks, without gradients, and silent.

    Afterwards these are as before: mode flags, attributes (also lists that a forward pass appends to), hooks,
    gradients, `requires_grad`, values of parameters and buffers, and the generators of torch, numpy and random.
    """
    with ExitStack() as stack:
        stack.enter_context(_random_numbers_kept())
        stack.enter_context(_silent())
        stack.enter_context(_tensors_kept(module))
        stack.enter_context(_global_hooks_lifted())
        for part in list(nn.Module.modules(module)):
            stack.enter_context(_attributes_kept(part))
            part.__dict__["training"] = training
            for name in HOOKS:
                part.__dict__[name] = _only_torchs(part.__dict__.get(name, {}))
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.no_grad())
        yield


def _only_torchs(hooks: Any) -> Any:
    """Hooks of torch's own (weight norm, pruning) are part of what a model computes; a student's are not."""

    def origin(hook: Any) -> str:
        return str(getattr(hook, "__module__", None) or type(hook).__module__)

    return OrderedDict((key, hook) for key, hook in hooks.items() if origin(hook).startswith("torch.nn."))


@contextmanager
def _attributes_kept(part: nn.Module) -> Iterator[None]:
    before = dict(part.__dict__)
    contents = [(value, value.copy()) for value in before.values() if isinstance(value, list | dict | set)]
    try:
        yield
    finally:
        part.__dict__.clear()
        part.__dict__.update(before)
        for value, content in contents:
            _restore(value, content)


def _restore(value: Any, content: Any) -> None:
    now, then = (list(each.items()) if isinstance(each, dict) else list(each) for each in (value, content))
    if len(now) == len(then) and all(_same(a, b) for a, b in zip(now, then, strict=True)):
        return
    value.clear()
    value.extend(content) if isinstance(value, list) else value.update(content)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is tuple and len(a) == 2 and a[0] is b[0] and a[1] is b[1])


@contextmanager
def _tensors_kept(module: nn.Module) -> Iterator[None]:
    tensors = [*nn.Module.parameters(module), *nn.Module.buffers(module)]
    before = [(t, t.grad if t.is_leaf else None, t.requires_grad, t.detach().clone()) for t in tensors]
    try:
        yield
    finally:
        for tensor, grad, requires_grad, copy in before:
            if tensor.is_leaf:
                tensor.requires_grad_(requires_grad)
                if tensor.grad is not grad:
                    tensor.grad = grad
            # Only what differs is copied back: a copy would tell autograd that a pending gradient is out of date.
            # torch's own version counter is no help, since batch norm's kernels do not count.
            if not _identical(tensor, copy):
                with torch.no_grad():
                    tensor.copy_(copy)


def _identical(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Bit for bit, so that NaN equals NaN."""
    return torch.equal(one, other) or raw_bytes(one.cpu()) == raw_bytes(other.cpu())


@contextmanager
def _global_hooks_lifted() -> Iterator[None]:
    tables = [getattr(torch_module, name) for name in GLOBAL_HOOKS]
    before = [dict(table) for table in tables]
    for table in tables:
        table.clear()
    try:
        yield
    finally:
        for table, content in zip(tables, before, strict=True):
            table.clear()
            table.update(content)


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


@contextmanager
def _silent() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
