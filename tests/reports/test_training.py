"""Curves from the evidence."""

from pathlib import Path

from graders.evidence import Evidence, Trials
from graders.lab import Lab
from graders.reports.training import MOST, trainings


def rewrite(root: Path, trials: Trials) -> Evidence:
    """Put other trials into part A."""
    (root / "a_part" / "trials.json").write_text(trials.model_dump_json(by_alias=True), encoding="utf-8")
    return Evidence(root)


def with_history(*history: dict[str, object], count: int = 1) -> Trials:
    """Trials that each ran once with that history."""
    run = {"kind": "run", "execution_count": 1, "history": history}
    one = {"n": 0, "execution_count": 1, "identity": 1, "class_name": "Net", "runs": [run]}
    return Trials.model_validate({"trials": [{**one, "execution_count": place} for place in range(count)]})


def test_trials_and_loops_come_in_order_of_cells(evidence: Path, lab: Lab) -> None:
    """Trials and loops by hand are mixed by cell; a cap on epochs is told."""
    (part,) = trainings(Evidence(evidence), lab)
    assert [one.title for one in part.trainings] == [
        "BetterCNN, cell [5]",
        "BetterCNN, cell [7]",
        "BetterCNN, cell [9]",
    ]
    assert part.trainings[0].sentence == "4 epochs of the 10 asked for, optimiser Adam, learning rate 0.001."
    assert part.trainings[1].sentence == "By hand, 300 steps, optimiser Adam, learning rate 0.001."
    assert [len(one.charts) for one in part.trainings] == [2, 1, 2]


def test_curves_are_told_in_words(evidence: Path, lab: Lab) -> None:
    """Who does not see the chart reads where it begins and ends."""
    (part,) = trainings(Evidence(evidence), lab)
    assert "training: from 0.6 to 0.15. validation: from 0.7 to 0.175." in part.trainings[0].charts[0]
    assert "training: from 70.0 % to 92.5 %." in part.trainings[0].charts[1]


def test_odd_values_leave_gaps(evidence: Path, lab: Lab) -> None:
    """Words, truth values and huge numbers in a history are skipped; without any number there is no chart."""
    odd = with_history({"loss": "low"}, {"loss": True}, {"loss": 1e300}, {"loss": 0.5}, {"loss": 0.25})
    (part,) = trainings(rewrite(evidence, odd), lab)
    assert "training: from 0.5 to 0.25." in part.trainings[0].charts[0]
    (part,) = trainings(rewrite(evidence, with_history({"loss": None})), lab)
    assert part.trainings[0].charts == ()


def test_many_trainings_are_capped(evidence: Path, lab: Lab) -> None:
    """A page never grows without end: the rest is counted."""
    (part,) = trainings(rewrite(evidence, with_history({"loss": 1.0}, count=MOST + 3)), lab)
    assert len(part.trainings) == MOST
    assert part.note == "3 more trainings not drawn."


def test_unreadable_trials_become_a_sentence(evidence: Path, lab: Lab) -> None:
    """A damaged record is told, not raised."""
    (evidence / "a_part" / "trials.json").write_text("{", encoding="utf-8")
    (part,) = trainings(Evidence(evidence), lab)
    assert part.trainings == ()
    assert "cannot be read" in part.note


def test_no_evidence_no_curves(lab: Lab) -> None:
    """Where nothing ran nothing is drawn."""
    assert trainings(None, lab) == ()
