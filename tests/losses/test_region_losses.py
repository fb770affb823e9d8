"""What all losses of regions hold to: weights of pixels, extremes, half precision, and a word on wrong labels."""

import warnings

import keras
import numpy as np
import pytest

from autodiff import gradient
from unetdyn.losses import (
    BCEDiceLoss,
    BoundaryLoss,
    DeepSupervisionLoss,
    DiceLoss,
    FocalTverskyLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    TverskyLoss,
    boundary_targets,
)

RNG = np.random.default_rng(0)
SHAPE = (2, 4, 4, 1)
Y = (RNG.random(SHAPE) < 0.4).astype("float32")
EMPTY = np.zeros_like(Y)
X = RNG.normal(size=SHAPE).astype("float32")
SUMS = [DiceLoss, lambda **k: DiceLoss(squared=True, **k), TverskyLoss, FocalTverskyLoss, BCEDiceLoss]
REGIONS = [*SUMS, LovaszSoftmaxLoss, LovaszHingeLoss]
ALL = [*REGIONS, lambda **k: DeepSupervisionLoss(DiceLoss(**k), 2)]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("aggregate", ["batch", "image"])
def test_logits_of_any_size_have_finite_losses_and_gradients(make, aggregate):
    loss = make(from_logits=True, aggregate=aggregate)
    signs = RNG.choice([-1e4, 1e4], SHAPE)
    for y in (Y, EMPTY, EMPTY + 1):
        for x in (signs, EMPTY - 1e4, EMPTY + 1e4, EMPTY, (2 * y - 1) * 1e4):
            assert np.isfinite(float(loss(y, x.astype("float32"))))
            assert np.isfinite(gradient(lambda t, y=y: loss(y, t), x)).all()


def test_logits_of_any_size_beside_a_boundary():
    loss, targets = BoundaryLoss(from_logits=True), boundary_targets(Y)
    x = RNG.choice([-1e4, 1e4], SHAPE)
    assert np.isfinite(float(loss(targets, x.astype("float32"))))
    assert np.isfinite(gradient(lambda t: loss(targets, t), x)).all()


@pytest.mark.parametrize("make", [LovaszSoftmaxLoss, *SUMS])
def test_right_and_sure_answers_cost_nothing(make):
    for y in (Y, EMPTY, EMPTY + 1):
        loss = float(make(from_logits=True)(y, (2 * y - 1) * 1e4))
        assert loss == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("make", SUMS)
@pytest.mark.parametrize("shape", [(2,), (2, 4, 4), (2, 4, 4, 1)])
def test_pixels_of_weight_zero_and_ignored_ones_are_as_if_they_were_not_there(make, shape):
    weight = np.ones(shape, "float32")
    weight[0] = 0
    full = np.broadcast_to(weight.reshape(shape + (1,) * (4 - len(shape))), SHAPE) > 0
    y, x = np.where(full, Y, 255), np.where(full, X, np.nan).astype("float32")
    expected = float(make(from_logits=True)(Y[1:], X[1:]))
    assert float(make(from_logits=True)(y, x, weight)) == pytest.approx(expected, rel=1e-5)
    assert float(make(from_logits=True, ignore_label=255)(y, x)) == pytest.approx(expected, rel=1e-5)
    slope = gradient(lambda t: make(from_logits=True)(y, t, weight), x)
    assert (slope[~full] == 0).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("make", [DiceLoss, TverskyLoss])
def test_pixel_of_weight_two_counts_as_two(make):
    twice = float(make(from_logits=True)(np.concatenate([Y, Y]), np.concatenate([X, X])))
    assert float(make(from_logits=True)(Y, X, np.full(SHAPE, 2.0))) == pytest.approx(twice, rel=1e-5)


@pytest.mark.parametrize("make", REGIONS)
def test_sums_of_half_precision_do_not_overflow(make):
    """300² is more than the largest float16, 65504."""
    y, x = np.ones((1, 300, 300, 1), "float16"), np.ones((1, 300, 300, 1), "float16")
    expected = float(make(from_logits=True)(y[:, :30, :30], x[:, :30, :30]))
    found = make(from_logits=True, dtype="float16")(y, x)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert float(found) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("make", REGIONS)
def test_shapes_that_would_broadcast_are_refused(make):
    for y in (np.ones((2, 4, 3)), np.ones((2, 4)), np.ones((2, 4, 4, 2))):
        with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
            make(from_logits=True)(y, X)


def told(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [each.message.code for each in caught if str(each.message).startswith("Loss '")]


@pytest.mark.parametrize("make", ALL)
def test_wrong_labels_are_told_once(make):
    loss = make(from_logits=True)
    assert told(lambda: [loss(Y * 255, X) for _ in range(2)]) == ["labels.scale"]
    assert told(lambda: make(from_logits=True)(Y, X)) == []
    assert told(lambda: make(from_logits=True, ignore_label=255)(np.where(Y > 0, 255, Y), X)) == []


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [([0, 1, 2], []), ([0, 1, 255], ["labels.unknown_class"]), ([0, 0.5, 1], ["labels.fractional"])],
)
def test_class_numbers_are_told_of_where_no_channel_has_them(numbers, codes):
    labels = np.resize(numbers, (2, 4, 4)).astype("float32")
    scores = RNG.normal(size=(2, 4, 4, 3)).astype("float32")
    assert told(lambda: DiceLoss(from_logits=True)(labels, scores)) == codes


def test_fit_is_told_of_class_numbers_that_no_channel_has():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 1)])
    model.compile(keras.optimizers.SGD(0.1), TverskyLoss(from_logits=True))
    labels = RNG.choice([0, 1, 255], (2, 4, 4, 1))
    assert told(lambda: model.fit(X, labels, verbose=0)) == ["labels.unknown_class"]
