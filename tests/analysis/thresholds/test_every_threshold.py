"""The curve against scikit-learn at each threshold, ThresholdedJaccard, and laws that any curve obeys."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from unetdyn.analysis import threshold_curve
from unetdyn.analysis.thresholds import counts as threshold_counts
from unetdyn.metrics import thresholded_jaccard

RNG = np.random.default_rng(0)
Y = RNG.random((6, 9, 7)) < 0.3
BETWEEN = np.where(Y, RNG.beta(3, 2, Y.shape), RNG.beta(2, 3, Y.shape))
P = np.where(RNG.random(Y.shape) < 0.7, BETWEEN.round(2), BETWEEN)  # many pixels lie on a threshold

pixels = st.integers(1, 60).flatmap(
    lambda size: st.tuples(
        arrays(bool, size), arrays(np.float32, size, elements=st.floats(0, 1, width=32) | st.sampled_from([0, 0.5, 1]))
    )
)


def same(one, other):
    """Every attribute equal, NaN included."""
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("comparison", [">", ">="])
@pytest.mark.parametrize(("dtype", "compared"), [("f2", np.float32), ("f4", np.float32), ("f8", np.float64)])
def test_scores_equal_scikit_learn_at_every_threshold(dtype, compared, comparison):
    p = P.astype(dtype)
    curve = threshold_curve(Y, p, comparison=comparison, resamples=100)
    assert len(curve.thresholds) == 101
    for i, threshold in enumerate(curve.thresholds):
        t = compared(threshold)
        found = (p.astype(compared) > t if comparison == ">" else p.astype(compared) >= t).ravel()
        assert curve.jaccard[i] == pytest.approx(jaccard_score(Y.ravel(), found))
        assert curve.dice[i] == pytest.approx(f1_score(Y.ravel(), found))
        assert curve.precision[i] == pytest.approx(precision_score(Y.ravel(), found, zero_division=np.nan), nan_ok=True)
        assert curve.recall[i] == pytest.approx(recall_score(Y.ravel(), found))
    assert curve.jaccard_at_half == curve.jaccard[50]
    assert curve.best_jaccard == curve.jaccard.max() == curve.jaccard[curve.thresholds == curve.best_threshold][0]
    assert (curve.pixels, curve.images) == (Y.size, 6)


def test_the_comparison_decides_about_pixels_that_lie_on_the_threshold():
    y, p = np.array([[1, 1, 0, 0]]), np.array([[0.5, 0.9, 0.5, 0.1]], "float32")
    assert threshold_curve(y, p).jaccard_at_half == 1 / 2
    assert threshold_curve(y, p, comparison=">=").jaccard_at_half == 2 / 3
    assert threshold_curve(y, p, [0.2], comparison=">=").jaccard_at_half == 2 / 3  # also where 0.5 is not asked for
    beside = np.nextafter(np.float32(0.5), np.float32([0, 1, 0, 1]))
    for comparison in (">", ">="):
        assert threshold_curve([[1, 1, 0, 0]], [beside], comparison=comparison).jaccard_at_half == 1 / 3


@pytest.mark.parametrize("comparison", [">", ">="])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_scores_are_those_of_the_metric(dtype, comparison):
    p = P.astype(dtype)[..., None]
    curve = threshold_curve(Y, p, comparison=comparison, resamples=100)
    for i in (0, 30, 50, 77, 100):
        metric = thresholded_jaccard(Y[..., None], p, threshold=float(curve.thresholds[i]), comparison=comparison)
        assert curve.jaccard[i] == pytest.approx(float(metric), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(pixels)
def test_laws(data):
    y, p = data
    curve = threshold_curve(y, p, np.linspace(0, 1, 21))
    assert ((curve.jaccard >= 0) & (curve.jaccard <= curve.dice) & (curve.dice <= 1)).all()
    np.testing.assert_allclose(curve.dice, 2 * curve.jaccard / (1 + curve.jaccard))
    if y.any():
        assert (np.diff(curve.recall) <= 0).all()
        assert (curve.jaccard <= curve.recall).all()
        assert not (curve.jaccard > curve.precision).any()
        assert curve.best_jaccard == curve.jaccard.max()
    else:
        assert np.isnan(curve.recall).all()
    # With object and background swapped, and the probabilities turned round, it scores the background.
    turned = threshold_curve(~y, 1 - p.astype("float64"), [0.5], comparison=">=")
    assert turned.jaccard_at_half == (jaccard_score(~y, p <= 0.5) if (~y | (p <= 0.5)).any() else 1)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(1, 70))
def test_the_result_depends_neither_on_batches_nor_on_chunks(batch, chunk):
    expected = threshold_curve(Y, P, resamples=100)
    pairs = ((Y[i : i + batch, ..., None], P[i : i + batch]) for i in range(0, 6, batch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threshold_counts, "CHUNK", chunk)
        same(threshold_curve(pairs, resamples=100), expected)
        same(threshold_curve(zip(Y, P, strict=True), resamples=100), expected)


def test_the_result_depends_neither_on_strides_nor_on_the_labels_dtype():
    expected = threshold_curve(Y, P, resamples=100)
    wide = np.zeros((*P.shape, 2))
    wide[..., 1] = P
    backwards = np.ascontiguousarray(P[:, ::-1])[:, ::-1]
    for p in (np.asfortranarray(P), wide[..., 1], wide[..., 1:], backwards, P.tolist(), P.astype(np.longdouble)):
        same(threshold_curve(Y, p, resamples=100), expected)
    for dtype in ("uint8", "int64", "float16", "float64"):
        same(threshold_curve(Y.astype(dtype), P, resamples=100), expected)


def test_thresholds_are_sorted_and_each_taken_once():
    curve = threshold_curve(Y, P, [0.7, 0.2, 0.7])
    assert curve.thresholds.tolist() == [0.2, 0.7]
    full = threshold_curve(Y, P)
    assert curve.jaccard.tolist() == full.jaccard[[20, 70]].tolist()


@pytest.mark.parametrize(
    ("threshold", "epsilon"), [(0.5, 0.05), (0.5, 0.0), (0.3, 0.2), (0.0, 0.1), (1.0, 0.5), (0.5, 1)]
)
def test_share_near_the_threshold_includes_both_ends(threshold, epsilon):
    curve = threshold_curve(Y, P, threshold=threshold, epsilon=epsilon)
    low, high = threshold - epsilon, threshold + epsilon
    assert curve.share_near == np.mean((low <= P) & (high >= P))


def test_among_equal_thresholds_the_best_is_the_nearest_to_the_one_in_use():
    y, p = np.array([[0, 0, 1, 1]]), np.array([[0.0, 0.2, 0.8, 1.0]])
    assert threshold_curve(y, p).best_threshold == 0.5
    assert threshold_curve(y, p, threshold=0.1).best_threshold == 0.2
    assert threshold_curve(y, p, threshold=0.9).best_threshold == 0.79


@pytest.mark.parametrize(("empty", "score"), [(1.0, 1.0), (0.0, 0.0), ("skip", math.nan)])
def test_masks_without_an_object_have_no_best_threshold(empty, score):
    curve = threshold_curve(np.zeros((3, 4, 4)), np.full((3, 4, 4), 0.4), empty=empty)
    assert math.isnan(curve.best_threshold)
    assert np.isnan(curve.best_threshold_interval).all()
    assert curve.jaccard_at_half == pytest.approx(score, nan_ok=True)
    assert curve.dice[50] == pytest.approx(score, nan_ok=True)
    assert curve.jaccard[20] == curve.precision[20] == 0
    assert "best threshold      undetermined: `y_true` holds no object" in str(curve)


@pytest.mark.parametrize("shape", [(30,), (5, 6), (5, 6, 1), (1, 5, 6, 1)])
def test_one_image_has_no_interval(shape):
    curve = threshold_curve(np.arange(30).reshape(shape) % 2, np.linspace(0, 1, 30).reshape(shape))
    assert curve.images == 1
    assert np.isnan(curve.best_threshold_interval).all()
    assert "undetermined: one image, whose pixels are not independent" in str(curve)


def test_it_shows_itself():
    text = str(threshold_curve(Y, P))
    assert "too narrow, as from 6 images only" in text
    assert "Jaccard at 0.5" in text
    assert "of the pixels within ±0.05 of 0.5" in text
    assert "378 pixels in 6 images" in text
    twice = threshold_curve(np.concatenate([Y, Y]), np.concatenate([P, P]), epsilon=0.1)
    assert "too narrow" not in str(twice)
    assert "<td style='text-align:left'>756 pixels in 12 images</td>" in twice._repr_html_()


@pytest.mark.parametrize("as_pairs", [False, True])
def test_memory_does_not_grow_with_the_pixels(as_pairs, tmp_path):
    path = tmp_path / "p.npy"
    np.save(path, RNG.random((2, 2048, 2048), dtype="float32").astype("float16"))
    p = np.load(path, mmap_mode="r")
    y = np.asfortranarray(np.zeros(p.shape, "uint8"))
    tracemalloc.start()
    threshold_curve(zip(y, p, strict=True)) if as_pairs else threshold_curve(y, p)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6  # the probabilities alone are 17 MB, and 34 in float32


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (
            [1, 0],
            [3.5, -2],
            r"`p` must hold probabilities in \[0, 1\]\. Received: values from -2 to 3\.5\. If these ",
        ),
        (
            [1, 0],
            [0.5, 255],
            r"Received: values from 0\.5 to 255\. .* divide grey values by 255; .*np\.clip\(p",
        ),
        ([1, 0], [0.5, math.inf], r"`p` must hold probabilities in \[0, 1\]\. Received: values from 0\.5 to inf\."),
        (
            [1, 0],
            [0.5, math.nan],
            r"`p` must hold probabilities in \[0, 1\]\. Received: NaN\. The training",
        ),
        ([255, 0], [0, 1], r"`y_true` must hold 0 and 1 only\. Received: values up to 255, as 8-bit masks .* by 255"),
        ([0.5, 0], [0, 1], r"`y_true` must hold 0 and 1 only\. Received: 0\.5, between 0 and 1, .* nearest-neighbour"),
        ([-1, 0], [0, 1], r"`y_true` must hold 0 and 1 only\. Received: values down to -1\. Use `mask > 0`\."),
        ([math.nan, 0], [0, 1], r"`y_true` must hold 0 and 1 only\. Received: NaN\. Mend the masks\."),
        (
            [1, 0],
            [0.5],
            r"`y_true` and `p` must have the same shape.*y_true\.shape=\(2,\), p\.shape=\(1,\)\.",
        ),
        (np.zeros((2, 4)), np.zeros((2, 4, 4)), r"Received: y_true\.shape=\(2, 4\), p\.shape=\(2, 4, 4\)\. Resize"),
        (np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), r"must hold at least one pixel\. Received: none\."),
        (np.zeros((3, 0, 4)), np.zeros((3, 0, 4)), r"must hold at least one pixel\. Received: none\."),
        ([], None, r"must hold at least one pixel\. Received: none\."),
        (["a"], [0.5], r"`y_true` must be an array of real numbers\. Received: dtype <U1\."),
        ([1], [0.5j], r"`p` must be an array of real numbers\. Received: dtype complex128\."),
        (np.zeros((2, 3)), None, r"`p` is missing: .* Received: y_true of shape \(2, 3\) alone\."),
        (3, None, r"`p` is missing: .* Received: y_true of 3 alone\."),
        ([[1, 0, 1]], None, r"must give \(y_true, p\) pairs.* Received: an item of type list\. Give arrays as"),
    ],
)
def test_wrong_data_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        threshold_curve(y, p)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"thresholds": [0.5, 1.5]}, r"`thresholds` must be probabilities .* Received: values from 0\.5 to 1\.5\."),
        ({"thresholds": [0.5, math.nan]}, r"`thresholds` must be probabilities .* Received: values from nan to nan\."),
        ({"thresholds": []}, r"`thresholds` must be probabilities .* Received: shape \(0,\)\."),
        ({"thresholds": 0.5}, r"`thresholds` must be .* Received: shape \(\)\. For instance, pass np\.linspace"),
        ({"threshold": 1.5}, r"`threshold` must lie between 0 and 1\. Received: threshold=1\.5\."),
        ({"epsilon": -0.1}, r"`epsilon` must lie between 0 and 1\. Received: epsilon=-0\.1\."),
        ({"comparison": "<"}, r"`comparison` must be one of '>', '>='\. Received: comparison='<'\."),
        ({"empty": 0.5}, r"`empty` must be one of 1\.0, 0\.0, 'skip'\. Received: empty=0\.5\."),
        ({"confidence": 95}, r"`confidence` must lie between 0 and 1, .* Received: confidence=95\."),
        ({"resamples": 10}, r"`resamples` must be a whole number of resamples, 100 or more\. Received: resamples=10\."),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        threshold_curve(Y, P, **arguments)


def test_a_wrong_value_is_found_in_the_last_chunk_of_the_last_image():
    p = P.copy()
    p[-1, -1, -1] = 1.5
    with pytest.raises(ValueError, match=r"`p` must hold probabilities in \[0, 1\]"):
        threshold_curve(Y, p)


def test_best_grey_level_of_real_sections(vnc_mito):
    greys = np.stack([np.asarray(Image.open(vnc_mito / "images" / f"{i:02}.png").convert("L")) for i in range(4)])
    masks = np.stack([np.asarray(Image.open(vnc_mito / "masks" / f"{i:02}.png").convert("L")) > 0 for i in range(4)])
    # Mitochondria are dark: p = 1 - grey/255 is above t = 1 - level/255 where the grey is below the level.
    levels = np.arange(256)
    curve = threshold_curve(masks, (255 - greys) / 255, (255 - levels) / 255)
    hits = np.cumsum(np.bincount(greys[masks], minlength=256)) - np.bincount(greys[masks], minlength=256)
    marked = np.cumsum(np.bincount(greys.ravel(), minlength=256)) - np.bincount(greys.ravel(), minlength=256)
    expected = hits / (masks.sum() + marked - hits)
    np.testing.assert_allclose(curve.jaccard[::-1], expected, atol=1e-12)
    assert 0 < curve.best_jaccard < 0.5  # a grey level alone doesn't find mitochondria
