import numpy as np
import pytest
from keras import ops

from autodiff import gradient
from unetdyn.losses import SoftJaccardLoss
from unetdyn.metrics import soft_jaccard

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, (4, 5, 6, 1)).astype("float32")
P = RNG.random(Y.shape, dtype="float32")


def one_minus(y: np.ndarray, p: np.ndarray, smooth: float = 1.0) -> float:
    y, p = y.astype("float64"), p.astype("float64")
    return 1 - ((y * p).sum() + smooth) / ((y + p - y * p).sum() + smooth)


def test_batch_loss_is_one_minus_the_soft_jaccard() -> None:
    assert float(SoftJaccardLoss()(Y, P)) == pytest.approx(one_minus(Y, P), rel=1e-5)
    assert float(SoftJaccardLoss()(Y, P)) == pytest.approx(1 - float(soft_jaccard(Y, P)), rel=1e-6)
    assert float(SoftJaccardLoss(10.0)(Y[..., 0], P)) == pytest.approx(one_minus(Y, P, 10), rel=1e-5)
    logits = np.log(P / (1 - P))
    assert float(SoftJaccardLoss(from_logits=True)(Y, logits)) == pytest.approx(one_minus(Y, P), rel=1e-4)


def test_image_loss_is_the_mean_over_images_and_takes_their_weights() -> None:
    each = np.array([one_minus(y, p) for y, p in zip(Y, P, strict=True)])
    assert float(SoftJaccardLoss(aggregate="image")(Y, P)) == pytest.approx(each.mean(), rel=1e-5)
    weight = np.array([0.0, 1.0, 2.0, 0.5])
    weighted = SoftJaccardLoss(aggregate="image")(Y, P, weight)
    assert float(weighted) == pytest.approx((each * weight).mean(), rel=1e-5)
    unreduced = SoftJaccardLoss(aggregate="image", reduction=None)(Y, P)
    np.testing.assert_allclose(ops.convert_to_numpy(unreduced), each, rtol=1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(4,), (4, 5, 6), (4, 5, 6, 1)])
def test_sample_weight_masks_pixels(shape: tuple, from_logits: bool) -> None:
    weight = RNG.integers(0, 2, shape).astype("float32")
    full = np.broadcast_to(weight.reshape(shape + (1,) * (4 - len(shape))), Y.shape) > 0
    y_pred = np.where(full, np.log(P / (1 - P)) if from_logits else P, np.nan).astype("float32")
    loss = SoftJaccardLoss(from_logits=from_logits)
    assert float(loss(Y[..., 0], y_pred, weight)) == pytest.approx(one_minus(Y[full], P[full]), rel=1e-4)
    slope = gradient(lambda t: loss(Y, t, weight), y_pred)
    assert np.isfinite(slope[full]).all()
    assert (slope[~full] == 0).all()


def test_gradient_is_the_difference_quotient() -> None:
    slope = gradient(lambda t: SoftJaccardLoss()(Y, t), P)
    step = np.zeros(P.shape)
    step[1, 2, 3, 0] = 1e-5
    quotient = (one_minus(Y, P + step) - one_minus(Y, P - step)) / 2e-5
    assert slope[1, 2, 3, 0] == pytest.approx(quotient, rel=1e-3)


def test_empty_against_empty_costs_nothing_and_half_precision_does_not_overflow() -> None:
    zeros, ones = np.zeros((1, 300, 300, 1), "float16"), np.ones((1, 300, 300, 1), "float16")
    assert float(SoftJaccardLoss()(zeros, zeros)) == 0
    assert float(SoftJaccardLoss(dtype="float16")(ones, ones / 2)) == pytest.approx(1 - 45001 / 90001, rel=1e-5)


def test_bad_arguments_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`smooth` must be a finite number above 0. Received: smooth=-1"):
        SoftJaccardLoss(-1)
    with pytest.raises(ValueError, match="`aggregate` must be one of 'batch', 'image'"):
        SoftJaccardLoss(aggregate="dataset")
    for weight in (None, np.ones(4)):
        with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
            SoftJaccardLoss()(np.swapaxes(Y, 1, 2), P, weight)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("aggregate", ["batch", "image"])
def test_ignored_labels_are_left_out(aggregate: str, from_logits: bool) -> None:
    y = np.where(RNG.random(Y.shape) < 0.3, 255, Y)
    kept = y != 255
    y_pred = np.where(kept, np.log(P / (1 - P)) if from_logits else P, np.nan).astype("float32")
    loss = SoftJaccardLoss(aggregate=aggregate, from_logits=from_logits, ignore_label=255)
    each = [one_minus(a[k], p[k]) for a, p, k in zip(Y, P, kept, strict=True)]
    expected = one_minus(Y[kept], P[kept]) if aggregate == "batch" else np.mean(each)
    assert float(loss(y, y_pred)) == pytest.approx(expected, rel=1e-4)
    slope = gradient(lambda t: loss(y, t), y_pred)
    assert np.isfinite(slope[kept]).all()
    assert (slope[~kept] == 0).all()
    if aggregate == "image":
        weight = np.array([0.0, 1.0, 2.0, 0.5])
        assert float(loss(y, y_pred, weight)) == pytest.approx(np.mean(each * weight), rel=1e-4)
