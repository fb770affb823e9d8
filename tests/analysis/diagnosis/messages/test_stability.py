"""What is told of a value's scatter: code, level and the class."""

import pytest

from unetdyn.analysis import stability
from unetdyn.analysis.diagnosis.messages.stability import class_of_stability


@pytest.mark.parametrize(
    ("values", "level", "advised"),
    [
        ([0.2, 0.2], "good", False),
        ([0.2, 0.22], "good", False),
        ([0.2, 0.3], "watch", False),
        ([0.2, 0.5], "ill", True),
        ([0.2, float("nan")], "ill", True),
        ([0.2], "unknown", False),
    ],
)
def test_class_is_graded_and_a_poor_one_advised(values, level, advised):
    measured = stability(values, 2)
    found = class_of_stability("val_jaccard", measured)
    assert (found.code, found.level) == ("stability.val_jaccard", level)
    assert found.seen == f"val_jaccard: {measured}."
    assert ("a lower learning rate" in found.sentence) == advised
