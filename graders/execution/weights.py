"""What a weights file holds, found out in a process of its own: `python -m graders.execution.weights FILE OUT LIMIT`.

A weights file is a stranger's pickle. It is opened by `torch.load(weights_only=True)` only, and only in this process,
under a memory limit. What is a plain state_dict is written anew as safetensors; everything else is described in a
sentence. The process prints one line of JSON, a `Finding`.
"""

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from graders.execution.formats import HOW_TO_SAVE, ZIP_START, foreign
from graders.execution.pickles import names_of_classes, names_of_devices
from graders.execution.processes import limit_memory
from graders.records import Record

MODULE_START = "torch.nn.modules."
MIB = 2**20
MAX_TENSORS = 10_000
MAX_NAME = 500
SHOWN = 40
# Of dtypes that safetensors and numpy both know.
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
# What torch puts before every name of a model that it wraps, and other words for it in code that knows of it.
WRAPPERS = {"module.": ("module.", "DataParallel"), "_orig_mod.": ("_orig_mod", "torch.compile")}
# Classes that weights_only refuses, by how their names begin, and what they mean.
OBJECTS = {
    "torchbearer.": (
        "TRIAL_SAVED",
        "It holds what trial.state_dict() gives: network, optimiser and history of a Torchbearer trial together.",
    ),
    "numpy": ("NUMPY_SAVED", "It holds numpy arrays, not tensors: .numpy() was called before saving."),
}
TOO_LARGE = "It asks for more memory than a file of its size can hold."


class Finding(Record):
    """What a weights file turned out to be; the fields are those of `graders.evidence.FileEntry`."""

    kind: Literal["state_dict", "checkpoint", "module", "other", "unreadable"]
    problem: str = ""
    code: str = ""
    legacy: bool = False
    device: str = ""
    needs: tuple[str, ...] = ()


def inspect(path: Path, out: Path, limit: int, memory: int) -> Finding:
    """Open a weights file and write its tensors as safetensors if it is a plain state_dict, or holds one.

    Args:
        path: The file; regular, and small enough to be read.
        out: Where the tensors go; the order of the file's keys is kept in its metadata under "keys", as a JSON list.
        limit: Bytes that all tensors may have together.
        memory: Bytes of address space that opening the file may take.
    """
    strange = foreign(path)
    if strange is not None:
        return Finding(kind="unreadable", problem=strange.problem, code=strange.code)
    with path.open("rb") as file:
        legacy = file.read(len(ZIP_START)) != ZIP_START
    names, devices = names_of_classes(path), names_of_devices(path)
    if any(name.startswith(MODULE_START) for name in names):
        problem = f"It holds a whole pickled model, not a state_dict. {HOW_TO_SAVE}"
        return Finding(kind="module", problem=problem, code="WHOLE_MODEL_SAVED", legacy=legacy)
    import torch  # late: it takes seconds, and whole models are told without it

    limit_memory(memory)
    try:
        with warnings.catch_warnings(action="ignore"):  # of old formats: they are told as `legacy`
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        return Finding(kind="other", problem=TOO_LARGE, code="TOO_LARGE", legacy=legacy)
    except Exception as error:  # noqa: BLE001 - torch.load raises whatever a stranger's bytes provoke
        return _refused(names, error, legacy)
    finding = _describe(loaded, limit, out)
    return finding.model_copy(update={"legacy": legacy, "device": devices[0] if devices else ""})


def _refused(names: tuple[str, ...], error: Exception, legacy: bool) -> Finding:
    """Say why torch did not open the file."""
    if "allocate" in str(error):
        return Finding(kind="other", problem=TOO_LARGE, code="TOO_LARGE", legacy=legacy)
    strange = [name for name in names if not name.startswith(("torch.", "torch._utils", "collections."))]
    for start, (code, said) in OBJECTS.items():
        if any(name.startswith(start) for name in strange):
            return Finding(kind="other", problem=f"{said} {HOW_TO_SAVE}", code=code, legacy=legacy)
    if strange:
        problem = f"It holds objects ({', '.join(strange[:3])}) beside tensors. {HOW_TO_SAVE}"
        return Finding(kind="other", problem=problem, code="OBJECTS_SAVED", legacy=legacy)
    problem = "torch cannot read it: it is not a weights file, or it is damaged."
    return Finding(kind="unreadable", problem=problem, code="DAMAGED_FILE")


def _describe(loaded: Any, limit: int, out: Path) -> Finding:
    """Say what was loaded, and write its tensors where it is, or holds, a state_dict."""
    code, problem = _shape_of(loaded)
    if code:
        return Finding(kind="other", problem=problem, code=code)
    key = _wrapped(loaded)
    state = loaded if key is None else loaded[key]
    code, problem = _tensor_problems(state, limit)
    if code:
        return Finding(kind="other", problem=problem, code=code)
    _write(state, out)
    if key is not None:
        return Finding(kind="checkpoint", needs=(f'"{key}"', f"'{key}'"), **_nested(loaded, key))
    return Finding(kind="state_dict", needs=next(_wrappers(loaded), ()))


def _shape_of(loaded: Any) -> tuple[str, str]:
    """Code and sentence for what is no dictionary of tensors by name; empty if it may be one."""
    import torch

    if isinstance(loaded, torch.Tensor):
        return "SINGLE_TENSOR_SAVED", f"It holds a single tensor {_size(loaded)}, not a state_dict. {HOW_TO_SAVE}"
    if isinstance(loaded, list | tuple) and loaded and all(isinstance(one, torch.Tensor) for one in loaded):
        what = f"a {type(loaded).__name__} of {len(loaded)} tensors without their names"
        return (
            "PARAMETER_LIST_SAVED",
            f"It holds {what}, as list(model.parameters()) gives them; load_state_dict needs the names. {HOW_TO_SAVE}",
        )
    if not isinstance(loaded, dict):
        return "NOT_A_STATE_DICT", f"It holds a {type(loaded).__name__}, not a state_dict. {HOW_TO_SAVE}"
    if not loaded:
        return "EMPTY_STATE_DICT", f"It holds an empty dict: no tensor was saved. {HOW_TO_SAVE}"
    if set(loaded) == {"state", "param_groups"}:
        said = "It holds the state_dict of an optimiser (state and param_groups), not that of the network"
        return "OPTIMISER_SAVED", f"{said}: optimizer.state_dict() was saved. {HOW_TO_SAVE}"
    return "", ""


def _tensor_problems(state: Mapping[Any, Any], limit: int) -> tuple[str, str]:
    """Code and sentence for what keeps a dictionary from being a plain state_dict of at most `limit` bytes."""
    import torch

    if len(state) > MAX_TENSORS:
        return "TOO_LARGE", f"It holds {len(state)} entries; at most {MAX_TENSORS} are read."
    size = 0
    for name, tensor in state.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
            return "STRANGE_KEY", f"It has a key that names no parameter ({str(name)[:SHOWN]!r}). {HOW_TO_SAVE}"
        if not isinstance(tensor, torch.Tensor):
            what = f"Under {name[:SHOWN]!r} it holds an entry of type {type(tensor).__name__}, not a tensor."
            return "MORE_THAN_TENSORS", f"{what} {HOW_TO_SAVE}"
        problem = _tensor_problem(tensor)
        if problem:
            return "STRANGE_TENSOR", f"The tensor {name[:SHOWN]!r} {problem}."
        size += tensor.numel() * tensor.element_size()
        if size > limit:
            return "TOO_LARGE", f"Its tensors have more than {limit // MIB} MiB together."
    infinite = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if infinite:
        said = f"The tensor {infinite[0][:SHOWN]!r} holds NaN or infinite values: the training went astray"
        return "NOT_FINITE", f"{said}. Try a smaller learning rate, train again, and save then."
    return "", ""


def _wrapped(loaded: Mapping[Any, Any]) -> str | None:
    """The key under which a checkpoint keeps the state_dict, if this is one."""
    import torch

    for name, value in loaded.items():
        inside = list(value.values()) if isinstance(value, dict) else []
        if isinstance(name, str) and inside and all(isinstance(one, torch.Tensor) for one in inside):
            return name
    return None


def _nested(loaded: Mapping[Any, Any], key: str) -> dict[str, str]:
    others = [repr(str(name)[:SHOWN]) for name in loaded if name != key]
    beside = f", beside {', '.join(others[:3])}" if others else ""
    problem = (
        f"It holds a checkpoint: a dictionary with the state_dict under the key {key[:SHOWN]!r}{beside}. "
        f"load_state_dict does not look inside. {HOW_TO_SAVE}"
    )
    return {"code": "NESTED_STATE_DICT", "problem": problem}


def _wrappers(state: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Words for a prefix that all names have."""
    return (words for prefix, words in WRAPPERS.items() if all(name.startswith(prefix) for name in state))


def _tensor_problem(tensor: Any) -> str:
    """Why a tensor cannot be kept, as the end of a sentence; nothing of its size is touched."""
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        return "is not a dense tensor of plain numbers"
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        return f"has the type {dtype}, which is not read here"
    spread = any(step == 0 and length > 1 for step, length in zip(tensor.stride(), tensor.shape, strict=True))
    if spread or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return f"claims the shape {tuple(tensor.shape)}, but the file does not hold so many values"
    return ""


def _size(tensor: Any) -> str:
    return f"of shape [{', '.join(map(str, tensor.shape))}]"


def _write(state: Mapping[str, Any], out: Path) -> None:
    from safetensors.torch import save_file

    plain = {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}
    save_file(plain, out, metadata={"keys": json.dumps(list(state))})


def main() -> None:
    """Inspect the file named on the command line; limits are in MiB."""
    path, out, limit, memory = sys.argv[1:]
    finding = inspect(Path(path), Path(out), int(limit) * MIB, int(memory) * MIB)
    sys.stdout.write(finding.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
