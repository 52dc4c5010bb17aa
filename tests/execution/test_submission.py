"""Whole submissions with real kernels, a second or two each."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from graders.errors import Interrupted
from graders.evidence import Evidence
from graders.execution import Progress, execute_submission
from graders.lab import Lab
from tests.execution.tiny import STUB, WEIGHTS, Execute, Submit, notebook


def statuses(evidence: Evidence) -> list[str]:
    """The cells' statuses of the first notebook."""
    return [cell.status for cell in evidence.notebooks["one.ipynb"].journal.cells]


def limited(lab: Lab, **seconds: int) -> Lab:
    """The lab with other limits."""
    return lab.model_copy(update={"profiles": {"quick": lab.profiles["quick"].model_copy(update=seconds)}})


def test_errors_do_not_end_a_run(execute: Execute, submit: Submit) -> None:
    """Cells after an error are run; every error keeps its name, its words and its line."""
    node = notebook("make", "print(1)", "\n1/0", "", "x = 1\nx = = 2", "def f():\n    return 1 + 'a'\nf()", "print(2)")
    evidence = execute(submit(one=node))
    one = evidence.notebooks["one.ipynb"]
    assert statuses(evidence) == ["ok", "error", "ok", "error", "error", "ok"]
    assert [cell.execution_count for cell in one.journal.cells] == [1, 2, None, 3, 4, 5]
    errors = [cell.error for cell in one.journal.cells if cell.error]
    assert [(error.name, error.line) for error in errors] == [
        ("ZeroDivisionError", 2),
        ("SyntaxError", 2),
        ("TypeError", 2),
    ]
    assert one.run.status == "errors"
    assert "cell [2] raised ZeroDivisionError in line 2: division by zero" in one.run.message
    assert one.journal.cells[0].task == "make"
    assert one.answers.printed["make"].startswith("1\n")
    assert evidence.notebooks["two.ipynb"].run.status == "missing"
    assert one.folder is not None
    executed = json.loads((one.folder / "executed.ipynb").read_text())
    assert len(executed["cells"]) == len(node.cells), "papermill's own cells are not in it"


@pytest.mark.parametrize(
    ("code", "status", "stop", "kernel_exit"),
    [
        ("import sys; sys.exit(0)", "exit", "INCOMPLETE", None),
        ("import os; os._exit(3)", "crashed", "CRASHED", 3),
        ("quit()", "crashed", "CRASHED", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "crashed", "CRASHED", -9),
        ("while True: print('flood ' * 100)", "output-limit", "OUTPUT_LIMIT", None),
    ],
)
def test_what_ends_a_run_is_told(
    execute: Execute, submit: Submit, code: str, status: str, stop: str, kernel_exit: int | None
) -> None:
    """A cell that ends the run is named; the cells after it count as not run, what was before is kept."""
    evidence = execute(submit(one=notebook("make", "print('before')", code, "print('after')")))
    one = evidence.notebooks["one.ipynb"]
    assert statuses(evidence) == ["ok", status, "not-run"]
    assert (one.journal.stop, one.journal.stop_cell, one.journal.kernel_exit) == (stop, 2, kernel_exit)
    assert one.run.status == stop.lower().replace("_", "-")
    assert "[2]" in one.run.message
    assert "the cell after it was not run" in one.run.message
    assert one.answers.printed["make"].startswith("before")
    assert one.folder is not None
    assert (one.folder / "executed.ipynb").stat().st_size < 2 * 2**20


def test_endless_cells_are_stopped(execute: Execute, submit: Submit, lab: Lab) -> None:
    """A loop that can be interrupted costs its cell only; one that cannot ends the notebook."""
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    node = notebook("make", "while True: pass", "print(1)", stubborn, "print(2)")
    evidence = execute(submit(one=node), lab=limited(lab, cell_seconds=1))
    one = evidence.notebooks["one.ipynb"]
    assert statuses(evidence) == ["timeout", "ok", "timeout", "not-run"]
    assert (one.run.status, one.journal.stop, one.journal.stop_cell) == ("time-limit", "TIME_LIMIT", 3)
    assert "cell [3] ran longer than 1 s" in one.run.message


def test_time_of_notebook_and_submission(execute: Execute, submit: Submit, lab: Lab) -> None:
    """The notebook's own limit ends it in the cell where it is reached; what the submission has left is the next's."""
    slow = notebook("make", "import time; time.sleep(1.5)", "time.sleep(9)", "1")
    short = limited(lab, notebook_seconds=2, submission_seconds=2)
    evidence = execute(submit(one=slow, two=notebook("use")), lab=short)
    assert statuses(evidence) == ["ok", "timeout", "not-run"]
    assert "longer than the 2 s it had" in evidence.notebooks["one.ipynb"].run.message
    two = evidence.notebooks["two.ipynb"]
    assert two.run.status == "time-limit"
    assert "was not run" in two.run.message
    assert [cell.status for cell in two.journal.cells] == ["not-run"]


def test_kernel_sees_only_what_it_may(
    execute: Execute, submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variables of ours, no pictures before the end, and never what is expected of them."""
    monkeypatch.setenv("SECRET_TOKEN", "x")
    look = "import os\nprint(sorted(os.environ)); print(sorted(p for p in os.listdir() if not p.startswith('.')))"
    evidence = execute(submit(two=notebook("use", look)))
    two = evidence.notebooks["two.ipynb"]
    names, files = two.answers.printed["use"].splitlines()
    assert "SECRET_TOKEN" not in names
    assert "LABMARK_RUNTIME" in names
    assert files == str(["hello.txt", WEIGHTS])
    told = json.loads(two.shims[0])
    assert told["there"] == [["picture"]]
    assert [probe["function"] for probe in told["probes"]] == ["look"]
    assert told["config"]["datasets"] == {"some.package.DIGITS": str(tmp_path / "images")}
    assert str(tmp_path / "tiny") not in two.shims[0]
    assert two.run.handoffs == {WEIGHTS: "reference"}
    assert any("the lab's own net.weights" in note for note in evidence.index.notes)


def test_file_goes_from_part_to_part(execute: Execute, submit: Submit, tmp_path: Path) -> None:
    """A usable file of the first notebook is kept, read as a state_dict, and handed to the second."""
    source = tmp_path / "reference" / WEIGHTS
    make = f"import shutil, os; shutil.copy({str(source)!r}, {WEIGHTS!r})\nos.symlink('/etc/passwd', 'note.txt')"
    evidence = execute(submit(one=notebook("make", make), two=notebook("use", f"import os; os.stat({WEIGHTS!r})")))
    one, two = evidence.notebooks["one.ipynb"], evidence.notebooks["two.ipynb"]
    assert (one.files[WEIGHTS].kind, one.files[WEIGHTS].origin) == ("state_dict", "written")
    assert list(one.file_tensors(WEIGHTS)) == ["w"]
    assert two.run.handoffs == {WEIGHTS: "part"}
    assert two.files[WEIGHTS].origin == "part"
    assert two.run.status == "complete"
    assert evidence.index.notes == ()
    assert one.folder is not None
    refused = json.loads((one.folder / "files" / "index.json").read_text())["refused"]
    assert "symbolic link" in refused["note.txt"]
    assert not (one.folder / "files" / "note.txt").exists()


def test_relative_paths_lead_to_the_same(
    lab: Lab, submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders named from where labmark was started: images, evidence and weights files are found all the same."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    (Path("images") / "images").write_bytes(b"images")
    index = execute_submission(
        submit(one=notebook("make", "print(1)"), two=notebook("use", f"import os; os.stat({WEIGHTS!r})")),
        lab,
        profile="quick",
        folder=Path("evidence"),
        data=Path("images"),
        store=Path("store"),
        report=lambda progress: None,
        runtime=STUB,
    )
    assert [run.status for run in index.notebooks] == ["complete", "complete"]
    assert index.notebooks[1].handoffs == {WEIGHTS: "reference"}
    assert Evidence(tmp_path / "evidence").notebooks["two.ipynb"].files[WEIGHTS].kind == "state_dict"


def test_same_notebook_is_run_once(execute: Execute, submit: Submit, tmp_path: Path) -> None:
    """Two students with the same cells, at the same time: one run; each has the claims of their own file."""
    counter = tmp_path / "count"
    code = f"open({str(counter)!r}, 'a').write('run ')\nprint('said')"
    node, other = notebook("make", code), notebook("make", code)
    other.cells[0].outputs = [v4.new_output("stream", name="stdout", text="claimed")]
    found: dict[str, Evidence] = {}
    work: list[Callable[[], Any]] = [
        lambda: found.update(ann=execute(submit("ann", one=node))),
        lambda: found.update(bob=execute(submit("bob", one=other))),
    ]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "run "
    ann, bob = (found[name].notebooks["one.ipynb"] for name in ("ann", "bob"))
    assert found["ann"].index.key == found["bob"].index.key
    assert (ann.answers.printed, bob.answers.printed) == ({"make": "said"}, {"make": "said"})
    assert (ann.answers.claimed, bob.answers.claimed) == ({}, {"make": "claimed"})


def test_calling_off_leaves_nothing(execute: Execute, submit: Submit, tmp_path: Path) -> None:
    """When the run is called off, every process is ended, and earlier evidence stays as it was."""
    pid = tmp_path / "pid"
    start = "import subprocess\np = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
    node = notebook("make", f"{start}open({str(pid)!r}, 'w').write(str(p.pid))", "while True: pass")
    before = execute(submit(one=notebook("make", "1")))
    stop = threading.Event()

    class StopAfterOne(list[Progress]):
        def append(self, progress: Progress) -> None:
            if progress.cell == 1:
                stop.set()

    with pytest.raises(Interrupted):
        execute(submit(one=node), stop=stop, told=StopAfterOne())
    state = Path(f"/proc/{pid.read_text()}/status")
    assert not state.exists() or "State:\tZ" in state.read_text()
    after = Evidence(tmp_path / "out" / "ann" / "evidence")
    assert after.index == before.index
    assert [path.name for path in (tmp_path / "out" / "ann").iterdir()] == ["evidence"]


def test_file_that_is_no_notebook(execute: Execute, submit: Submit, tmp_path: Path) -> None:
    """A file that cannot be read is told in a sentence, and the others are run all the same."""
    submission = submit()
    broken = tmp_path / "one.ipynb"
    broken.write_text("not JSON")
    evidence = execute(submission.model_copy(update={"notebooks": {"one.ipynb": broken}}))
    assert evidence.notebooks["one.ipynb"].run.status == "unreadable"
    assert "one.ipynb" in evidence.notebooks["one.ipynb"].run.message


def test_kernel_that_does_not_start_is_our_fault(execute: Execute, submit: Submit) -> None:
    """Where no kernel starts the student is not blamed, and the kernel's last words are told."""
    evidence = execute(submit(one=notebook("make", "1")), python="/bin/false")
    run = evidence.notebooks["one.ipynb"].run
    assert run.status == "harness-error"
    assert "kernel did not start" in run.message
    assert statuses(evidence) == ["not-run"]


def test_cells_may_remove_what_they_run_in(execute: Execute, submit: Submit) -> None:
    """A notebook that removes its folder, and all that lies beside it, is still told cell by cell; others are run."""
    own = notebook("make", "import os, shutil\nshutil.rmtree(os.getcwd())", "print('after')")
    beside = notebook("use", "!rm -rf ./* ../*", "1/0")
    evidence = execute(submit(one=own, two=beside))
    assert statuses(evidence) == ["ok", "ok"]
    two = evidence.notebooks["two.ipynb"]
    assert [cell.status for cell in two.journal.cells] == ["ok", "error"]
    assert two.run.status == "errors"


def test_runner_that_was_killed_is_told(execute: Execute, submit: Submit) -> None:
    """Where the process that runs the notebook is killed, the signal is named, and the next notebook is run."""
    node = notebook("make", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    evidence = execute(submit(one=node, two=notebook("use")))
    run = evidence.notebooks["one.ipynb"].run
    assert run.status == "harness-error"
    assert "ended by SIGKILL" in run.message
    assert evidence.notebooks["two.ipynb"].run.status == "complete"
