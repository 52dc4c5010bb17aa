"""What a submission says and claims, read without running it."""

from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from graders.lab import Lab
from graders.notebooks.answers import LONGEST, printed_by_task, read_answers
from graders.notebooks.release import solved_notebook, template_notebook


def pair(tiny: Lab) -> tuple[NotebookNode, NotebookNode]:
    """Template and perfect submission."""
    spec = tiny.notebooks[0]
    return template_notebook(tiny, spec), solved_notebook(tiny, spec)


def test_solved_answers_are_found_and_touched(tiny: Lab) -> None:
    """Text, kind and the number that Jupyter shows."""
    template, solved = pair(tiny)
    answers = read_answers(tiny.notebooks[0], template, solved).answers
    assert answers["question"].model_dump() == {
        "kind": "written",
        "found": True,
        "touched": True,
        "text": "32, a secret",
        "number": None,
    }
    assert (answers["program"].touched, answers["program"].number) == (True, 2)
    assert answers["program"].text.endswith("return 2 * x")


def test_the_template_is_untouched(tiny: Lab) -> None:
    """Also with other spaces, a comment, and the raise commented out."""
    template, _ = pair(tiny)
    node = deepcopy(template)
    node.cells[4].source = "# mine\n" + node.cells[4].source.replace("raise", "# raise") + "\n\n"
    for one in (template, node):
        answers = read_answers(tiny.notebooks[0], template, one).answers
        assert [(a.found, a.touched) for a in answers.values()] == [(True, False)] * 2


def test_a_deleted_answer_is_not_found(tiny: Lab) -> None:
    """Neither found nor touched, and without text."""
    template, solved = pair(tiny)
    del solved.cells[4]
    answer = read_answers(tiny.notebooks[0], template, solved).answers["program"]
    assert (answer.found, answer.touched, answer.text, answer.number) == (False, False, "", None)


def test_a_stub_left_above_the_answer_is_not_part_of_it(tiny: Lab) -> None:
    """What a reader gets is the answer alone."""
    template, _ = pair(tiny)
    node = deepcopy(template)
    node.cells.insert(2, new_markdown_cell("32 maps"))
    node.cells.insert(3, new_markdown_cell("of 24 x 24"))
    answer = read_answers(tiny.notebooks[0], template, node).answers["question"]
    assert (answer.touched, answer.text) == (True, "32 maps\n\nof 24 x 24")


def test_stored_outputs_are_claims(tiny: Lab) -> None:
    """Streams and plain text of answer cells, not those of given ones; nothing is printed yet."""
    template, solved = pair(tiny)
    solved.cells[2].outputs = [new_output("stream", text="given\n")]
    solved.cells[4].outputs = [
        new_output("stream", text="test accuracy: 99.9%\n"),
        new_output("execute_result", data={"text/plain": "0.5", "text/html": "<b>"}),
        new_output("error", ename="E", evalue="v", traceback=[]),
    ]
    answers = read_answers(tiny.notebooks[0], template, solved)
    assert answers.claimed == {"program": "test accuracy: 99.9%\n0.5"}
    assert answers.printed == {}


def test_a_progress_bar_leaves_its_last_state() -> None:
    """What was overwritten on the line is not kept."""
    cell = new_code_cell("x", outputs=[new_output("stream", text="0%\r50%\r100%\r\ndone\n")])
    assert printed_by_task(NotebookNode(cells=[cell]), {0: "a"}) == {"a": "100%\ndone"}


def test_a_flood_is_cut_in_the_middle() -> None:
    """Start and end are kept, the length has a limit."""
    outputs = [new_output("stream", text="first " + "x" * 50_000), new_output("stream", text=" last")]
    text = printed_by_task(NotebookNode(cells=[new_code_cell("x", outputs=outputs)]), {0: "a"})["a"]
    assert len(text) <= LONGEST
    assert text.startswith("first ")
    assert text.endswith(" last")


def test_cells_of_one_task_are_printed_in_order() -> None:
    """Text cells and places beyond the notebook print nothing."""
    cells = [new_code_cell("x", outputs=[new_output("stream", text=f"{n}\n")]) for n in range(2)]
    node = NotebookNode(cells=[*cells, new_markdown_cell("t")])
    assert printed_by_task(node, {1: "a", 0: "a", 2: "b", 9: "c"}) == {"a": "0\n1"}
