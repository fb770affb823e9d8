"""Calibration against scikit-learn and sums written out, and intervals over sections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from unetdyn.evaluation import calibration, reliability

RNG = np.random.default_rng(0)
P = RNG.random((6, 12, 11)).astype("float32")
Y = RNG.random(P.shape) < P**1.5
EXACT = {"resamples": 100}


@pytest.mark.parametrize(("binning", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_the_curve_is_that_of_scikit_learn(binning, strategy):
    found = calibration(P, Y, bins=10, binning=binning, **EXACT)
    share, mean = calibration_curve(Y.ravel(), P.ravel(), n_bins=10, strategy=strategy)
    tolerance = 1e-6 if binning == "width" else 0.005  # quantiles that are among the probabilities, not between them
    np.testing.assert_allclose(found.mean_p, mean, atol=tolerance)
    np.testing.assert_allclose(found.share, share, atol=0.02 if binning == "mass" else 1e-12)
    assert found.brier.value == pytest.approx(brier_score_loss(Y.ravel(), P.ravel().astype(float)))


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_ece_and_the_parts_of_the_brier_score_written_out(binning):
    found = calibration(P, Y, bins=7, binning=binning, **EXACT)
    p, y, total, ece, reliability, resolution = P.ravel().astype(float), Y.ravel(), P.size, 0, 0, 0
    for i, (low, high) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
        inside = (p <= high) & ((p > low) | (i == 0))
        assert found.pixels[i] == inside.sum()
        ece += inside.sum() / total * abs(p[inside].mean() - y[inside].mean())
        reliability += inside.sum() / total * (p[inside].mean() - y[inside].mean()) ** 2
        resolution += inside.sum() / total * (y[inside].mean() - y.mean()) ** 2
    assert found.ece.value == pytest.approx(ece)
    assert (found.reliability, found.resolution) == pytest.approx((reliability, resolution))
    assert found.uncertainty == pytest.approx(np.var(y))
    assert found.base_rate == pytest.approx(y.mean())


def test_sums_do_not_depend_on_how_many_pixels_are_looked_at_together(monkeypatch):
    expected = reliability.bin_sums(P.ravel(), Y.ravel(), np.linspace(0, 1, 9))
    monkeypatch.setattr(reliability, "_CHUNK", 7)
    found = reliability.bin_sums(P.ravel(), Y.ravel(), np.linspace(0, 1, 9))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_bins_of_equal_mass_hold_as_many_pixels():
    assert np.ptp(calibration(P, Y, bins=8, binning="mass", **EXACT).pixels) <= 1
    assert calibration(np.full((2, 3, 4), 0.25), np.ones((2, 3, 4)), binning="mass", **EXACT).pixels == (24, 0)


@settings(deadline=None, max_examples=15)
@given(arrays(bool, (3, 4, 5)), arrays(float, (3, 4, 5), elements=st.sampled_from([0.05, 0.35, 0.75, 0.95])))
def test_the_parts_add_up_where_probabilities_of_a_bin_are_equal(y, p):
    found = calibration(p, y, bins=10, **EXACT)
    assert found.within_bins == pytest.approx(0, abs=1e-12)
    assert 0 <= found.ece.value <= 1
    assert found.brier.value == pytest.approx(found.reliability - found.resolution + found.uncertainty)


def test_confident_and_right_is_perfect_and_confident_and_wrong_the_worst():
    right, wrong = calibration(Y * 1.0, Y, **EXACT), calibration(1.0 - Y, Y, **EXACT)
    assert (right.ece.value, right.brier.value) == (0, 0)
    assert (wrong.ece.value, wrong.brier.value) == (1, 1)
    assert (right.ece.low, right.ece.high, right.ece.method) == (0, 0, "percentile")


def test_a_planted_bias_is_within_the_interval():
    """Share = p − 0.2 above 0.2: with p uniform in [0.3, 1] the ECE is 0.2."""
    rng = np.random.default_rng(1)
    p = rng.uniform(0.3, 1, (30, 40, 40))
    found = calibration(p, rng.random(p.shape) < p - 0.2)
    assert found.ece.low < 0.2 < found.ece.high
    assert found.ece.n == found.brier.n == 30
    assert found.ece.high - found.ece.low < 0.02


def test_pairs_and_pixels_without_a_label():
    mask = np.where(P > 0.9, 255, Y).astype("uint8")
    found = calibration(zip(P, mask, strict=True), ignore_label=255, **EXACT)
    kept = [(p[p <= 0.9][None], y[p <= 0.9][None]) for p, y in zip(P, Y, strict=True)]
    expected = calibration(kept, **EXACT)
    assert (found.ece, found.brier, found.pixels) == (expected.ece, expected.brier, expected.pixels)
    assert sum(found.pixels) == (P <= 0.9).sum()


PROBABILITIES = r"Section 0, .*`probabilities` must hold probabilities in \[0, 1\]\. Received: "


@pytest.mark.parametrize(
    ("p", "options", "text"),
    [
        (P * 8 - 4, {}, PROBABILITIES + "values from -.*If these are logits"),
        (np.where(P > 0.9, np.nan, P), {}, PROBABILITIES + r"NaN\. The training has"),
        (P * 8 - 4, {"seed": -1}, r"`seed` must be a whole number, 0 or more"),
        (P * 8 - 4, {"resamples": 5}, r"`resamples` must be a whole number of resamples, 100 or more"),
        (P, {"bins": 0}, r"`bins` must be a whole number of bins, 1 or more\. Received: bins=0"),
        (P, {"binning": "mas"}, r"`binning` must be one of 'width', 'mass'\. .* Did you mean 'mass'\?"),
    ],
)
def test_what_is_no_probability_is_refused(p, options, text):
    with pytest.raises(ValueError, match=text):
        calibration(p, Y, **options)


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_nothing_that_counts_is_refused(binning):
    with pytest.raises(ValueError, match=r"one section with a pixel that counts\. Received: 6 sections, none with one"):
        calibration(P, np.full(P.shape, 255), ignore_label=255, binning=binning)
