"""The template: what goes, what stays, what is refused."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from graders.errors import LabError
from graders.lab import Lab
from graders.notebooks.cells import checksum, grade_id, is_solution, schema_faults
from graders.notebooks.release import (
    build_template,
    notebook_bytes,
    solved_notebook,
    stale_files,
    template_notebook,
)
from graders.notebooks.strip import is_stub

from .conftest import cell, tiny_cells, write_lab


def test_solutions_tests_outputs_and_counts_go(tiny: Lab) -> None:
    """What is secret or of yesterday is not in the template; given text and code are."""
    node = template_notebook(tiny, tiny.notebooks[0])
    sources = {grade_id(one): one.source for one in node.cells}
    assert sources["question"] == "YOUR ANSWER HERE"
    assert sources["program"] == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert sources["test"] == "assert double(1) == 2"
    assert sources["setup"] == "import math"
    assert all(one.outputs == [] and one.execution_count is None for one in node.cells if one.cell_type == "code")


def test_checksums_and_locks_are_nbgraders(tiny: Lab) -> None:
    """Every cell with an id has its checksum; given ones cannot be edited, none deleted."""
    for one in template_notebook(tiny, tiny.notebooks[0]).cells:
        assert one.metadata.nbgrader.checksum == checksum(one)
        assert one.metadata.deletable is False
        assert one.metadata.get("editable", True) is is_solution(one)


def test_the_template_is_written_with_its_assets(tiny: Lab, tmp_path: Path) -> None:
    """Notebooks and pictures lie side by side, and the notebook is what was made in memory."""
    written = build_template(tiny, tmp_path / "out")
    assert [path.name for path in written] == ["tiny.ipynb", "picture.png"]
    data = (tmp_path / "out" / "tiny.ipynb").read_bytes()
    assert data == notebook_bytes(template_notebook(tiny, tiny.notebooks[0]))
    assert data.endswith(b"}\n")
    nbformat.validate(json.loads(data))


def test_building_twice_gives_the_same_bytes_and_keeps_other_files(tiny: Lab, tmp_path: Path) -> None:
    """A release can be repeated; a file that is not part of it stays, and nothing temporary is left."""
    (tmp_path / "mine.txt").write_text("kept")
    first = [path.read_bytes() for path in build_template(tiny, tmp_path)]
    assert [path.read_bytes() for path in build_template(tiny, tmp_path)] == first
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "picture.png", "reference", "tiny.ipynb"}


def test_stale_names_what_differs(tiny: Lab, tmp_path: Path) -> None:
    """A differing, a missing and an extra file each have their clause; a fresh folder has none."""
    out = tmp_path / "out"
    build_template(tiny, out)
    assert stale_files(tiny, out) == []
    (out / "tiny.ipynb").write_text("old")
    (out / "picture.png").unlink()
    (out / "extra.txt").write_text("?")
    assert stale_files(tiny, out) == [
        "tiny.ipynb is not what reference/ gives today",
        "picture.png is missing",
        "extra.txt is not part of the template",
    ]


def test_a_folder_that_is_not_there_is_stale(tiny: Lab, tmp_path: Path) -> None:
    """Everything is missing."""
    assert stale_files(tiny, tmp_path / "nowhere") == ["tiny.ipynb is missing", "picture.png is missing"]


def test_a_perfect_submission_has_solutions_and_no_markers(tiny: Lab) -> None:
    """It is what a student with full marks hands in."""
    sources = [one.source for one in solved_notebook(tiny, tiny.notebooks[0]).cells]
    assert sources[1] == "32, a secret"
    assert sources[4] == "def double(x):\n    return 2 * x"
    assert sources[5] == "assert double(1) == 2"


def changed(name: str, **changes: Any) -> list[dict[str, Any]]:
    """The tiny notebook with one cell changed."""
    cells = tiny_cells()
    for one in cells:
        if one["id"] == name:
            one["metadata"]["nbgrader"].update(changes.pop("meta", {}))
            one.update(changes)
    return cells


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (changed("setup", source="### BEGIN SOLUTION\n### END SOLUTION"), "a cell that is no answer"),
        (changed("program", source="### BEGIN SOLUTION\nx"), "without an END"),
        (changed("setup", source="### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"), "a cell that is not graded"),
        (changed("question", meta={"grade_id": "other"}), "task question of lab.toml has no answer cell"),
        (changed("question", meta={"grade_id": "other"}), "answer cell other is no task"),
        (changed("question", cell_type="code", outputs=[], execution_count=None), "is written, its cell is code"),
        (changed("setup", meta={"schema_version": 2}), "schema_version is 2"),
        ([*tiny_cells(), cell("code", "setup", "1")], "setup occurs twice"),
        ([tiny_cells()[4], *tiny_cells()[:4]], "stand in the order program, question"),
    ],
)
def test_a_wrong_reference_is_refused(tmp_path: Path, cells: list[dict[str, Any]], expected: str) -> None:
    """The error names the notebook and the rule, and nothing is written."""
    lab = write_lab(tmp_path / "reference", cells)
    with pytest.raises(LabError, match=expected) as caught:
        build_template(lab, tmp_path / "out")
    assert "tiny.ipynb" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_reference_or_asset_is_told(tmp_path: Path) -> None:
    """Both name the file."""
    lab = write_lab(tmp_path, tiny_cells())
    (tmp_path / "assets" / "picture.png").unlink()
    with pytest.raises(LabError, match=r"assets/picture\.png is not there"):
        build_template(lab, tmp_path / "out")
    (tmp_path / "tiny.ipynb").unlink()
    with pytest.raises(LabError, match="reference notebook is not there"):
        build_template(lab, tmp_path / "out")


def test_a_damaged_reference_is_the_operators_error(tmp_path: Path) -> None:
    """A reference that cannot be read is a LabError, not a student's fault."""
    lab = write_lab(tmp_path, tiny_cells())
    (tmp_path / "tiny.ipynb").write_text("{")
    with pytest.raises(LabError, match="line 1"):
        template_notebook(lab, lab.notebooks[0])


def test_the_labs_own_template_keeps_every_rule(lab: Lab) -> None:
    """In every notebook each task is a stub, no marker is left, and nbgrader's rules hold."""
    for spec in lab.notebooks:
        node = template_notebook(lab, spec)
        text = notebook_bytes(node).decode()
        assert not any(marker in text for marker in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS"))
        assert schema_faults(node) == []
        answers = [one for one in node.cells if is_solution(one)]
        assert [grade_id(one) for one in answers] == [task.id for task in spec.tasks]
        for one in answers:
            lines = one.source.split("\n")
            assert is_stub(one.source) or any(is_stub(line) for line in lines if line.strip())
