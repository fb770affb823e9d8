import numpy as np
import pytest
from keras import ops

from autodiff import gradient
from region_references import dice, quotients, sigmoid, softmax
from unetdyn.losses import DiceLoss, SoftJaccardLoss, dice_loss

RNG = np.random.default_rng(0)
Y = (RNG.random((4, 5, 6, 1)) < 0.4).astype("float32")
P = RNG.random(Y.shape, dtype="float32")
X = np.log(P / (1 - P))


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-6, 40.0])
def test_loss_is_the_papers_formula(squared: bool, smooth: float) -> None:
    found = float(dice_loss(Y, P, squared=squared, smooth=smooth))
    assert found == pytest.approx(dice(Y.astype(float), P.astype(float), smooth, squared), rel=1e-5)
    assert float(dice_loss(Y[..., 0], X, squared=squared, smooth=smooth, from_logits=True)) == pytest.approx(
        found, rel=1e-5
    )


@pytest.mark.parametrize("squared", [False, True])
def test_soft_labels_are_taken_as_they_are(squared: bool) -> None:
    y = RNG.random(Y.shape, dtype="float32")
    assert float(dice_loss(y, P, squared=squared)) == pytest.approx(dice(y, P.astype(float), 1, squared), rel=1e-5)


@pytest.mark.parametrize("squared", [False, True])
def test_gradient_is_the_difference_quotient(squared: bool) -> None:
    y, x = Y[:2, :3, :3], X[:2, :3, :3]
    slope = gradient(lambda t: dice_loss(y, t, squared=squared, from_logits=True), x)
    expected = quotients(lambda a, b: dice(a, sigmoid(b), squared=squared), y, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)


def test_hard_masks_score_as_published() -> None:
    """Dice of sets is 2 |A ∩ B| / (|A| + |B|): of 3 and 2 pixels with 2 in common 4/5 (Dice 1945)."""
    y, p = np.float32([[[1], [1], [1], [0]]]), np.float32([[[1], [1], [0], [0]]])
    for squared in (False, True):
        assert float(dice_loss(y, p, smooth=1e-9, squared=squared)) == pytest.approx(1 / 5, rel=1e-6)


def test_of_each_image_jaccard_is_dice_over_two_minus_dice() -> None:
    """J = D / (2 − D), with half the smoothing."""
    d = 1 - ops.convert_to_numpy(dice_loss(Y, P, smooth=2.0, aggregate="image"))
    y, p = np.array([0, 1], "float32"), np.array([0, 1], "float32")
    j = 1 - ops.convert_to_numpy(SoftJaccardLoss(1.0, "image", reduction=None)(Y > 0.5, P > 0.5))
    hard = 1 - ops.convert_to_numpy(dice_loss(Y, (P > 0.5).astype("float32"), smooth=2.0, aggregate="image"))
    np.testing.assert_allclose(j, hard / (2 - hard), rtol=1e-5)
    assert d.shape == (4,)
    assert float(dice_loss(y[:, None, None], p[:, None, None])) == 0


def test_image_losses_are_those_of_the_images() -> None:
    each = [dice(y.astype(float), p.astype(float)) for y, p in zip(Y, P, strict=True)]
    loss = DiceLoss(aggregate="image")
    assert float(loss(Y, P)) == pytest.approx(np.mean(each), rel=1e-5)
    weight = np.array([0.0, 1.0, 2.0, 0.5])
    assert float(loss(Y, P, weight)) == pytest.approx(np.mean(each * weight), rel=1e-5)
    unreduced = DiceLoss(aggregate="image", reduction=None)(Y, P)
    np.testing.assert_allclose(ops.convert_to_numpy(unreduced), each, rtol=1e-5)


@pytest.mark.parametrize("pixels", [0, 1, 9])
@pytest.mark.parametrize("smooth", [1.0, 5.0])
def test_empty_mask_costs_wrong_pixels_over_themselves_and_the_smoothing(pixels: int, smooth: float) -> None:
    y, p = np.zeros((1, 5, 5, 1), "float32"), np.zeros((1, 5, 5, 1), "float32")
    p.ravel()[:pixels] = 1
    for squared in (False, True):
        assert float(dice_loss(y, p, smooth=smooth, squared=squared)) == pytest.approx(pixels / (pixels + smooth))


def test_nearly_right_is_not_lost_to_cancellation() -> None:
    """1 − D of 1000² pixels of which one is wrong by 1e-3 is 1e-3 / (2e6): 2⁻²⁴ is 6e-8."""
    y = np.ones((1, 1000, 1000, 1), "float32")
    p = y.copy()
    p[0, 0, 0] = 0.999
    assert float(dice_loss(y, p)) == pytest.approx(1e-3 / 2e6, rel=1e-3)


# Classes.

SCORES = RNG.normal(size=(4, 5, 6, 3)).astype("float32")
NUMBERS = RNG.integers(0, 3, (4, 5, 6, 1))
ONE_HOT = np.eye(3)[NUMBERS[..., 0]]


def of_classes(weights=(1, 1, 1)) -> float:
    p = softmax(SCORES.astype(float))
    return float(np.average([dice(ONE_HOT[..., c], p[..., c]) for c in range(3)], weights=weights))


@pytest.mark.parametrize("labels", [ONE_HOT.astype("float32"), NUMBERS, NUMBERS[..., 0].astype("uint8")])
@pytest.mark.parametrize("weights", [None, [0, 1, 1], [0.5, 2, 4]])
def test_several_channels_are_classes_and_their_mean(labels: np.ndarray, weights: list | None) -> None:
    expected = of_classes(weights or (1, 1, 1))
    assert float(DiceLoss(class_weights=weights, from_logits=True)(labels, SCORES)) == pytest.approx(expected, rel=1e-5)
    p = softmax(SCORES)
    assert float(DiceLoss(class_weights=weights)(labels, p)) == pytest.approx(expected, rel=1e-5)


def test_wrong_number_of_class_weights_is_refused() -> None:
    text = r"`class_weights` must have a weight for each of the 3 channels.* Received: class_weights=\[1, 2\]"
    with pytest.raises(ValueError, match=text):
        dice_loss(NUMBERS, SCORES, class_weights=[1, 2])


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [1, float("nan")], "12", 1.0])
def test_bad_class_weights_are_refused(weights: object) -> None:
    with pytest.raises(ValueError, match="`class_weights` must be finite numbers, 0 or above, of which one is above 0"):
        DiceLoss(class_weights=weights)


@pytest.mark.parametrize("smooth", [0, -1, float("nan"), "1"])
def test_bad_smooth_is_refused(smooth: object) -> None:
    with pytest.raises(ValueError, match="`smooth` must be a finite number above 0, in pixels: an empty mask"):
        DiceLoss(smooth=smooth)
