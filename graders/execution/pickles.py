"""Which classes a torch file would make, read off its pickle without running it."""

import pickletools
import zipfile
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
    AttributeError,
    OSError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)
TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")


def names_of_classes(path: Path) -> tuple[str, ...]:
    """Dotted names of the classes and functions that the file's pickles name, as far as they can be read."""
    found: dict[str, None] = {}
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_pickle_name(archive)) as file:
                _add_globals(file, found)
        else:
            with path.open("rb") as file:
                for _ in range(LEGACY_PICKLES):
                    _add_globals(file, found)
    except NO_PICKLE:
        pass  # what was read before stands
    return tuple(found)


def _pickle_name(archive: zipfile.ZipFile) -> str:
    for info in archive.infolist():
        if info.filename.rpartition("/")[2] == "data.pkl" and info.file_size <= MAX_PICKLE_BYTES:
            return info.filename
    raise KeyError("data.pkl")


def _add_globals(file: IO[bytes], found: dict[str, None]) -> None:
    texts: list[str] = []
    for opcode, value, _ in islice(pickletools.genops(file), MAX_OPCODES):
        if opcode.name == "GLOBAL":
            found[str(value).replace(" ", ".")] = None
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            # Its two arguments are, in files that no one has tampered with, the two texts pushed last.
            found[".".join(texts)] = None
        elif opcode.name in TEXTS:
            texts = [*texts[-1:], str(value)]
