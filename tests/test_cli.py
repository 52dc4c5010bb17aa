"""The `labmark` command as a user meets it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graders.cli import main
from graders.records import Outcome


def labmark(*words: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("command", [(), ("grade",), ("regrade",), ("release",), ("doctor",), ("schema",)])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """--help of the program and of each command leaves with 0 and says more than its options."""
    result = labmark(*command, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_a_missing_folder_is_told_in_one_line(tmp_path: Path) -> None:
    """A folder of submissions that is not there: exit code 2, one line, no traceback, nothing written."""
    result = labmark("grade", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "nowhere" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_empty_class_is_told_in_one_line(tmp_path: Path) -> None:
    """A folder without student folders is an operator's error, not a class of nobody."""
    (tmp_path / "class").mkdir()
    result = labmark("grade", tmp_path / "class", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--profile", "slow"), "slow"),
        (("--only", "bob"), "bob"),
        (("--profile", "full"), "fetch_mnist.py"),
        (("--lab", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_an_operators_slip_names_its_remedy(
    tmp_path: Path, options: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong profile, an unknown student, missing data, a missing lab: one line that names it, exit code 2."""
    monkeypatch.delenv("LABMARK_DATA", raising=False)
    (tmp_path / "class" / "ann").mkdir(parents=True)
    result = labmark("grade", tmp_path / "class", "-o", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr


def test_regrade_needs_a_run(tmp_path: Path) -> None:
    """Without a finished run there is nothing to grade again, and the line says what makes one."""
    result = labmark("regrade", tmp_path)
    assert result.exit_code == 2
    assert "labmark grade" in result.stderr


def test_the_committed_template_is_fresh() -> None:
    """student_template/ is what the reference gives today."""
    result = labmark("release", "--check")
    assert result.exit_code == 0, result.output


def test_a_stale_template_fails_the_check(tmp_path: Path) -> None:
    """One changed byte is enough, the file is named, and the remedy is the command itself."""
    assert labmark("release", "-o", tmp_path).exit_code == 0
    notebook = next(tmp_path.glob("*.ipynb"))
    notebook.write_text(notebook.read_text(encoding="utf-8") + " ", encoding="utf-8")
    result = labmark("release", "--check", "-o", tmp_path)
    assert result.exit_code == 2
    assert notebook.name in result.stderr
    assert "labmark release" in result.stderr


def test_schema_of_one_record() -> None:
    """A name gives that record's JSON Schema; an unknown name the list of known ones."""
    assert "checks" in json.loads(labmark("schema", "labmark/result/1").stdout)["properties"]
    assert "labmark/run/1" in json.loads(labmark("schema").stdout)
    wrong = labmark("schema", "labmark/none/1")
    assert wrong.exit_code == 2
    assert "labmark/result/1" in wrong.stderr


def test_a_class_without_notebooks_is_marked_all_the_same(tmp_path: Path) -> None:
    """A student who handed in nothing gets a result and a report, 0 points, and a bar for CI exits with 1."""
    name = "Zoë, 王芳 'x"
    (tmp_path / "class" / name).mkdir(parents=True)
    (tmp_path / "class" / "bob").mkdir()
    (tmp_path / "class" / "bob" / "5_1_CNN.ipynb").write_bytes(b"\xff\xfe not a notebook")
    result = labmark("grade", tmp_path / "class", "-o", tmp_path / "out", "--fail-under", "1", "--jobs", "1")
    assert result.exit_code == 1, result.output
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert {line["id"]: (line["status"], line["score"]) for line in run["students"]} == {
        name: ("unreadable", 0),
        "bob": ("unreadable", 0),
    }
    for line in run["students"]:
        assert (tmp_path / "out" / line["report"]).is_file()
    found = json.loads((tmp_path / "out" / "students" / name / "result.json").read_text(encoding="utf-8"))
    assert {check["outcome"] for check in found["checks"]} == {Outcome.NOT_ATTEMPTED.value}
    other = labmark("grade", tmp_path / "class", "-o", tmp_path / "out", "--profile", "standard")
    assert other.exit_code == 2
    assert "--fresh" in other.stderr
