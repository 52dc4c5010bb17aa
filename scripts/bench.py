"""Times what labmark does for every network, against its budgets.

    python -m scripts.bench [--runs 9] [--json]

It measures the network of the reference's first notebook, on one thread, after a warm-up: median, smallest and
largest of several runs, in milliseconds. A budget is a promise about a quiet machine of today; figures of different
machines are not compared, a ratio of two figures of one run may be. A new benchmark is a function with a line in
`BENCHES`.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

import graders.models
from graders.evidence import Array, Snapshot
from graders.grading.held_out import held_out
from graders.lab import Lab, load_lab
from graders.lab5.networks import BETTER
from graders.models import Network, evaluate, read_network, stages
from graders.models.facts import as_details, facts
from graders.runtime.export import export_mode
from graders.runtime.registry import Spec
from graders.runtime.snapshots import capture

IMAGES = 1000
BATCH = 128


class Subject:
    """What is measured: the reference's network, exported once into `folder`, and the held-out images."""

    def __init__(self, folder: Path) -> None:
        self.lab: Lab = load_lab()
        torch.manual_seed(7)
        self.module = reference_module(self.lab, BETTER)
        self.folder = folder

    def export(self) -> None:
        """Write the module's evidence, as the runtime does in a student's kernel."""
        taken = capture(self.module)
        spec = Spec((BATCH, 1, 28, 28), torch.float32)
        graphs: dict[str, Any] = {}
        exports: dict[str, Any] = {}
        weights = dict(taken.weights)
        for mode in ("train", "eval"):
            made = export_mode(self.module, spec, taken.aliases, training=mode == "train")
            graphs[mode] = made.graph
            exports[mode] = {"ok": made.graph is not None, "batch": made.batch, "error": made.error}
            weights |= made.constants
        meta = {
            "schema": "labmark/model/1",
            "class_name": type(self.module).__name__,
            "text": taken.text,
            "tensors": taken.tensors,
            "state_keys": taken.state_keys,
            "input_shape": list(spec.shape),
            "exports": exports,
        }
        save_file(weights, self.folder / "weights.safetensors")
        (self.folder / "graph.json").write_text(json.dumps({"schema": "labmark/graph/1", **graphs}), encoding="utf-8")
        (self.folder / "model.json").write_text(json.dumps(meta), encoding="utf-8")

    @cached_property
    def network(self) -> Network:
        """The network in evaluation mode, from the evidence."""
        return read_network(Snapshot(self.folder), "eval")

    @cached_property
    def train(self) -> Network:
        """The network in training mode, from the evidence."""
        return read_network(Snapshot(self.folder), "train")

    @cached_property
    def images(self) -> Array:
        """A thousand images, repeated where the lab has fewer."""
        found = held_out(self.lab.folder / self.lab.data.held_out).images
        return np.resize(found, (IMAGES, *found.shape[1:]))


def reference_module(lab: Lab, name: str) -> nn.Module:
    """A network of the reference notebooks, made by running the cell that defines its class."""
    book = nbformat.read(lab.root / lab.notebooks[0].file, as_version=4)
    cells = [cell.source for cell in book.cells if cell.cell_type == "code" and f"class {name}(" in cell.source]
    scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
    exec(cells[0], scope)  # the instructor's own code, from this repository
    module: nn.Module = scope[name]()
    return module


def export_and_canonicalise(subject: Subject) -> None:
    """Export both modes and write them; read the train graph back and put it into canonical form."""
    subject.export()
    read_and_canonicalise(subject)


def read_and_canonicalise(subject: Subject) -> None:
    """The second half of it: what grading does with the files that are there."""
    canonical: Callable[[Network], object] = getattr(graders.models, "stage_graph", stages)
    canonical(read_network(Snapshot(subject.folder), "train"))


def evaluate_here(subject: Subject) -> None:
    """A thousand images through the network, in this process."""
    subject.network.run(subject.images)


def evaluate_in_child(subject: Subject) -> None:
    """The same in a process of its own, under limits, as grading does it."""
    evaluate(subject.network, subject.images, subject.lab.limits.evaluation_mb)


def gather_facts(subject: Subject) -> None:
    """All facts about the network, as a check's details hold them."""
    as_details(facts(subject.network, subject.train, subject.images))


@dataclass(frozen=True)
class Bench:
    """One benchmark: `budget` in seconds, or None where it is only shown."""

    name: str
    work: Callable[[Subject], None]
    budget: float | None = None


BENCHES = (
    Bench("export and canonicalise", export_and_canonicalise, 0.3),
    Bench("read and canonicalise", read_and_canonicalise),
    Bench(f"evaluate {IMAGES} images here", evaluate_here),
    Bench(f"evaluate {IMAGES} images in a child", evaluate_in_child, 0.5),
    Bench("gather facts", gather_facts, 0.3),
)
RATIOS = ((f"evaluate {IMAGES} images in a child", f"evaluate {IMAGES} images here"),)
"""Pairs of benchmarks whose medians are compared."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one benchmark."""

    name: str
    median: float
    fastest: float
    slowest: float
    budget: float | None

    @property
    def kept(self) -> bool | None:
        """Whether the median is within the budget; None where there is none."""
        return None if self.budget is None else self.median <= self.budget


def measure(subject: Subject, benches: Sequence[Bench], runs: int) -> tuple[Timing, ...]:
    """Warm every benchmark up once, then run them in turns, so that a busy moment of the machine meets all of them."""
    for bench in benches:
        bench.work(subject)
    seconds: dict[str, list[float]] = {bench.name: [] for bench in benches}
    for _ in range(runs):
        for bench in benches:
            start = time.perf_counter()
            bench.work(subject)
            seconds[bench.name].append(time.perf_counter() - start)
    return tuple(
        Timing(
            one.name, statistics.median(seconds[one.name]), min(seconds[one.name]), max(seconds[one.name]), one.budget
        )
        for one in benches
    )


def ratios(timings: Sequence[Timing]) -> dict[str, float]:
    """How many times as long the first of each pair takes as the second."""
    medians = {one.name: one.median for one in timings}
    return {f"{one} / {other}": medians[one] / medians[other] for one, other in RATIOS if {one, other} <= set(medians)}


def as_text(timings: Sequence[Timing]) -> str:
    """A table for people, in milliseconds."""
    width = max(len(one.name) for one in timings)
    lines = [f"{'':{width}}  {'median':>9} {'min':>9} {'max':>9} {'budget':>9}"]
    for one in timings:
        figures = " ".join(f"{1000 * value:6.0f} ms" for value in (one.median, one.fastest, one.slowest))
        budget = "" if one.budget is None else f" {1000 * one.budget:6.0f} ms {'kept' if one.kept else 'MISSED'}"
        lines.append(f"{one.name:{width}}  {figures}{budget}")
    return "\n".join([*lines, *(f"{name}: {value:.2f}" for name, value in ratios(timings).items())])


def as_json(timings: Sequence[Timing], runs: int) -> str:
    """The same for programs, in seconds."""
    data = {
        "schema": "labmark/bench/1",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "runs": runs,
        "benches": [{**asdict(one), "kept": one.kept} for one in timings],
        "ratios": ratios(timings),
    }
    return json.dumps(data, indent=2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=9, help="how often each is measured (default: 9)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="labmark-bench-") as folder:
            timings = measure(Subject(Path(folder)), BENCHES, options.runs)
    finally:
        torch.set_num_threads(before)
    print(as_json(timings, options.runs) if options.json else as_text(timings))
    return 1 if any(one.kept is False for one in timings) else 0


if __name__ == "__main__":
    sys.exit(main())
