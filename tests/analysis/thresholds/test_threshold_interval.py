"""The bootstrap interval of the best threshold against resampling by hand and planted thresholds."""

import math
import runpy

import numpy as np
from scipy.special import expit

from unetdyn.analysis import threshold_curve
from unetdyn.analysis.thresholds.every_threshold import THRESHOLDS

RNG = np.random.default_rng(0)
Y = RNG.random((8, 20, 20)) < 0.3
P = expit(np.where(Y, 1, -1) + RNG.standard_normal(Y.shape) + RNG.standard_normal((8, 1, 1)))


def test_interval_equals_resampling_images_by_hand():
    draw, best = np.random.default_rng(3), []
    for _ in range(200):
        images = draw.integers(8, size=8)
        y, p = Y[images], P[images]
        scores = {t: np.sum(y & (p > t)) / np.sum(y | (p > t)) for t in THRESHOLDS}
        tied = [t for t, score in scores.items() if score == max(scores.values())]
        best.append(min(tied, key=lambda t: abs(t - 0.5)))
    best.sort()
    for confidence, low, high in [(0.2, 79, 120), (0.5, 49, 150), (0.8, 19, 180), (0.95, 4, 195)]:
        curve = threshold_curve(Y, P, resamples=200, seed=3, confidence=confidence)
        assert curve.best_threshold_interval == (best[low], best[high])


def test_the_interval_repeats_itself_and_grows_with_the_confidence():
    (low, high), (lower, higher) = (
        threshold_curve(Y, P, confidence=confidence).best_threshold_interval for confidence in (0.5, 0.99)
    )
    assert threshold_curve(Y, P, confidence=0.5).best_threshold_interval == (low, high)
    assert lower < low < high < higher


def test_resamples_without_an_object_are_left_out():
    y, p = np.zeros((3, 4, 4)), np.zeros((3, 4, 4))
    y[0, 0], p[0, 0] = 1, 0.6
    assert threshold_curve(y, p).best_threshold_interval == (0.5, 0.5)


def test_intervals_hold_planted_thresholds(repository):
    truth = runpy.run_path(str(repository / "benchmarks" / "truth" / "threshold_curve.py"))
    draws = 150
    curves = truth["found"](draws, seed=1, images=20, spread=0.5)
    # The full figure is 95.6 %. A true 95 % would fall below 88 % of 150 once in 5,000 times.
    assert truth["covered"](curves, spread=0.5) >= 0.88 * draws
    widths = [high - low for low, high in (curve.best_threshold_interval for curve in curves)]
    assert np.mean(widths) < 0.2  # and not because they hold everything
    planted = truth["true_share_near"](0.5)
    shares = [curve.share_near for curve in curves]
    assert abs(np.mean(shares) - planted) < 4 * np.std(shares) / math.sqrt(draws)
