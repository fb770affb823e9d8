import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.special import expit, log_expit

from autodiff import gradient
from unetdyn.losses import BinaryFocalLoss, binary_focal_loss

RNG = np.random.default_rng(0)
GAMMAS = [0, 0.5, 1, 2, 5]
LOGITS = np.array([-1e4, -1e3, -100, -30, -20, -10, -3, -1, -0.1, 0, 0.1, 1, 3, 10, 19, 20, 30, 100, 1e3, 1e4])
LABELS = [0.0, 1.0, 0.3, 0.5]


def reference(y: np.ndarray, z: np.ndarray, gamma: float, positive: float = 1, negative: float = 1) -> np.ndarray:
    """The formula in double precision."""
    log_p, log_q = log_expit(z), log_expit(-z)
    return -positive * y * np.exp(gamma * log_q) * log_p - negative * (1 - y) * np.exp(gamma * log_p) * log_q


def reference_gradient(y: np.ndarray, z: np.ndarray, gamma: float) -> np.ndarray:
    """d/dz of the formula, by hand: (qᵞ ln p)' = qᵞ (q − γ p ln p) and its mirror image."""
    p, q, log_p, log_q = expit(z), expit(-z), log_expit(z), log_expit(-z)
    positive = -np.exp(gamma * log_q) * (q - gamma * p * log_p)
    negative = np.exp(gamma * log_p) * (p - gamma * q * log_q)
    return y * positive + (1 - y) * negative


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("label", LABELS)
def test_value_and_gradient_from_logits_are_those_of_double_precision(gamma: float, label: float) -> None:
    y, z = np.full(LOGITS.shape, label), LOGITS.astype("float32").astype("float64")
    value = ops.convert_to_numpy(binary_focal_loss(y, z.astype("float32"), gamma, from_logits=True))
    np.testing.assert_allclose(value, reference(y, z, gamma), rtol=1e-5, atol=1e-30)
    slope = gradient(lambda t: binary_focal_loss(y.astype("float32"), t, gamma, from_logits=True), z)
    np.testing.assert_allclose(slope, reference_gradient(y, z, gamma), rtol=1e-5, atol=1e-7 if 0 < label < 1 else 1e-30)


def test_reference_gradient_is_the_difference_quotient_of_the_reference() -> None:
    z, step = np.linspace(-4, 4, 9), 1e-6
    for gamma in GAMMAS:
        for label in LABELS:
            quotient = (reference(label, z + step, gamma) - reference(label, z - step, gamma)) / (2 * step)
            np.testing.assert_allclose(reference_gradient(label, z, gamma), quotient, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 10), st.floats(-1e4, 1e4, width=32), st.floats(0, 1, width=32))
def test_value_and_gradient_are_finite_and_the_value_not_negative(gamma: float, logit: float, label: float) -> None:
    y, z = np.array([label], "float32"), np.array([logit], "float32")
    value = float(binary_focal_loss(y, z, gamma, from_logits=True)[0])
    slope = gradient(lambda t: binary_focal_loss(y, t, gamma, from_logits=True), z)
    assert value >= 0
    assert np.isfinite([value, *slope]).all()


def test_a_confident_miss_pulls_with_its_full_weight() -> None:
    one, z = np.ones(1, "float32"), np.array([-20.0])
    assert gradient(lambda t: binary_focal_loss(one, t, 2, from_logits=True), z)[0] == pytest.approx(-1, abs=1e-4)
    by_probability = gradient(lambda t: binary_focal_loss(one, ops.sigmoid(t), 2), z)
    assert by_probability[0] == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_value_and_gradient_from_probabilities_are_those_of_double_precision(gamma: float) -> None:
    p = np.array([1e-20, 1e-7, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 2.0**-20], dtype="float32")
    z = np.log(p.astype("float64")) - np.log1p(-p.astype("float64"))
    for label in (0.0, 1.0, 0.3):
        y = np.full(p.shape, label)
        value = ops.convert_to_numpy(binary_focal_loss(y, p, gamma))
        np.testing.assert_allclose(value, reference(y, z, gamma), rtol=1e-5, atol=1e-30)
        slope = gradient(lambda t, y=y: binary_focal_loss(y.astype("float32"), t, gamma), p)
        expected = reference_gradient(y, z, gamma) / (p.astype("float64") * (1 - p.astype("float64")))
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


def test_probabilities_of_zero_and_one_have_finite_values_and_gradients() -> None:
    y, p = np.array([0, 1, 0, 1], "float32"), np.array([0, 0, 1, 1], "float32")
    for gamma in GAMMAS:
        value = ops.convert_to_numpy(binary_focal_loss(y, p, gamma))
        np.testing.assert_allclose(value, [0, -np.log(1e-30), 24 * np.log(2), 0], rtol=1e-5, atol=1e-7)
        assert np.isfinite(gradient(lambda t, g=gamma: binary_focal_loss(y, t, g), p)).all()


def test_weights_and_smoothing_enter_as_documented() -> None:
    y, z = RNG.integers(0, 2, 50).astype("float64"), RNG.normal(size=50).astype("float32").astype("float64")
    smoothed = 0.8 * y + 0.1
    value = binary_focal_loss(
        y, z.astype("float32"), 2, pos_weight=3, from_logits=True, label_smoothing=0.2, alpha=0.25
    )
    np.testing.assert_allclose(ops.convert_to_numpy(value), reference(smoothed, z, 2, 3 * 0.25, 0.75), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_and_averaged_in_float32(dtype: str) -> None:
    z = ops.cast(ops.convert_to_tensor(np.full((1, 300, 300, 1), -20.0, "float32")), dtype)
    value = binary_focal_loss(ops.ones_like(z), z, 2, from_logits=True)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert float(BinaryFocalLoss(2, from_logits=True, dtype=dtype)(ops.ones_like(z), z)) == pytest.approx(20)


def test_nan_is_not_hidden() -> None:
    for from_logits in (False, True):
        value = binary_focal_loss([1.0, 0.0], [np.nan, np.nan], 2, from_logits=from_logits)
        assert np.isnan(ops.convert_to_numpy(value)).all()


# Against the focal-loss package and Keras. Both clip probabilities at 1e-7, so logits stay within ±12.

Y = RNG.integers(0, 2, (3, 5, 4, 1)).astype("float32")
Z = RNG.uniform(-12, 12, Y.shape).astype("float32")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pos_weight": 3.0},
        {"label_smoothing": 0.2},
        {"pos_weight": 0.5, "label_smoothing": 0.1, "from_logits": True},
        {"from_logits": True},
    ],
)
def test_equal_to_the_focal_loss_package(gamma: float, options: dict) -> None:
    """The function of the package takes NumPy and computes in TensorFlow, whatever Keras' backend is."""
    theirs = pytest.importorskip("focal_loss")
    y_pred = Z if options.get("from_logits") else expit(Z / 2)
    expected = theirs.binary_focal_loss(Y, y_pred, gamma, **options).numpy()
    ours = ops.convert_to_numpy(binary_focal_loss(Y, y_pred, gamma, **options))
    np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=1e-6)  # their 1 − p rounds
    mean = float(BinaryFocalLoss(gamma, **options)(Y, y_pred))
    assert mean == pytest.approx(float(expected.mean()), rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_focal_loss_package_still_loses_confident_misses_and_mistakes_soft_labels() -> None:
    """focal-loss 0.0.7: clipped at 1e-7, and a label of 0.1 gets the factor of a label of 1."""
    theirs = pytest.importorskip("focal_loss").binary_focal_loss
    tiny = np.array([1e-20], "float32")
    assert float(theirs([1], tiny, 2)[0]) == pytest.approx(16.118, abs=1e-3)
    assert float(binary_focal_loss(np.ones(1), tiny, 2)[0]) == pytest.approx(20 * np.log(10), rel=1e-5)
    soft, logit = np.array([0.1], "float32"), np.array([3.0], "float32")
    assert float(theirs(soft, logit, 2, from_logits=True)[0]) < 0.01
    assert float(binary_focal_loss(soft, logit, 2, from_logits=True)[0]) > 2


@pytest.mark.parametrize("gamma", [0, 1, 2, 5])
@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("from_logits", [False, True])
def test_equal_to_keras_where_keras_is_right(gamma: float, alpha: float | None, from_logits: bool) -> None:
    y_pred = Z / 2 if from_logits else expit(Z / 2)
    theirs = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=alpha is not None, alpha=alpha or 0.25, gamma=gamma, from_logits=from_logits
    )
    ours = BinaryFocalLoss(gamma, alpha=alpha, from_logits=from_logits)
    assert float(ours(Y, y_pred)) == pytest.approx(float(theirs(Y, y_pred)), rel=1e-4)


def test_keras_still_gets_the_gradient_of_confident_logits_wrong() -> None:
    """Keras 3.15; if this fails, it is mended.

    It makes probabilities of logits. A confident miss then has no gradient, except on TensorFlow, which finds the
    logits again behind the sigmoid; and p_t = 1 makes the gradient of (1 - p_t)^γ infinite for γ < 1, times 0.
    """
    one = np.ones((1, 1), "float32")

    def slope(loss: keras.losses.Loss, logit: float) -> float:
        return float(gradient(lambda t: loss(one, t), np.array([[logit]]))[0, 0])

    def theirs(gamma: float) -> keras.losses.Loss:
        return keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True)

    on_tensorflow = keras.backend.backend() == "tensorflow"
    assert slope(theirs(2), -20) == pytest.approx(-1 if on_tensorflow else -6.6e-8, rel=0.01)
    assert slope(BinaryFocalLoss(2, from_logits=True), -20) == pytest.approx(-1, abs=1e-4)
    assert np.isnan(slope(theirs(0.5), 19))
    assert np.isnan(slope(theirs(0), 19)) == on_tensorflow
    for gamma in (0, 0.5):
        expected = reference_gradient(1.0, 19.0, gamma)
        assert slope(BinaryFocalLoss(gamma, from_logits=True), 19) == pytest.approx(expected, rel=1e-5)


# The class: reduction, sample weights, shapes, configuration.


def test_default_reduction_is_the_mean_over_every_pixel() -> None:
    values = ops.convert_to_numpy(binary_focal_loss(Y, Z, 2, from_logits=True))
    assert float(BinaryFocalLoss(2, from_logits=True)(Y, Z)) == pytest.approx(values.mean(), rel=1e-5)
    assert float(BinaryFocalLoss(2, from_logits=True, reduction="sum")(Y, Z)) == pytest.approx(values.sum(), rel=1e-5)
    unreduced = BinaryFocalLoss(2, from_logits=True, reduction=None)(Y, Z)
    np.testing.assert_allclose(ops.convert_to_numpy(unreduced), values)


@pytest.mark.parametrize("shape", [(), (3,), (3, 5, 4), (3, 5, 4, 1)])
def test_sample_weight_weights_images_or_pixels(shape: tuple) -> None:
    weight = RNG.random(shape)
    full = np.broadcast_to(np.reshape(weight, shape + (1,) * (4 - len(shape))), Y.shape)
    values = reference(Y.astype("float64"), Z.astype("float64"), 2) * full
    assert float(BinaryFocalLoss(2, from_logits=True)(Y, Z, weight)) == pytest.approx(values.mean(), rel=1e-4)
    by_weight = BinaryFocalLoss(2, from_logits=True, reduction="mean_with_sample_weight")(Y, Z, weight)
    assert float(by_weight) == pytest.approx(values.sum() / full.sum(), rel=1e-4)


def test_sample_weight_of_a_square_batch_is_not_taken_for_the_width() -> None:
    y, z = np.zeros((3, 3, 3, 1), "float32"), np.zeros((3, 3, 3, 1), "float32")
    z[0] = 5
    only_first = BinaryFocalLoss(0, from_logits=True)(y, z, np.array([1.0, 0, 0]))
    assert float(only_first) == pytest.approx(np.log1p(np.exp(5)) / 3, rel=1e-5)


def test_labels_without_channel_axis_are_not_broadcast() -> None:
    expected = float(BinaryFocalLoss(2, from_logits=True)(Y, Z))
    assert float(BinaryFocalLoss(2, from_logits=True)(Y[..., 0], Z)) == expected
    with pytest.raises(
        ValueError, match=r"must have the same shape.*y_true\.shape=\(3, 5, 4, 1\), y_pred\.shape=\(3, 5"
    ):
        BinaryFocalLoss(2)(Y, np.zeros((3, 5, 5, 1)))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"gamma": -1}, r"`gamma` must be a finite number, 0 or above\. Received: gamma=-1"),
        ({"gamma": "2"}, r"`gamma` must be a .*Received: gamma='2'"),
        ({"gamma": float("nan")}, r"`gamma` must be a .*Received: gamma=nan"),
        ({"pos_weight": 0}, r"`pos_weight` must be a finite number above 0.*Received: pos_weight=0"),
        (
            {"label_smoothing": 1.0},
            r"`label_smoothing` must lie between 0 and 1.*Received: label_smoothing=1\.0",
        ),
        ({"alpha": 1}, r"`alpha` must lie between 0 and 1.*Received: alpha=1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        BinaryFocalLoss(**{"gamma": 2, **arguments})
    with pytest.raises(ValueError, match=text):
        binary_focal_loss(Y, Z, **{"gamma": 2, **arguments})


@pytest.mark.parametrize("ignored", [-1, 255])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
def test_ignored_labels_have_no_part_in_value_mean_and_gradient(ignored: int, reduction: str | None) -> None:
    y = np.where(RNG.random(Y.shape) < 0.4, ignored, Y)
    kept = y != ignored
    loss = BinaryFocalLoss(2, from_logits=True, ignore_label=ignored, reduction=reduction)
    values = reference(Y.astype("float64"), Z.astype("float64"), 2) * kept
    if reduction is None:
        np.testing.assert_allclose(ops.convert_to_numpy(loss(y, Z)), values, rtol=1e-4, atol=1e-12)
        return
    expected = values.sum() / (1 if reduction == "sum" else kept.sum())
    assert float(loss(y[..., 0], Z)) == pytest.approx(expected, rel=1e-4)
    slope = gradient(lambda t: loss(y, t), Z)
    assert (slope[~kept] == 0).all()
    weight = RNG.random(Y.shape)
    over = {"sum": 1, "sum_over_batch_size": kept.sum(), "mean_with_sample_weight": (weight * kept).sum()}
    assert float(loss(y, Z, weight)) == pytest.approx((values * weight).sum() / over[reduction], rel=1e-4)


def test_ignored_labels_are_left_out_as_keras_leaves_out_a_class() -> None:
    labels, logits = RNG.integers(0, 2, (2, 6, 5)), RNG.normal(size=(2, 6, 5, 1)).astype("float32")
    labels[:, :2] = 255
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    both = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    ours = BinaryFocalLoss(0, from_logits=True, ignore_label=255)
    assert float(ours(labels, logits)) == pytest.approx(float(theirs(labels, both)), rel=1e-5)


def test_a_batch_without_labels_costs_nothing_and_pulls_nowhere() -> None:
    loss, y = BinaryFocalLoss(2, from_logits=True, ignore_label=255), np.full(Y.shape, 255.0, "float32")
    assert float(loss(y, Z)) == 0
    assert (gradient(lambda t: loss(y, t), Z) == 0).all()


def test_an_ignored_label_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`ignore_label` must be the label of pixels.*Received: ignore_label='void'"):
        BinaryFocalLoss(2, ignore_label="void")


@pytest.mark.parametrize("from_logits", [True, False])
def test_loss_makes_no_tensor_of_a_number(monkeypatch, from_logits):
    """On PyTorch that is a copy to the GPU, for which the host waits until all is done that the GPU was told before."""
    torch = pytest.importorskip("torch")
    if keras.backend.backend() != "torch":
        pytest.skip("of PyTorch")
    y = torch.tensor([0.2, 0.8])
    made, make = [], torch.as_tensor
    monkeypatch.setattr(torch, "as_tensor", lambda value, **given: made.append(value) or make(value, **given))

    loss = binary_focal_loss(y, y, 2.0, from_logits=from_logits)

    assert made == []
    assert tuple(loss.shape) == (2,)
