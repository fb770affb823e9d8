"""L1 and L2 on every kernel, and on nothing else."""

import keras
import numpy as np
import pytest

from unetdyn.models import AttentionResUNet, AttentionUNet, UNet


def penalties(model, l1, l2):
    """λ₁ Σ|w| + λ₂ Σ w² of each kernel, in double precision."""
    kernels = [np.float64(each.numpy()) for each in model.trainable_variables if each.name == "kernel"]
    return [l1 * np.abs(kernel).sum() + l2 * np.square(kernel).sum() for kernel in kernels]


@pytest.mark.parametrize(
    "build",
    [
        lambda **given: UNet((8, 8, 1), filters=2, depth=1, upsample="transpose", seed=0, **given),
        lambda **given: AttentionUNet((8, 8, 1), filters=2, depth=1, gate="additive", seed=0, **given),
        lambda **given: AttentionResUNet((8, 8, 1), filters=2, depth=1, norm=None, seed=0, **given),
    ],
    ids=["UNet", "AttentionUNet", "AttentionResUNet"],
)
@pytest.mark.parametrize(("l1", "l2"), [(0.25, 0.0), (0.0, 0.5), (np.float32(0.25), np.float32(0.5))])
def test_every_kernel_is_penalised_and_nothing_else(build, l1, l2):
    model = build(l1=l1, l2=l2)
    found = [float(keras.ops.convert_to_numpy(loss)) for loss in model.losses]
    np.testing.assert_allclose(sorted(found), sorted(penalties(model, l1, l2)), rtol=1e-6)


@pytest.mark.usefixtures("without_weights")
def test_no_penalty_is_no_regulariser():
    model = UNet((8, 8, 1), filters=1, depth=1)
    assert {layer.kernel_regularizer for layer in model.layers if hasattr(layer, "kernel")} == {None}


def test_logged_loss_holds_the_penalty_and_metrics_do_not():
    model = UNet((8, 8, 1), filters=2, depth=1, l1=0.25, l2=0.5, seed=0)
    model.compile(loss="mse", metrics=[keras.metrics.MeanSquaredError(name="mse")])
    x, y = np.ones((2, 8, 8, 1), "float32"), np.zeros((2, 8, 8, 1), "float32")
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["loss"] - found["mse"] == pytest.approx(sum(penalties(model, 0.25, 0.5)), rel=1e-5)
