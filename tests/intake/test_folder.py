"""Whose files are which."""

import os
from pathlib import Path

import pytest

from graders.errors import UsageError
from graders.intake import find_submissions
from graders.lab import Lab, load_lab

NAMES = ["5_1_CNN.ipynb", "5_2_Loading.ipynb", "5_3_Visualise.ipynb", "5_4_Topologies.ipynb"]


@pytest.fixture(scope="module")
def lab() -> Lab:
    """The lab of this repository."""
    return load_lab()


def put(folder: Path, *names: str, data: bytes = b"{}") -> None:
    """Write files below a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_exact_names_are_found_without_notes(tmp_path: Path, lab: Lab) -> None:
    """Students come sorted, each with notebooks and weights."""
    for student in ("zoe", "ann"):
        put(tmp_path / student, *NAMES, "bettercnn.weights")
    ann, zoe = find_submissions(tmp_path, lab)
    assert (ann.student, zoe.student) == ("ann", "zoe")
    assert list(ann.notebooks) == NAMES
    assert ann.notebooks[NAMES[0]] == tmp_path / "ann" / NAMES[0]
    assert ann.extras == {"bettercnn.weights": tmp_path / "ann" / "bettercnn.weights"}
    assert ann.notes == ()


@pytest.mark.parametrize(
    "name",
    [
        *("5_1_cnn.IPYNB", "5_1_CNN (1).ipynb", "5_1_CNN-2.ipynb", "5_1_CNN_final.ipynb", "alice_5_1_CNN.ipynb"),
        *("Copy of 5_1_CNN.ipynb", "Lab 5/5_1_CNN.ipynb", "5_1_CNN-Kopie (2).ipynb"),
    ],
)
def test_decorated_names_are_found_and_told(tmp_path: Path, lab: Lab, name: str) -> None:
    """What browsers, Colab and people make of a name is understood, and the choice is told."""
    put(tmp_path / "ann", name)
    (one,) = find_submissions(tmp_path, lab)
    assert one.notebooks == {NAMES[0]: tmp_path / "ann" / name}
    assert one.notes == (f"{name} was taken for {NAMES[0]}.",)


@pytest.mark.parametrize(
    "name", ["15_1_CNN.ipynb", "5_1_CNN.ipynb.txt", "5_1_CNNs.ipynb", "5_1.ipynb", "x/y/5_1_CNN.ipynb"]
)
def test_other_names_are_not(tmp_path: Path, lab: Lab, name: str) -> None:
    """A longer word or another ending is another file, and two folders down is too deep."""
    put(tmp_path / "ann", name)
    assert find_submissions(tmp_path, lab)[0].notebooks == {}


def test_the_exact_name_wins_and_the_others_are_told(tmp_path: Path, lab: Lab) -> None:
    """Nothing ambiguous is decided in silence."""
    put(tmp_path / "ann", "5_1_CNN (1).ipynb", "5_1_CNN.ipynb", "old/5_1_CNN.ipynb")
    (one,) = find_submissions(tmp_path, lab)
    assert one.notebooks[NAMES[0]].relative_to(tmp_path / "ann") == Path(NAMES[0])
    assert len(one.notes) == 1
    assert "5_1_CNN (1).ipynb, old/5_1_CNN.ipynb would fit too" in one.notes[0]


def test_of_equals_the_first_by_name_is_taken_whatever_its_age(tmp_path: Path, lab: Lab) -> None:
    """The newest file is not guessed to be the right one."""
    put(tmp_path / "ann", "5_1_CNN (2).ipynb", "5_1_CNN (1).ipynb")
    os.utime(tmp_path / "ann" / "5_1_CNN (1).ipynb", (1, 1))
    (one,) = find_submissions(tmp_path, lab)
    assert one.notebooks[NAMES[0]].name == "5_1_CNN (1).ipynb"
    assert "Please make sure" in one.notes[0]


def test_links_are_not_followed(tmp_path: Path, lab: Lab) -> None:
    """Neither to a file, nor to a folder, nor as a student's folder."""
    put(tmp_path / "elsewhere", *NAMES)
    put(tmp_path / "class" / "ann", "notes.txt")
    (tmp_path / "class" / "ann" / NAMES[0]).symlink_to(tmp_path / "elsewhere" / NAMES[0])
    (tmp_path / "class" / "ann" / "sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "class" / "bob").symlink_to(tmp_path / "elsewhere")
    ann, bob = find_submissions(tmp_path / "class", lab)
    assert (ann.notebooks, bob.notebooks) == ({}, {})
    assert [note.split(" is ")[0] for note in ann.notes] == [NAMES[0], "sub"]
    assert "link" in bob.notes[0]


def test_a_fifo_is_left_alone(tmp_path: Path, lab: Lab) -> None:
    """Opening it would wait for ever."""
    (tmp_path / "ann").mkdir()
    os.mkfifo(tmp_path / "ann" / NAMES[0])
    (one,) = find_submissions(tmp_path, lab)
    assert one.notebooks == {}
    assert "not a regular file" in one.notes[0]


def test_litter_is_passed_over(tmp_path: Path, lab: Lab) -> None:
    """Checkpoints, a Mac's folders and hidden files are nobody's work."""
    put(tmp_path / "ann", NAMES[0], f".ipynb_checkpoints/{NAMES[1]}", f"__MACOSX/{NAMES[1]}", f"._{NAMES[1]}")
    put(tmp_path / ".git", "x")
    put(tmp_path / "__MACOSX", "x")
    (one,) = find_submissions(tmp_path, lab)
    assert list(one.notebooks) == [NAMES[0]]
    assert one.notes == ()


def test_modules_beside_the_notebooks_are_told(tmp_path: Path, lab: Lab) -> None:
    """A torch.py must not stand in for torch."""
    put(tmp_path / "ann", NAMES[0], "torch.py", "conftest.py")
    (one,) = find_submissions(tmp_path, lab)
    assert [note.split(" was ")[0] for note in one.notes] == ["conftest.py", "torch.py"]


def test_a_folder_without_notebooks_is_a_submission(tmp_path: Path, lab: Lab) -> None:
    """The student gets a result that says so."""
    (tmp_path / "ann").mkdir()
    (one,) = find_submissions(tmp_path, lab)
    assert (one.student, one.notebooks, one.extras) == ("ann", {}, {})


def test_too_much_is_not_read(tmp_path: Path, lab: Lab) -> None:
    """A submission over the cap keeps its place in the class, with the reason."""
    put(tmp_path / "ann", NAMES[0])
    with (tmp_path / "ann" / "data.bin").open("wb") as file:
        file.truncate((lab.limits.submission_mb + 1) * 2**20)
    (one,) = find_submissions(tmp_path, lab)
    assert one.notebooks == {}
    assert "at most 200 MiB" in one.notes[0]


def test_ids_may_be_any_unicode(tmp_path: Path, lab: Lab) -> None:
    """Names of people are kept as they are; bytes that are no text are written out."""
    put(tmp_path / "Zoë 王 O'Neil", NAMES[0])
    (tmp_path / os.fsdecode(b"b\xff")).mkdir()
    names = [one.student for one in find_submissions(tmp_path, lab)]
    assert names == ["Zoë 王 O'Neil", "b\\xff"]
    assert "".join(names).encode()


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "single"])
def test_a_wrong_folder_is_told_in_one_line(tmp_path: Path, lab: Lab, kind: str) -> None:
    """What is wrong and what to name instead."""
    folder = tmp_path / "subs"
    if kind == "file":
        folder.write_text("x")
    elif kind != "missing":
        folder.mkdir()
    if kind == "single":
        put(folder, "5_2_Loading (3).ipynb")
    expected = {
        "missing": "there is no such folder",
        "file": "is a file",
        "empty": "no student's folder",
        "single": f"Name the folder above it, {tmp_path}, .* --only subs",
    }
    with pytest.raises(UsageError, match=expected[kind]) as caught:
        find_submissions(folder, lab)
    assert "\n" not in str(caught.value)


def test_what_only_looks_like_a_notebook_is_told(tmp_path: Path, lab: Lab) -> None:
    """A folder named like a notebook and an archive are no notebooks; the notes say what to do."""
    (tmp_path / "ann" / NAMES[0]).mkdir(parents=True)
    put(tmp_path / "ann", "all.ZIP")
    (one,) = find_submissions(tmp_path, lab)
    assert not one.notebooks
    assert one.notes == (
        f"{NAMES[0]} is a folder, not a notebook.",
        "all.ZIP was not unpacked; if the notebooks are in it, unpack it here and mark again.",
    )
