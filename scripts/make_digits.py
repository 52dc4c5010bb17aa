"""Draw the lab's own pictures of digits: `python scripts/make_digits.py` writes them where they are committed.

Two sets, both drawn with a pen of our own (splines through jittered points; no font, no picture of anyone else):

- `reference/assets/0.PNG` to `9.PNG`: 28x28, grey, in MNIST's customs: light on dark, the digit scaled into a box of
  20x20 and placed with its centre of mass in the middle;
- `graders/lab5/data/own_images/`: pictures as students might take them, of many sizes and colours, with
  `expected.json`, which only graders read.

Everything is seeded and the files are byte for byte the same on every run: PNGs are written without compression, since
compressed bytes depend on the version of zlib.
"""

import argparse
import dataclasses
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "reference" / "assets"
OWN_IMAGES = ROOT / "graders" / "lab5" / "data" / "own_images"

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]

SIDE, BOX = 28, 20
FINE = 12  # the pen's picture is this many times finer than the 28x28 one
SAMPLES = 60  # points on the curve between two control points

# Control points (x to the right, y down, a digit is about 1 high) of each stroke of a digit.
HAND_A: dict[int, list[Points]] = {
    0: [[(0.34, 0.0), (0.08, 0.22), (0.02, 0.6), (0.2, 0.95), (0.45, 0.95), (0.64, 0.62), (0.6, 0.2), (0.34, 0.0)]],
    1: [[(0.34, 0.0), (0.31, 0.35), (0.28, 0.7), (0.26, 1.0)]],
    2: [
        [(0.06, 0.22), (0.2, 0.03), (0.46, 0.02), (0.58, 0.22), (0.46, 0.5), (0.22, 0.76), (0.03, 0.96)],
        [(0.03, 0.96), (0.3, 0.94), (0.66, 0.96)],
    ],
    3: [
        [(0.08, 0.08), (0.3, 0.0), (0.52, 0.12), (0.48, 0.34), (0.24, 0.45)],
        [(0.24, 0.45), (0.52, 0.52), (0.6, 0.74), (0.42, 0.96), (0.18, 0.98), (0.02, 0.88)],
    ],
    4: [
        [(0.14, 0.04), (0.06, 0.3), (0.04, 0.5), (0.32, 0.53), (0.68, 0.48)],
        [(0.6, 0.0), (0.57, 0.3), (0.53, 0.66), (0.5, 1.0)],
    ],
    5: [
        [(0.14, 0.02), (0.12, 0.22), (0.1, 0.42)],
        [(0.1, 0.42), (0.34, 0.38), (0.56, 0.52), (0.54, 0.8), (0.32, 0.97), (0.04, 0.92)],
        [(0.14, 0.03), (0.36, 0.02), (0.6, 0.0)],
    ],
    6: [
        [(0.48, 0.0), (0.26, 0.2), (0.1, 0.5), (0.1, 0.8), (0.3, 0.98), (0.52, 0.86)],
        [(0.52, 0.86), (0.54, 0.64), (0.36, 0.54), (0.12, 0.68)],
    ],
    7: [
        [(0.04, 0.08), (0.3, 0.06), (0.58, 0.05)],
        [(0.58, 0.05), (0.48, 0.32), (0.36, 0.64), (0.28, 1.0)],
    ],
    8: [
        [
            (0.5, 0.1),
            (0.28, 0.0),
            (0.12, 0.18),
            (0.3, 0.42),
            (0.54, 0.68),
            (0.46, 0.95),
            (0.18, 0.96),
            (0.1, 0.72),
            (0.32, 0.46),
            (0.52, 0.24),
            (0.5, 0.1),
        ]
    ],
    9: [
        [(0.52, 0.14), (0.28, 0.02), (0.08, 0.2), (0.16, 0.44), (0.4, 0.42), (0.53, 0.18)],
        [(0.53, 0.16), (0.52, 0.44), (0.46, 0.72), (0.42, 1.0)],
    ],
}
HAND_B: dict[int, list[Points]] = {
    0: [[(0.4, 0.02), (0.14, 0.12), (0.02, 0.5), (0.14, 0.88), (0.42, 0.98), (0.68, 0.8), (0.72, 0.38), (0.4, 0.02)]],
    2: [
        [(0.04, 0.26), (0.16, 0.05), (0.42, 0.0), (0.62, 0.16), (0.54, 0.42), (0.28, 0.74), (0.02, 0.98)],
        [(0.02, 0.98), (0.26, 0.94), (0.5, 0.98), (0.76, 0.95)],
    ],
    3: [
        [(0.04, 0.14), (0.22, 0.0), (0.46, 0.04), (0.5, 0.26), (0.32, 0.44), (0.2, 0.46)],
        [(0.2, 0.46), (0.46, 0.48), (0.62, 0.68), (0.52, 0.92), (0.26, 1.0), (0.0, 0.92)],
    ],
    4: [
        [(0.06, 0.06), (0.04, 0.34), (0.02, 0.52), (0.34, 0.54), (0.66, 0.5)],
        [(0.5, 0.04), (0.5, 0.4), (0.5, 0.7), (0.5, 1.0)],
    ],
    5: [
        [(0.1, 0.04), (0.08, 0.24), (0.06, 0.46), (0.3, 0.36), (0.54, 0.48), (0.58, 0.76), (0.36, 0.98), (0.02, 0.9)],
        [(0.1, 0.04), (0.34, 0.05), (0.62, 0.02)],
    ],
    6: [
        [
            (0.4, 0.0),
            (0.2, 0.26),
            (0.06, 0.6),
            (0.12, 0.92),
            (0.38, 0.98),
            (0.56, 0.8),
            (0.46, 0.58),
            (0.22, 0.6),
            (0.1, 0.78),
        ]
    ],
    7: [
        [(0.0, 0.1), (0.3, 0.04), (0.62, 0.04)],
        [(0.62, 0.04), (0.44, 0.36), (0.34, 0.66), (0.3, 1.0)],
    ],
    8: [
        [
            (0.56, 0.14),
            (0.34, 0.0),
            (0.12, 0.12),
            (0.2, 0.36),
            (0.46, 0.56),
            (0.58, 0.8),
            (0.36, 1.0),
            (0.1, 0.86),
            (0.2, 0.6),
            (0.44, 0.4),
            (0.58, 0.2),
            (0.56, 0.14),
        ]
    ],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph:
    """One picture from outside MNIST; lengths are shares of the picture's shorter side.

    Attributes:
        size: Width and height in pixels.
        height: Of the digit.
        centre: Of the digit's bounding box, as shares of width and height.
        pen: Width of the stroke.
        paper, ink: Colours, one value a channel (without alpha).
        shade: How much darker the far corner is than the near one, 0 to 1.
        noise: Largest deviation of a pixel, in grey values.
        transparent: The paper is not painted but transparent.
    """

    name: str
    digit: int
    size: tuple[int, int]
    height: float
    centre: tuple[float, float]
    pen: float
    paper: tuple[int, ...]
    ink: tuple[int, ...]
    slant: float = 0.0
    shade: float = 0.0
    noise: float = 0.0
    transparent: bool = False


PHOTOGRAPHS = (
    Photograph(
        name="picture-1.png", digit=3, size=(64, 64), height=0.62, centre=(0.5, 0.5), pen=0.08, paper=(255,), ink=(0,)
    ),
    Photograph(
        name="picture-2.png", digit=7, size=(300, 200), height=0.55, centre=(0.3, 0.6), pen=0.055, slant=0.1,
        paper=(246, 240, 222), ink=(28, 36, 110), shade=0.3, noise=6,
    ),
    Photograph(
        name="picture-3.png", digit=0, size=(120, 160), height=0.6, centre=(0.6, 0.4), pen=0.08,
        paper=(228,), ink=(60,), shade=0.2, noise=8,
    ),
    Photograph(
        name="picture-4.png", digit=5, size=(200, 200), height=0.5, centre=(0.65, 0.35), pen=0.06, slant=0.05,
        paper=(34, 52, 44), ink=(226, 230, 222), shade=0.25, noise=6,
    ),
    Photograph(
        name="picture-5.png", digit=2, size=(96, 72), height=0.7, centre=(0.4, 0.5), pen=0.075,
        paper=(255, 255, 255), ink=(150, 20, 30), transparent=True,
    ),
    Photograph(
        name="picture-6.png", digit=8, size=(150, 110), height=0.66, centre=(0.62, 0.52), pen=0.075,
        paper=(205, 196, 180), ink=(48, 44, 40), shade=0.25, noise=8,
    ),
    Photograph(
        name="picture-7.png", digit=4, size=(40, 52), height=0.66, centre=(0.5, 0.56), pen=0.09, paper=(12,), ink=(240,)
    ),
    Photograph(
        name="picture-8.png", digit=6, size=(180, 260), height=0.5, centre=(0.4, 0.65), pen=0.06, slant=0.08,
        paper=(232, 226, 230), ink=(20, 90, 60), shade=0.35, noise=10,
    ),
)  # fmt: skip


def spline(points: Floats) -> Floats:
    """Points on a Catmull-Rom spline through the control points.

    Source of the formula: E. Catmull, R. Rom, "A class of local interpolating splines", 1974, with tension 1/2.

    Args:
        points: Control points, shape (n, 2), n >= 2.

    Returns:
        Points on the curve, shape ((n - 1) * SAMPLES, 2).
    """
    around = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = (around[i : len(around) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, SAMPLES)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(curve.reshape(-1, 2), dtype=np.float64)


def handwriting(strokes: Sequence[Points], seed: int, *, slant: float = 0.0, shake: float = 0.012) -> Floats:
    """All points that the pen touches, of a digit 1 high with its bounding box at the origin: shape (n, 2)."""
    random = np.random.default_rng(seed)
    curves = [spline(np.array(stroke) + random.uniform(-shake, shake, (len(stroke), 2))) for stroke in strokes]
    pen = np.concatenate(curves)
    pen[:, 0] += slant * (1 - pen[:, 1])
    pen -= pen.min(axis=0)
    return np.asarray(pen / pen[:, 1].max(), dtype=np.float64)


def coverage(pen: Floats, width: int, height: int, thickness: float) -> Floats:
    """How much ink each pixel gets, 0 to 1: a round pen with an edge one pixel soft.

    Args:
        pen: Where the pen goes, in pixels, shape (n, 2), x before y.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        thickness: Of the stroke in pixels.

    Returns:
        Ink, shape (height, width).
    """
    columns = np.arange(width) + 0.5
    rows = np.arange(height) + 0.5
    nearest: Floats = np.full((height, width), np.inf)
    for x, y in pen:
        np.minimum(nearest, (rows[:, None] - y) ** 2 + (columns[None, :] - x) ** 2, out=nearest)
    ink: Floats = np.clip(thickness / 2 + 0.5 - np.sqrt(nearest), 0.0, 1.0)
    return ink


def shrink(picture: Floats, factor: int) -> Floats:
    """Means over squares of factor x factor pixels; both sides must be multiples of the factor."""
    rows, columns = (side // factor for side in picture.shape)
    return np.asarray(picture.reshape(rows, factor, columns, factor).mean(axis=(1, 3)), dtype=np.float64)


def mnist_like(digit: int, seed: int, *, thickness: float = 2.6) -> Bytes:
    """A digit in MNIST's customs, shape (28, 28): light on dark, in a 20x20 box, centred by mass.

    Args:
        digit: 0 to 9.
        seed: Of the handwriting.
        thickness: Of the stroke in pixels of the small picture.
    """
    pen = handwriting(HAND_A[digit], seed, slant=0.06)
    pen *= (BOX - thickness - 0.5) / pen.max()
    pen += SIDE / 2 - (pen.min(axis=0) + pen.max(axis=0)) / 2
    pen += SIDE / 2 - centre_of_mass(small_ink(pen, thickness))
    ink = small_ink(pen, thickness)
    return to_bytes(255 * ink / ink.max())


def small_ink(pen: Floats, thickness: float) -> Floats:
    """Ink on 28x28 pixels, drawn finely and then averaged; pen and thickness in pixels of the small picture."""
    return shrink(coverage(pen * FINE, SIDE * FINE, SIDE * FINE, thickness * FINE), FINE)


def centre_of_mass(ink: Floats) -> Floats:
    """The mean place of the ink, x before y, in pixels from the picture's corner: shape (2,)."""
    columns, rows = np.arange(ink.shape[1]) + 0.5, np.arange(ink.shape[0]) + 0.5
    middle: Floats = np.array([(ink.sum(axis=0) * columns).sum(), (ink.sum(axis=1) * rows).sum()]) / ink.sum()
    return middle


def to_bytes(values: Floats) -> Bytes:
    """Grey values rounded to whole numbers from 0 to 255."""
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def photograph(picture: Photograph, seed: int) -> Bytes:
    """Draw one picture from outside MNIST, shape (height, width, channels)."""
    width, height = picture.size
    side = min(picture.size)
    pen = handwriting(HAND_B[picture.digit], seed, slant=picture.slant) * picture.height * side
    pen += np.array(picture.centre) * picture.size - pen.max(axis=0) / 2
    ink = coverage(pen, width, height, picture.pen * side)[..., None]
    paper = np.array(picture.paper, dtype=np.float64)
    colours = paper * (1 - ink) + np.array(picture.ink) * ink
    if picture.transparent:
        opaque = np.broadcast_to(np.array(picture.ink, dtype=np.float64), colours.shape)
        return to_bytes(np.concatenate([opaque, 255 * ink], axis=2))
    far = (np.arange(height) / height)[:, None] + (np.arange(width) / width)[None, :]
    grain = np.random.default_rng(seed).uniform(-picture.noise, picture.noise, (height, width, 1))
    return to_bytes(colours * (1 - picture.shade * far / 2)[..., None] + grain)


def png(picture: Bytes) -> bytes:
    """The bytes of a PNG, uncompressed and therefore the same everywhere.

    Args:
        picture: Shape (height, width) or (height, width, channels) with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Source of the format: https://www.w3.org/TR/png-3/ and, for stored blocks, RFC 1951, section 3.2.4.
    """
    height, width = picture.shape[:2]
    colour = {1: 0, 3: 2, 4: 6}[picture.shape[2] if picture.ndim == 3 else 1]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], axis=1).tobytes()
    blocks = [rows[start : start + 0xFFFF] for start in range(0, len(rows), 0xFFFF)]
    data = b"\x78\x01"
    for number, block in enumerate(blocks, start=1):
        data += struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF) + block
    data += struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def expectation(picture: Photograph) -> dict[str, object]:
    """What graders expect of a picture: its digit, and whether it is dark on light and so must be inverted."""
    return {"digit": picture.digit, "inverted": sum(picture.ink) < sum(picture.paper), "size": list(picture.size)}


def write_assets(folder: Path) -> None:
    """Write `0.PNG` to `9.PNG` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        (folder / f"{digit}.PNG").write_bytes(png(mnist_like(digit, seed=100 + digit)))


def write_own_images(folder: Path) -> None:
    """Write the pictures from outside MNIST and `expected.json` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(PHOTOGRAPHS, start=1):
        (folder / picture.name).write_bytes(png(photograph(picture, seed=200 + number)))
    expected = {picture.name: expectation(picture) for picture in PHOTOGRAPHS}
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Write both sets, by default where they are committed."""
    parser = argparse.ArgumentParser(description="Draw the lab's own pictures of digits.")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder of 0.PNG to 9.PNG")
    parser.add_argument("--own-images", type=Path, default=OWN_IMAGES, help="folder of the pictures for graders")
    arguments = parser.parse_args()
    write_assets(arguments.assets)
    write_own_images(arguments.own_images)
    print(f"wrote 10 digits to {arguments.assets} and {len(PHOTOGRAPHS)} pictures to {arguments.own_images}")


if __name__ == "__main__":
    main()
