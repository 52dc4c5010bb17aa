"""Verdicts on written answers about the shape of feature maps."""

from graders.lab5.shapes import Question, Reading, read_shape
from graders.records import Verdict

GIVEN = frozenset({0, 1, 2, 28, 128, 784, 60000, 10000})
"""Numbers that belong to the question: image, batch, data set, terms of the formula."""

CONV_5X5 = Question(maps=32, height=24, width=24, given=GIVEN | {5, 25})
CONV_7X3 = Question(maps=32, height=22, width=26, given=GIVEN | {7, 3, 21})


def judge_shape(text: str, question: Question, rule: str) -> Verdict:
    """Judge a written shape.

    Args:
        text: The answer.
        question: What is right.
        rule: How to work it out, a sentence that does not give the result away.
    """
    reading, shown = read_shape(text, question)
    found = f"your answer reads {shown}" if shown else "no shape was found in your answer"
    if reading is Reading.RIGHT:
        return Verdict.passed(f"The shape is right: {shown}.", read=shown)
    if reading is Reading.UNCLEAR:
        return Verdict.review("UNCLEAR_ANSWER", f"A person must read this answer: {found}.", answer=text, read=shown)
    if reading is Reading.SWAPPED:
        message = f"Height and width are exchanged: {found}. PyTorch names the height first, in kernels and in shapes."
        return Verdict.partial(0.5, "HEIGHT_WIDTH_SWAPPED", message, read=shown)
    if reading is Reading.NO_MAPS:
        message = (
            f"The size of a map is right, but the number of maps is missing: {found}. There is one for each filter."
        )
        return Verdict.partial(0.5, "NUMBER_OF_MAPS_MISSING", message, read=shown)
    return Verdict.failed("WRONG_SHAPE", f"Expected number of maps, height and width; {found}. {rule}", read=shown)
