import keras
import numpy as np
import pytest
from scipy.ndimage import zoom

from unetdyn.models import AttentionResUNet, AttentionUNet, UNet, attention_model


def _outputs(model, x, *names):
    """What the named layers answer to x, as arrays."""
    part = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [keras.ops.convert_to_numpy(y) for y in part(x)]


def _weights(model, name):
    return [keras.ops.convert_to_numpy(weight) for weight in model.get_layer(name).weights]


def _image(*shape):
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_oktay_gate_equals_the_papers_formula():
    model = AttentionUNet((8, 8, 1), filters=2, depth=1, seed=0)
    skip, coarse, gated = _outputs(model, _image(8, 8, 1), "enc1_act2", "bottleneck_act2", "gate1_multiply")
    ((w_x,), (w_g, b_g), (psi, b_psi)) = (_weights(model, f"gate1_{name}") for name in ("theta", "phi", "psi"))

    patches = skip.reshape(2, 4, 2, 4, 2, 2)
    theta = np.einsum("nhiwjc,ijcd->nhwd", patches, w_x)
    hidden = np.maximum(theta + coarse @ w_g[0, 0] + b_g, 0)
    alpha = _sigmoid(hidden @ psi[0, 0] + b_psi)
    alpha = zoom(alpha, (1, 2, 2, 1), order=1, mode="nearest", grid_mode=True)

    np.testing.assert_allclose(gated, alpha * skip, atol=1e-5)


def test_additive_gate_equals_its_formula():
    model = AttentionUNet((8, 8, 1), filters=2, depth=1, norm=None, gate="additive", seed=0)
    skip, coarse, gated = _outputs(model, _image(8, 8, 1), "enc1_act2", "bottleneck_act2", "gate1_multiply")
    ((w_x, b_x), (w_g, b_g), (psi, b_psi)) = (_weights(model, f"gate1_{name}") for name in ("theta", "phi", "psi"))

    upsampled = coarse.repeat(2, axis=1).repeat(2, axis=2)
    hidden = np.maximum(skip @ w_x[0, 0] + b_x + upsampled @ w_g[0, 0] + b_g, 0)
    alpha = _sigmoid(hidden @ psi[0, 0] + b_psi)

    assert w_x.shape == (1, 1, 2, 1)
    np.testing.assert_allclose(gated, alpha * skip, atol=1e-5)


@pytest.mark.usefixtures("without_weights")
def test_additive_gate_normalises_both_sides_but_not_the_logit():
    names = {layer.name for layer in AttentionUNet((8, 8, 1), filters=4, depth=1, gate="additive").layers}

    assert {"gate1_theta_norm", "gate1_phi_norm"} <= names
    assert not {"gate1_psi_norm"} & names


@pytest.mark.parametrize(
    ("shape", "arguments"), [((22, 17, 1), {"gate": "additive"}), ((None, None, 1), {"upsample": "linear"})]
)
def test_attention_model_gives_maps_in_0_1_at_the_skips_resolution(shape, arguments):
    model = AttentionResUNet(shape, filters=2, depth=2, seed=0, **arguments)

    maps = attention_model(model)(_image(22, 17, 1))

    assert {gate: tuple(alpha.shape) for gate, alpha in maps.items()} == {
        "gate1": (2, 22, 17, 1),
        "gate2": (2, 11, 9, 1),
    }
    for alpha in maps.values():
        values = keras.ops.convert_to_numpy(alpha)
        assert 0 <= values.min() < values.max() <= 1


@pytest.mark.usefixtures("without_weights")
def test_attention_model_takes_the_tutorials_models():
    maps = attention_model(AttentionUNet((40, 33, 1), filters=1, variant="bnsreenu")).output

    sizes = {"gate1": (40, 33), "gate2": (20, 17), "gate3": (10, 9), "gate4": (5, 5)}
    assert {gate: alpha.shape for gate, alpha in maps.items()} == {gate: (None, *sizes[gate], 1) for gate in sizes}


def test_attention_model_gives_the_maps_that_multiply_the_skips():
    model = AttentionUNet((9, 8, 8, 1), filters=2, depth=2, seed=0)
    x = _image(9, 8, 8, 1)
    skip, gated = _outputs(model, x, "enc1_act2", "gate1_multiply")

    alpha = keras.ops.convert_to_numpy(attention_model(model)(x)["gate1"])

    np.testing.assert_allclose(alpha * skip, gated, atol=1e-6)


@pytest.mark.usefixtures("without_weights")
def test_attention_model_refuses_a_model_without_gates():
    with pytest.raises(ValueError, match=r"`model` must be one of AttentionUNet or AttentionResUNet.*model='unet'"):
        attention_model(UNet((8, 8, 1), filters=1, depth=1))


@pytest.mark.usefixtures("without_weights")
def test_gates_sigmoid_is_fetched_by_name():
    layer = AttentionUNet((8, 8, 1), filters=1, depth=2).get_layer("gate2_attention")

    assert layer.activation is keras.activations.sigmoid
    assert layer.output.shape == (None, 2, 2, 1)
