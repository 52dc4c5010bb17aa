"""Solution regions and stubs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.errors import LabError
from graders.notebooks.strip import (
    STUBS,
    Kind,
    is_stub,
    is_untouched,
    keep_solutions,
    residue,
    strip_hidden_tests,
    strip_solutions,
)

SOLVED = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\nprint(f(1))"


def test_a_region_becomes_the_stub_at_its_indentation() -> None:
    """The stub stands where the first marker stood; the rest is untouched."""
    expected = "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()\nprint(f(1))"
    assert strip_solutions(SOLVED, "code") == expected


def test_two_regions_become_two_stubs() -> None:
    """Every region is replaced."""
    source = "a\n### BEGIN SOLUTION\nb\n### END SOLUTION\nc\n### BEGIN SOLUTION\n### END SOLUTION"
    assert strip_solutions(source, "written") == "a\nYOUR ANSWER HERE\nc\nYOUR ANSWER HERE"


def test_hidden_tests_leave_nothing() -> None:
    """Not even an empty line."""
    assert strip_hidden_tests("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc") == "a\nc"


def test_keeping_takes_the_markers_only() -> None:
    """A perfect submission has no markers."""
    assert keep_solutions(SOLVED) == "def f(x):\n    return x\nprint(f(1))"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("### BEGIN SOLUTION\na", "line 1: BEGIN SOLUTION without an END"),
        ("a\n### END SOLUTION", "line 2: END SOLUTION without a BEGIN"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "line 2: BEGIN SOLUTION inside a region"),
    ],
)
@pytest.mark.parametrize("work", [keep_solutions, lambda source, where: strip_solutions(source, "code", where)])
def test_unbalanced_markers_name_notebook_cell_and_line(work: object, source: str, expected: str) -> None:
    """A solution must not slip into the template through a missing marker."""
    assert callable(work)
    with pytest.raises(LabError, match=f"5.ipynb, cell 3: {expected}"):
        work(source, "5.ipynb, cell 3")


@pytest.mark.parametrize(
    "source",
    [
        "",
        " \n\t",
        "YOUR ANSWER HERE",
        "your answer here.",
        "  **Your  Answer\tHere**  \n\n",
        "# YOUR CODE HERE\nraise NotImplementedError()",
        "    # your code here\n    raise NotImplementedError()\n",
        "# raise NotImplementedError()",
        "#raise NotImplementedError",
        "## YOUR CODE HERE\n#    raise NotImplementedError('later')  # TODO",
    ],
)
def test_stubs_of_the_wild_are_stubs(source: str) -> None:
    """Nothing was done, however it was left."""
    assert is_stub(source)


@pytest.mark.parametrize(
    "source",
    [
        "32x24x24",
        "YOUR ANSWER HERE 32x24x24",
        "YOUR ANSWER HERE\n32",
        "# YOUR CODE HERE\nx = 1",
        "raise ValueError()",
        "pass",
    ],
)
def test_answers_are_not_stubs(source: str) -> None:
    """Any word beside the stub is an answer."""
    assert not is_stub(source)


def test_a_stub_with_given_lines_is_untouched() -> None:
    """Only what the student added counts, not spaces, comments or a raise that was commented out."""
    stub = strip_solutions(SOLVED, "code")
    assert is_untouched(stub.replace("    raise", "    # raise") + "\n\n", stub, "code")
    assert is_untouched("# a comment\n" + stub, stub, "code")
    assert not is_untouched(keep_solutions(SOLVED), stub, "code")


def test_a_heading_is_an_answer_and_a_comment_is_none() -> None:
    """The sign # says something in text and nothing in code."""
    assert not is_untouched("# 32", "YOUR ANSWER HERE", "written")
    assert is_untouched("# 32", "# YOUR CODE HERE", "code")


LINES = st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=8), max_size=4)


@given(before=LINES, inside=LINES, after=LINES, kind=st.sampled_from(["code", "written"]))
def test_nothing_of_a_region_survives(before: list[str], inside: list[str], after: list[str], kind: Kind) -> None:
    """Stripping gives before + stub + after, keeping gives before + inside + after, whatever they hold."""
    source = "\n".join([*before, "### BEGIN SOLUTION", *inside, "### END SOLUTION", *after])
    assert strip_solutions(source, kind).split("\n") == [*before, *STUBS[kind], *after]
    assert keep_solutions(source) == "\n".join([*before, *inside, *after])


@given(st.text(alphabet=" #_*()yourcodehereraiseNotImplementedError\n", max_size=300))
def test_a_residue_says_nothing_new(source: str) -> None:
    """What is left of a residue is the residue itself."""
    assert residue(residue(source)) == residue(source)
