"""Writing and reading a run's records."""

from pathlib import Path

import pytest

from graders.engines.files import read_result, read_run, write_atomically


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
