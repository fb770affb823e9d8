"""Where a logged value was best, against a search by hand."""

import math

import numpy as np
import pytest

from unetdyn.analysis.best import best_epoch


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("val_jaccard", [0.1, 0.7, 0.7, 0.2], 1),
        ("val_loss", [0.4, 0.1, 0.1], 1),
        ("mae", [3.0, 1.0, 2.0], 1),
        ("jaccard", [math.nan, 0.2, math.inf], 1),
        ("loss", [-math.inf, 0.2, 0.1], 2),
        ("jaccard", [math.nan, math.inf], None),
        ("jaccard", [], None),
    ],
)
def test_best_is_the_first_highest_or_lowest_of_what_is_finite(name, values, best):
    assert best_epoch(name, np.array(values, float)) == best
