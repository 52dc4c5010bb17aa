"""Tests of what is kept of an optimiser's steps."""

import numpy as np

from graders.runtime.steps import FOLD, MAX_IMAGES, MAX_LOSSES, Images, Step, Steps, Thinned


def test_losses_are_thinned_evenly() -> None:
    """Never more than 500, the first one always kept, spread over all."""
    thinned = Thinned()
    for value in range(4_321):
        thinned.add(value)
    assert MAX_LOSSES / 2 <= len(thinned.kept) <= MAX_LOSSES
    assert thinned.kept[0] == 0
    assert len({b - a for a, b in zip(thinned.kept, thinned.kept[1:], strict=False)}) == 1


def test_images_are_kept_once_and_not_for_ever() -> None:
    """The same image in every epoch counts once; there is a limit."""
    images = Images()
    for _ in range(3 * FOLD):
        images.add([np.array([5, -2, 5])])
    assert images.all().tolist() == [-2, 5]
    images.add([np.arange(2 * MAX_IMAGES)])
    assert len(images.all()) == MAX_IMAGES
    images.add([np.array([-9])])
    assert -9 not in images.all()


def test_only_steps_that_were_watched_count() -> None:
    """A step of which nothing was seen is neither stale nor fresh."""
    steps = Steps()
    for step in (Step(loss=2.0), Step(loss=1.0, stale=True), Step(stale=False)):
        steps.add(step)
    assert steps.record() == {"steps": 3, "losses": [2.0, 1.0], "gradients_watched": 2, "stale_gradients": 1}
