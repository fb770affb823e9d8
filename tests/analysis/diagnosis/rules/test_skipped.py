"""Updates that were skipped."""

import numpy as np
import pytest

from planted_runs import gradients, planted
from unetdyn.analysis.diagnosis.rules import skipped

LOGGED = np.r_[1, np.zeros(39)]


@pytest.mark.parametrize(("count", "level"), [(8, "good"), (127, "good"), (128, "watch"), (639, "watch"), (640, "ill")])
def test_skipped_updates_are_judged_mildly(count, level):
    (found,) = skipped.find(planted({"mine": gradients(count, applied=False)}, grad_nonfinite=LOGGED))
    assert (found.code, found.level) == ("gradient.skipped", level)
    assert found.seen == f"{count} of 1280 updates were skipped, since the gradient was not finite"


@pytest.mark.parametrize(
    "evidence",
    [planted(grad_nonfinite=LOGGED), planted({"mine": gradients(8, applied=True)}, grad_nonfinite=LOGGED)],
    ids=["not recorded", "all used"],
)
def test_nothing_to_say(evidence):
    assert list(skipped.find(evidence)) == []
