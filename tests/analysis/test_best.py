"""Where a logged value was best."""

import numpy as np
import pytest

from unetdyn.analysis import Curves
from unetdyn.analysis.best import best_epoch
from unetdyn.analysis.log_keys import LogKeys

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("direction", "values", "best"),
    [
        ("up", [0.1, 0.7, 0.7, 0.2], 1),
        ("down", [0.4, 0.1, 0.1], 1),
        ("down", [NAN, 0.3, INF, -INF], 1),
        ("up", [NAN, INF, 0.3], 2),
        ("none", [0.4, 0.1, 0.9], 2),
        (None, [0.4, 0.1, 0.9], 2),
        ("up", [NAN, INF], None),
        ("up", [], None),
    ],
)
def test_best_epoch_is_the_first_of_the_best_finite_values(direction, values, best):
    assert best_epoch(np.array(values), direction) == best


def test_best_of_curves_goes_by_what_the_run_recorded_and_then_by_the_name():
    logged = {name: ([0, 1, 2], [0.4, 0.1, 0.9]) for name in ("val_mae", "val_jaccard", "val_my_distance")}
    curves = Curves(logged, log_keys=LogKeys(metrics={"my_distance": "up"}))
    assert [curves.best(name) for name in logged] == [1, 2, 2]
