import numpy as np
import pytest
from keras import ops

from autodiff import gradient
from region_references import cross_entropy, dice, quotients, sigmoid, softmax
from unetdyn.losses import BCEDiceLoss, bce_dice_loss, dice_loss

RNG = np.random.default_rng(0)
Y = (RNG.random((4, 5, 6, 1)) < 0.4).astype("float32")
X = RNG.normal(size=Y.shape).astype("float32") * 3
P = sigmoid(X)
NUMBERS = RNG.integers(0, 3, (4, 5, 6, 1))
SCORES = RNG.normal(size=(4, 5, 6, 3)).astype("float32")


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 2.0), (0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("squared", [False, True])
def test_loss_is_the_weighted_sum(a: float, b: float, squared: bool) -> None:
    y, p = Y.astype(float), sigmoid(X.astype(float))
    expected = a * cross_entropy(y, p) + b * dice(y, p, squared=squared)
    options = {"bce_weight": a, "dice_weight": b, "squared": squared}
    assert float(bce_dice_loss(Y, X, from_logits=True, **options)) == pytest.approx(expected, rel=1e-5)
    assert float(bce_dice_loss(Y[..., 0], P, **options)) == pytest.approx(expected, rel=1e-5)


def test_image_losses_are_those_of_the_images_and_smoothing_is_of_the_cross_entropy() -> None:
    y, p = Y.astype(float), sigmoid(X.astype(float))
    expected = [cross_entropy(0.8 * a + 0.1, b) + dice(a, b) for a, b in zip(y, p, strict=True)]
    loss = BCEDiceLoss(label_smoothing=0.2, aggregate="image", from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(Y, X)), expected, rtol=1e-5)


def test_gradient_is_the_difference_quotient() -> None:
    y, x = Y[:2, :3, :3], X[:2, :3, :3]
    slope = gradient(lambda t: bce_dice_loss(y, t, from_logits=True), x)
    expected = quotients(lambda a, b: cross_entropy(a, sigmoid(b)) + dice(a, sigmoid(b)), y, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)


def test_confident_misses_keep_the_gradient_of_the_cross_entropy() -> None:
    y, x = np.float32([[[1], [0]]]), np.float32([[[-1e4], [1e4]]])
    np.testing.assert_allclose(gradient(lambda t: bce_dice_loss(y, t, from_logits=True), x).ravel(), [-0.5, 0.5])


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 5.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_several_channels_have_the_cross_entropy_of_pytorch(weights: list | None, smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    labels = np.where(RNG.random(NUMBERS.shape) < 0.2, 255, NUMBERS)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(np.moveaxis(SCORES, -1, 1)).cpu(),
        torch.tensor(labels[..., 0]).cpu(),
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=255,
        label_smoothing=smoothing,
    )
    options = {"class_weights": weights, "label_smoothing": smoothing, "ignore_label": 255, "dice_weight": 0.0}
    found = [
        float(bce_dice_loss(labels, SCORES, from_logits=True, **options)),
        float(bce_dice_loss(labels[..., 0], softmax(SCORES), **options)),
    ]
    assert found == pytest.approx([float(expected)] * 2, rel=1e-5)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 6), (4, 5, 6, 1)])
def test_weights_of_pixels_weight_both_means(shape: tuple) -> None:
    weight = RNG.integers(0, 3, shape).astype("float32")
    full = np.broadcast_to(weight.reshape(shape + (1,) * (4 - len(shape))), Y.shape)
    y, p = Y.astype(float), sigmoid(X.astype(float))
    entropy = np.average(-(y * np.log(p) + (1 - y) * np.log(1 - p)), weights=full)
    overlap = 1 - (2 * (full * y * p).sum() + 1) / ((full * (y + p)).sum() + 1)
    x = np.where(full > 0, X, np.nan).astype("float32")
    assert float(BCEDiceLoss(from_logits=True)(Y, x, weight)) == pytest.approx(entropy + overlap, rel=1e-5)
    assert float(dice_loss(Y, x, from_logits=True, sample_weight=weight)) == pytest.approx(overlap, rel=1e-5)
    assert np.isfinite(gradient(lambda t: bce_dice_loss(Y, t, from_logits=True, sample_weight=weight), x)).all()


def test_empty_mask_without_prediction_costs_nothing() -> None:
    y = np.zeros((1, 4, 4, 1), "float32")
    assert float(bce_dice_loss(y, y - 1e4, from_logits=True)) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"bce_weight": -1}, "`bce_weight` must be a finite number, 0 or above. Received: bce_weight=-1"),
        ({"bce_weight": 0, "dice_weight": 0}, "`bce_weight` or `dice_weight` must be above 0, or there is no loss"),
        ({"label_smoothing": 1}, "`label_smoothing` must lie between 0 and 1, without 1. Received: label_smoothing=1"),
        ({"smooth": 0}, "`smooth` must be a finite number above 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        BCEDiceLoss(**arguments)
    with pytest.raises(ValueError, match=text):
        bce_dice_loss(Y, P, **arguments)
