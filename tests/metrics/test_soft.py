import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetdyn.metrics import SoftJaccard, jacard_coef, soft_jaccard

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, (6, 5, 4, 1)).astype("float32")
P = RNG.random((6, 5, 4, 1), dtype="float32")


def by_hand(y: np.ndarray, p: np.ndarray, smooth: float = 1.0) -> float:
    """The tutorial code's `jacard_coef`, in double precision."""
    y, p = y.astype("float64").ravel(), p.astype("float64").ravel()
    intersection = (y * p).sum()
    return (intersection + smooth) / (y.sum() + p.sum() - intersection + smooth)


probabilities = arrays("float32", (2, 3, 4, 1), elements=st.floats(0, 1, width=32))


@settings(deadline=None, max_examples=25)
@given(probabilities, probabilities, st.sampled_from([1e-3, 1.0, 100.0]))
def test_soft_jaccard_is_the_formula_in_range_and_symmetric(y: np.ndarray, p: np.ndarray, smooth: float) -> None:
    value = float(soft_jaccard(y, p, smooth=smooth))
    assert value == pytest.approx(by_hand(y, p, smooth), rel=1e-5)
    assert 0 < value <= 1 + 1e-6
    assert value == pytest.approx(float(soft_jaccard(p, y, smooth=smooth)), rel=1e-6)


def test_soft_jaccard_of_binary_predictions_approaches_the_thresholded() -> None:
    p = (P > 0.5).astype("float32")
    assert float(soft_jaccard(Y, p, smooth=1e-6)) == pytest.approx(float(jacard_coef(Y, p)), abs=1e-5)


def test_soft_jaccard_is_not_the_thresholded_one() -> None:
    assert float(jacard_coef(Y, 0.2 * Y + 0.4)) == 1.0
    assert float(soft_jaccard(Y, 0.2 * Y + 0.4)) < 0.5


def test_soft_jaccard_averages_over_images_and_leaves_masked_ones_out() -> None:
    expected = np.mean([by_hand(y, p) for y, p in zip(Y, P, strict=True)])
    assert float(soft_jaccard(Y, P, aggregate="image")) == pytest.approx(expected, rel=1e-5)
    weight = np.array([0, 1, 1, 1, 1, 1])
    expected = np.mean([by_hand(y, p) for y, p in zip(Y[1:], P[1:], strict=True)])
    assert float(soft_jaccard(Y, P, aggregate="image", sample_weight=weight)) == pytest.approx(expected, rel=1e-5)


def test_soft_jaccard_takes_logits_and_masks_nan() -> None:
    logits = np.log(P / (1 - P))
    assert float(soft_jaccard(Y, logits, from_logits=True)) == pytest.approx(by_hand(Y, P), rel=1e-5)
    weight = RNG.integers(0, 2, Y.shape[:3])
    p = np.where(weight[..., None] > 0, P, np.nan)
    expected = by_hand(Y[weight > 0], P[weight > 0])
    assert float(soft_jaccard(Y, p, sample_weight=weight)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch", [1, 4, 6])
def test_metric_aggregates(batch: int) -> None:
    parts = [(Y[i : i + batch], P[i : i + batch]) for i in range(0, 6, batch)]
    expected = {
        "dataset": by_hand(Y, P),
        "image": np.mean([by_hand(y, p) for y, p in zip(Y, P, strict=True)]),
        "batch": np.mean([by_hand(y, p) for y, p in parts]),
    }
    for aggregate, value in expected.items():
        metric = SoftJaccard(aggregate=aggregate)
        for y, p in parts:
            metric.update_state(y, p)
        metric.update_state(Y, P, sample_weight=np.zeros(6))
        assert float(metric.result()) == pytest.approx(value, rel=1e-5)


def test_metric_sums_half_precision_without_overflow() -> None:
    y = np.ones((1, 300, 300, 1), dtype="float16")
    metric = SoftJaccard()
    metric.update_state(y, y * np.float16(0.5))
    assert float(metric.result()) == pytest.approx(45001 / 90001, rel=1e-5)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`smooth` must be a finite number above 0. Received: smooth=0"):
        soft_jaccard(Y, P, smooth=0)
    with pytest.raises(ValueError, match="`aggregate` must be one of 'batch', 'image'"):
        soft_jaccard(Y, P, aggregate="dataset")
    with pytest.raises(ValueError, match="`aggregate` must be one of 'dataset', 'image', 'batch'"):
        SoftJaccard(aggregate="epoch")
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        soft_jaccard(Y[:, :4], P)


def test_ignored_labels_are_left_out() -> None:
    y = np.where(np.arange(Y.size).reshape(Y.shape) % 3 == 0, -1, Y)
    expected = by_hand(Y[y >= 0], P[y >= 0])
    metric = SoftJaccard(ignore_label=-1)
    metric.update_state(y, P)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    assert float(soft_jaccard(y, P, ignore_label=-1)) == pytest.approx(expected, rel=1e-5)
