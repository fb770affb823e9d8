"""Falls and jumps of the metric."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from planted_runs import CALM, EPOCHS, descent, healthy, jumping, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.symptoms import swings


def falls(values):
    return next(found for found in swings.find(planted(val_jaccard=values)) if found.name == "falls")


def jumps(evidence):
    return next(found for found in swings.find(evidence) if found.name == "jumps")


def falling(*at, to=0.02):
    values = healthy()["val_jaccard"]
    values[list(at)] = to
    return values


def counted(values):
    """Epochs below half of what was reached before, of those since half of the best was; one at a time."""
    down, of, best = [], 0, np.nanmax(values)
    for place in range(len(values)):
        reached = np.nanmax(values[: place + 1])
        if reached >= 0.5 * best:
            of += 1
            down += [place] if values[place] < 0.5 * reached else []
    return down, of


@pytest.mark.parametrize("at", [(25,), (20, 30), (20, 21, 22), (39,), tuple(range(10, 40, 3))])
def test_falls_are_counted_since_half_of_the_best_was_reached(at):
    values = falling(*at)
    found, (down, of) = falls(values), counted(values)
    assert down == list(at)
    assert found.code == "metric.falls"
    assert found.seen.startswith(f"below half of what it had reached in {len(at)} of {of} epochs: ")
    assert {place for first, last in found.epochs for place in range(first, last + 1)} == set(at)
    ill = len(at) >= max(swings.LEAST, swings.OFTEN * of)
    assert found.level == ("ill" if ill else "watch" if len(at) >= swings.AGAIN else "info")


def test_single_fall_from_which_it_comes_back_is_no_trouble():
    assert falls(falling(*range(20, 19 + swings.AGAIN))).level == "info"
    assert falls(falling(*range(20, 20 + swings.AGAIN))).level == "watch"


def test_often_is_where_the_rule_says():
    of = counted(healthy()["val_jaccard"])[1]
    most = math.ceil(swings.OFTEN * of)
    assert falls(falling(*range(20, 20 + most))).level == "ill"
    assert falls(falling(*range(20, 20 + most - 1))).level == "watch"


def test_depth_is_where_the_rule_says():
    reached = healthy()["val_jaccard"][:30].max()
    assert falls(falling(30, to=swings.HALF * reached + 1e-6)).level == "good"
    assert falls(falling(30, to=swings.HALF * reached - 1e-6)).level == "info"


def test_one_bad_epoch_of_ten_is_no_illness():
    """A tenth of the epochs, and an accident all the same."""
    found = next(swings.find(Evidence.read({"val_jaccard": np.r_[np.full(5, 0.8), 0.1, np.full(4, 0.8)]})))
    assert (found.name, found.level) == ("falls", "info")


def test_healthy_metric_has_none():
    of = counted(healthy()["val_jaccard"])[1]
    found = falls(healthy()["val_jaccard"])
    assert (found.level, found.seen) == ("good", f"none below half of what it had reached, in {of} epochs")


def test_fall_among_almost_nothing_says_nothing():
    values = healthy()["val_jaccard"]
    values[:6] = 0.04, 0.04, 0.001, 0.001, 0.04, 0.2
    assert falls(values).level == "good"


@pytest.mark.parametrize("values", [np.full(EPOCHS, -1.0), np.linspace(-0.5, 0.8, EPOCHS)])
def test_metric_with_negative_values_has_no_half(values):
    assert [found.name for found in swings.find(planted(val_jaccard=values))] == ["jumps"]


def test_error_has_no_falls():
    evidence = Evidence.read({"loss": descent(6, 40)["loss"], "mae": descent(6, 40)["loss"]}, "mae")
    assert [found.name for found in swings.find(evidence)] == ["jumps"]


def test_many_places_are_cut():
    found = falls(falling(*range(12, 40, 2)))
    assert "… (14 times)" in found.seen
    assert len(found.epochs) == 14


def test_jumps_are_the_median_change_about_the_rise():
    found = jumps(planted())
    values = healthy()["val_jaccard"]
    around = values[-11:] - IsotonicRegression().fit_transform(np.arange(11), values[-11:])
    assert (found.code, found.level, found.epochs) == ("metric.jumps", "good", ((29, 39),))
    assert f"by {np.median(np.abs(np.diff(around))) / values.max():.1%} of the best" in found.seen


def zigzag(part):
    """Each value a part of the best below or above the last, and no rise that could explain it: a fall each time."""
    high, low = 0.8, 0.8 * (1 - part)
    return np.r_[np.full(EPOCHS - 11, high), high, np.tile([low, high], 5)]


@pytest.mark.parametrize(("part", "levels"), [(swings.JUMPS, ("good", "watch")), (swings.JUMPS_FAR, ("watch", "ill"))])
def test_jumps_are_graded_where_the_rule_says(part, levels):
    for by, level in zip((-1e-6, 1e-6), levels, strict=True):
        values = zigzag(part + by)
        around = values[-11:] - IsotonicRegression().fit_transform(np.arange(11), values[-11:])
        assert np.median(np.abs(np.diff(around))) / 0.8 == pytest.approx(part + by, abs=1e-9)
        assert jumps(planted(val_jaccard=values)).level == level


@pytest.mark.parametrize(("scale", "why"), [(0.14, "jumps by 1"), (0.40, "jumps by 3")])
def test_jumps_say_how_far(scale, why):
    assert why in jumps(planted(val_jaccard=jumping(scale))).why


@pytest.mark.parametrize("epochs", [10, 12, 15, 20, 40])
@pytest.mark.parametrize("tau", [1, 4, 16])
def test_smooth_rise_has_no_jumps(tau, epochs):
    found = jumps(Evidence.read(descent(tau, epochs)))
    assert found.level == "good"
    assert found.seen.startswith("by 0.0% of the best")


def test_calm_metric_that_once_fell_does_not_jump():
    assert jumps(planted(val_jaccard=falling(35))).level == "good"


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.zeros(EPOCHS), "its best is 0, of which nothing is a part"),
        (np.full(EPOCHS, np.nan), "0 of the 10 changes that it needs"),
        (np.full(5, 0.5), "4 of the 10 changes that it needs"),
    ],
)
def test_what_has_no_jumps_to_tell(values, seen):
    found = jumps(Evidence.read({"val_jaccard": values}))
    assert (found.level, found.seen) == ("unknown", seen)


def test_no_metric_no_finding():
    assert list(swings.find(Evidence.read({"loss": 1 + CALM}))) == []
