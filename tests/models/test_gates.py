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
    model = AttentionUNet((8, 8, 1), filters=3, depth=1, seed=0)
    skip, coarse, gated = _outputs(model, _image(8, 8, 1), "enc1_act2", "bottleneck_act2", "gate1_multiply")
    ((w_x,), (w_g, b_g), (psi, b_psi)) = (_weights(model, f"gate1_{name}") for name in ("theta", "phi", "psi"))

    patches = skip.reshape(2, 4, 2, 4, 2, 3)
    theta = np.einsum("nhiwjc,ijcd->nhwd", patches, w_x)
    hidden = np.maximum(theta + coarse @ w_g[0, 0] + b_g, 0)
    alpha = _sigmoid(hidden @ psi[0, 0] + b_psi)
    alpha = zoom(alpha, (1, 2, 2, 1), order=1, mode="nearest", grid_mode=True)

    np.testing.assert_allclose(gated, alpha * skip, atol=1e-5)


def test_additive_gate_equals_its_formula():
    model = AttentionUNet((8, 8, 1), filters=4, depth=1, norm=None, gate="additive", seed=0)
    skip, coarse, gated = _outputs(model, _image(8, 8, 1), "enc1_act2", "bottleneck_act2", "gate1_multiply")
    ((w_x, b_x), (w_g, b_g), (psi, b_psi)) = (_weights(model, f"gate1_{name}") for name in ("theta", "phi", "psi"))

    upsampled = coarse.repeat(2, axis=1).repeat(2, axis=2)
    hidden = np.maximum(skip @ w_x[0, 0] + b_x + upsampled @ w_g[0, 0] + b_g, 0)
    alpha = _sigmoid(hidden @ psi[0, 0] + b_psi)

    assert w_x.shape[-1] == 2
    np.testing.assert_allclose(gated, alpha * skip, atol=1e-5)


def test_additive_gate_normalises_both_sides_but_not_the_logit():
    names = {layer.name for layer in AttentionUNet((8, 8, 1), filters=4, depth=1, gate="additive").layers}

    assert {"gate1_theta_norm", "gate1_phi_norm"} <= names
    assert not {"gate1_psi_norm"} & names


@pytest.mark.parametrize(
    "arguments",
    [
        {"gate": "oktay"},
        {"gate": "additive", "upsample": "transpose"},
        {"variant": "bnsreenu", "depth": 4},
        {"gate": "oktay", "input_shape": (None, None, 1)},
    ],
)
def test_attention_model_gives_maps_in_0_1_at_the_skips_resolution(arguments):
    model = AttentionResUNet(**({"input_shape": (22, 17, 1), "filters": 2, "depth": 2, "seed": 0} | arguments))

    maps = attention_model(model)(_image(22, 17, 1))

    sizes = {"gate1": (22, 17), "gate2": (11, 9), "gate3": (6, 5), "gate4": (3, 3)}
    expected = {f"gate{k}": (2, *sizes[f"gate{k}"], 1) for k in range(1, 1 + arguments.get("depth", 2))}
    assert {gate: tuple(alpha.shape) for gate, alpha in maps.items()} == expected
    for alpha in maps.values():
        values = keras.ops.convert_to_numpy(alpha)
        assert 0 <= values.min() < values.max() <= 1


def test_attention_model_gives_the_maps_that_multiply_the_skips():
    model = AttentionUNet((9, 8, 8, 1), filters=2, depth=2, seed=0)
    x = _image(9, 8, 8, 1)
    skip, gated = _outputs(model, x, "enc1_act2", "gate1_multiply")

    alpha = keras.ops.convert_to_numpy(attention_model(model)(x)["gate1"])

    np.testing.assert_allclose(alpha * skip, gated, atol=1e-6)


def test_attention_model_refuses_a_model_without_gates():
    with pytest.raises(ValueError, match=r"`model` must be one of AttentionUNet or AttentionResUNet.*model='unet'"):
        attention_model(UNet((8, 8, 1), filters=1, depth=1))


def test_gates_sigmoid_is_fetched_by_name():
    layer = AttentionUNet((8, 8, 1), filters=1, depth=2).get_layer("gate2_attention")

    assert layer.activation is keras.activations.sigmoid
    assert layer.output.shape == (None, 2, 2, 1)
