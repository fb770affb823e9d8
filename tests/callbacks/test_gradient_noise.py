"""GradientNoise: its distribution, and that it is a function of seed, step and place.

Where the loss does not move, gradient descent at a rate of 1 takes the noise off the weights: it is seen as it is.
"""

import random

import keras
import numpy as np
import pytest
from scipy import stats

from unetdyn.callbacks.gradient_noise import GradientNoise
from unetdyn.dynamics.stateless_normal import word_of

STEPS, SIDE = 4, 160


def flat_model(optimizer=None, side=SIDE):
    """Two kernels with a gradient of 0, since the input is 0."""
    layers = [keras.layers.Dense(side, use_bias=False, kernel_initializer="zeros") for _ in range(2)]
    model = keras.Sequential([keras.Input((side,)), *layers])
    model.compile(optimizer or keras.optimizers.SGD(1.0), "mse")
    return model


class Weights(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seen = [self.model.get_weights()]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())


def noise_of(control, model=None, steps=STEPS, others=(), **kwargs):
    """`(steps, kernels, entries)`, what each step took off the weights."""
    model = model or flat_model()
    weights, zeros = Weights(), np.zeros((steps, model.input_shape[1]), "float32")
    kwargs = {"batch_size": 1, "shuffle": False, "verbose": 0} | kwargs
    model.fit(zeros, zeros, callbacks=[control, weights, *others], **kwargs)
    seen = np.array([[kernel.ravel() for kernel in step] for step in weights.seen], "float64")
    return seen[:-1] - seen[1:]


def test_noise_has_the_stated_distribution_at_each_step():
    """Each bound holds for one sample in 100,000 normal ones; the seed is fixed, so it holds always or never."""
    eta, gamma, rare = 0.3, 0.55, 1e-5
    noise = noise_of(GradientNoise(eta, gamma, seed=1))
    count = SIDE * SIDE
    for t, kernels in enumerate(noise):
        variance = eta / (1 + t) ** gamma
        for entries in kernels:
            assert abs(entries.mean()) < stats.norm.isf(rare / 2) * np.sqrt(variance / count)
            ratio = entries.var(ddof=1) * (count - 1) / variance
            assert stats.chi2.ppf(rare / 2, count - 1) < ratio < stats.chi2.isf(rare / 2, count - 1)
            assert stats.kstest(entries / np.sqrt(variance), "norm").pvalue > rare


def test_noise_is_independent_across_weights_and_steps():
    flat = noise_of(GradientNoise(1.0, 0.0)).reshape(2 * STEPS, -1)
    correlations = np.corrcoef(flat)[np.triu_indices(2 * STEPS, 1)]
    bound = stats.norm.isf(1e-5 / 2) / np.sqrt(flat.shape[1])
    assert np.abs(correlations).max() < bound
    assert np.abs(np.corrcoef(flat**2)[np.triu_indices(2 * STEPS, 1)]).max() < bound


def test_sigma_is_recorded_as_the_formula_has_it():
    control = GradientNoise(0.3, 0.55)
    noise_of(control, flat_model(side=2), steps=6)
    assert control.record["step"].tolist() == list(range(6))
    np.testing.assert_allclose(control.record["sigma"], np.sqrt(0.3 / (1 + np.arange(6)) ** 0.55), rtol=1e-6)


def test_noise_is_added_to_the_gradient():
    """ŷ = w · 1 against 0 with w = 1: the gradient is 2w, without the noise."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0, callbacks=[GradientNoise(1.0, seed=3)])
    alone = noise_of(GradientNoise(1.0, seed=3), one_kernel(), steps=1)
    assert model.get_weights()[0].item() == pytest.approx(1 - 0.5 * (2 + alone.item()), abs=1e-6)


def one_kernel(optimizer=None):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer or keras.optimizers.SGD(1.0), "mse")
    return model


def test_the_same_seed_gives_the_same_noise_whatever_else_draws():
    class Draws(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            keras.random.normal((3,))
            np.random.rand()  # noqa: NPY002 - the global one

    first = noise_of(GradientNoise(seed=5), flat_model(side=8))
    keras.utils.set_random_seed(99)
    again = noise_of(GradientNoise(seed=5), flat_model(side=8), others=[Draws()])
    np.testing.assert_array_equal(first, again)
    assert (first != noise_of(GradientNoise(seed=6), flat_model(side=8))).all()


def test_neighbouring_seeds_share_no_noise():
    """PyTorch adds the two numbers of a key: (0, 1) and (1, 0) must not meet."""
    streams = [noise_of(GradientNoise(1.0, 0.0, seed=seed), one_kernel(), steps=8).ravel() for seed in (0, 1)]
    assert len(set(np.concatenate(streams).tolist())) == 16
    assert len({word_of(seed) for seed in range(1000)}) == 1000


def test_no_other_random_number_is_touched():
    def drawn(control):
        keras.utils.set_random_seed(11)
        model = flat_model(side=2)
        zeros = np.zeros((4, 2), "float32")
        model.fit(zeros, zeros, batch_size=1, verbose=0, callbacks=control)
        numpy = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one
        return keras.ops.convert_to_numpy(keras.random.normal((4,))).tolist(), numpy, random.random()

    assert drawn([GradientNoise(1.0)]) == drawn([])


@pytest.mark.parametrize("initial_epoch", [0, 2])
def test_noise_goes_on_in_the_next_fit(initial_epoch):
    """With a control of its own: the count is the optimizer's."""
    whole = noise_of(GradientNoise(1.0), one_kernel(), steps=6)
    model = one_kernel()
    noise_of(GradientNoise(1.0), model, steps=4)
    model.set_weights([np.zeros((1, 1))])
    control = GradientNoise(1.0)
    rest = noise_of(control, model, steps=2, initial_epoch=initial_epoch, epochs=initial_epoch + 1)
    np.testing.assert_allclose(rest.ravel(), whole.ravel()[4:], atol=1e-6)
    np.testing.assert_allclose(control.record["sigma"], (1 + np.array([4, 5])) ** -0.275, rtol=1e-6)


def test_noise_goes_on_with_a_model_that_was_saved(tmp_path):
    expected = one_kernel(keras.optimizers.Adam(0.1))
    noise_of(GradientNoise(1.0), expected, steps=6)
    model = one_kernel(keras.optimizers.Adam(0.1))
    noise_of(GradientNoise(1.0), model, steps=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    noise_of(GradientNoise(1.0), loaded, steps=2)
    np.testing.assert_allclose(loaded.get_weights()[0], expected.get_weights()[0], rtol=1e-6)


def test_no_eta_changes_nothing():
    x, y = np.random.default_rng(0).random((2, 8, 2)).astype("float32")
    plain, noisy = (flat_model(keras.optimizers.SGD(0.1), side=2) for _ in range(2))
    for model, callbacks in ((plain, []), (noisy, [GradientNoise(0)])):
        model.set_weights([np.eye(2)] * 2)
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=callbacks)
    for a, b in zip(plain.get_weights(), noisy.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6 if keras.backend.backend() == "jax" else 0)


def test_noise_is_in_units_of_the_gradient_under_a_loss_scale():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=1024.0)
    found, expected = (noise_of(GradientNoise(1.0), flat_model(each, side=4)) for each in (scaled, None))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_mean_of_accumulated_micro_batches_has_the_stated_variance():
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=4)
    control = GradientNoise(0.3)
    noise = noise_of(control, flat_model(optimizer), steps=8)
    assert not noise[[0, 1, 2, 4, 5, 6]].any()
    for update, kernels in enumerate(noise[[3, 7]]):
        variance = 0.3 / (1 + update) ** 0.55
        np.testing.assert_allclose(kernels.var(), variance, rtol=0.05)  # 51,200 entries: 1 % is 1.6 deviations
    np.testing.assert_allclose(control.record["sigma"] ** 2, np.repeat([0.3, 0.3 / 2**0.55], 4), rtol=1e-6)


def test_every_row_of_an_embedding_gets_noise():
    """Also on TensorFlow, where its gradient comes as slices."""
    layers = [keras.layers.Embedding(5, 3), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((1,), dtype="int32"), *layers])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.get_weights()[0]
    model.fit(np.zeros((1, 1), "int32"), np.zeros((1, 1)), verbose=0, callbacks=[GradientNoise(1.0)])
    assert (model.get_weights()[0] != before).all()


def test_config_makes_another():
    control = GradientNoise(0.3, 0.5, seed=7, name="jitter")
    assert GradientNoise(**control.get_config()).get_config() == control.get_config()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"eta": -1}, r"`eta` must be a finite number, 0 or above. Received: eta=-1"),
        ({"gamma": float("inf")}, r"`gamma` must be a finite number, 0 or above. Received: gamma=inf"),
        ({"seed": -1}, r"`seed` must be a whole number, 0 or more. Received: seed=-1"),
        ({"seed": 1.5}, r"Received: seed=1.5"),
    ],
)
def test_bad_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        GradientNoise(**kwargs)
