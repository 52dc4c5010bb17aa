"""The class at a glance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from graders.lab import Lab
from graders.records import Result, Run
from graders.reports import write_class_report

Results = Callable[..., Result]
Runs = Callable[..., Run]
Pages = Callable[[str], Any]
IDS = [
    "Zoë Ångström",
    "陈 小明",
    'a, "b"',
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "//host",
    "50% #1?",
    "\u202e\x1b[1m",
]


@pytest.fixture
def write(lab: Lab, tmp_path: Path, make_run: Runs, safe_page: Pages) -> Callable[..., Any]:
    """Writes the overview of some results and parses it."""

    def written(*results: Result, **statuses: str) -> Any:
        write_class_report(make_run(*results, statuses=statuses), results, lab, tmp_path)
        return safe_page((tmp_path / "class.html").read_text(encoding="utf-8"))

    return written


def test_figures_of_a_small_class(write: Callable[..., Any], make_result: Results) -> None:
    """Count, mean, median, review and our own faults are told."""
    page = write(make_result("b", score=10), make_result("a", score=20), make_result("c", score=24), c="harness-error")
    for words in ("3 students", "18 mean of 26 points", "20 median", "3 with checks in review", "1 to be marked again"):
        assert words in page.text
    places = [page.text.index(f"{name} {score} / 26") for name, score in (("a", 20), ("b", 10), ("c", 24))]
    assert places == sorted(places)


@pytest.mark.parametrize("id_", IDS)
def test_links_lead_to_the_student(id_: str, write: Callable[..., Any], make_result: Results) -> None:
    """A link is relative, percent-encoded ASCII, and decodes to the student's page."""
    page = write(make_result(id_))
    links = [attrs["href"] for attrs in page.all("a")]
    assert [unquote(link) for link in links] == [f"students/{id_}/report.html", f"students/{id_}/instructor.html"]
    assert all(link.isascii() and ":" not in link and " " not in link and '"' not in link for link in links)


def test_checks_are_counted(write: Callable[..., Any], make_result: Results) -> None:
    """Every check has its outcomes in numbers and words beside the bar, and the mean of its points."""
    text = write(make_result("a"), make_result("b")).text
    assert "The network's architecture a/network 2 ◐ partly passed 65 %" in text
    assert "The filters are drawn b/filters 2 ↻ our fault –" in text
    assert "Shape with another kernel hidden a/shape-hidden 2 ✗ failed 0 %" in text


def test_codes_are_ranked(write: Callable[..., Any], make_result: Results) -> None:
    """Reasons come by frequency with the checks that gave them; what passed gives none."""
    first = make_result("a")
    again = tuple(one.model_copy(update={"code": "TAMPERED"}) if one.id == "b/digits" else one for one in first.checks)
    text = write(first, make_result("b", checks=again)).text.split("Most frequent reasons")[1]
    assert text.split("Checks", 1)[1].startswith(" TAMPERED 3 The weights are what they claim, The ten images")
    assert "OK" not in text


def test_one_student_and_three_hundred(write: Callable[..., Any], make_result: Results) -> None:
    """The page works for the smallest and for a large class."""
    assert "1 student " in write(make_result("only")).text
    many = [make_result(f"s{place:03d}", score=place % 27) for place in range(300)]
    page = write(*many)
    assert "300 students" in page.text
    assert len(page.all("a")) == 600


def test_nobody_and_nothing(
    write: Callable[..., Any], lab: Lab, tmp_path: Path, make_run: Runs, make_result: Results
) -> None:
    """A class without students, and a student without a result, are shown as they are."""
    assert "0 students" in write().text
    write_class_report(make_run(make_result("lost"), statuses={"lost": "unreadable"}), (), lab, tmp_path)
    assert "could not be read" in (tmp_path / "class.html").read_text(encoding="utf-8")


def test_same_bytes(write: Callable[..., Any], make_result: Results, tmp_path: Path) -> None:
    """Equal classes give equal pages, in whatever order the results come."""
    write(make_result("a"), make_result("b", score=3))
    first = (tmp_path / "class.html").read_bytes()
    write(make_result("b", score=3), make_result("a"))
    assert (tmp_path / "class.html").read_bytes() == first
