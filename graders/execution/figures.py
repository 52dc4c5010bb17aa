"""Pictures out of an executed notebook, believed by their first bytes only."""

import binascii
from pathlib import Path

from nbformat import NotebookNode

PNG_START = b"\x89PNG\r\n\x1a\n"
MAX_FIGURES = 200
MAX_FIGURE_BYTES = 4 * 2**20


def write_figures(node: NotebookNode, folder: Path) -> int:
    """Write the pictures among the outputs as `<number of the code cell>-<k>.png`, k from 1; how many there were.

    At most 200 of at most 4 MiB are written; what does not begin as a PNG file does is left out.
    """
    written = 0
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        pictures = [picture for output in cell.outputs if (picture := _picture(output))]
        for k, picture in enumerate(pictures[: MAX_FIGURES - written], 1):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}-{k}.png").write_bytes(picture)
            written += 1
    return written


def _picture(output: NotebookNode) -> bytes | None:
    text = output.get("data", {}).get("image/png")
    if not isinstance(text, str):
        return None
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        return None
    return data if data.startswith(PNG_START) and len(data) <= MAX_FIGURE_BYTES else None
