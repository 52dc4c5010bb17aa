"""Tests of what the evidence says of a training, from evidence made by hand and from trainings that were watched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchbearer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from graders.evidence import Array, NotebookEvidence, NotebookRun
from graders.grading import Work
from graders.idx import read_idx
from graders.lab import Lab
from graders.lab5.hidden import test_part1 as hidden
from graders.lab5.training import FAULTS, HANDFUL, Aspect, aspects, evaluation_advice, untrained
from graders.records import Outcome, Verdict
from graders.runtime.collector import Collector
from graders.runtime.config import Config
from graders.runtime.hashing import image_hashes
from tests.grading.building import NotebookFolder
from tests.lab5.conftest import BetterCNN, work_of

Book = Callable[[int], NotebookFolder]
FALLING = [2.3, 2.2, 2.1, 1.5, 1.2, 1.0, 0.8, 0.7, 0.6, 0.5]
RISING = FALLING[::-1]


def small() -> nn.Module:
    """A network that is quickly written; what it computes does not matter here."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def trained_part(part: NotebookFolder, **trial: Any) -> NotebookFolder:
    """Part 1 with a network that was trained by a Torchbearer trial; `run` has its run's record, the rest its own."""
    part.answer("bettercnn-train")
    part.event("initial", small())
    part.event("trained", small(), name="BetterCNN", detail={"trial": 0, "loop": None, "steps": 10})
    run = {"kind": "run", "execution_count": 1, "steps": 10, "losses": FALLING, "gradients_watched": 10}
    run |= trial.pop("run", {})
    split = trial.pop("split", "train")
    made = {"n": 0, "execution_count": 1, "identity": 0, "class_name": "BetterCNN", "owns_model": True, "runs": [run]}
    made["generators"] = {"train": {"dataset": "MNIST", "split": split}, "test": {"dataset": "MNIST", "split": "test"}}
    part.trials["trials"] = [made | trial]
    return part


def looped_part(part: NotebookFolder, *loops: dict[str, Any]) -> NotebookFolder:
    """Part 1 with a network that was trained by loops in one cell."""
    part = trained_part(part)
    made = {"execution_count": 1, "identity": 0, "class_name": "BetterCNN", "optimizer": "SGD", "owns_model": True}
    made |= {"losses": FALLING, "loaders": [{"dataset": "MNIST", "split": "train"}]}
    part.trials = {"trials": [], "loops": [made | {"n": n} | loop for n, loop in enumerate(loops)]}
    event = part.events.pop()
    for n in range(len(loops)):
        part.events.append(event | {"n": 1 + n, "detail": {"trial": None, "loop": n, "steps": 10}})
    return part


def judged(lab: Lab, part: NotebookFolder) -> Verdict:
    """The verdict on part 1's training."""
    return hidden.test_training_evidence(work_of(lab, "5.1/training-evidence", part))


def broken(lab: Lab, part: NotebookFolder) -> list[str]:
    """Codes of the aspects that are broken."""
    return [one["code"] for one in judged(lab, part).details["aspects"] if not one["held"]]


# --- evidence made by hand


@pytest.mark.parametrize(
    ("trial", "share", "code"),
    [
        ({}, 1, "OK"),
        ({"split": None}, 1, "OK"),
        ({"split": "test"}, 0, "TEST_DATA_IN_TRAINING"),
        ({"owns_model": False}, 0.75, "OPTIMISER_OF_ANOTHER_MODEL"),
        ({"run": {"losses": RISING}}, 0.75, "LOSS_DID_NOT_FALL"),
        ({"run": {"losses": [*FALLING[:9], "NaN"]}}, 0.75, "LOSS_DID_NOT_FALL"),
        ({"run": {"losses": [2.3, 1e9, 1e6, *RISING, 2.4, 2.4, 2.4]}}, 0.75, "LOSS_DID_NOT_FALL"),
        ({"run": {"losses": [0.5 - one for one in RISING]}}, 1, "OK"),
        ({"run": {"losses": RISING[:9]}}, 1, "OK"),
        ({"run": {"losses": [], "history": [{"loss": 2.0}, {"loss": 1.0}]}}, 1, "OK"),
        ({"run": {"losses": [], "history": [{"loss": 1.0}, {"loss": 2.0}]}}, 0.75, "LOSS_DID_NOT_FALL"),
        ({"run": {"losses": [], "history": [{"loss": 2.5}]}}, 1, "OK"),
        ({"run": {"losses": [], "history": [{"acc": 0.5}]}}, 1, "OK"),
        ({"run": {"stale_gradients": 10}}, 0.75, "GRADIENTS_NOT_CLEARED"),
        ({"run": {"stale_gradients": 5}}, 1, "OK"),
        ({"run": {"gradients_watched": 9, "stale_gradients": 9}}, 1, "OK"),
        ({"run": {"stale_gradients": 6, "losses": RISING}, "owns_model": False}, 0.25, "OPTIMISER_OF_ANOTHER_MODEL"),
    ],
)
def test_training_with_a_trial(book: Book, lab: Lab, trial: dict[str, Any], share: float, code: str) -> None:
    """Every broken aspect costs a quarter; what the evidence cannot tell, or is too short to tell, costs nothing."""
    verdict = judged(lab, trained_part(book(1), **trial))
    assert (verdict.share, verdict.code) == (share, code)


@pytest.mark.parametrize(
    ("loops", "found"),
    [
        ([{}], []),
        ([{"losses": RISING}], ["LOSS_DID_NOT_FALL"]),
        ([{"gradients_watched": 100, "stale_gradients": 99}], ["GRADIENTS_NOT_CLEARED"]),
        ([{"loaders": [{"dataset": "MNIST", "split": "test"}]}], ["TEST_DATA_IN_TRAINING"]),
        ([{"losses": FALLING[:5]}, {"losses": FALLING[5:]}], []),
        ([{"losses": RISING[:5]}, {"losses": RISING[5:]}], ["LOSS_DID_NOT_FALL"]),
        ([{"owns_model": False}, {"owns_model": False}], ["OPTIMISER_OF_ANOTHER_MODEL"]),
    ],
)
def test_training_by_hand(book: Book, lab: Lab, loops: list[dict[str, Any]], found: list[str]) -> None:
    """Loops in plain PyTorch count just as well; an optimiser of its own for every epoch is one training."""
    assert broken(lab, looped_part(book(1), *loops)) == found


def test_unchanged_weights_were_not_trained(book: Book, lab: Lab) -> None:
    """Weights as they were before the first step earn nothing."""
    part = trained_part(book(1))
    part.events[1]["model"] = 0
    verdict = judged(lab, part)
    assert (verdict.outcome, verdict.code) == (Outcome.FAILED, "WEIGHTS_UNCHANGED")
    assert "model.parameters()" in verdict.message


def test_a_second_training_need_not_fall(book: Book, lab: Lab) -> None:
    """After a training whose loss fell, twenty more epochs with another optimiser may not gain anything."""
    part = trained_part(book(1))
    again = {**part.trials["trials"][0], "n": 1}
    again["runs"] = [{"kind": "run", "execution_count": 2, "losses": [0.1] * 5 + [0.2] * 5}]
    part.trials["trials"].append(again)
    part.event("trained", small(), name="BetterCNN", detail={"trial": 1, "loop": None}, execution_count=2)
    assert broken(lab, part) == []
    again["generators"] = {"train": {"dataset": "MNIST", "split": "test"}}
    assert judged(lab, part).code == "TEST_DATA_IN_TRAINING"


@pytest.fixture
def images(lab: Lab) -> dict[str, Array]:
    """The lab's images by split, bytes (n, 28, 28)."""
    folder = lab.folder / lab.data.embedded
    return {name: read_idx(folder / f"{name}-images-idx3-ubyte.gz") for name in ("train", "test", "held-out")}


@pytest.mark.parametrize("split", ["test", "held-out"])
def test_test_images_are_recognised_by_themselves(book: Book, lab: Lab, images: dict[str, Array], split: str) -> None:
    """Whatever the loader is called; a handful, which own data may hold, is forgiven."""
    part = trained_part(book(1), split=None)
    training = image_hashes(images["train"][:500])
    for count, found in ((0, []), (HANDFUL, []), (HANDFUL + 1, ["TEST_DATA_IN_TRAINING"])):
        part.trained_images = {"trial0": np.concatenate([training, image_hashes(images[split][:count])])}
        assert broken(lab, part) == found
    part.trained_images["loop0"] = part.trained_images.pop("trial0")
    assert broken(lab, part) == []


def test_no_training_image_is_a_test_image(book: Book, lab: Lab, images: dict[str, Array]) -> None:
    """All of the training data, and not one of them is mistaken for test data."""
    part = trained_part(book(1), split=None)
    part.trained_images = {"trial0": image_hashes(images["train"])}
    assert broken(lab, part) == []
    everything = np.concatenate([image_hashes(one) for one in images.values()])
    assert len(np.unique(everything)) == len(everything)


# --- why a network could not learn


@pytest.mark.parametrize(
    ("trial", "code"),
    [
        ({}, None),
        ({"split": "test"}, None),
        ({"owns_model": False}, "OPTIMISER_OF_ANOTHER_MODEL"),
        ({"run": {"losses": RISING}}, "LOSS_DID_NOT_FALL"),
        ({"run": {"losses": RISING, "stale_gradients": 10}}, "GRADIENTS_NOT_CLEARED"),
    ],
)
def test_why_a_training_could_not_work(book: Book, lab: Lab, trial: dict[str, Any], code: str | None) -> None:
    """The plainest reason, in a sentence that teaches and names no check."""
    work = work_of(lab, "5.1/bettercnn-accuracy", trained_part(book(1), **trial))
    said = untrained(work, work.model("trained", class_name="BetterCNN"))
    assert said == (None if code is None else FAULTS[code])


@pytest.mark.parametrize("said", FAULTS.values(), ids=FAULTS)
def test_sentences_tell_no_hidden_check(said: str) -> None:
    """They stand in reports of public checks."""
    assert "check" not in said.lower()
    assert "evidence" not in said.lower()


# --- how it was evaluated


@pytest.mark.parametrize(
    ("counts", "codes"),
    [
        ((8, 8, 8), ["EVALUATED_IN_TRAINING_MODE", "EVALUATED_WITH_GRADIENTS"]),
        ((8, 0, 8), ["EVALUATED_WITH_GRADIENTS"]),
        ((8, 5, 4), ["EVALUATED_IN_TRAINING_MODE"]),
        ((8, 0, 0), []),
    ],
)
def test_advice_about_evaluations(book: Book, lab: Lab, counts: tuple[int, int, int], codes: list[str]) -> None:
    """Told where most calls of one cell went wrong, and only of this very network."""
    part = trained_part(book(1))
    told = dict(zip(("calls", "in_training", "with_gradients"), counts, strict=True))
    made = {"n": 0, "execution_count": 1, "identity": 0, "class_name": "BetterCNN", **told}
    part.trials["evaluations"] = [made | {"loader": {"dataset": "MNIST", "split": "test"}}]
    part.event("trained", small(), name="BetterCNN", identity=1)
    work = work_of(lab, "5.1/bettercnn-accuracy", part)
    first, other = work.models("trained")
    assert [one["code"] for one in evaluation_advice(work, first)] == codes
    assert evaluation_advice(work, other) == []


# --- trainings that were watched


class Watched:
    """A kernel's collector in this process, with the lab's own images."""

    def __init__(self, folder: Path, lab: Lab, images: dict[str, Array]) -> None:
        self.lab, self.stage, self.names = lab, folder / "stage", dict[str, Any]()
        self._collector = Collector(Config(stage=self.stage), lambda: self.names)
        self._images = images

    def loader(self, *splits: str, count: int = 320) -> DataLoader[Any]:
        """Normalised images of these splits, in shuffled batches of 16, without a word about where they are from."""
        folder = self.lab.folder / self.lab.data.embedded
        parts = [
            TensorDataset(
                (torch.from_numpy(self._images[one][:count].copy())[:, None] / 255 - 0.1307) / 0.3081,
                torch.from_numpy(read_idx(folder / f"{one}-labels-idx1-ubyte.gz")[:count].astype(np.int64)),
            )
            for one in splits
        ]
        return DataLoader(ConcatDataset(parts), batch_size=16, shuffle=True)

    def run(self, cell: Callable[[], object]) -> tuple[Aspect, ...]:
        """Run one cell; what is then said of the last training."""
        self._collector.install()
        try:
            self._collector.begin_cell(1)
            cell()
            self._collector.end_cell()
        finally:
            self._collector.uninstall()
        assert [line for line in self._collector.notes.sentences if line.startswith("internal")] == []
        work = self.work
        return aspects(work, work.models("trained")[-1])

    @property
    def work(self) -> Work:
        """The evidence, as a grader sees it."""
        run = NotebookRun(name="5_1_CNN.ipynb", status="complete", message="", folder=self.stage.name)
        return Work(self.lab, self.lab.check("5.1/training-evidence"), NotebookEvidence(run, self.stage.parent))


@pytest.fixture
def watched(tmp_path: Path, lab: Lab, images: dict[str, Array]) -> Watched:
    """A collector that is about to watch."""
    torch.manual_seed(3)
    return Watched(tmp_path, lab, images)


def by_hand(loader: Any, *, clear: bool = True, mean: float = 1.0, every: int = 1, rate: float = 1e-3) -> Any:
    """Two epochs in plain PyTorch with an optimiser that lives in this function only."""
    model = BetterCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(2):
        for number, (images, labels) in enumerate(loader):
            if clear and number % every == 0:
                optimizer.zero_grad()
            (mean * F.cross_entropy(model(images), labels)).backward()  # type: ignore[no-untyped-call]
            if number % every == every - 1:
                optimizer.step()
    return model


def with_torchbearer(loader: Any, test: Any, epochs: int = 1) -> Any:
    """One epoch in a trial."""
    model = BetterCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trial = torchbearer.Trial(model, optimizer, nn.CrossEntropyLoss(), ["acc"], verbose=0)
    trial.with_generators(loader, test, test).run(epochs)
    trial.evaluate(data_key=torchbearer.TEST_DATA)
    return model


def found(seen: tuple[Aspect, ...]) -> list[str]:
    """Codes of broken aspects."""
    return [one.code for one in seen if one.held is False]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (lambda w: by_hand(w.loader("train")), []),
        (lambda w: by_hand(w.loader("train"), every=4, rate=4e-3), []),
        (lambda w: by_hand(w.loader("train"), mean=50), []),
        (lambda w: by_hand(w.loader("train"), clear=False, rate=1e-4), ["GRADIENTS_NOT_CLEARED"]),
        (lambda w: by_hand(w.loader("train"), rate=100), ["LOSS_DID_NOT_FALL"]),
        (lambda w: by_hand(w.loader("train", "test")), ["TEST_DATA_IN_TRAINING"]),
        (lambda w: with_torchbearer(w.loader("train"), w.loader("test")), []),
        (lambda w: with_torchbearer(w.loader("train", count=16), w.loader("test")), []),
        (lambda w: with_torchbearer(w.loader("test"), w.loader("train")), ["TEST_DATA_IN_TRAINING"]),
        (lambda w: by_hand(w.loader("train"), rate=0), ["WEIGHTS_UNCHANGED"]),
    ],
)
def test_trainings_that_were_watched(watched: Watched, train: Callable[[Watched], Any], expected: list[str]) -> None:
    """Honest ones break nothing: gradients added up, other losses, one epoch, one step; the others what they should.

    A flat loss may fall or rise by chance, so that it is not looked at where nothing was learned.
    """
    seen = watched.run(lambda: watched.names.update(model=train(watched)))
    assert [
        code for code in found(seen) if code != "LOSS_DID_NOT_FALL" or "WEIGHTS_UNCHANGED" not in expected
    ] == expected


def test_an_evaluation_without_eval_is_advised(watched: Watched) -> None:
    """From the loop in the cell to the sentence for the student."""

    class Split(TensorDataset):
        train = False

        def __init__(self, *tensors: torch.Tensor) -> None:
            super().__init__(*tensors)
            self.train = False

    def cell() -> None:
        model = by_hand(watched.loader("train", count=16))
        for images, _ in DataLoader(Split(torch.rand(6, 1, 28, 28), torch.arange(6)), batch_size=2):
            model(images)
        watched.names["model"] = model

    watched.run(cell)
    work = watched.work
    advice = evaluation_advice(work, work.models("trained")[-1])
    assert [one["code"] for one in advice] == ["EVALUATED_IN_TRAINING_MODE", "EVALUATED_WITH_GRADIENTS"]
    assert "model.eval()" in advice[0]["message"]
    assert "torch.no_grad()" in advice[1]["message"]
