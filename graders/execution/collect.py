"""Carries evidence out of the kernel's reach: named files only, each one checked.

The kernel's runtime wrote into the stage, the notebook into its work folder; the student's code could write into
both. What is carried out is still a student's word, but it is plain files within limits, and nothing else.
"""

import os
import re
from pathlib import Path

from graders.evidence.reader import MAX_JSON_BYTES, MAX_TENSOR_BYTES
from graders.execution.files import NOT_FOUND, Copied, RefusedFile, copy_out, open_folder

STAGE_FILES = (
    "variables.json",
    "tensors.safetensors",
    "inputs.safetensors",
    "trials.json",
    "trained_images.safetensors",
    "drawn.json",
    "drawn.safetensors",
    "probes.json",
    "probes.safetensors",
    "shims.json",
)
MODELS = "models"
MODELS_INDEX = "index.json"
MODEL_FILES = ("model.json", "graph.json", "weights.safetensors")
# The number of a state: no leading zeros, so that no two names mean the same.
NUMBER = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
MAX_MODELS = 256
MAX_STAGE_BYTES = 2 * 2**30


class Collector:
    """Copies whitelisted names from one folder tree to another.

    Attributes:
        refused: What was not taken, with the reason; names that are not there are no matter.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._room = MAX_STAGE_BYTES
        self.refused: dict[str, str] = {}

    def stage(self, stage: Path) -> None:
        """Take what the runtime has written."""
        try:
            with open_folder(stage) as folder:
                for name in STAGE_FILES:
                    self._take(folder, name, name)
                self._models(folder)
        except RefusedFile as reason:
            self._refuse("stage", reason)

    def _models(self, stage: int) -> None:
        try:
            with open_folder(MODELS, stage) as models:
                self._take(models, MODELS_INDEX, f"{MODELS}/{MODELS_INDEX}")
                names = os.listdir(models)  # noqa: PTH208 - pathlib cannot list an open folder
                numbers = sorted(int(name) for name in names if NUMBER.fullmatch(name))
                if len(numbers) > MAX_MODELS:
                    self.refused[MODELS] = f"{len(numbers)} states of models were left, the first {MAX_MODELS} are kept"
                for number in numbers[:MAX_MODELS]:
                    self._model(models, str(number))
        except RefusedFile as reason:
            self._refuse(MODELS, reason)

    def _model(self, models: int, number: str) -> None:
        try:
            with open_folder(number, models) as folder:
                for name in MODEL_FILES:
                    self._take(folder, name, f"{MODELS}/{number}/{name}")
        except RefusedFile as reason:
            self._refuse(f"{MODELS}/{number}", reason)

    def work(self, work: Path, name: str, shown: str, limit: int) -> Copied | None:
        """Take one file that the notebook has written, of at most `limit` bytes; None where it is not taken."""
        try:
            with open_folder(work) as folder:
                return copy_out(folder, name, self._target / shown, limit)
        except RefusedFile as reason:
            self._refuse(name, reason)
            return None

    def _take(self, folder: int, name: str, shown: str) -> None:
        own = MAX_JSON_BYTES if name.endswith(".json") else MAX_TENSOR_BYTES
        try:
            copied = copy_out(folder, name, self._target / shown, min(own, self._room))
        except RefusedFile as reason:
            self._refuse(shown, reason)
        else:
            self._room -= copied.size

    def _refuse(self, shown: str, reason: RefusedFile) -> None:
        if str(reason) != NOT_FOUND:
            self.refused[shown] = str(reason)
