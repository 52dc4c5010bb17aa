"""The student's functions called on our own inputs after the last cell: probes.json and probes.safetensors."""

from pathlib import PurePath
from typing import Any

import torch

from .guard import one_line
from .session import Session, Spy
from .tensors import as_tensor, size

MAX_BYTES = 2**20


class Probes(Spy):
    """Calls named functions of the namespace, one input at a time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.probes: list[dict[str, Any]] = []
        self.tensors: dict[str, torch.Tensor] = {}

    def run(self, requests: list[dict[str, Any]]) -> None:
        """Call `[{"function": name, "inputs": [path, ...]}, ...]` and keep what comes back.

        A record's `input` is the file name of the path. A tensor is `ok`; an array, a picture or a list of numbers is
        `wrong-type` but kept too; an exception (SystemExit included) is `error`.
        """
        for request in requests:
            function = self.session.namespace().get(request["function"])
            for path in request["inputs"]:
                self.dirty = True
                found = self._call(function, path)
                self.probes.append({"function": request["function"], "input": PurePath(path).name, **found})

    def _call(self, function: Any, path: str) -> dict[str, Any]:
        if function is None:
            return {"status": "missing"}
        if not callable(function):
            return {"status": "wrong-type", "type_name": type(function).__name__}
        try:
            with self.session.hush():
                result = function(path)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the student's function may raise anything
            return {"status": "error", "error": one_line(f"{type(error).__name__}: {error}")}
        return self._keep(result)

    def _keep(self, result: Any) -> dict[str, Any]:
        name = type(result).__name__
        tensor = None if result is None else as_tensor(result)
        if tensor is None:
            return {"status": "wrong-type", "type_name": name}
        if size(tensor) > MAX_BYTES:
            error = f"returned {size(tensor)} bytes; at most {MAX_BYTES} are kept"
            return {"status": "wrong-type", "type_name": name, "error": error}
        key = f"p{len(self.tensors)}"
        self.tensors[key] = tensor
        status = "ok" if isinstance(result, torch.Tensor) else "wrong-type"
        return {"status": status, "type_name": name, "tensor": key}

    def write(self) -> None:
        """Write both files."""
        self.session.stage.json("probes.json", {"schema": "labmark/probes/1", "probes": self.probes})
        self.session.stage.tensors("probes.safetensors", self.tensors)
