"""One student's pages: `report.html`, `instructor.html` and the executed notebooks."""

from dataclasses import dataclass
from pathlib import Path

from graders.errors import EvidenceError
from graders.evidence import Evidence
from graders.lab import Lab
from graders.records import Result, Visibility
from graders.reports.notebook import write_notebook_page
from graders.reports.pages import render
from graders.reports.training import trainings
from graders.reports.views import groups, next_steps, total
from graders.reports.visuals import Visuals, visuals
from graders.reports.words import OutcomeWords, notebook_words


@dataclass(frozen=True)
class RunLine:
    """How the run of one notebook ended and what it cost; `page` is a path below the student's folder."""

    name: str
    status: OutcomeWords
    message: str
    seconds: float | None
    peak_mb: float | None
    page: str = ""


def write_student_reports(result: Result, lab: Lab, evidence_folder: Path | None, folder: Path) -> None:
    """Write all pages of one student.

    Args:
        result: The mark.
        lab: The lab that was marked.
        evidence_folder: `students/<id>/evidence`; None where nothing was run.
        folder: Where `report.html`, `instructor.html` and `notebooks/` go.
    """
    evidence, problem = _evidence(evidence_folder)
    curves = trainings(evidence, lab)
    shared = {"result": result, "lab": lab, "total": total(result), "curves": curves}
    render(
        folder / "report.html",
        "student.html.j2",
        **shared,
        groups=groups(result, lab, instructor=False),
        visuals=_visuals(result, lab, hidden=False),
        runs=_runs(result, {}),
        steps=next_steps(result.checks),
    )
    render(
        folder / "instructor.html",
        "instructor.html.j2",
        **shared,
        groups=groups(result, lab, instructor=True),
        visuals=_visuals(result, lab, hidden=True),
        runs=_runs(result, _notebook_pages(evidence, lab, folder)),
        evidence_problem=problem,
    )


def _evidence(folder: Path | None) -> tuple[Evidence | None, str]:
    if folder is None:
        return None, "Nothing was run, so there is no evidence."
    try:
        return Evidence(folder), ""
    except EvidenceError as error:
        return None, f"The evidence cannot be read: {error}."


def _visuals(result: Result, lab: Lab, *, hidden: bool) -> tuple[Visuals, ...]:
    shown = (check for check in result.checks if hidden or check.visibility is Visibility.PUBLIC)
    return tuple(visuals(check.title, check.details, lab) for check in shown)


def _runs(result: Result, pages: dict[str, str]) -> tuple[RunLine, ...]:
    def line(name: str, status: str, message: str) -> RunLine:
        timing = result.timing.notebooks.get(name)
        return RunLine(
            name=name,
            status=notebook_words(status),
            message=message,
            seconds=timing.seconds if timing else None,
            peak_mb=timing.peak_mb if timing else None,
            page=pages.get(name, ""),
        )

    return tuple(line(one.name, one.status, one.message) for one in result.notebooks)


def _notebook_pages(evidence: Evidence | None, lab: Lab, folder: Path) -> dict[str, str]:
    """Write a page for every notebook that was run; forget those of an earlier marking.

    Returns:
        Notebook name -> path of its page below `folder`.
    """
    pages = {}
    for spec in lab.notebooks:
        name = f"notebooks/{spec.stem}.html"
        notebook = evidence.notebooks.get(spec.file) if evidence else None
        if notebook is None or notebook.folder is None:
            (folder / name).unlink(missing_ok=True)
            continue
        write_notebook_page(notebook, spec, lab, folder / name)
        pages[spec.file] = name
    return pages
