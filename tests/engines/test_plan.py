"""What is done again and what is not."""

from pathlib import Path

import pytest

from graders.engines.files import to_json, write_atomically
from graders.engines.keys import evidence_key, graders_hash, run_key
from graders.engines.plan import Need, Settings, choose, claim_folder, make_plans
from graders.errors import UsageError
from graders.lab import Lab, load_lab
from graders.records import Outcome, Submission
from tests.factory import make_check, make_result

QUICK = Settings(lab="lab5", profile="quick")


@pytest.fixture
def lab() -> Lab:
    """The real lab: its keys cover its real files."""
    return load_lab()


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    """A student with one notebook file."""
    path = tmp_path / "class" / "ann" / "5_1_CNN.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return Submission(student="ann", folder=path.parent, notebooks={path.name: path})


def need(submission: Submission, lab: Lab, out: Path, data: str = "data") -> Need:
    """What the plan says of the one student."""
    (plan,) = make_plans([submission], lab, out, QUICK, data=data, environment={})
    return plan.need


def finish(submission: Submission, lab: Lab, out: Path, outcome: Outcome = Outcome.PASSED) -> Path:
    """Leave behind what a finished marking leaves."""
    folder = out / "students" / "ann"
    key = evidence_key(submission, run_key(lab, "quick", "data", {}))
    result = make_result(checks=(make_check(outcome),), evidence_key=key, graders_hash=graders_hash(lab))
    write_atomically(folder / "result.json", to_json(result))
    for name in ("report.html", "instructor.html", "evidence/evidence.json"):
        write_atomically(folder / name, "")
    return folder


def test_a_new_student_is_run(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """Without a result everything is to be done."""
    assert need(submission, lab, tmp_path) is Need.RUN


def test_finished_work_stands(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """The same files, data and code: nothing to do."""
    finish(submission, lab, tmp_path)
    assert need(submission, lab, tmp_path) is Need.NOTHING


def test_a_changed_notebook_is_run_again(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """One byte of the submission is enough."""
    finish(submission, lab, tmp_path)
    submission.notebooks["5_1_CNN.ipynb"].write_text("{ }")
    assert need(submission, lab, tmp_path) is Need.RUN


def test_other_images_mean_another_run(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """Marks depend on the images that were trained on."""
    finish(submission, lab, tmp_path)
    assert need(submission, lab, tmp_path, data="other") is Need.RUN


def test_changed_graders_only_mark_again(
    submission: Submission, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When only the graders changed, the stored evidence is enough."""
    finish(submission, lab, tmp_path)
    monkeypatch.setattr("graders.engines.plan.graders_hash", lambda lab: "changed")
    assert need(submission, lab, tmp_path) is Need.MARK


def test_a_missing_report_is_made_again(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """Somebody deleted a report: it comes back without running a notebook."""
    (finish(submission, lab, tmp_path) / "report.html").unlink()
    assert need(submission, lab, tmp_path) is Need.MARK


def test_our_own_fault_is_tried_again(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """A harness error is never final."""
    finish(submission, lab, tmp_path, Outcome.HARNESS_ERROR)
    assert need(submission, lab, tmp_path) is Need.RUN


def test_a_folder_belongs_to_one_profile(tmp_path: Path) -> None:
    """Scores of different profiles are never mixed, unless everything is marked afresh."""
    claim_folder(tmp_path, QUICK, fresh=False)
    claim_folder(tmp_path, QUICK, fresh=False)
    full = QUICK.model_copy(update={"profile": "full"})
    with pytest.raises(UsageError, match=r"quick profile.*--fresh"):
        claim_folder(tmp_path, full, fresh=False)
    claim_folder(tmp_path, full, fresh=True)
    claim_folder(tmp_path, full, fresh=False)


def test_results_do_not_go_into_a_file(tmp_path: Path) -> None:
    """-o with the name of a file is refused before anything is run."""
    (tmp_path / "marks").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        claim_folder(tmp_path / "marks", QUICK, fresh=False)


def test_only_names_must_exist(submission: Submission) -> None:
    """--only with a typing error marks nobody and says who there is."""
    assert choose([submission], ()) == (submission,)
    assert choose([submission], ("ann",)) == (submission,)
    with pytest.raises(UsageError, match=r"amm.*ann"):
        choose([submission], ("amm",))


def test_a_folder_keeps_its_seed(tmp_path: Path) -> None:
    """The seed is drawn once and kept; one that is asked for takes its place, without --fresh."""
    drawn = claim_folder(tmp_path, QUICK, fresh=False)
    assert drawn.seed
    assert claim_folder(tmp_path, QUICK, fresh=False) == drawn
    asked = QUICK.model_copy(update={"seed": 7})
    assert claim_folder(tmp_path, asked, fresh=False).seed == 7
    assert claim_folder(tmp_path, QUICK, fresh=True).seed == 7


def test_another_seed_only_marks_again(submission: Submission, lab: Lab, tmp_path: Path) -> None:
    """Held-out images enter the marking, not the run."""
    finish(submission, lab, tmp_path)
    settings = QUICK.model_copy(update={"seed": 7})
    (plan,) = make_plans([submission], lab, tmp_path, settings, data="data", environment={})
    assert plan.need is Need.MARK
