"""What a weights file holds, found out in a process of its own: `python -m graders.execution.weights FILE OUT LIMIT`.

A weights file is a stranger's pickle. It is opened by `torch.load(weights_only=True)` only, and only in this process,
under a memory limit. What is a plain state_dict is written anew as safetensors; everything else is described in a
sentence. The process prints one line of JSON, a `Finding`.
"""

import json
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from graders.execution.pickles import names_of_classes
from graders.execution.processes import limit_memory
from graders.records import Record

ZIP_START = b"PK\x03\x04"
MODULE_START = "torch.nn.modules."
MIB = 2**20
MAX_TENSORS = 10_000
MAX_NAME = 500
# Of dtypes that safetensors and numpy both know.
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")

HOW_TO_SAVE = "Save the state_dict: torch.save(model.state_dict(), FILE)."


class Finding(Record):
    """What a weights file turned out to be; the fields are those of `graders.evidence.FileEntry`."""

    kind: Literal["state_dict", "module", "other", "unreadable"]
    problem: str = ""
    legacy: bool = False


def inspect(path: Path, out: Path, limit: int, memory: int) -> Finding:
    """Open a weights file and write its tensors as safetensors if it is a plain state_dict.

    Args:
        path: The file; regular, and small enough to be read.
        out: Where the tensors go; the order of the file's keys is kept in its metadata under "keys", as a JSON list.
        limit: Bytes that all tensors may have together.
        memory: Bytes of address space that opening the file may take.
    """
    with path.open("rb") as file:
        legacy = file.read(len(ZIP_START)) != ZIP_START
    if path.stat().st_size == 0:
        return Finding(kind="unreadable", problem="The file is empty.")
    names = names_of_classes(path)
    if any(name.startswith(MODULE_START) for name in names):
        problem = f"It holds a whole pickled model, not a state_dict. {HOW_TO_SAVE}"
        return Finding(kind="module", problem=problem, legacy=legacy)
    import torch  # late: it takes seconds, and whole models are told without it

    limit_memory(memory)
    try:
        with warnings.catch_warnings(action="ignore"):  # of old formats: they are told as `legacy`
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        return Finding(kind="other", problem="It asks for more memory than a file of its size can hold.", legacy=legacy)
    except Exception as error:  # noqa: BLE001 - torch.load raises whatever a stranger's bytes provoke
        return _refused(names, error, legacy)
    problem = _problem(loaded, limit)
    if problem:
        return Finding(kind="other", problem=problem, legacy=legacy)
    _write(loaded, out)
    return Finding(kind="state_dict", legacy=legacy)


def _refused(names: tuple[str, ...], error: Exception, legacy: bool) -> Finding:
    """Say why torch did not open the file."""
    if "allocate" in str(error):
        problem = "It asks for more memory than a file of its size can hold."
        return Finding(kind="other", problem=problem, legacy=legacy)
    strange = [name for name in names if not name.startswith(("torch.", "torch._utils", "collections."))]
    if strange:
        shown = ", ".join(strange[:3])
        return Finding(kind="other", problem=f"It holds objects ({shown}) beside tensors. {HOW_TO_SAVE}", legacy=legacy)
    return Finding(kind="unreadable", problem="torch cannot read it: it is not a weights file, or it is damaged.")


def _problem(loaded: Any, limit: int) -> str:
    """Why this is not a plain state_dict of at most `limit` bytes; empty if it is."""
    import torch

    if isinstance(loaded, torch.Tensor):
        return f"It holds a single tensor, not a state_dict. {HOW_TO_SAVE}"
    if not isinstance(loaded, dict):
        return f"It holds a {type(loaded).__name__}, not a state_dict. {HOW_TO_SAVE}"
    if not loaded:
        return f"It holds an empty dict: no tensor was saved. {HOW_TO_SAVE}"
    inner = _wrapped(loaded)
    if inner is not None:
        return f"It holds a checkpoint with the state_dict under the key {inner!r}, not the state_dict. {HOW_TO_SAVE}"
    if len(loaded) > MAX_TENSORS:
        return f"It holds {len(loaded)} entries; at most {MAX_TENSORS} are read."
    size = 0
    for name, tensor in loaded.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
            return f"It has a key that names no parameter ({str(name)[:40]!r}). {HOW_TO_SAVE}"
        if not isinstance(tensor, torch.Tensor):
            return f"Under {name!r} it holds an entry of type {type(tensor).__name__}, not a tensor. {HOW_TO_SAVE}"
        problem = _tensor_problem(tensor)
        if problem:
            return f"The tensor {name!r} {problem}."
        size += tensor.numel() * tensor.element_size()
        if size > limit:
            return f"Its tensors have more than {limit // MIB} MiB together."
    infinite = [name for name, tensor in loaded.items() if not bool(torch.isfinite(tensor).all())]
    return f"The tensor {infinite[0]!r} holds NaN or infinite values." if infinite else ""


def _wrapped(loaded: Mapping[Any, Any]) -> str | None:
    """The key under which a checkpoint keeps the state_dict, if this is one."""
    import torch

    for name, value in loaded.items():
        if isinstance(value, dict) and value and all(isinstance(one, torch.Tensor) for one in value.values()):
            return str(name)[:40]
    return None


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


def _write(loaded: Mapping[str, Any], out: Path) -> None:
    from safetensors.torch import save_file

    plain = {name: tensor.detach().contiguous().clone() for name, tensor in loaded.items()}
    save_file(plain, out, metadata={"keys": json.dumps(list(loaded))})


def main() -> None:
    """Inspect the file named on the command line; limits are in MiB."""
    path, out, limit, memory = sys.argv[1:]
    finding = inspect(Path(path), Path(out), int(limit) * MIB, int(memory) * MIB)
    sys.stdout.write(finding.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
