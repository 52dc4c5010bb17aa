"""The `labmark` command: thin; each command parses its options and calls the part that does the work."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from graders import __version__
from graders.errors import LabmarkError, StaleTemplateError, UsageError
from graders.lab import DEFAULT_LAB, load_lab
from graders.records import Run

F = TypeVar("F", bound=Callable[..., Any])

INTERRUPTED = 130
OPERATOR_ERROR = 2


class OneLineErrors(click.Group):
    """A group whose commands tell an operator's error in one line and leave with exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what labmark raises on purpose into a line."""
        try:
            return super().invoke(ctx)
        except LabmarkError as error:
            click.echo(f"labmark: {' '.join(str(error).split())}", err=True)
            ctx.exit(OPERATOR_ERROR)
        except (KeyboardInterrupt, click.Abort):
            click.echo("labmark: interrupted; what is finished is kept, the same command goes on from there", err=True)
            ctx.exit(INTERRUPTED)


def lab_option(command: F) -> F:
    """Add `--lab`."""
    return click.option(
        "--lab",
        "lab_file",
        type=click.Path(path_type=Path),
        default=DEFAULT_LAB,
        show_default="the lab that comes with labmark",
        help="The lab.toml of the lab to work on.",
    )(command)


def jobs_option(command: F) -> F:
    """Add `--jobs`."""
    return click.option(
        "--jobs",
        type=click.IntRange(1, 256),
        default=os.cpu_count() or 1,
        show_default="number of processors",
        help="How many students are worked on at the same time; each uses one processor.",
    )(command)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labmark")
def main() -> None:
    """Mark a lab of Jupyter notebooks: run them, judge what they computed, explain every mark.

    \b
    An instructor            labmark grade submissions/ -o marks/
                             then open marks/class.html
    After a changed rubric   labmark regrade marks/
                             marks again from stored evidence, runs no notebook
    A lab's author           labmark release
                             makes student_template/ from reference/
                             labmark verify
                             grades the graders: faults must be found, right solutions kept
    Something odd            labmark doctor

    SUBMISSIONS is a folder with one folder a student, named by the student's id, which holds the notebooks.
    """


@main.command()
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for marks and reports.")
@click.option("--profile", default="quick", show_default=True, help="How much is trained: quick, standard or full.")
@jobs_option
@click.option("--only", multiple=True, metavar="ID", help="Mark only this student; may be given several times.")
@click.option("--fresh", is_flag=True, help="Do everything again, also what has not changed.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="LABMARK_DATA",
    help="Folder with all of MNIST (scripts/fetch_mnist.py makes it); needed for standard and full.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    show_default="drawn for a new OUT, and kept",
    help="How the held-out pictures are moved, a little, for this class; 0 for not at all.",
)
@click.option("--fail-under", type=float, metavar="POINTS", help="Exit with 1 if a student has fewer points (for CI).")
@lab_option
def grade(
    submissions: Path,
    out: Path,
    profile: str,
    jobs: int,
    only: tuple[str, ...],
    fresh: bool,
    data: Path | None,
    seed: int | None,
    fail_under: float | None,
    lab_file: Path,
) -> None:
    """Run, mark and report a class of SUBMISSIONS.

    Writes to OUT: class.html (start here), grades.csv, run.json, and for every student report.html (to hand
    out), instructor.html (with the hidden checks), result.json and the evidence that the mark rests on.

    Interrupt it at any time: the same command goes on where it stopped, and does nothing twice. Notebooks run
    in processes of their own, but without a sandbox: do not mark strangers' notebooks on a machine that holds
    anything you would not show them.
    """
    from graders.console import class_table, watcher
    from graders.engines.local import Options, grade_class

    lab = load_lab(lab_file)
    console = Console(stderr=True)
    options = Options(profile=profile, jobs=jobs, only=only, fresh=fresh, data=data, seed=seed)
    with watcher(console) as watch:
        run = grade_class(submissions, out, lab, lab_file, options, watch)
    _conclude(run, out, class_table)
    low = [line.id for line in run.students if fail_under is not None and line.score < fail_under]
    if low:
        click.echo(f"{len(low)} below {fail_under:g} points: {', '.join(low)}", err=True)
        sys.exit(1)


def _conclude(run: Run, out: Path, table: Callable[[Run], Any]) -> None:
    Console(width=None if sys.stdout.isatty() else 100).print(table(run))
    click.echo(f"Class report: {out / 'class.html'}")


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@jobs_option
@lab_option
def regrade(out: Path, jobs: int, lab_file: Path) -> None:
    """Mark a class again from the evidence in OUT, without running a notebook.

    For a changed rubric, threshold or grader: seconds instead of minutes.
    """
    from graders.console import class_table, watcher
    from graders.engines.local import regrade as again

    lab = load_lab(lab_file)
    with watcher(Console(stderr=True)) as watch:
        run = again(out, lab, lab_file, jobs, watch)
    _conclude(run, out, class_table)


@main.command()
@click.option("--full", is_flag=True, help="Run all notebooks of each case as `labmark grade` does: about an hour.")
@click.option("--profile", show_default="smoke, with --full quick", help="How much is trained.")
@click.option("--only", multiple=True, metavar="ID", help="Try only this case; may be given several times.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Keep runs, messages.json and matrix.txt here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@jobs_option
@lab_option
def verify(
    full: bool, profile: str | None, only: tuple[str, ...], out: Path | None, as_json: bool, jobs: int, lab_file: Path
) -> None:
    """Grade the graders with faults and right solutions made from the reference.

    The reference must get all points and the template none. Every mutant (the reference with one fault) must lose
    points in the check that owns the fault and in no other, though others may be blocked by it; every variant (right,
    but written otherwise) must keep every point. Prints a matrix of faults by checks.

    The fast form takes minutes: it trains for seconds, runs only the notebooks that a case is about without the
    trainings that it has nothing to do with, and leaves out near doubles of other cases. Exits with 1 if a grader is
    wrong.
    """
    import tempfile

    from graders.console import case_watcher
    from graders.verification import figures, matrix
    from graders.verification import verify as run
    from graders.verification.verify import write_messages

    lab = load_lab(lab_file)
    with tempfile.TemporaryDirectory(prefix="labmark-verify-") as scratch, case_watcher(Console(stderr=True)) as told:
        work = (out or Path(scratch)).absolute()
        found = run(lab, lab_file, work=work, jobs=jobs, only=only, full=full, profile=profile, told=told)
    table = matrix(found.of("mutant"), [check.id for check in lab.checks if not check.manual])
    if out is not None:
        write_messages(found, table, out)
    if as_json:
        click.echo(json.dumps(found.summary()))
    else:
        click.echo("\n".join([table, "", *figures(found)]))
        for one in found.judged:
            if not one.good:
                click.echo(f"WRONG {one.kind} {one.id}: {one.why}")
    if not found.ok:
        sys.exit(1)


@main.command()
@click.option("--runs", type=click.IntRange(1, 10_000), required=True, metavar="K", help="Trainings in all.")
@click.option("--profile", default="quick", show_default=True, help="How much is trained.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Run k uses seed + k.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    show_default="calibration/PROFILE.json beside lab.toml",
    help="File for the accuracies.",
)
@click.option("--data", type=click.Path(path_type=Path), envvar="LABMARK_DATA", help="Folder with all of MNIST.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@jobs_option
@lab_option
def calibrate(
    runs: int,
    profile: str,
    seed: int,
    out: Path | None,
    data: Path | None,
    as_json: bool,
    jobs: int,
    lab_file: Path,
) -> None:
    """Train the reference K times and say how often it would miss a threshold.

    Each run has other random numbers, and held-out pictures that are moved otherwise. The accuracies are stored as
    they come: interrupted, or asked for more runs, the same command goes on from there; with changed thresholds
    and no more runs it only counts again.
    """
    from graders.calibration import calibrate as run
    from graders.calibration import table

    lab = load_lab(lab_file)

    def told(done: int, total: int) -> None:
        click.echo(f"{done} of {total} trainings", err=True)

    found = run(lab, lab_file, profile=profile, runs=runs, seed=seed, jobs=jobs, data=data, out=out, told=told)
    click.echo(json.dumps(found.model_dump(by_alias=True)) if as_json else table(found))


@main.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 if the template is stale.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    show_default="student_template beside the reference",
    help="Folder for the template.",
)
@lab_option
def release(check: bool, out: Path | None, lab_file: Path) -> None:
    """Make the students' notebooks from the reference notebooks.

    Solutions and hidden tests are taken out, outputs cleared, checksums computed. The same reference always
    gives the same bytes.
    """
    from graders.notebooks.release import build_template, stale_files

    lab = load_lab(lab_file)
    folder = out or lab.root.parent / "student_template"
    if not check:
        for path in build_template(lab, folder):
            click.echo(path)
        return
    stale = stale_files(lab, folder)
    if stale:
        raise StaleTemplateError(f"{'; '.join(stale)}. Run `labmark release` and commit what it writes")
    click.echo(f"{folder} is what the reference gives today")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--data", type=click.Path(path_type=Path), envvar="LABMARK_DATA", help="Folder with all of MNIST.")
@lab_option
def doctor(as_json: bool, data: Path | None, lab_file: Path) -> None:
    """Look whether this machine has what labmark needs; each problem comes with its remedy.

    Exits with 2 if something must be mended before a class can be marked.
    """
    from graders.doctor import examine

    findings = examine(lab_file, data)
    if as_json:
        click.echo(json.dumps({"ok": all(f.ok for f in findings), "findings": [f.model_dump() for f in findings]}))
    else:
        for finding in findings:
            word = "PROBLEM" if not finding.ok else "note" if finding.remedy else "ok"
            click.echo(f"{word:8} {finding.what}: {finding.found}")
            if finding.remedy:
                click.echo(f"{'':8} -> {finding.remedy}")
    if not all(finding.ok for finding in findings):
        sys.exit(OPERATOR_ERROR)


@main.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema of a record on disk; without NAME, all of them by name.

    NAME is the record's "schema" field, for instance `labmark/result/1`.
    """
    from graders.schemas import schemas

    known = schemas()
    if name is None:
        click.echo(json.dumps(known, indent=2))
    elif name in known:
        click.echo(json.dumps(known[name], indent=2))
    else:
        raise UsageError(f"no record is called {name!r}; there are {', '.join(known)}")
