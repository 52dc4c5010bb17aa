"""What is carried out of folders that a stranger may have prepared."""

import os
from pathlib import Path

import pytest

from graders.execution import collect
from graders.execution.collect import Collector


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A stage with one state of a model."""
    stage = tmp_path / "stage"
    (stage / "models" / "0").mkdir(parents=True)
    (stage / "models" / "index.json").write_text("{}")
    (stage / "models" / "0" / "model.json").write_text("{}")
    (stage / "trials.json").write_text("{}")
    return stage


def taken(target: Path) -> list[str]:
    """Names of all files in a folder."""
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())


def test_known_names_are_taken_and_no_others(stage: Path, tmp_path: Path) -> None:
    """Files of the layout are carried out; others, and folders that are no number, stay where they are."""
    (stage / "evil.json").write_text("{}")
    (stage / "models" / "00").mkdir()
    (stage / "models" / "00" / "model.json").write_text("{}")
    (stage / "models" / "0" / "code.py").write_text("1")
    collector = Collector(tmp_path / "out")
    collector.stage(stage)
    assert taken(tmp_path / "out") == ["models/0/model.json", "models/index.json", "trials.json"]
    assert collector.refused == {}


def test_links_pipes_and_sizes_are_refused(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is followed, waited for or read without end; every refusal is told."""
    monkeypatch.setattr(collect, "MAX_JSON_BYTES", 1000)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (stage / "variables.json").symlink_to(secret)
    os.link(secret, stage / "drawn.json")
    os.mkfifo(stage / "shims.json")
    (stage / "probes.json").mkdir()
    with (stage / "inputs.safetensors").open("wb") as file:
        file.truncate(2**40)
    (stage / "trials.json").write_text("x" * 1001)
    (stage / "models" / "1").symlink_to(tmp_path)
    collector = Collector(tmp_path / "out")
    collector.stage(stage)
    assert taken(tmp_path / "out") == ["models/0/model.json", "models/index.json"]
    reasons = {name: reason.split()[0] for name, reason in collector.refused.items()}
    assert reasons == {
        "variables.json": "a",
        "drawn.json": "has",
        "shims.json": "not",
        "probes.json": "not",
        "inputs.safetensors": "larger",
        "trials.json": "larger",
        "models/1": "a",
    }


def test_stage_that_is_a_link_is_refused(stage: Path, tmp_path: Path) -> None:
    """A stage that was replaced by a link is not entered."""
    (tmp_path / "link").symlink_to(stage)
    collector = Collector(tmp_path / "out")
    collector.stage(tmp_path / "link")
    assert not (tmp_path / "out").exists()
    assert "stage" in collector.refused


def test_number_of_states_is_limited(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many states the first are kept, in the order of their numbers."""
    monkeypatch.setattr(collect, "MAX_MODELS", 2)
    for number in (10, 9):
        (stage / "models" / str(number)).mkdir()
        (stage / "models" / str(number) / "model.json").write_text("{}")
    collector = Collector(tmp_path / "out")
    collector.stage(stage)
    assert "models/9/model.json" in taken(tmp_path / "out")
    assert "models/10/model.json" not in taken(tmp_path / "out")
    assert "3 states" in collector.refused["models"]


def test_all_files_together_are_limited(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that fit one by one are refused as soon as all of them together do not."""
    monkeypatch.setattr(collect, "MAX_STAGE_BYTES", 3)
    collector = Collector(tmp_path / "out")
    collector.stage(stage)
    assert len(taken(tmp_path / "out")) == 1
    assert len(collector.refused) == 2


def test_missing_stage_is_no_matter(tmp_path: Path) -> None:
    """A kernel that wrote nothing leaves nothing, and nothing is refused."""
    collector = Collector(tmp_path / "out")
    collector.stage(tmp_path / "nowhere")
    assert collector.refused == {}
