"""Where a logged value was best."""

import numpy as np
import pytest

from unetdyn.analysis.best import best_epoch

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("val_jaccard", [0.1, 0.7, 0.7, 0.2], 1),
        ("val_loss", [0.4, 0.1, 0.1], 1),
        ("val_mae", [NAN, 0.3, INF, -INF], 1),
        ("val_jaccard", [NAN, INF, 0.3], 2),
        ("val_jaccard", [NAN, INF], None),
        ("val_jaccard", [], None),
    ],
)
def test_best_epoch_is_the_first_of_the_best_finite_values(name, values, best):
    assert best_epoch(name, np.array(values)) == best


def test_best_epoch_takes_the_direction_it_is_given():
    values = np.array([0.4, 0.1, 0.9])
    assert [best_epoch("val_loss", values, direction) for direction in ("up", "down", "none")] == [2, 1, 2]
