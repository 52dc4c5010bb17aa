"""The exception tree."""

import pickle

import pytest

from graders import errors

KINDS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_pickles_with_its_message(kind: type[Exception]) -> None:
    """Errors cross process borders whole."""
    copy = pickle.loads(pickle.dumps(kind("what is wrong")))
    assert type(copy) is kind
    assert str(copy) == "what is wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_drawn_in_the_tree(kind: type[Exception]) -> None:
    """The docstring of the module names every class."""
    assert kind.__name__ in str(errors.__doc__)


def test_a_lab_error_names_file_key_problem_and_remedy() -> None:
    """The named constructor puts all four into one line."""
    error = errors.LabError.at("lab.toml", "checks.0", "has no points", "Add them")
    assert str(error) == "lab.toml: checks.0: has no points. Add them"
