"""A compiled forward pass beside the plain one."""

import keras
import numpy as np
import pytest

from unetdyn.models import UNet, compile_forward


def _model():
    model = UNet((8, 8, 1), filters=1, depth=1, seed=0)
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    return model


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_compiled_forward_is_one_piece_and_trains_as_the_plain_one():
    if keras.backend.backend() != "torch":
        pytest.skip("elsewhere Keras compiles")
    pieces = []

    def backend(graph, _inputs):
        pieces.append(graph)
        return graph.forward

    plain, compiled = _model(), _model()
    same = compile_forward(compiled, backend=backend)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    losses = [[model.train_on_batch(x, x > 0) for _ in range(3)] for model in (plain, compiled)]

    assert same is compiled
    assert len(pieces) == 1
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for one, other in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
    with keras.StatelessScope() as scope:
        compiled(x, training=True)
    assert scope.get_current_value(compiled.get_layer("enc1_norm1").moving_mean) is not None
    assert len(pieces) == 1


@pytest.mark.usefixtures("without_weights")
def test_other_backends_get_the_model_back_as_it_was():
    if keras.backend.backend() == "torch":
        pytest.skip("compiled there")
    model = UNet((8, 8, 1), filters=1, depth=1)

    assert compile_forward(model) is model
    assert "call" not in vars(model)


@pytest.mark.parametrize("received", [None, keras.Sequential([keras.layers.Dense(1)])])
def test_what_is_no_built_model_is_refused(received):
    with pytest.raises(ValueError, match=r"`model` must be a built `keras.Model`.*Received: model="):
        compile_forward(received)
