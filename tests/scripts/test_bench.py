"""The benchmark measures what it says, and tells which budgets are kept; no figure is asserted."""

import json

import pytest

from graders.models import stages
from scripts import bench
from scripts.bench import Bench, Subject, Timing


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The reference's network, exported."""
    made = Subject(tmp_path_factory.mktemp("bench"))
    made.export()
    return made


def test_the_reference_s_network_is_measured(subject: Subject) -> None:
    """The network is the reference's, exported in both modes, with a thousand images for it."""
    assert subject.network.parameter_count == 59_933
    assert len(stages(subject.train)) == 13
    assert subject.images.shape == (1000, 1, 28, 28)


@pytest.mark.parametrize("one", bench.BENCHES, ids=lambda one: one.name)
def test_every_benchmark_runs(subject: Subject, one: Bench) -> None:
    """Each function of the table does its work on the network."""
    one.work(subject)


def timings() -> tuple[Timing, ...]:
    """Made-up seconds: one within its budget, one beyond it."""
    names = [one.name for one in bench.BENCHES]
    return tuple(Timing(name, 0.2 * (place + 1), 0.1, 0.9, 0.4) for place, name in enumerate(names))


def test_runs_are_counted_after_the_warm_up(subject: Subject) -> None:
    """Every benchmark runs once more than it is measured, and the figures are in order."""
    calls: list[str] = []
    benches = (Bench("a", lambda _: calls.append("a"), 10.0), Bench("b", lambda _: calls.append("b")))
    found = bench.measure(subject, benches, runs=3)
    assert calls == ["a", "b"] * 4
    assert [one.kept for one in found] == [True, None]
    assert all(one.fastest <= one.median <= one.slowest for one in found)


def test_missed_budgets_are_said_and_make_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A median beyond its budget is MISSED, in words, in JSON and in the exit status."""
    monkeypatch.setattr(bench, "measure", lambda *_: timings())
    assert bench.main(["--runs", "1"]) == 1
    text = capsys.readouterr().out
    assert "kept" in text
    assert "MISSED" in text
    assert bench.main(["--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [one["kept"] for one in data["benches"]][:3] == [True, True, False]
    assert list(data["ratios"].values()) == [pytest.approx(0.8 / 0.6)]


def test_kept_budgets_end_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With every budget kept the exit status is 0; at least one run is needed."""
    monkeypatch.setattr(bench, "measure", lambda *_: timings()[:2])
    assert bench.main([]) == 0
    with pytest.raises(SystemExit):
        bench.main(["--runs", "0"])
