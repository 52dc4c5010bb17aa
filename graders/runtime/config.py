"""What the harness tells the runtime: the JSON file named by the environment variable LABMARK_RUNTIME."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "LABMARK_RUNTIME"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one notebook's run.

    Attributes:
        stage: Folder that the evidence is written into.
        seed: Of torch, numpy and random, before the first cell.
        reseed: Not 0: every seed means other random numbers, others for each of these numbers; for calibration.
        epochs: Epochs that one training may take; 0 means no cap.
        input_shape: Of one image, for models that were never called.
        datasets: Dotted name of a dataset class -> the root folder that replaces any root it is given.
        variables: Names whose JSON values are kept at the end.
        tensors: Names whose tensors are kept at the end.
        models: Name of a weights file -> the class whose whole pickled model it stands in for.
    """

    stage: Path
    seed: int = 0
    reseed: int = 0
    epochs: int = 0
    input_shape: tuple[int, ...] = (1, 28, 28)
    datasets: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Config":
        """Read the settings.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not JSON.
            TypeError: it has a key that is not known, or lacks `stage`.
        """
        data = json.loads(path.read_text(encoding="utf-8"))
        lists = {key: tuple(data[key]) for key in ("input_shape", "variables", "tensors") if key in data}
        return cls(**{**data, **lists, "stage": Path(data["stage"])})

    @classmethod
    def from_environment(cls) -> "Config":
        """Read the file that LABMARK_RUNTIME names.

        Raises:
            SystemExit: the variable is not set: this kernel is meant to be started by labmark.
        """
        path = os.environ.get(VARIABLE)
        if not path:
            raise SystemExit(f"{VARIABLE} names no file: this kernel is started by `labmark grade`, not by hand")
        return cls.read(Path(path))
