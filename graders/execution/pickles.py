"""Which classes a torch file would make, and where its tensors were, read off its pickle without running it."""

import pickletools
import re
import zipfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

MAX_PICKLE_BYTES = 32 * 2**20
MAX_OPCODES = 2_000_000
# A file of torch's older format is five pickles in a row: magic number, protocol, system, object, storage keys.
LEGACY_PICKLES = 5
# What pickletools and zipfile raise on bytes that are no pickle, or packed in a way that zipfile does not know.
NO_PICKLE = (
    ValueError,
    LookupError,
    OverflowError,
    EOFError,
    MemoryError,
    AttributeError,
    OSError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)
TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")


# How torch calls a device other than the CPU in the pickle of a tensor.
DEVICE = re.compile(r"(cuda|mps|xpu|hpu)(:\d+)?")


@dataclass
class _Seen:
    """What was read off pickles, in order: names of classes, and of devices."""

    classes: dict[str, None] = field(default_factory=dict)
    devices: dict[str, None] = field(default_factory=dict)


def names_of_classes(path: Path) -> tuple[str, ...]:
    """Dotted names of the classes and functions that the file's pickles name, as far as they can be read."""
    return tuple(_look(path).classes)


def names_of_devices(path: Path) -> tuple[str, ...]:
    """Devices other than the CPU that the file's pickles name ("cuda:0"), as far as they can be read."""
    return tuple(_look(path).devices)


def _look(path: Path) -> _Seen:
    seen = _Seen()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_pickle_name(archive)) as file:
                _read(file, seen)
        else:
            with path.open("rb") as file:
                for _ in range(LEGACY_PICKLES):
                    _read(file, seen)
    except NO_PICKLE:
        pass  # what was read before stands
    return seen


def _pickle_name(archive: zipfile.ZipFile) -> str:
    for info in archive.infolist():
        if info.filename.rpartition("/")[2] == "data.pkl" and info.file_size <= MAX_PICKLE_BYTES:
            return info.filename
    raise KeyError("data.pkl")


def _read(file: IO[bytes], seen: _Seen) -> None:
    texts: list[str] = []
    for opcode, value, _ in islice(pickletools.genops(file), MAX_OPCODES):
        if opcode.name == "GLOBAL":
            seen.classes[str(value).replace(" ", ".")] = None
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            # Its two arguments are, in files that no one has tampered with, the two texts pushed last.
            seen.classes[".".join(texts)] = None
        elif opcode.name in TEXTS:
            texts = [*texts[-1:], str(value)]
            if DEVICE.fullmatch(texts[-1]):
                seen.devices[texts[-1]] = None
