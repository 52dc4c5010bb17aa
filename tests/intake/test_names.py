"""Students' ids as names of folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.intake import safe_name, safe_names


@pytest.mark.parametrize("name", ["ann", "Zoë 王", "O'Neil, Bob", "a.b-c_d", "s1234567"])
def test_fine_names_are_kept(name: str) -> None:
    """Most ids are file names already."""
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "..", ".", "", " x", "a/b", "CON", "nul.txt", "x" * 300]
)
def test_others_are_changed_and_marked(name: str) -> None:
    """What prints nothing, climbs or cannot be a file becomes something that can."""
    changed = safe_name(name)
    assert changed != name
    assert changed.isprintable()
    assert "/" not in changed
    assert len(changed.encode()) <= 120


def test_names_that_differ_in_what_is_replaced_do_not_meet() -> None:
    """The checksum tells them apart."""
    assert safe_name("a\nb") != safe_name("a\tb")


def test_upper_and_lower_case_do_not_meet() -> None:
    """Some file systems take Ann and ann, and two ways of writing an accent, for one."""
    names = safe_names(["ann", "Ann", "Zoe\u0308", "Zo\u00eb"])
    assert len({name.casefold() for name in names.values()}) == 4
    assert names["Ann"] == "Ann"
    assert names["ann"] == "ann-2"


@given(st.sets(st.text(max_size=12), max_size=8))
def test_any_class_gets_different_fit_names(students: set[str]) -> None:
    """Whatever the ids: one name each, all different, none that climbs; the order does not matter."""
    names = safe_names(students)
    assert names == safe_names(sorted(students, reverse=True))
    assert set(names) == students
    assert len(set(names.values())) == len(students)
    for name in names.values():
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert "\0" not in name
        name.encode()
