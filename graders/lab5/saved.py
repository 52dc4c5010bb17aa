"""The weights file: what part 1 saved, and what parts 2 and 3 loaded."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from graders.errors import HarnessError
from graders.evidence import Array
from graders.grading import Found, Work
from graders.lab5.networks import BETTER, BETTER_SHAPES, WEIGHTS_FILE
from graders.records import Verdict


def judge_saved(work: Work) -> Verdict:
    """Whether the file is a plain state_dict of BetterCNN that equals the live model bit for bit."""
    entry = work.notebook.files.get(WEIGHTS_FILE)
    hint = f'torch.save(model.state_dict(), "{WEIGHTS_FILE}") writes it.'
    entry = work.require(entry, f"the file {WEIGHTS_FILE}", ("torch.save", WEIGHTS_FILE), hint)
    if entry.kind == "module":
        message = (
            f"Expected a state_dict in {WEIGHTS_FILE}; it holds a whole pickled model, which only opens beside its "
            "class and can run any code when it is opened. Save model.state_dict() instead of model."
        )
        return Verdict.failed("WHOLE_MODEL_SAVED", message)
    if entry.kind != "state_dict":
        problem = entry.problem or "it holds something else"
        return Verdict.failed("NOT_A_STATE_DICT", f"Expected a state_dict in {WEIGHTS_FILE}; {problem}.")
    tensors = work.notebook.file_tensors(WEIGHTS_FILE)
    if any(one.event.class_name == BETTER and _holds(one, tensors) for one in work.models("saved", "end")):
        # Whatever its shapes: what is wrong with the network itself costs points in its architecture, not here again.
        message = f"{WEIGHTS_FILE} holds the {len(tensors)} tensors of your {BETTER}, equal to the model's bit for bit."
        return Verdict.passed(message)
    return _wrong_content(tensors) or _compare_with_live(work, tensors)


def _wrong_content(tensors: Mapping[str, Array]) -> Verdict | None:
    """What is wrong with names and shapes. Students may call layers otherwise: shapes decide, names only explain."""
    shapes = {name: array.shape for name, array in tensors.items()}
    if Counter(shapes.values()) == Counter(BETTER_SHAPES.values()):
        return None
    wrong = [name for name, shape in BETTER_SHAPES.items() if shapes.get(name) != shape]
    strange = [name for name in shapes if name not in BETTER_SHAPES]
    name = wrong[0] if wrong else strange[0]
    expected, found = _shape(BETTER_SHAPES.get(name)), _shape(shapes.get(name))
    message = f"{WEIGHTS_FILE} should hold the ten tensors of {BETTER}; {name}: expected {expected}, found {found}."
    return Verdict.failed("WRONG_TENSORS", message, shapes={name: list(shape) for name, shape in shapes.items()})


def _shape(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else f"[{', '.join(map(str, shape))}]"


def _compare_with_live(work: Work, tensors: Mapping[str, Array]) -> Verdict:
    live = [one for one in work.models("saved", "end") if _holds(one, tensors)]
    if live:
        return Verdict.passed(f"{WEIGHTS_FILE} holds the ten tensors of {BETTER}, equal to the model's bit for bit.")
    known = [one for one in work.models("saved", "end", "trained") if _same_names(one, tensors)]
    what = f"a live model with the tensors of {WEIGHTS_FILE}"
    work.require(known or None, what, (BETTER,), f"The {BETTER} that was saved should still be there at the end.")
    message = (
        f"{WEIGHTS_FILE} has the right tensors, but their values differ from those of the model at the end. Save after "
        "training, and do not train on afterwards."
    )
    return Verdict.partial(1 / 3, "WEIGHTS_DIFFER", message)


def _same_names(found: Found, tensors: Mapping[str, Array]) -> bool:
    return set(found.snapshot.meta.state_keys) == set(tensors)


def _holds(found: Found, tensors: Mapping[str, Array]) -> bool:
    return _same_names(found, tensors) and same_tensors(state_of(found), tensors)


def state_of(found: Found) -> dict[str, Array]:
    """A model's state_dict: constants left out, aliases filled in."""
    weights = found.snapshot.weights
    first = {one.name: one.alias_of or one.name for one in found.snapshot.meta.tensors}
    keys = found.snapshot.meta.state_keys
    return {key: weights[first.get(key, key)] for key in keys if first.get(key, key) in weights}


def same_tensors(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether two state_dicts are equal bit for bit: names, shapes, types, values."""
    if one.keys() != other.keys():
        return False
    return all(
        array.dtype == other[name].dtype
        and array.shape == other[name].shape
        and np.ascontiguousarray(array).tobytes() == np.ascontiguousarray(other[name]).tobytes()
        for name, array in one.items()
    )


def handed_in(work: Work) -> dict[str, Array]:
    """The tensors of the weights file that the notebook was given.

    Raises:
        HarnessError: the run kept none; that is ours.
    """
    entry = work.notebook.files.get(WEIGHTS_FILE)
    if entry is None or entry.kind != "state_dict":
        raise HarnessError(f"the run of {work.notebook.run.name} kept no readable {WEIGHTS_FILE}")
    return work.notebook.file_tensors(WEIGHTS_FILE)
