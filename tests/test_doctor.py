"""`labmark doctor`: problems are found and come with a remedy."""

import subprocess
from pathlib import Path

import pytest

from graders import doctor
from graders.lab import DEFAULT_LAB


def test_a_working_machine_has_no_problem() -> None:
    """Where the tests run, everything that quick needs is there."""
    findings = {finding.what: finding for finding in doctor.examine(DEFAULT_LAB)}
    assert [one.what for one in findings.values() if not one.ok] == []
    assert "import together" in findings["torch pair"].found
    assert "fetch_mnist" in findings["images of full"].remedy


def test_a_broken_lab_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """Everything else is still looked at when lab.toml is not there."""
    findings = doctor.examine(tmp_path / "lab.toml")
    broken = [finding for finding in findings if not finding.ok]
    assert [finding.what for finding in broken] == ["lab"]
    assert str(tmp_path) in broken[0].found


def test_a_mismatched_pair_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a CPU build beside a CUDA build leads to the right remedy."""

    def fails(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        stderr = "Traceback\nRuntimeError: operator torchvision::nms does not exist"
        return subprocess.CompletedProcess([], 1, "", stderr)

    monkeypatch.setattr(subprocess, "run", fails)
    finding = doctor._torch_pair()
    assert not finding.ok
    assert "uninstall both" in finding.remedy


def test_damaged_data_is_named(tmp_path: Path) -> None:
    """A file that differs from its checksum is a problem that names the file."""
    (tmp_path / "images").write_bytes(b"other")
    (tmp_path / "SHA256SUMS").write_text("0" * 64 + "  images\n")
    finding = doctor._attempt("embedded images", lambda: doctor._checksums(tmp_path), "restore")
    assert not finding.ok
    assert "images is damaged" in finding.found
