import keras
import numpy as np
import pytest
from keras import ops

from unetdyn.losses import BinaryFocalLoss, BoundaryLoss, DeepSupervisionLoss, DiceLoss, boundary_targets
from unetdyn.losses.deep_supervision import nearest_labels, supervision_weights

RNG = np.random.default_rng(0)
Y = (RNG.random((2, 16, 8, 1)) < 0.4).astype("float32")
OUTPUTS = [RNG.random((2, 16 // f, 8 // f, 1), dtype="float32") for f in (1, 2, 4)]


def at(values: np.ndarray, factor: int) -> np.ndarray:
    """The pixel in which the centre of each coarse pixel lies, rounded up where it lies between two."""
    rows, columns = (np.floor((np.arange(n // factor) + 0.5) * factor).astype(int) for n in values.shape[1:3])
    return values[:, rows][:, :, columns]


def test_weights_are_those_of_nnunet() -> None:
    assert supervision_weights(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    for outputs in range(1, 8):
        halves = np.array([1 / 2**i for i in range(outputs)])  # as nnUNetTrainer has it
        assert supervision_weights(outputs) == pytest.approx(halves / halves.sum())


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_labels_are_those_of_a_resize_by_nearest_neighbour(factor: int) -> None:
    found = ops.convert_to_numpy(nearest_labels(ops.convert_to_tensor(Y), [factor, factor]))
    np.testing.assert_array_equal(found, at(Y, factor))
    size = (16 // factor, 8 // factor)
    torch = pytest.importorskip("torch")
    resized = torch.nn.functional.interpolate(torch.tensor(Y[..., 0])[None].cpu(), size, mode="nearest-exact")[0]
    np.testing.assert_array_equal(found[..., 0], resized.numpy())


@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 0.25]])
def test_loss_is_the_weighted_sum_however_it_is_called(weights: list | None) -> None:
    inner = DiceLoss()
    each = [float(inner(at(Y, f), p)) for f, p in zip((1, 2, 4), OUTPUTS, strict=True)]
    expected = np.dot(weights or [4 / 7, 2 / 7, 1 / 7], each)
    loss = DeepSupervisionLoss(inner, 3, weights)
    assert float(loss(Y, OUTPUTS)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(Y, dict(zip("cab", OUTPUTS, strict=True)))) == pytest.approx(expected, rel=1e-5)
    assert float(loss(Y[..., 0], tuple(OUTPUTS))) == pytest.approx(expected, rel=1e-5)
    assert sum(float(loss(Y, one)) for one in OUTPUTS) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(2,), (2, 16, 8), (2, 16, 8, 1)])
def test_weights_of_images_and_pixels_go_along(shape: tuple) -> None:
    weight = RNG.integers(0, 3, shape).astype("float32")
    inner = BinaryFocalLoss(2.0)
    thinned = [weight if len(shape) == 1 else at(weight, f) for f in (1, 2, 4)]
    each = [float(inner(at(Y, f), p, w)) for f, p, w in zip((1, 2, 4), OUTPUTS, thinned, strict=True)]
    found = DeepSupervisionLoss(inner, 3)(Y, OUTPUTS, weight)
    assert float(found) == pytest.approx(np.dot([4 / 7, 2 / 7, 1 / 7], each), rel=1e-5)


def test_depth_that_is_not_halved_and_class_numbers() -> None:
    y = RNG.integers(0, 3, (1, 3, 8, 8))
    outputs = [RNG.random((1, 3, 8, 8, 3), dtype="float32"), RNG.random((1, 3, 4, 4, 3), dtype="float32")]
    inner = DiceLoss()
    expected = 2 / 3 * float(inner(y, outputs[0])) + 1 / 3 * float(inner(y[:, :, 1::2, 1::2], outputs[1]))
    assert float(DeepSupervisionLoss(inner, 2)(y, outputs)) == pytest.approx(expected, rel=1e-6)


def test_boundary_targets_go_along() -> None:
    targets, inner = boundary_targets(Y), BoundaryLoss()
    expected = sum(w * float(inner(at(targets, f), p)) for w, f, p in zip((0.6, 0.4), (1, 2), OUTPUTS, strict=False))
    found = DeepSupervisionLoss(inner, 2, [0.6, 0.4])(targets, OUTPUTS[:2])
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: DeepSupervisionLoss("dice", 2), "`loss` must be a `keras.losses.Loss`. Received: loss='dice'"),
        (
            lambda: DeepSupervisionLoss(DiceLoss(), 0),
            "`outputs` must be a whole number, 1 or more",
        ),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2, [1.0]), "one for each of the 2 outputs"),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2, [0, 0]), r"one above 0, or None. Received: weights=\[0, 0\]"),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2)(Y, OUTPUTS), "Received: outputs=2, and 3 predictions"),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2)(Y, OUTPUTS[2]), "An output of 1/4 of the labels' size is none"),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2)(Y[:, :12], OUTPUTS[1]), "which is a power of 2 times"),
        (lambda: DeepSupervisionLoss(DiceLoss(), 2)(Y[:, ::4], OUTPUTS[0]), "which is a power of 2 times"),
    ],
)
def test_bad_arguments_and_sizes_are_refused(make: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_fit_of_a_model_with_outputs_at_two_resolutions_and_its_labels_are_looked_at(tmp_path) -> None:
    inputs = keras.Input((8, 8, 1))
    full = keras.layers.Conv2D(1, 1, activation="sigmoid", name="full")(inputs)
    model = keras.Model(inputs, [full, keras.layers.AveragePooling2D(2, name="half")(full)])
    loss = DeepSupervisionLoss(DiceLoss(), 2)
    model.compile(keras.optimizers.SGD(0.0), loss)
    y = (RNG.random((4, 8, 8, 1)) < 0.5).astype("float32")
    with pytest.warns(UserWarning, match="Loss 'deep_supervision_loss': `y_true` holds the values 0 and 255"):
        history = model.fit(y, [y * 255] * 2, batch_size=4, verbose=0).history
    assert history["loss"][0] == pytest.approx(float(loss(y * 255, model.predict(y, verbose=0))), rel=1e-4)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.loss.get_config() == loss.get_config()
    found = again.evaluate(y, [y] * 2, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(float(loss(y, model.predict(y, verbose=0))), rel=1e-4)
