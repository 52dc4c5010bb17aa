"""All graders of the lab, run by the plugin over one student's evidence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graders.grading import Work, grade_evidence
from graders.lab import Lab
from graders.lab5.own_image import hidden_pictures, prepared
from graders.lab5.pictures import digit_images
from graders.records import Outcome
from tests.grading.building import EvidenceFolder
from tests.lab5.conftest import BetterCNN, BranchModel
from tests.lab5.test_part3 import climbed
from tests.lab5.test_part4 import Joined

ONE, TWO, THREE, FOUR = "5_1_CNN.ipynb", "5_2_Loading.ipynb", "5_3_Visualise.ipynb", "5_4_Topologies.ipynb"
FILE = "bettercnn.weights"


@pytest.fixture
def easy(lab: Lab) -> Lab:
    """The lab with thresholds that networks trained for a moment reach."""
    profile = lab.profile("quick")
    low = profile.model_copy(update={"thresholds": dict.fromkeys(profile.thresholds, 0.01)})
    return lab.model_copy(update={"profiles": {"quick": low}})


@pytest.fixture
def evidence(tmp_path: Path, lab: Lab, learned: BetterCNN) -> EvidenceFolder:
    """What the reference leaves behind, with a network trained for a moment."""
    made = EvidenceFolder(tmp_path, lab)
    for notebook in lab.notebooks:
        for task in notebook.tasks:
            made[notebook.file].answer(task.id)
    made[ONE].answer("conv1-shape", "32x24x24")
    made[ONE].answer("conv1-shape-7x3", "32x22x26")
    weights = {name: tensor.numpy() for name, tensor in learned.state_dict().items()}
    _part1(made, learned, weights)
    _part2(made, lab, learned, weights)
    _part3(made, lab, learned)
    made[FOUR].event("trained", BranchModel())
    made[FOUR].event("trained", Joined(), name="OwnNet", identity=1)
    return made


def _part1(made: EvidenceFolder, learned: BetterCNN, weights: dict[str, Any]) -> None:
    part = made[ONE]
    part.event("trained", learned, name="SimpleCNN", identity=1)
    part.event("initial", BetterCNN())
    part.event("trained", learned, name="BetterCNN", detail={"trial": 0, "loop": None, "steps": 10})
    part.event("end", learned, name="BetterCNN")
    part.file(FILE, weights)
    run = {"kind": "run", "execution_count": 1, "history": [{"loss": 2.0}, {"loss": 1.0}]}
    trial = {"n": 0, "execution_count": 1, "identity": 0, "class_name": "BetterCNN", "owns_model": True, "runs": [run]}
    part.trials["trials"] = [trial]


def _part2(made: EvidenceFolder, lab: Lab, learned: BetterCNN, weights: dict[str, Any]) -> None:
    part = made[TWO]
    part.file(FILE, weights, origin="part")
    part.event("loaded", learned, name="BetterCNN", detail={"strict": True})
    images = digit_images(Work(lab, lab.check("5.2/reload"), part.write()))
    with torch.no_grad():
        read = learned(torch.from_numpy(images)).argmax(1).tolist()
    part.variables["predictions"] = read
    wrong = [k for k, digit in enumerate(read) if digit != k]
    listed = " and ".join(f"{k}.PNG" for k in wrong) or "none"
    part.answer("misclassified", f"{len(wrong)} of the ten: {listed}")
    pictures = hidden_pictures(lab.folder / "data" / "own_images")
    for name in pictures.digits:
        part.probe("load_own_image", name, prepared(pictures.folder / name))


def _part3(made: EvidenceFolder, lab: Lab, learned: BetterCNN) -> None:
    part = made[THREE]
    part.event("loaded", learned, name="BetterCNN")
    filters = learned.conv1.weight.detach().numpy()
    start = np.random.default_rng(2).random((10, 1, 28, 28), dtype=np.float32)
    end = climbed(learned, torch.from_numpy(start)).numpy()
    images = digit_images(Work(lab, lab.check("5.3/filters"), part.write()))
    with torch.no_grad():
        maps = learned.conv1(torch.from_numpy(images))[5].numpy()
    part.tensors |= {"filters": filters, "feature_maps": maps, "start_images": start, "max_images": end}
    part.draw([*filters[:, 0], *maps, *end[:, 0]])


def test_the_references_evidence_earns_all_that_a_program_gives(evidence: EvidenceFolder, easy: Lab) -> None:
    """Everything passes but the two discussions, which a person marks."""
    graded = grade_evidence(evidence.write(), easy, profile="quick")
    outcomes = {check.id: check.outcome for check in graded.checks if check.outcome is not Outcome.PASSED}
    assert outcomes == {"5.3/filters-discussion": Outcome.REVIEW, "5.4/discussion": Outcome.REVIEW}
    assert graded.score == 46
    assert graded.flags == ()


def test_the_templates_evidence_earns_nothing(tmp_path: Path, lab: Lab) -> None:
    """Untouched notebooks were not attempted, given code included."""
    graded = grade_evidence(EvidenceFolder(tmp_path, lab).write(), lab, profile="quick")
    assert graded.score == 0
    assert {check.outcome for check in graded.checks} == {Outcome.NOT_ATTEMPTED}


@pytest.mark.parametrize("name", ["graph.json", "model.json", "weights.safetensors"])
def test_damaged_models_are_rejected(evidence: EvidenceFolder, easy: Lab, name: str) -> None:
    """Files of a model that are not what they claim reject the checks that need it, and no others."""
    root = evidence.write()
    for path in (root / "5_1_CNN" / "models").rglob(name):
        path.write_bytes(b"{}")
    checks = {check.id: check for check in grade_evidence(root, easy, profile="quick").checks}
    assert checks["5.1/bettercnn-accuracy"].code == "MALFORMED_EVIDENCE"
    assert checks["5.1/bettercnn-accuracy"].outcome is Outcome.REJECTED
    assert checks["5.1/conv1-shape"].outcome is Outcome.PASSED
    assert checks["5.2/reload"].outcome is Outcome.PASSED
