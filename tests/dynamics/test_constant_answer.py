"""The best constant answer, against brute force and closed forms."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.constant_answer import best_constant
from unetdyn.losses import BinaryFocalLoss, FocalTverskyLoss, SoftJaccardLoss

MASKS = {"target_other": 0.0, "target_nonfinite": 0.0, "output_min": 0.1, "output_max": 0.9, "target_share": 1.0}


def model_with(loss, channels=1, rank=4, **options):
    shape = (8,) * (rank - 2) + (channels,)
    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(channels)])
    model.compile("sgd", loss, **options)
    return model


def brute_force(loss, share, answers):
    """Each answer on the same mask of 64 x 64, one by one."""
    mask = (np.arange(4096) < round(share * 4096)).astype("float32").reshape(1, 64, 64, 1)
    losses = [float(loss(mask, np.full_like(mask, answer))) for answer in answers]
    return min(losses), answers[int(np.argmin(losses))]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.0625])
@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_cross_entropy_is_the_entropy_of_the_share(share, rank):
    loss, answer = best_constant(model_with("binary_crossentropy", rank=rank), MASKS | {"foreground": share})
    assert loss == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share), rel=1e-5)
    assert answer == pytest.approx(share, abs=2e-3)


def test_logits():
    found = MASKS | {"foreground": 0.25}
    for loss in (keras.losses.BinaryCrossentropy(from_logits=True), BinaryFocalLoss(0.0, from_logits=True)):
        least, answer = best_constant(model_with(loss), found)
        assert least == pytest.approx(0.562335, rel=1e-4)
        assert answer == pytest.approx(np.log(0.25 / 0.75), abs=1e-2)


OTHERS = [BinaryFocalLoss(2.0), SoftJaccardLoss(), FocalTverskyLoss(smooth=9.0)]


@pytest.mark.parametrize("loss", [*OTHERS, keras.losses.Dice(), keras.losses.Tversky()])
def test_other_losses_by_brute_force(loss):
    least, answer = best_constant(model_with(loss), MASKS | {"foreground": 0.125})
    expected, at = brute_force(loss, 0.125, np.linspace(0, 1, 1001))
    assert least == pytest.approx(expected, abs=1e-5)
    assert answer == pytest.approx(at, abs=5e-3)


def test_squared_error_of_masks_whatever_the_outputs():
    found = MASKS | {"foreground": 0.25, "output_min": -0.5}
    least, answer = best_constant(model_with("mse"), found)
    assert (least, answer) == (pytest.approx(0.25 * 0.75, rel=1e-5), pytest.approx(0.25, abs=1e-3))


def test_squared_error_of_other_targets_is_their_variance():
    found = MASKS | {"foreground": 0.9, "target_other": 1.0, "target_mean": 7.0, "target_std": 1.5}
    assert best_constant(model_with("mse", rank=2), found) == (pytest.approx(2.25), 7.0)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("logits", [True, False])
def test_classes(loss, logits):
    shares = [0.5, 0.375, 0.125]
    kind = keras.losses.CategoricalCrossentropy if loss[0] == "c" else keras.losses.SparseCategoricalCrossentropy
    found = MASKS | {f"class_{number}": share for number, share in enumerate(shares)} | {"foreground": 1 / 3}
    found |= {"target_share": 1.0 if loss[0] == "c" else 1 / 3}
    least, answer = best_constant(model_with(kind(from_logits=logits), channels=3), found)
    assert least == pytest.approx(-np.dot(shares, np.log(shares)), rel=1e-4)
    assert np.isnan(answer)


def test_rare_foreground_is_not_none():
    loss, answer = best_constant(model_with("binary_crossentropy"), MASKS | {"foreground": 1e-6})
    assert answer > 0
    assert loss > 0
    loss, answer = best_constant(model_with("binary_crossentropy"), MASKS | {"foreground": 0.0})
    assert (loss, answer) == (pytest.approx(0, abs=1e-5), pytest.approx(0, abs=1e-5))


def test_unknown_where_it_cannot_be_told():
    def picky(y_true, y_pred):
        raise ValueError("wants something else")

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(y_pred)

    found = MASKS | {"foreground": 0.25, "target_mean": 0.25, "target_std": 0.4}
    own = Own()
    own.compile("sgd", "binary_crossentropy")
    for model in (model_with(picky), own):
        assert np.isnan(best_constant(model, found)).all()
    assert np.isnan(best_constant(model_with("mae"), found | {"target_other": 0.5})).all()
    assert np.isnan(best_constant(model_with("mse"), found | {"target_nonfinite": 0.5})).all()


def test_leaves_the_state_alone():
    model = model_with("binary_crossentropy", metrics=["mae"])
    x = np.random.default_rng(0).random((4, 8, 8, 1))
    model.fit(x, np.round(x), verbose=0)
    before = [keras.ops.convert_to_numpy(v.value).copy() for v in [*model.variables, *model.metrics_variables]]
    best_constant(model, MASKS | {"foreground": 0.25})
    after = [keras.ops.convert_to_numpy(v.value) for v in [*model.variables, *model.metrics_variables]]
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)
