"""Reading cases and applying their edits."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from graders.errors import LabError
from graders.lab import Lab, load_lab
from graders.verification.cases import (
    Case,
    Cases,
    Edit,
    Training,
    edited,
    fast_notebooks,
    load_cases,
    without,
    write_submission,
)

MODEL = "import torch\n\n\nclass Net:\n    size = 3\n\n\nprint(Net)"


def notebooks() -> dict[str, dict[str, Any]]:
    """Two notebooks with the same cell."""
    return {name: {"cells": [{"id": "model", "cell_type": "code", "source": MODEL}]} for name in ("a.ipynb", "b.ipynb")}


def sources(*edits: dict[str, Any]) -> list[str]:
    """The two cells after some edits."""
    cases = Cases(groups={"both": (("a.ipynb", "model"), ("b.ipynb", "model"))})
    case = Case(id="case", story="A case.", kind="variant", edits=tuple(Edit.model_validate(one) for one in edits))
    return [one["cells"][0]["source"] for one in edited(case, cases, notebooks()).values()]


def test_a_group_changes_the_cell_in_every_notebook() -> None:
    """One edit, two notebooks."""
    assert sources({"group": "both", "old": "size = 3", "new": "size = 5"}) == [MODEL.replace("3", "5")] * 2


def test_edits_are_applied_in_order() -> None:
    """A later edit sees what an earlier one left; the other notebook is untouched."""
    place = {"notebook": "a.ipynb", "cell": "model"}
    found = sources({**place, "source": "one"}, {**place, "old": "one", "new": "two"}, {**place, "append": "three"})
    assert found == ["two\nthree", MODEL]


def test_a_class_is_replaced_and_the_rest_kept() -> None:
    """What stands before and after the class stays."""
    found = sources({"group": "both", "class": "Net", "source": "class Net(Base):\n    pass"})
    assert found[0] == "import torch\n\n\nclass Net(Base):\n    pass\n\nprint(Net)"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"notebook": "a.ipynb", "cell": "none", "source": ""}, "0 cells"),
        ({"notebook": "a.ipynb", "cell": "model", "old": "Net", "new": "X"}, "occurs 2 times"),
        ({"notebook": "a.ipynb", "cell": "model", "class": "Other", "source": "x"}, "no class Other"),
    ],
)
def test_an_edit_that_does_not_fit_is_an_error(edit: dict[str, Any], said: str) -> None:
    """A case that changes nothing would prove nothing."""
    with pytest.raises(LabError, match=said):
        sources(edit)


@pytest.mark.parametrize(
    "edit",
    [
        {"group": "both"},
        {"group": "both", "old": "x"},
        {"group": "both", "notebook": "a.ipynb", "cell": "c", "source": "x"},
        {"notebook": "a.ipynb", "source": "x"},
        {"group": "both", "class": "Net", "append": "x"},
    ],
)
def test_an_edit_is_of_one_kind(edit: dict[str, Any]) -> None:
    """A place and a change, no more and no less."""
    with pytest.raises(ValidationError):
        Edit.model_validate(edit)


def lab_with(folder: Path, text: str) -> Lab:
    """The lab, with other cases."""
    (folder / "verify").mkdir()
    (folder / "verify" / "cases.toml").write_text(text, encoding="utf-8")
    return load_lab().model_copy(update={"root": folder})


EDIT = 'edits = [{notebook = "5_1_CNN.ipynb", cell = "x", append = "y"}]'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[mutants]]\nid = 3", "cases.toml"),
        (f'[[mutants]]\nid = "a"\nstory = "A."\nowner = "no/check"\ncodes = ["X"]\n{EDIT}', "owner"),
        (f'[[mutants]]\nid = "a"\nstory = "A."\nowner = "5.1/conv1-shape"\n{EDIT}', "codes"),
        (f'[[variants]]\nid = "a"\nstory = "A."\ncodes = ["X"]\n{EDIT}', "variant"),
        ('[[variants]]\nid = "a"\nstory = "A."\nedits = [{group = "g", append = "y"}]', "no group"),
        ('[[variants]]\nid = "a"\nstory = "A."\nedits = [{notebook = "n", cell = "x", append = "y"}]', "no notebook"),
        (f'[[variants]]\nid = "a"\nstory = "A."\n{EDIT}\n' * 2, "several cases"),
        ('[[trainings]]\nnotebook = "5_1_CNN.ipynb"\ncells = ["x"]\nchecks = ["5.2/reload"]', "5.2/reload"),
        ("[other]\n", "means nothing"),
        ("[[", "cases.toml"),
    ],
)
def test_cases_that_are_not_in_order_are_told(tmp_path: Path, text: str, said: str) -> None:
    """An error names the file or the case, and what is wrong with it."""
    with pytest.raises(LabError, match=said):
        load_cases(lab_with(tmp_path, text))


def test_a_lab_without_cases_is_told(tmp_path: Path) -> None:
    """No folder, no verification."""
    with pytest.raises(LabError, match="holds no cases"):
        load_cases(load_lab().model_copy(update={"root": tmp_path}))


def test_the_fast_form_runs_what_the_case_is_about() -> None:
    """The notebooks that it names; else the owner's; of a variant all that are edited."""
    lab = load_lab()
    second, third = lab.notebooks[1].file, lab.notebooks[2].file
    cases = Cases(groups={"both": ((third, "x"), (second, "x"))})
    edits = (Edit(group="both", append="x"),)
    owner = next(check.id for check in lab.checks if check.notebook == third)
    mutant = Case(id="a", story="A.", kind="mutant", edits=edits, owner=owner, codes=("X",))
    assert fast_notebooks(mutant, cases, lab) == (third,)
    assert fast_notebooks(mutant.model_copy(update={"fast": (second,)}), cases, lab) == (second,)
    assert fast_notebooks(Case(id="b", story="B.", kind="variant", edits=edits), cases, lab) == (second, third)


TRAINING = Training(notebook="a.ipynb", cells=("model",), depends=("data",), checks=("1/accuracy",))


@pytest.mark.parametrize(
    ("changes", "needless"),
    [
        ({}, True),
        ({"owner": "1/accuracy"}, False),
        ({"needs": ("1/accuracy",)}, False),
        ({"edits": (Edit(notebook="a.ipynb", cell="model", append="x"),)}, False),
        ({"edits": (Edit(notebook="a.ipynb", cell="data", append="x"),)}, False),
    ],
)
def test_a_training_is_left_out_where_a_case_has_nothing_to_do_with_it(changes: dict[str, Any], needless: bool) -> None:
    """An edit of its cells or of what they depend on, its check as the owner, or a word in the case keep it."""
    cases = Cases(trainings=(TRAINING,))
    edits = (Edit(notebook="a.ipynb", cell="answer", append="x"),)
    case = Case(id="a", story="A.", kind="mutant", edits=edits, owner="1/answer", codes=("X",))
    assert bool(cases.needless(case.model_copy(update=changes))) == needless


def test_what_is_left_out_does_nothing() -> None:
    """The cell is there, so that every number stays, and is empty; other notebooks and the given ones are untouched."""
    given = notebooks()
    found = without((TRAINING,), given)
    assert [one["cells"][0]["source"] for one in found.values()] == ["pass", MODEL]
    assert given == notebooks()


def test_near_doubles_are_for_the_full_form_and_for_whoever_names_them() -> None:
    """Left out of the fast form alone."""
    edits = (Edit(notebook="a.ipynb", cell="x", append="x"),)
    first = Case(id="a", story="A.", kind="variant", edits=edits)
    second = first.model_copy(update={"id": "b", "only_full": True})
    cases = Cases(cases=(first, second))
    assert cases.chosen((), full=False) == (first,)
    assert cases.chosen((), full=True) == (first, second)
    assert cases.chosen(["b"], full=False) == (second,)


def test_unknown_ids_are_told() -> None:
    """`--only` with a name that is not there tries nothing else instead."""
    with pytest.raises(LabError, match="no case is called other"):
        Cases().chosen(["other"], full=True)


def test_only_the_wanted_notebooks_are_written(tmp_path: Path) -> None:
    """What is left out of the submission is not there."""
    paths = write_submission(notebooks(), tmp_path / "new", ["b.ipynb"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.ipynb"] == list(paths)
