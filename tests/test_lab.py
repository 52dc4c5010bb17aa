"""lab.toml, right and wrong."""

from pathlib import Path

import pytest

from graders.errors import LabError, UsageError
from graders.lab import DEFAULT_LAB, Lab, load_lab
from graders.records import Visibility

TEXT = DEFAULT_LAB.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lab() -> Lab:
    """The lab of this repository."""
    return load_lab()


def changed(folder: Path, old: str, new: str) -> Path:
    """The lab's own description with one thing changed."""
    assert old in TEXT
    path = folder / "lab.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_lab_is_the_one_that_is_taught(lab: Lab) -> None:
    """Four notebooks, nineteen checks, fifty points."""
    assert [one.file for one in lab.notebooks] == [
        *("5_1_CNN.ipynb", "5_2_Loading.ipynb", "5_3_Visualise.ipynb", "5_4_Topologies.ipynb")
    ]
    points = [f"{check.id} {check.points:g}" for check in lab.checks]
    assert points == [
        *("5.1/conv1-shape 1", "5.1/conv1-shape-7x3 2", "5.1/simplecnn-trained 2", "5.1/bettercnn-architecture 5"),
        *("5.1/bettercnn-accuracy 5", "5.1/training-evidence 1", "5.1/state-dict-saved 3"),
        *("5.2/reload 3", "5.2/classify-digits 3", "5.2/own-image 2", "5.2/misclassified 2"),
        *("5.3/filters 2", "5.3/feature-maps 3", "5.3/max-activation 3", "5.3/filters-discussion 2"),
        *("5.4/branch-trained 3", "5.4/own-topology 4", "5.4/own-accuracy 2", "5.4/discussion 2"),
    ]
    assert lab.max_score == sum(check.points for check in lab.checks) == 50


def test_every_task_is_marked_by_a_check_or_prepares_one(lab: Lab) -> None:
    """The tasks without a check of their own are known: the loading cell of part 3."""
    marked = {task for check in lab.checks for task in check.tasks}
    tasks = {task.id for one in lab.notebooks for task in one.tasks}
    assert tasks - marked == {"load-model"}


def test_every_profile_has_every_threshold(lab: Lab) -> None:
    """A check of accuracy needs its threshold in each profile."""
    wanted = {check.id for check in lab.checks if check.category == "accuracy"}
    assert all(set(profile.thresholds) == wanted for profile in lab.profiles.values())


def test_look_ups_find_and_miss(lab: Lab) -> None:
    """By file, id and name; what is not there is a KeyError, a profile from the command line a UsageError."""
    assert lab.notebook("5_1_CNN.ipynb").stem == "5_1_CNN"
    assert lab.check("5.2/own-image").visibility is Visibility.HIDDEN
    assert lab.task("filters").kind == "code"
    assert lab.profile("full").epochs == 0
    for look in (lab.notebook, lab.check, lab.task):
        with pytest.raises(KeyError, match="nothing"):
            look("nothing")
    with pytest.raises(UsageError, match="it has smoke, quick, standard, full"):
        lab.profile("nothing")


def test_folders_are_the_labs_own(lab: Lab) -> None:
    """The reference lies beside lab.toml, the graders below the package."""
    assert lab.root == DEFAULT_LAB.parent
    assert lab.folder.name == "lab5"
    assert (lab.folder / lab.data.held_out / "SHA256SUMS").is_file()


def test_the_hash_follows_the_content_and_not_the_place(lab: Lab, tmp_path: Path) -> None:
    """A copy elsewhere is the same lab, comments do not count, another point does."""
    assert load_lab(changed(tmp_path, "seed = 7 ", "# moved\nseed = 7 ")).hash == lab.hash
    assert load_lab(changed(tmp_path, "epochs = 2", "epochs = 3")).hash != lab.hash


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("max_score = 50", "max_score = 51", r"max_score: is 51, but the checks add up to 50\. Make the two agree"),
        ("max_score = 50", "", r"max_score: Field required\. Add the key"),
        ("max_score = 50", "max_score = 50\nmaxscore = 1", r"maxscore: .* Remove the key, or mend its spelling"),
        ("seed = 7", 'seed = "x"', "seed: .*valid integer"),
        ('id = "conv1-shape-7x3"', 'id = "conv1-shape"', "tasks: conv1-shape occurs more than once"),
        ('id = "5.1/conv1-shape-7x3"', 'id = "5.1/conv1-shape"', "checks: 5.1/conv1-shape occurs more than once"),
        ('tasks = ["reload-model"]', 'tasks = ["filters"]', r"checks\[5.2/reload\].tasks: filters is not one of"),
        (
            'notebook = "5_2_Loading.ipynb"',
            'notebook = "5_9.ipynb"',
            r"checks\[5.2/reload\].notebook: 5_9.ipynb is not",
        ),
        ('from = "5_1_CNN.ipynb"', 'from = "5_0.ipynb"', r"handoffs\[bettercnn.weights\]: 5_0.ipynb is not one of"),
        (
            '"5.1/simplecnn-trained" = 0.88',
            '"5.1/nothing" = 0.88',
            "profiles.quick.thresholds: 5.1/nothing is not one of",
        ),
        ('"5.1/simplecnn-trained" = 0.88', '"5.1/simplecnn-trained" = 88', "less than 1"),
        ('file = "5_1_CNN.ipynb"', 'file = "../5_1_CNN.ipynb"', "notebooks.0.file"),
        ('schema = "labmark/lab/1"', 'schema = "labmark/lab/2"', "schema"),
        ("seed = 7", "seed = ", "is not TOML"),
    ],
)
def test_every_complaint_names_file_key_and_remedy(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """One line that says what to mend."""
    path = changed(tmp_path, old, new)
    with pytest.raises(LabError, match=expected) as caught:
        load_lab(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_lab_says_how_to_name_one(tmp_path: Path) -> None:
    """The remedy is an option of the command."""
    with pytest.raises(LabError, match=r"Name a lab\.toml with --lab"):
        load_lab(tmp_path / "lab.toml")
