"""The lab's own pictures: drawn the same every time, and in the shape that the lab promises."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from graders.lab import load_lab

LAB = load_lab()
ASSETS = LAB.root / "assets"
OWN_IMAGES = LAB.folder / "data" / "own_images"
EXPECTED = json.loads((OWN_IMAGES / "expected.json").read_text(encoding="utf-8"))


def opened(path: Path) -> Image.Image:
    """A picture, its file closed again."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def grey(picture: Image.Image) -> NDArray[np.float64]:
    """A picture as grey values, rows by columns."""
    return np.asarray(picture.convert("L"), dtype=np.float64)


def test_committed_pictures_are_what_the_script_draws(make_digits: ModuleType, tmp_path: Path) -> None:
    """Drawing anew gives the committed files, byte for byte, and no other files."""
    make_digits.write_assets(tmp_path / "assets")
    make_digits.write_own_images(tmp_path / "own")
    for drawn, committed in ((tmp_path / "assets", ASSETS), (tmp_path / "own", OWN_IMAGES)):
        assert sorted(path.name for path in drawn.iterdir()) == sorted(path.name for path in committed.iterdir())
        assert all(path.read_bytes() == (committed / path.name).read_bytes() for path in drawn.iterdir())


def test_assets_are_those_of_the_lab() -> None:
    """The folder of assets holds the files that lab.toml names."""
    assert sorted(path.name for path in ASSETS.iterdir()) == sorted(LAB.assets)


@pytest.mark.parametrize("name", LAB.assets)
def test_digit_follows_mnist(name: str) -> None:
    """A digit is 28x28, grey, light on black, within a box of 20x20, its centre of mass in the middle."""
    picture = opened(ASSETS / name)
    assert (picture.size, picture.mode, picture.format) == ((28, 28), "L", "PNG")
    ink = grey(picture)
    assert [ink.min(), np.median(ink), ink.max()] == [0, 0, 255]
    # The box need not lie on whole pixels, so a faint edge may touch one more.
    assert max(int(np.ptp(places)) + 1 for places in np.nonzero(ink > 64)) in (19, 20)
    rows, columns = np.indices(ink.shape)
    assert (rows * ink).sum() / ink.sum() == pytest.approx(13.5, abs=0.05)
    assert (columns * ink).sum() / ink.sum() == pytest.approx(13.5, abs=0.05)


def test_own_images_are_varied() -> None:
    """Grey, colour and transparency, both polarities, eight sizes, no digit twice, names that tell nothing."""
    pictures = {name: opened(OWN_IMAGES / name) for name in EXPECTED}
    assert {picture.mode for picture in pictures.values()} == {"L", "RGB", "RGBA"}
    assert {entry["inverted"] for entry in EXPECTED.values()} == {True, False}
    assert len({picture.size for picture in pictures.values()}) == len(EXPECTED) == 8
    assert len({entry["digit"] for entry in EXPECTED.values()}) == len(EXPECTED)
    assert list(EXPECTED) == [f"picture-{number}.png" for number in range(1, 9)]


@pytest.mark.parametrize("name", EXPECTED)
def test_expectation_agrees_with_the_picture(name: str) -> None:
    """`inverted` says whether the ink is darker than the border; `size` is the picture's."""
    picture = opened(OWN_IMAGES / name)
    assert EXPECTED[name]["size"] == list(picture.size)
    sheet = Image.new("RGBA", picture.size, "white")
    shades = grey(Image.alpha_composite(sheet, picture.convert("RGBA")))
    border = np.median(np.concatenate([shades[0], shades[-1], shades[:, 0], shades[:, -1]]))
    farthest = shades.flat[np.abs(shades - border).argmax()]
    assert EXPECTED[name]["inverted"] == (farthest < border)


@pytest.mark.parametrize("name", EXPECTED)
def test_own_digit_keeps_off_the_border(make_digits: ModuleType, name: str) -> None:
    """Students may rely on a border without ink."""
    (picture,) = [one for one in make_digits.PHOTOGRAPHS if one.name == name]
    silent = make_digits.dataclasses.replace(picture, noise=0.0, shade=0.0, transparent=False)
    drawn = make_digits.photograph(silent, seed=200 + make_digits.PHOTOGRAPHS.index(picture) + 1)
    edges = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
    assert (edges == np.array(picture.paper)).all()


@given(points=arrays(np.float64, st.tuples(st.integers(2, 8), st.just(2)), elements=st.floats(-2, 2)))
def test_spline_goes_through_its_points(make_digits: ModuleType, points: NDArray[np.float64]) -> None:
    """A curve starts and ends where it should and touches every control point between."""
    curve = make_digits.spline(points)
    assert curve.shape == ((len(points) - 1) * make_digits.SAMPLES, 2)
    np.testing.assert_allclose(curve[:: make_digits.SAMPLES], points[:-1], atol=1e-9)
    np.testing.assert_allclose(curve[-1], points[-1], atol=1e-9)


@given(
    picture=arrays(
        np.uint8,
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])),
        elements=st.integers(0, 255),
    )
)
def test_png_says_what_was_drawn(
    make_digits: ModuleType, tmp_path_factory: pytest.TempPathFactory, picture: NDArray[np.uint8]
) -> None:
    """An independent reader finds in the file the pixels that went in."""
    path = tmp_path_factory.mktemp("png") / "picture.png"
    path.write_bytes(make_digits.png(picture))
    np.testing.assert_array_equal(np.asarray(opened(path)).reshape(picture.shape), picture)


def test_png_spans_several_blocks(make_digits: ModuleType, tmp_path: Path) -> None:
    """A picture larger than one stored block, 65,535 bytes, comes back whole."""
    picture = np.random.default_rng(0).integers(0, 256, (300, 301, 3), dtype=np.uint8)
    path = tmp_path / "large.png"
    path.write_bytes(make_digits.png(picture))
    np.testing.assert_array_equal(np.asarray(opened(path)), picture)
