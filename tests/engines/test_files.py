"""Writing and reading a run's records."""

from pathlib import Path

import pytest

from graders.engines.files import read_result, read_run, to_json, write_atomically
from tests.factory import make_check, make_result


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """Text that cannot be encoded never replaces what was there."""
    path = tmp_path / "result.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"


def test_folders_are_made_on_the_way(tmp_path: Path) -> None:
    """The first record of a student makes the student's folder."""
    write_atomically(tmp_path / "students" / "a" / "result.json", "{}")
    assert (tmp_path / "students" / "a" / "result.json").read_text() == "{}"


@pytest.mark.parametrize("text", [None, "", "{", '{"schema": "labmark/result/2"}'])
def test_what_cannot_be_read_counts_as_not_there(tmp_path: Path, text: str | None) -> None:
    """A missing, torn or foreign result means that the work is to be done."""
    if text is not None:
        (tmp_path / "result.json").write_text(text)
        (tmp_path / "run.json").write_text(text)
    assert read_result(tmp_path) is None
    assert read_run(tmp_path) is None


def test_json_has_a_line_for_each_check(tmp_path: Path) -> None:
    """A result can be compared line by line, says the same after a round trip, and keeps its letters."""
    result = make_result("Zoë", (make_check(details={"table": [[1, 2], [3, 4]]}), make_check()))
    text = to_json(result)
    assert sum(line.startswith('  {"id"') for line in text.splitlines()) == 2
    assert "Zoë" in text
    write_atomically(tmp_path / "result.json", text)
    assert read_result(tmp_path) == result


def test_a_number_that_json_lacks_is_refused() -> None:
    """NaN in details is a fault of a grader, told when it is written and not when somebody reads it."""
    with pytest.raises(ValueError, match="JSON"):
        to_json(make_result(checks=(make_check(details={"x": float("nan")}),)))
