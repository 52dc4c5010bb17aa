"""Files that are no weights of torch's at all, told by their first bytes and the names in their archive."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from graders.execution.pickles import NO_PICKLE

HOW_TO_SAVE = "Save the state_dict: torch.save(model.state_dict(), FILE)."
ZIP_START = b"PK\x03\x04"
HEAD = 4096
SHOWN = 40
MAX_ENTRIES = 100_000
# https://huggingface.co/docs/safetensors: 8 bytes of length, then a header of JSON.
SAFETENSORS_LENGTH = 8

STARTS = {
    b"\x93NUMPY": ("NUMPY_SAVED", f"It holds a numpy array (np.save), not a state_dict. {HOW_TO_SAVE}"),
    b"\x89HDF": ("HDF5_SAVED", f"It is an HDF5 file, as Keras writes them; torch cannot read it. {HOW_TO_SAVE}"),
    b"\x1f\x8b": ("COMPRESSED_FILE", "It was compressed (gzip). Hand in the very file that torch.save wrote."),
    b"\x89PNG": ("PICTURE_SAVED", f"It is a picture (PNG), not a weights file. {HOW_TO_SAVE}"),
}


@dataclass(frozen=True)
class Foreign:
    """What a file is instead: a stable code, and a sentence with the remedy."""

    code: str
    problem: str


def foreign(path: Path) -> Foreign | None:
    """What a file is that is none of torch.save's; None where it may be one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\0"):
        said = "It is empty (0 bytes)" if not size else "It begins with nothing but zeros"
        return Foreign("EMPTY_FILE", f"{said}: saving was cut off, or the disk was full. {HOW_TO_SAVE}")
    for start, found in STARTS.items():
        if head.startswith(start):
            return Foreign(*found)
    if head.startswith(ZIP_START):
        return _archive(path)
    if _is_safetensors(head, size):
        problem = f"It is a safetensors file, which torch.load cannot open. {HOW_TO_SAVE}"
        return Foreign("SAFETENSORS_SAVED", problem)
    text = _text(head)
    if text:
        return Foreign("TEXT_SAVED", f'It is a text that begins with "{text}", not a weights file. {HOW_TO_SAVE}')
    return None


def _archive(path: Path) -> Foreign | None:
    """Of zip archives: those that are cut off, and those that torch.save did not write."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()[:MAX_ENTRIES]]
    except NO_PICKLE:
        problem = (
            "It is damaged: it begins as torch.save begins a file, but its end is missing. Save and copy it again."
        )
        return Foreign("DAMAGED_FILE", problem)
    if any("/code/" in name or name.endswith(("/constants.pkl", "/archive_format")) for name in names):
        problem = f"It holds a compiled program (torch.jit or torch.export), not a state_dict. {HOW_TO_SAVE}"
        return Foreign("PROGRAM_SAVED", problem)
    if names and all(name.endswith(".npy") for name in names):
        return Foreign("NUMPY_SAVED", f"It holds numpy arrays (np.savez), not a state_dict. {HOW_TO_SAVE}")
    if not any(name.endswith("data.pkl") for name in names):
        problem = f"It is a zip archive that torch.save did not write. {HOW_TO_SAVE}"
        return Foreign("ARCHIVE_SAVED", problem)
    return None


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:SAFETENSORS_LENGTH], "little")
    return length <= size - SAFETENSORS_LENGTH and head[SAFETENSORS_LENGTH:].lstrip().startswith(b"{")


def _text(head: bytes) -> str:
    """The first words of a text; empty if it is none."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else the last character was cut in two
            return ""
        text = head[: error.start].decode("utf-8")
    line = " ".join(text.split())
    if not line.isprintable() or not line:
        return ""
    shown = line[:SHOWN] + ("..." if len(line) > SHOWN else "")
    return json.dumps(shown, ensure_ascii=False)[1:-1]
