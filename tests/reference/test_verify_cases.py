"""The cases of `labmark verify` as data: every edit applies to the solved reference and leaves code that compiles."""

from functools import lru_cache

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from graders.lab import Lab, load_lab
from graders.verification.cases import Case, Cases, Notebooks, edited, fast_notebooks, load_cases, solved


@lru_cache
def lab() -> Lab:
    """The lab that comes with labmark."""
    return load_lab()


@lru_cache
def cases() -> Cases:
    """All cases."""
    return load_cases(lab())


@lru_cache
def reference() -> Notebooks:
    """The reference as a perfect student hands it in."""
    return solved(lab())


def of(kind: str) -> tuple[Case, ...]:
    """The cases of one kind."""
    return tuple(case for case in cases().cases if case.kind == kind)


def changed(case: Case) -> list[tuple[str, str, str]]:
    """Notebook, type and new source of every cell that a case changes."""
    new = edited(case, cases(), reference())
    return [
        (notebook, cell["cell_type"], "".join(cell["source"]))
        for notebook, content in new.items()
        for cell, before in zip(content["cells"], reference()[notebook]["cells"], strict=True)
        if cell["source"] != before["source"]
    ]


def test_there_are_enough_cases() -> None:
    """At least 60 faults, 40 right solutions, and some that a person must read."""
    assert len(of("mutant")) >= 60
    assert len(of("variant")) >= 40
    assert len(of("review")) >= 3


def test_stories_are_sentences() -> None:
    """Each case tells in one sentence what was done, and no two tell the same."""
    stories = [case.story for case in cases().cases]
    assert all(story[0].isalnum() and story.endswith(".") for story in stories)
    assert len(set(stories)) == len(stories)


def test_owners_are_checks_that_a_program_marks() -> None:
    """A person's mark finds no fault."""
    manual = {check.id for check in lab().checks if check.manual}
    assert all(case.owner not in manual and set(case.codes) != {"OK"} for case in (*of("mutant"), *of("review")))


def test_every_check_of_own_work_has_a_mutant() -> None:
    """Every check that marks a student's own work must find a fault; SimpleCNN is given, and put back if edited."""
    own = {check.id for check in lab().checks if check.tasks and not check.manual}
    assert {case.owner for case in of("mutant")} == own


def test_variants_touch_all_notebooks() -> None:
    """There are right solutions in other words for every part."""
    touched = {notebook for case in of("variant") for notebook, _, _ in changed(case)}
    assert touched == {spec.file for spec in lab().notebooks}


def test_the_fast_form_runs_what_is_edited() -> None:
    """A case would show nothing if none of its cells were run."""
    for case in cases().cases:
        assert {notebook for notebook, _, _ in changed(case)} & set(fast_notebooks(case, cases(), lab())), case.id


@pytest.mark.parametrize("case", cases().cases, ids=lambda case: case.id)
def test_edits_apply_and_compile(case: Case) -> None:
    """Every edit finds its place, changes something, and leaves cells that compile once IPython has read them."""
    new = changed(case)
    assert new
    for notebook, kind, source in new:
        if kind == "code":
            compile(TransformerManager().transform_cell(source), f"{notebook} of {case.id}", "exec")
