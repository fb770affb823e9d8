import keras
import numpy as np
import pytest
from keras import ops

from autodiff import gradient
from region_references import focal_tversky, quotients, sigmoid, tversky
from unetdyn.losses import FocalTverskyLoss, SoftJaccardLoss, TverskyLoss, dice_loss, tversky_loss
from unetdyn.losses.tversky import SMALLEST_ERROR

RNG = np.random.default_rng(0)
Y = (RNG.random((4, 5, 6, 1)) < 0.4).astype("float32")
P = RNG.random(Y.shape, dtype="float32")
X = np.log(P / (1 - P))
RATES = [(0.3, 0.7), (0.9, 0.1), (1.0, 0.0), (2.0, 5.0)]


@pytest.mark.parametrize(("alpha", "beta"), RATES)
@pytest.mark.parametrize("gamma", [0.5, 1.0, 4 / 3, 3.0])
def test_loss_is_the_papers_formula(alpha: float, beta: float, gamma: float) -> None:
    found = float(tversky_loss(Y, P, alpha=alpha, beta=beta, gamma=gamma))
    expected = focal_tversky(Y.astype(float), P.astype(float), gamma, alpha=alpha, beta=beta)
    assert found == pytest.approx(expected, rel=1e-5)


def test_halves_are_dice_and_ones_are_jaccard() -> None:
    half = float(tversky_loss(Y, P, alpha=0.5, beta=0.5, smooth=3.0))
    assert half == pytest.approx(float(dice_loss(Y, P, smooth=6.0)), rel=1e-6)
    one = float(tversky_loss(Y, P, alpha=1, beta=1, smooth=3.0))
    assert one == pytest.approx(float(SoftJaccardLoss(3.0)(Y, P)), rel=1e-5)


def test_focal_of_one_is_the_loss_itself() -> None:
    assert float(FocalTverskyLoss(1.0)(Y, P)) == float(TverskyLoss()(Y, P))
    assert float(FocalTverskyLoss()(Y, P)) == pytest.approx(float(TverskyLoss()(Y, P)) ** 0.75, rel=1e-5)


def test_keras_own_has_its_rates_the_other_way_round() -> None:
    """Its page says that `alpha` is of false positives; when Keras mends that, our page is to change."""
    own = keras.losses.Tversky(alpha=0.7, beta=0.3)(Y, P)
    assert float(tversky_loss(Y, P, alpha=0.3, beta=0.7, smooth=1e-7)) == pytest.approx(float(own), rel=1e-5)


@pytest.mark.parametrize("gamma", [1.0, 4 / 3])
def test_gradient_is_the_difference_quotient(gamma: float) -> None:
    y, x = Y[:2, :3, :3], X[:2, :3, :3]
    slope = gradient(lambda t: tversky_loss(y, t, gamma=gamma, from_logits=True), x)
    expected = quotients(lambda a, b: focal_tversky(a, sigmoid(b), gamma), y, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 4 / 3, 3.0])
def test_right_answers_cost_nothing_and_have_a_finite_gradient(gamma: float) -> None:
    """d x^¾ / dx has no bound at 0, where every empty image that is answered rightly is."""
    for y in (np.zeros((1, 4, 4, 1), "float32"), Y):
        assert float(tversky_loss(y, y, gamma=gamma)) == 0
        slope = gradient(lambda t, y=y: tversky_loss(y, t, gamma=gamma), y)
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() <= 0.7 * max(SMALLEST_ERROR ** (1 / gamma - 1), 1.0) / (y.sum() + 1) * 1.001


def test_straight_line_meets_the_root() -> None:
    y, p = np.zeros((1, 1, 1, 1), "float32"), np.ones((1, 1, 1, 1), "float32")
    e = SMALLEST_ERROR / 0.3 * np.array([0.5, 0.999, 1.001, 2])
    found = [float(tversky_loss(y, p * np.float32(each), gamma=2)) for each in e]
    np.testing.assert_allclose(
        found, np.sqrt(SMALLEST_ERROR) * np.array([0.5, 0.999, np.sqrt(1.001), 2**0.5]), rtol=1e-4
    )


def test_empty_mask_costs_weighted_false_positives() -> None:
    y, p = np.zeros((1, 3, 3, 1), "float32"), np.ones((1, 3, 3, 1), "float32")
    assert float(TverskyLoss(smooth=2.0)(y, p)) == pytest.approx(2.7 / 4.7, rel=1e-6)


def test_image_losses_are_those_of_the_images() -> None:
    each = [focal_tversky(y.astype(float), p.astype(float)) for y, p in zip(Y, P, strict=True)]
    unreduced = FocalTverskyLoss(aggregate="image", reduction=None)(Y, P)
    np.testing.assert_allclose(ops.convert_to_numpy(unreduced), each, rtol=1e-5)
    assert tversky(Y[0], P[0]) != pytest.approx(each[0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"alpha": -0.1}, "`alpha` must be a finite number, 0 or above. Received: alpha=-0.1"),
        ({"beta": float("inf")}, "`beta` must be a finite number, 0 or above. Received: beta=inf"),
        ({"alpha": 0, "beta": 0}, "one must be above 0, or no error costs anything. Received: alpha=0, beta=0"),
        ({"gamma": 0}, "`gamma` must be a finite number above 0. Received: gamma=0"),
        ({"smooth": 0}, "`smooth` must be a finite number above 0"),
        ({"aggregate": "images"}, "`aggregate` must be one of 'batch', 'image'. .* Did you mean 'image'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        FocalTverskyLoss(**arguments)
    with pytest.raises(ValueError, match=text):
        tversky_loss(Y, P, **arguments)
