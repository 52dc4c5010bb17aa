"""A student's pages, read as HTML."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders.lab import Lab
from graders.records import Check, Flag, Outcome, Result
from graders.reports import write_student_reports
from graders.reports.visible import visible

NASTY = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]>--><!--",
    "\x1b[31m\u202e\x00\ud800",
    "Zoë, \"陈\" & 'Søn'",
]
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "div", "h1", "h2", "h3"),
    *(
        "h4",
        "p",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "b",
        "small",
        "br",
        "bdi",
        "span",
        "a",
        "pre",
        "details",
        "summary",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "defs", "pattern", "rect", "path"),
}
SAID = [
    "10.25 earned, decided automatically",
    "2 wait for a person, in 1 check; 1 of them is counted so far, provisionally",
    "2 could not be marked yet, through our own fault",
    "partly passed · cell [7], line 3",
    "Advice. Pass training=self.training to F.dropout.",
    "yours goes straight to max pooling",
    "hidden check: training",
    "The records of a training are checked against its result.",
    "− missing ReLU 30×24×24 –",
    "≠ differs conv 15 maps 3x3 15×10×10 conv2: conv 16 maps 3x3 16×10×10",
    "After conv1 a <ReLU> is expected. conv2 has 16 maps where 15 are expected.",
    "894 of 1,000 images are right: 89.4 % ; 82.0 % are needed and reached. Your notebook says 99.1 %",
    "4 for 9 (31×)",
    "shows 1 ✗ network: 7 , wrong you said: 1",
    "conv1's 30 filters, 5 by 5.",
    "ran with errors Cell [3] raised an error.",
    "41.3 s 612 MB",
    "torch 2.15.0",
    "Mend the cell that stopped “The weights are reloaded” first",
]
ANY_TEXT = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), min_size=1, max_size=30))


@pytest.fixture
def pages(make_result: Callable[..., Result], lab: Lab, evidence: Path, tmp_path: Path) -> dict[str, str]:
    """The pages of the rich result by name."""
    write_student_reports(make_result(), lab, evidence, tmp_path / "out")
    found = sorted((tmp_path / "out").rglob("*.html"))
    return {path.relative_to(tmp_path / "out").as_posix(): path.read_text(encoding="utf-8") for path in found}


def test_pages_are_written_and_safe(pages: dict[str, str], safe_page: Callable[[str], Any]) -> None:
    """All pages exist, are well-formed, and can neither run nor load anything."""
    assert list(pages) == ["instructor.html", "notebooks/a_part.html", "notebooks/b_part.html", "report.html"]
    for html in pages.values():
        safe_page(html)


def test_hidden_checks_give_nothing_away(pages: dict[str, str]) -> None:
    """Not a word of a hidden check's message, details or code is in the student's page; the instructor has all."""
    assert "SENTINEL" not in pages["report.html"].upper()
    assert "SENTINEL" in pages["instructor.html"]


def test_student_sees_no_flags_and_no_codes(pages: dict[str, str], safe_page: Callable[[str], Any]) -> None:
    """Leads for a person and codes of checks are the instructor's."""
    student, instructor = safe_page(pages["report.html"]).text, safe_page(pages["instructor.html"]).text
    for words in ("EDITED_GIVEN_CELL", "MISSING_ACTIVATION", "a/network"):
        assert words not in student
        assert words in instructor


def test_order_of_the_student_page(pages: dict[str, str], safe_page: Callable[[str], Any]) -> None:
    """Who, how much, what to note, checks, pictures, what ran, versions, how to go on."""
    text = safe_page(pages["report.html"]).text
    expected = [
        "A lab for tests ada Profile",
        "a short one",
        "11.25 of 26 points",
        "Our fault, no penalty",
        "Please note",
        "Training was capped at 2 epochs.",
        "Part A: a test",
        "Part B: a test",
        "Architecture: expected and found",
        "How the trainings went",
        "On images that the network has never seen",
        "Digit by digit",
        "Inside the network",
        "What ran",
        "Versions",
        "How to go on",
    ]
    places = [text.index(words, text.index("of 26 points") if at > 2 else 0) for at, words in enumerate(expected)]
    assert places == sorted(places)


def test_student_page_says(pages: dict[str, str], safe_page: Callable[[str], Any]) -> None:
    """Outcome, place, feedback, advice, figures and next steps are there in words."""
    text = safe_page(pages["report.html"]).text
    assert [words for words in SAID if words not in text] == []


def test_instructor_page_has_answers_details_and_links(pages: dict[str, str], safe_page: Callable[[str], Any]) -> None:
    """Written answers, details as JSON, the evidence key, and links to the executed notebooks."""
    page = safe_page(pages["instructor.html"])
    assert "They look like edges <b>and</b> blobs." in page.text
    assert '"threshold": 0.82' in page.text
    assert "f" * 64 in page.text
    links = [attrs.get("href") for attrs in page.all("a")]
    assert links == ["report.html", "result.json", "notebooks/a_part.html", "notebooks/b_part.html"]
    assert safe_page(pages["report.html"]).all("a") == []


def test_same_bytes_for_the_same_result(
    pages: dict[str, str], make_result: Callable[..., Result], lab: Lab, evidence: Path, tmp_path: Path
) -> None:
    """Writing again gives the same bytes: no date, no random id, no order of a set."""
    write_student_reports(make_result(), lab, evidence, tmp_path / "again")
    for name, html in pages.items():
        assert (tmp_path / "again" / name).read_text(encoding="utf-8") == html


def test_without_evidence(make_result: Callable[..., Result], lab: Lab, tmp_path: Path) -> None:
    """A submission that was never run still has its two pages."""
    write_student_reports(make_result(), lab, None, tmp_path)
    assert "Nothing was run" in (tmp_path / "instructor.html").read_text(encoding="utf-8")
    assert not (tmp_path / "notebooks").exists()


def test_damaged_evidence_is_told(make_result: Callable[..., Result], lab: Lab, evidence: Path, tmp_path: Path) -> None:
    """An index that cannot be read, and records that cannot, cost sentences and no page."""
    for name in ("trials.json", "shims.json", "journal.json", "executed.ipynb"):
        (evidence / "b_part" / name).write_bytes(b"\xff{")
    write_student_reports(make_result(), lab, evidence, tmp_path)
    told = (tmp_path / "notebooks" / "b_part.html").read_text(encoding="utf-8")
    assert "The executed notebook cannot be shown" in told
    assert "The journal cannot be read" in told
    (evidence / "evidence.json").write_text("[]", encoding="utf-8")
    write_student_reports(make_result(), lab, evidence, tmp_path)
    assert "The evidence cannot be read" in (tmp_path / "instructor.html").read_text(encoding="utf-8")


def test_pages_of_an_earlier_marking_go(
    make_result: Callable[..., Result], lab: Lab, evidence: Path, tmp_path: Path
) -> None:
    """A notebook that is no longer in the evidence leaves no page behind."""
    out = tmp_path / "out"
    write_student_reports(make_result(), lab, evidence, out)
    write_student_reports(make_result(), lab, None, out)
    assert list((out / "notebooks").iterdir()) == []


def test_all_points_and_no_points(
    make_result: Callable[..., Result], lab: Lab, tmp_path: Path, safe_page: Callable[[str], Any]
) -> None:
    """Full marks have no banner and no next step; an empty submission is told what to do."""
    full = [
        one.model_copy(update={"outcome": Outcome.PASSED, "points": one.max_points}) for one in make_result().checks
    ]
    write_student_reports(make_result(checks=tuple(full), score=26), lab, None, tmp_path / "full")
    text = safe_page((tmp_path / "full" / "report.html").read_text(encoding="utf-8")).text
    assert "26 of 26 points" in text
    assert "Our fault" not in text
    assert "nothing left to do" in text
    none = [one.model_copy(update={"outcome": Outcome.NOT_ATTEMPTED, "points": 0}) for one in full]
    write_student_reports(make_result(checks=tuple(none), score=0), lab, None, tmp_path / "none")
    assert "still empty" in (tmp_path / "none" / "report.html").read_text(encoding="utf-8")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(student=ANY_TEXT, message=ANY_TEXT, answer=ANY_TEXT)
def test_no_text_breaks_out(
    student: str,
    message: str,
    answer: str,
    make_result: Callable[..., Result],
    make_check: Callable[..., Check],
    lab: Lab,
    tmp_path: Path,
    safe_page: Callable[[str], Any],
) -> None:
    """Whatever a student writes in ids, messages, answers, stages or flags, it stays text."""
    details = {
        "answer": answer,
        "stages": [{"status": "extra", "expected": None, "found": message}],
        "advice": [{"code": "A", "message": message}],
        "digits": [{"file": student, "truth": 1, "predicted": message, "stated": answer}],
        "accuracy": 0.5,
        "claimed": answer,
    }
    check = make_check("a/network", message=message, details=details)
    result = make_result(student, checks=(check,), flags=(Flag(code="A", message=answer),))
    write_student_reports(result, lab, None, tmp_path)
    for name in ("report.html", "instructor.html"):
        page = safe_page((tmp_path / name).read_text(encoding="utf-8"))
        assert {tag for tag, _ in page.tags} <= KNOWN
        assert " ".join(visible(message).split()) in page.text


def test_evidence_is_only_read(make_result: Callable[..., Result], lab: Lab, evidence: Path, tmp_path: Path) -> None:
    """Reports leave the evidence as it was."""
    copy = shutil.copytree(evidence, tmp_path / "copy")
    write_student_reports(make_result(), lab, evidence, tmp_path / "out")
    for path in copy.rglob("*"):
        twin = evidence / path.relative_to(copy)
        assert path.is_dir() or path.read_bytes() == twin.read_bytes()
    assert len(list(copy.rglob("*"))) == len(list(evidence.rglob("*")))
