"""What the tests of the lab's content share: the drawing script and the reference's own code."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from graders.lab import load_lab
from graders.notebooks import solved_notebook
from graders.notebooks.cells import grade_id

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def make_digits() -> ModuleType:
    """The script `scripts/make_digits.py` as a module."""
    spec = importlib.util.spec_from_file_location("make_digits", ROOT / "scripts" / "make_digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_digits"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def part_two(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Names of the second reference notebook, run up to `load_own_image` on the reference's weights."""
    lab = load_lab()
    folder = tmp_path_factory.mktemp("part-2")
    for name in lab.assets:
        (folder / name).write_bytes((lab.root / "assets" / name).read_bytes())
    weights = lab.root / lab.handoffs[0].reference
    (folder / lab.handoffs[0].file).write_bytes(weights.read_bytes())
    node = solved_notebook(lab, lab.notebook("5_2_Loading.ipynb"))
    names: dict[str, object] = {"__name__": "part_two"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MPLBACKEND", "agg")
        for cell in node.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, str(grade_id(cell)), "exec"), names)  # our own reference, not a stranger's
    return SimpleNamespace(**names)
