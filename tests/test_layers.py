"""The house rules that a reader can check by looking: layers, what the kernel sees, what the command imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graders.lab import PACKAGE

FLOOR = ("errors", "records", "lab", "idx", "evidence", "calibrated")
ORDER = (
    "notebooks", "intake", "runtime", "execution", "models", "grading", "lab5", "reports", "exports", "engines",
    "verification", "calibration",
)  # fmt: skip
TOP = ("cli", "console", "doctor", "schemas")
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def part(path: Path) -> str:
    """The part that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The parts of labmark that a module imports, wherever in the module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "graders":
            names.update(f"graders.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("graders.")} - {"__version__"}


def allowed(name: str) -> set[str]:
    """The parts that a part may import."""
    if name == "runtime":
        return {"runtime"}
    if name in FLOOR:
        return set(FLOOR[: FLOOR.index(name) + 1])
    if name in TOP or name == "__init__":
        return {*FLOOR, *ORDER, *TOP}
    return {*FLOOR, *ORDER[: ORDER.index(name) + 1]}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_part_imports_only_the_parts_above_it(path: Path) -> None:
    """No module imports a part that stands below its own in the design's list."""
    assert imported_parts(path) <= allowed(part(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small(path: Path) -> None:
    """No module grows beyond 400 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) != "lab5"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_engine_names_nothing_of_the_lab(path: Path) -> None:
    """Classes, files and check ids of lab 5 occur only in its own folder."""
    found = re.findall(
        r"BetterCNN|SimpleCNN|BranchModel|OwnNet|bettercnn|5_[1-4]_\w+|\"5\.\d/", path.read_text("utf-8")
    )
    assert found == []


def test_the_command_starts_without_torch() -> None:
    """`labmark --help` imports neither torch nor matplotlib, so that it is quick."""
    code = (
        "import sys; from click.testing import CliRunner; from graders.cli import main; "
        "r = CliRunner().invoke(main, ['--help']); assert r.exit_code == 0, r.output; "
        "print(sorted({'torch', 'matplotlib', 'papermill'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
