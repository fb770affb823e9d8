"""Probes and controls: state of their own, columns of their own, other gradients, skipped updates."""

import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tap_models import (
    assert_same_weights,
    conv_data,
    conv_model,
    dense_data,
    dense_model,
    fit,
    gradients,
    optimizer_state,
    weights_of,
    weights_of_trainable,
)
from unetdyn.dynamics import Control, Factors, OptimizerTap, Probe
from unetdyn.dynamics.probe import transformed

ops = keras.ops


class DotPrevious(Probe):
    def build(self, add_variable, variables):
        self.previous = [add_variable(like=v) for v in variables]

    def columns(self):
        return {"dot": 1, "largest": len(self.previous)}

    def measure(self, step):
        pairs = list(zip(step.gradients, self.previous, strict=True))
        dot = sum(ops.sum(g * p.value) for g, p in pairs)
        largest = ops.stack([ops.max(ops.abs(g)) for g in step.gradients])
        for g, p in pairs:
            p.assign(g)
        return {"dot": dot, "largest": largest}


class Scale(Control):
    def __init__(self, factor):
        self.factor = factor

    def transform(self, step):
        return [g * self.factor for g in step.gradients], None, {}


class SkipNonFinite(Control):
    def build(self, add_variable, variables):
        self.skipped = add_variable(dtype="int")

    def transform(self, step):
        bad = ops.sum(step.nonfinite) > 0
        self.skipped.assign_add(ops.cast(bad, self.skipped.dtype))
        return None, bad, {}


class SkipOdd(Control):
    def transform(self, step):
        return None, ops.equal(step.number % 2, 1), {}


@pytest.mark.parametrize("steps", [None, 2], ids=["plain", "accumulation"])
def test_probe_keeps_state_from_step_to_step(steps):
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.01, gradient_accumulation_steps=steps), "mse")
    x, y = dense_data(16)
    expected = []
    reference = dense_model()
    reference.compile(keras.optimizers.SGD(0.01, gradient_accumulation_steps=steps), "mse")
    for i in range(0, 16, 4):
        expected.append(np.concatenate([g.ravel() for g in gradients(reference, x[i : i + 4], y[i : i + 4])]))
        reference.train_on_batch(x[i : i + 4], y[i : i + 4])
    tap = OptimizerTap(model, DotPrevious(), capacity=3)
    fit(model, (x, y))
    rows = tap.read()
    dots = [0] + [a @ b for a, b in itertools.pairwise(expected)]
    np.testing.assert_allclose(rows.extra["dot"][:, 0], dots, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rows.extra["largest"][:, 0], [np.abs(g[:3]).max() for g in expected], rtol=1e-5)


def largest_and_means(step):
    """Without state of its own, so a function is enough."""
    return {
        "largest": ops.max(ops.stack([ops.max(ops.abs(g)) for g in step.gradients])),
        "means": ops.stack([ops.mean(g) for g in step.gradients]),
    }


@pytest.mark.parametrize("kwargs", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
def test_a_function_is_a_probe(kwargs):
    model, reference = dense_model(), dense_model()
    model.compile(keras.optimizers.SGD(0.01), "mse", **kwargs)
    x, y = dense_data(4)
    expected = gradients(reference, x, y)
    tap = OptimizerTap(model, largest_and_means)
    fit(model, (x, y))
    extra = tap.read().extra
    tap.detach()
    assert {name: values.shape for name, values in extra.items()} == {"largest": (1, 1), "means": (1, 2)}
    np.testing.assert_allclose(extra["largest"][0, 0], max(np.abs(g).max() for g in expected), rtol=1e-5)
    np.testing.assert_allclose(extra["means"][0], [g.mean() for g in expected], rtol=1e-5)


class ScaleAndTell(Scale):
    def columns(self):
        return {"before": 1, "after": 1}

    def measure(self, step):
        return {"before": ops.sum(step.grad_norm_sq)}

    def transform(self, step):
        scaled = [g * self.factor for g in step.gradients]
        return scaled, None, {"after": sum(ops.sum(ops.square(g)) for g in scaled)}


def test_control_may_tell_what_it_did():
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    taps = [OptimizerTap(model, ScaleAndTell(3.0)), OptimizerTap(model, ScaleAndTell(0.5))]
    fit(model, dense_data())
    first, second = (tap.read() for tap in taps)
    for rows, factor in ((first, 9.0), (second, 2.25)):
        np.testing.assert_allclose(rows.extra["before"][:, 0], rows.grad_norm**2, rtol=1e-5)
        np.testing.assert_allclose(rows.extra["after"][:, 0], factor * rows.grad_norm**2, rtol=1e-5)


class TellsOther(Scale):
    """Declares one column and fills another."""

    def columns(self):
        return {"declared": 1}

    def transform(self, step):
        return None, None, {"filled": ops.sum(step.grad_norm_sq)}


class MeasuresOther(Probe):
    def columns(self):
        return {"declared": 1}

    def measure(self, step):
        return {"filled": ops.sum(step.grad_norm_sq)}


class Forgets(Probe):
    def columns(self):
        return {"declared": 1}


def forgetful(step):
    """One column when it is asked for their widths, with zeros for gradients and weights; none when it measures."""
    return {"declared": step.learning_rate} if step.gradients is step.weights else {}


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        (lambda: TellsOther(1.0), r"`TellsOther` must .*Not returned: 'declared'\. Not declared: 'filled'\."),
        (MeasuresOther, r"`MeasuresOther` must .*Not returned: 'declared'\. Not declared: 'filled'\."),
        (Forgets, r"`Forgets` must return a value for each of its `columns`.*Not returned: 'declared'\."),
        (lambda: forgetful, r"`forgetful` must .*Not returned: 'declared'\."),
    ],
)
def test_columns_that_are_not_those_declared_are_refused_with_their_probe(probe, text):
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, probe())
    assert tap.attached  # it is left at that: on JAX Keras loses the state of a model whose first step fails
    with pytest.raises(ValueError, match=text):
        fit(model, dense_data())


class Two(Control):
    def transform(self, step):
        return step.gradients, None


class Bare(Control):
    def transform(self, step):
        return step.gradients[0]


class NoColumns(Control):
    def transform(self, step):
        return None, None, None


@pytest.mark.parametrize(
    ("control", "received"),
    [(Two, r"\(list, None\)"), (Bare, r"\w*(Tensor|Tracer)"), (NoColumns, r"\(None, None, None\)")],
)
def test_control_that_does_not_return_three_is_told_which_they_are(control, received):
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, control())
    assert tap.attached
    said = rf"`{control.__name__}.transform` must return \(gradients or None, skip or None, columns or {{}}\)"
    with pytest.raises(TypeError, match=rf"{said}\. Received: ({received})\."):
        fit(model, dense_data())


def test_probes_with_the_same_columns_get_each_their_own():
    model = dense_model()
    model.compile("sgd", "mse")
    first = OptimizerTap(model, DotPrevious())
    fit(model, dense_data())
    second = OptimizerTap(model, DotPrevious())
    bare = OptimizerTap(model)
    fit(model, dense_data())
    assert first.read().extra["dot"].shape == (6, 1)
    assert second.read().extra["dot"][0, 0] == 0
    assert bare.read().extra == {}


@pytest.mark.parametrize("clip", [{}, {"global_clipnorm": 0.05}], ids=str)
def test_controls_act_in_turn_before_keras_clips(clip):
    model, reference = dense_model(), dense_model()
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9, **clip), "mse")
    reference.compile(keras.optimizers.SGD(0.01 if clip else 0.03, momentum=0.9, **clip), "mse")
    taps = [OptimizerTap(model, Scale(6.0)), OptimizerTap(model, Scale(0.5))]
    fit(model, dense_data())
    fit(reference, dense_data())
    for a, b in zip(weights_of(model), weights_of(reference), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    rows = taps[0].read()
    np.testing.assert_allclose(rows.applied_grad_norm, 0.05 if clip else 3 * rows.grad_norm, rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize(
    ("probe", "expected"), [(None, False), (lambda: Scale(1.0), False), (lambda: Scale(0.9), True)]
)
def test_rows_tell_whether_a_control_changed_the_gradient(policy, probe, expected):
    model = conv_model(policy)
    optimizer = keras.optimizers.SGD(0.01)
    model.compile(optimizer if policy == "float32" else keras.optimizers.LossScaleOptimizer(optimizer, 8.0), "mse")
    tap = OptimizerTap(model, probe() if probe else None)
    fit(model, conv_data(8))
    assert tap.read().controlled.tolist() == [expected] * 2


def test_detached_control_acts_no_more():
    """On JAX the second trace has the same shapes as the first: it must not be taken from a cache."""
    ratios = []
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    for factor in (3.0, 5.0):
        tap = OptimizerTap(model, Scale(factor))
        fit(model, dense_data())
        tap.detach()
        rows = tap.read()
        ratios.append(np.sqrt(rows.update_norm_sq.sum(1)) / (0.01 * rows.grad_norm))
    tap = OptimizerTap(model)
    fit(model, dense_data())
    rows = tap.read()
    ratios.append(np.sqrt(rows.update_norm_sq.sum(1)) / (0.01 * rows.grad_norm))
    np.testing.assert_allclose(ratios, [[3.0] * 3, [5.0] * 3, [1.0] * 3], rtol=1e-3)


@pytest.mark.parametrize("kwargs", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}], ids=["plain", "accumulation"])
def test_skipped_update_changes_nothing(kwargs, options):
    x, y = dense_data(20)
    broken = x.copy()
    broken[8:12] = np.nan  # the third of five batches
    model, reference = dense_model(), dense_model()
    model.compile(keras.optimizers.Adam(0.01, **options), "mse", **kwargs)
    reference.compile(keras.optimizers.Adam(0.01, **options), "mse", **kwargs)
    guard = SkipNonFinite()
    tap = OptimizerTap(model, guard)
    fit(model, (broken, y))
    fit(reference, (np.delete(x, range(8, 12), 0), np.delete(y, range(8, 12), 0)))
    rows = tap.read()
    assert int(guard.skipped.value) == 1
    tap.detach()
    assert_same_weights(weights_of(reference), weights_of(model))
    assert_same_weights(optimizer_state(reference), optimizer_state(model))
    assert list(rows.applied) == ([False, True, False, False, True] if options else [True, True, False, True, True])
    assert list(rows.step) == [0, 1, 2, 3, 4]
    assert list(rows.iteration) == [0, 1, 2, 2, 3]
    assert rows.nonfinite[2].sum() == 4
    assert (rows.update_norm_sq[2] == 0).all()


def overflowing(model):
    """A loss scale that overflows float16 at first, so that updates are skipped until it has come down."""
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**21), "mse")
    return model


@pytest.mark.parametrize("probe", [None, SkipNonFinite, lambda: Scale(1.0)], ids=["bare", "guard", "control"])
def test_loss_scale_gradients_are_unscaled_and_skipped_steps_known(probe):
    plain, tapped = overflowing(conv_model("mixed_float16")), overflowing(conv_model("mixed_float16"))
    tap = OptimizerTap(tapped, probe() if probe else None, capacity=5)
    fit(plain, conv_data(48))
    fit(tapped, conv_data(48))
    rows = tap.read()
    tap.detach()
    tolerance = {"rtol": 2e-2, "atol": 2e-3} if keras.backend.backend() == "jax" else {"rtol": 0}
    for a, b in zip(optimizer_state(plain), optimizer_state(tapped), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)
    for a, b in zip(weights_of(plain), weights_of(tapped), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)
    assert len(rows) == 12
    skipped = ~rows.applied
    assert 0 < skipped.sum() < 12
    np.testing.assert_array_equal(rows.nonfinite.sum(axis=1) > 0, skipped)
    np.testing.assert_array_equal(rows.iteration, np.cumsum(rows.applied) - rows.applied)
    updates = np.sqrt(rows.update_norm_sq.sum(axis=1))
    np.testing.assert_allclose(updates[rows.applied], 0.01 * rows.grad_norm[rows.applied], rtol=1e-3)
    assert (updates[skipped] == 0).all()


def test_control_may_skip_under_a_loss_scale_too():
    model = conv_model("mixed_float16")
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=8.0), "mse")
    tap = OptimizerTap(model, SkipOdd())
    fit(model, conv_data(16))
    rows = tap.read()
    assert list(rows.applied) == [True, False, True, False]


def test_bfloat16_weights_are_summed_in_float32():
    model = conv_model("bfloat16")
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [w.astype("float64") for w in weights_of_trainable(model)]
    tap = OptimizerTap(model)
    model.train_on_batch(*[part[:4] for part in conv_data()])
    rows = tap.read()
    np.testing.assert_allclose(rows.weight_norm_sq[0], [np.sum(w**2) for w in before], rtol=1e-6)
    after = [w.astype("float64") for w in weights_of_trainable(model)]
    expected = [np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(rows.update_norm_sq[0], expected, rtol=1e-5)


class Counted(Probe):
    """A count that needs no data."""

    def build(self, add_variable, variables):
        self.steps = add_variable(dtype="int")

    def columns(self):
        return {"steps": 1}

    def measure(self, step):
        self.steps.assign_add(1)
        return {"steps": self.steps.value}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="elsewhere a step is called with its data")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_no_step_is_counted_where_an_iterator_fails():
    """TensorFlow starts whatever needs no data beside the iterator, which then says that it is at its end."""
    import tensorflow as tf

    x, y = dense_data()
    specs = (tf.TensorSpec((4, 3)), tf.TensorSpec((4, 1)))
    parts = [(x[i : i + 4], y[i : i + 4]) for i in (0, 4, 8)]
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, Counted())
    data = tf.data.Dataset.from_generator(lambda: parts, output_signature=specs)
    model.fit(data, epochs=2, shuffle=False, verbose=0)
    rows = tap.read()
    tap.detach()
    assert rows.step.tolist() == list(range(6))
    assert rows.extra["steps"][:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert (rows.grad_norm > 0).all()


class Untouched(Control):
    """Gives back what it was given."""

    def transform(self, step):
        return list(step.gradients), None, {}


class Halved(Control):
    def transform(self, step):
        return Factors(0.5 for _ in step.gradients), None, {}


def embedded(control, optimizer, epochs):
    """Weights before and after; the last three rows of the embedding are not used."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((2,), dtype="int32"), layers.Embedding(9, 2), layers.Flatten(), layers.Dense(1)]
    )
    model.compile(optimizer, "mse")
    before = weights_of_trainable(model)
    tap = OptimizerTap(model, control) if control is not None else None
    data = np.array([[0, 1], [1, 2], [3, 3], [4, 5]]), np.ones((4, 1), "float32")
    fit(model, data, batch_size=2, epochs=epochs)
    if tap is not None:
        tap.detach()
    return before, weights_of_trainable(model)


def test_gradient_that_a_control_gives_back_is_handed_on_in_the_form_it_came_in():
    """On TensorFlow an embedding's as slices: from a dense one Adam moves all rows, by the momentum they have."""
    _, plain = embedded(None, keras.optimizers.Adam(0.1), 2)
    _, controlled = embedded(Untouched(), keras.optimizers.Adam(0.1), 2)
    assert_same_weights(controlled, plain)


def test_factors_multiply_slices_and_tensors_alike():
    """Half the gradient is half the step."""
    before, whole = embedded(None, keras.optimizers.SGD(0.1), 1)
    _, halved = embedded(Halved(), keras.optimizers.SGD(0.05), 1)
    _, reference = embedded(None, keras.optimizers.SGD(0.025), 1)
    assert_same_weights(halved, reference, rounding=True)
    np.testing.assert_array_equal(halved[0][6:], before[0][6:])
    assert np.abs(whole[0][:6] - before[0][:6]).min() > 0


def test_factors_are_each_variables_own_where_two_share_a_gradient():
    """Of a sum both addends have the same gradient, on TensorFlow and JAX the very same tensor."""

    class Sum(keras.layers.Layer):
        def build(self, shape):
            self.one, self.two = (self.add_weight(shape=(3, 1), initializer="zeros") for _ in range(2))

        def call(self, x):
            return x @ (self.one + self.two)

    class Quarter(Control):
        def transform(self, step):
            return Factors([0.5, 0.25]), None, {}

    model = keras.Sequential([keras.Input((3,)), Sum()])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    tap = OptimizerTap(model, Quarter())
    model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    tap.detach()
    one, two = model.get_weights()  # the gradient of (x·w − 1)² at 0 is −2
    np.testing.assert_array_equal((one, two), (np.full((3, 1), 1.0), np.full((3, 1), 0.5)))


@pytest.mark.parametrize("given", [Factors([0.5]), [None]], ids=["factors", "gradients"])
def test_control_must_return_as_many_as_there_are_variables(given):
    class Short(Control):
        def transform(self, step):
            return given, None, {}

    step = SimpleNamespace(gradients=[None, None])
    with pytest.raises(ValueError, match=r"`Short.transform` must return .* each of the 2 variables.* Received: 1\."):
        transformed(Short(), step)
