"""A network in numbers: what is read of the details, and how it is shown."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.reports.facts import MALFORMED, NetworkFacts, network_facts
from graders.reports.pages import environment
from tests.reports.conftest import parse_safely
from tests.reports.test_visuals import JSON

PAGE = (
    '{% extends "base.html.j2" %}{% import "facts.html.j2" as f %}'
    "{% block title %}t{% endblock %}{% block body %}<main><h1>t</h1>{{ f.numbers(all) }}</main>{% endblock %}"
)


def full(**changes: Any) -> dict[str, Any]:
    """Facts with something of everything."""
    return {
        "parameters": 59_933,
        "trainable": 780,
        "multiply_adds": 1_891_900,
        "steps": [
            step("conv1", "convolution with 30 maps, 5x5", [30, 24, 24], 780, 432_000, [5, 5]),
            step("", "ReLU", [30, 24, 24], 0, 0, None),
            step("fc<1>", "linear layer", [10], 510, 500, None) | {"reuses": True},
        ],
        "more_steps": 3,
        "unused": [{"layer": "spare", "parameters": 1200}],
        "merges": [{"op": "add", "branches": ["a", "the direct connection"]}],
        "problems": [],
        "images": 128,
        "labelled": True,
        "most_frequent": {"class": 3, "share": 0.25, "different": 9},
        "dead": [{"place": "after conv1", "units": 30, "dead": 2}],
        "dropout": {"places": ["after conv1"], "spread": [0.5, 0.75]},
        "company": {"places": [], "spread": [1.0, 0.25]},
        "batches": [batch(1, "other-shape", [10], "squeeze takes it away"), batch(2, "runs"), batch(128, "runs")],
        "training_batches": [batch(1, "refused"), batch(2, "refused", [], "one value a channel")],
        "training": {"equal": False, "largest": 2.5, "changed": 0.5, "only_training": ["aux"], "only_evaluation": []},
        **changes,
    }


def step(layer: str, what: str, output: list[int], parameters: int, work: int, field: Any) -> dict[str, Any]:
    """A row of the table."""
    return {
        "layer": layer, "what": what, "output": output, "parameters": parameters, "multiply_adds": work, "field": field,
    }  # fmt: skip


def batch(size: int, outcome: str, output: list[int] | None = None, reason: str = "") -> dict[str, Any]:
    """What became of a batch."""
    return {"size": size, "outcome": outcome, "output": output or [size, 10], "reason": reason}


def read(details: Mapping[str, Any]) -> NetworkFacts:
    """Facts that must be well-formed."""
    problems: list[str] = []
    found = network_facts({"facts": details}, problems)
    assert problems == []
    assert found is not None
    return found


def shown(*facts: NetworkFacts) -> str:
    """A page with these networks, which can neither run nor load anything, as text."""
    page = environment().from_string(PAGE).render(all=[{"title": "Net", "facts": one} for one in facts])
    return parse_safely(page).text


def test_the_table_has_every_number() -> None:
    """Layers, sizes, parameters, multiply-adds, fields and totals are there; names are escaped."""
    text = shown(read(full()))
    for part in ("conv1", "30×24×24", "780", "432,000", "5×5", "59,933", "1,891,900", "(again)", "and 3 more", "fc<1>"):
        assert part in text


def test_everything_unusual_is_said() -> None:
    """Each fact beyond the table is a sentence."""
    notes = read(full()).notes
    for sentence in (
        "780 of the 59,933 parameters may change in training, the others not.",
        "spare is never used: its 1,200 parameters are not in the table, but in the total.",
        "Branches come together (add): a; the direct connection.",
        "It takes batches of 2 and 128 images.",
        "For a batch of 1 it gives the shape 10: squeeze takes it away.",
        "In training mode it refuses a batch of 2: one value a channel.",
        "Of 128 images it gives class 3 most often, for 25.0 %; 9 different classes occur.",
        "Units of a ReLU that are 0 for all of 128 images: 2 of 30 after conv1.",
        "In evaluation mode dropout is still active (after conv1): accuracies from 50.0 % to 75.0 % "
        "for the same images.",
        "In evaluation mode an image's batch counts: accuracies from 25.0 % to 100.0 % for the same images.",
    ):
        assert sentence in notes
    assert any("(only training uses aux): 50.0 % of the predictions change" in note for note in notes)
    assert len(notes) == 11


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"most_frequent": {"class": 7, "share": 1.0, "different": 1}}, "It gives class 7 for all of 128 images."),
        ({"most_frequent": {"class": -1, "share": 1.0, "different": 1}}, "its outputs are no numbers"),
        ({"dead": [{"place": "a", "units": 3, "dead": 0}]}, "Every unit of every ReLU gives more than 0"),
        ({"training": {"equal": True}}, "Training mode computes the same"),
        ({"training": {"equal": False, "problem": "it gives 5 scores"}}, "could not be compared"),
        ({"problems": ["fc1.bias holds NaN"]}, "fc1.bias holds NaN"),
        ({"batches": [batch(1, "refused", [], "why")]}, "It refuses a batch of 1: why."),
        ({"batches": [batch(1, "runs")]}, "It takes batches of 1 image."),
        (
            {"batches": [batch(1, "not-known", [], "why"), batch(2, "not-known", [], "why")]},
            "Whether it takes batches of 1 and 2 is not known: why.",
        ),
        ({"labelled": False}, "agreement with the first evaluation"),
    ],
)
def test_other_ways_it_may_be(changes: dict[str, Any], sentence: str) -> None:
    """Each case has its own sentence."""
    assert any(sentence in note for note in read(full(**changes)).notes)


def test_a_network_that_could_not_be_run_has_its_table() -> None:
    """Without health only the structure and the problem are shown."""
    keys = ("parameters", "multiply_adds", "steps", "more_steps", "unused", "merges")
    details = {key: full()[key] for key in keys} | {"trainable": 59_933, "problems": ["it took too long"]}
    notes = read(details).notes
    assert notes[-1] == "it took too long"
    assert len(notes) == 3


def test_no_facts_no_section() -> None:
    """Where no network has facts nothing is shown, not even a heading."""
    page = environment().from_string(PAGE).render(all=[{"title": "Net", "facts": None}])
    assert "numbers" not in parse_safely(page).text
    assert network_facts({}, []) is None
    assert network_facts({"facts": None}, []) is None


@pytest.mark.parametrize(
    "details",
    [
        "facts", [], {}, full(parameters=-1), full(parameters="many"), full(steps=[{}]), full(trainable=1.5),
        full(dropout={"places": [], "spread": []}), full(batches=[batch(1, "perhaps")]),
        full(most_frequent={"class": 1, "share": 2.0, "different": 1}), full(steps=[full()["steps"][0]] * 201),
    ],
)  # fmt: skip
def test_malformed_facts_are_left_out_with_a_sentence(details: Any) -> None:
    """What is not as it should be is named, never shown."""
    problems: list[str] = []
    assert network_facts({"facts": details}, problems) is None
    assert problems == [MALFORMED]


@given(details=st.dictionaries(st.sampled_from(sorted(full())), JSON, max_size=4))
@settings(max_examples=60, deadline=None)
def test_anything_is_read_or_refused(details: dict[str, Any]) -> None:
    """Whatever stands in a detail, it is shown safely or refused with one sentence."""
    problems: list[str] = []
    found = network_facts({"facts": full(**details)}, problems)
    assert (found is None) == (problems == [MALFORMED])
    if found is not None:
        shown(found)
