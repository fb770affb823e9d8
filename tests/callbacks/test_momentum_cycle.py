"""MomentumCycle against PyTorch's own optimizer under its own OneCycleLR, and against update rules in NumPy."""

import gc
import inspect
import json
import warnings

import keras
import numpy as np
import pytest

from unetdyn.callbacks import MomentumCycle
from unetdyn.dynamics import OptimizerTap, detach_all
from unetdyn.schedules import OneCycle
from ways_to_train import WAYS_TO_TRAIN, supported

STEPS, RATE = 12, 0.05
X = np.random.default_rng(0).normal(size=(6, 3))
Y = np.random.default_rng(1).normal(size=(6, 1))
CYCLE = {"total_steps": STEPS, "pct_start": 0.4}
MOMENTA = {"base_momentum": 0.5, "max_momentum": 0.9}


def model_with(optimizer, **options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, "mse", **options)
    return model


def fit(model, callbacks, epochs=STEPS):
    """A step an epoch would hide what happens within one: all steps are of one epoch, each of the same batch."""
    x, y = np.tile(X, (epochs, 1)), np.tile(Y, (epochs, 1))
    return model.fit(x, y, batch_size=len(X), shuffle=False, verbose=0, callbacks=callbacks).history


def weights(model):
    return model.get_weights()[0].ravel()


def gradient(w):
    return 2 / len(X) * X.T @ (X @ w[:, None] - Y)[:, 0]


def of_torch(steps=STEPS, three_phase=False):
    """Weights of Adam under OneCycleLR in double precision, and its momenta."""
    torch = pytest.importorskip("torch")
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], eps=1e-12)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, **CYCLE, **MOMENTA, three_phase=three_phase)
    momenta = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in range(steps):
            momenta.append(optimizer.param_groups[0]["betas"][0])
            w.grad = torch.tensor(gradient(w.detach().numpy()))
            optimizer.step()
            if step + 1 < STEPS:
                schedule.step()
    return w.detach().numpy(), np.array(momenta)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("way", [supported(way) for way in ("plain", "eager", "jit", "several steps an execution")])
def test_adam_trains_as_in_torch(way, three_phase):
    schedule = OneCycle(RATE, **CYCLE, three_phase=three_phase)
    model = model_with(keras.optimizers.Adam(schedule, epsilon=1e-12), **WAYS_TO_TRAIN[way])
    cycle = MomentumCycle(**MOMENTA)
    history = fit(model, [cycle])
    expected, momenta = of_torch(three_phase=three_phase)
    np.testing.assert_allclose(weights(model), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cycle.record["momentum"], momenta, atol=1e-7)
    assert cycle.record["step"].tolist() == list(range(STEPS))
    assert history["momentum"] == pytest.approx([0.9])


def test_cycle_that_did_nothing_would_be_noticed():
    model = model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), epsilon=1e-12))
    fit(model, [])
    assert np.abs(weights(model) / of_torch()[0] - 1).max() > 1e-2


def in_numpy(kind, rates, momenta):
    """The update rules of Keras' documentation, step by step."""
    w, velocity, squares = np.zeros(3), np.zeros(3), np.zeros(3)
    for rate, momentum in zip(rates, momenta, strict=True):
        g = gradient(w)
        if kind == "rmsprop":
            squares = 0.9 * squares + 0.1 * g**2
            velocity = momentum * velocity + rate * g / np.sqrt(squares + 1e-7)
            w = w - velocity
            continue
        velocity = momentum * velocity - rate * g
        w = w + (momentum * velocity - rate * g if kind == "nesterov" else velocity)
    return w


OPTIMIZERS = {
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.7),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=0.7, nesterov=True),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate, momentum=0.7),
}


@pytest.mark.parametrize("way", [supported(way) for way in ("plain", "jit")])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_momentum_of_other_optimizers_cycles(kind, way):
    schedule = OneCycle(RATE, **CYCLE)
    model = model_with(OPTIMIZERS[kind](schedule), **WAYS_TO_TRAIN[way])
    fit(model, [MomentumCycle(**MOMENTA)])
    rates = [float(schedule(step)) for step in range(STEPS)]
    np.testing.assert_allclose(weights(model), in_numpy(kind, rates, of_torch()[1]), rtol=5e-5)


@pytest.mark.parametrize("name", ["AdamW", "Nadam", "Adamax", "Lamb", "Lion"])
def test_kin_of_adam_take_it(name):
    cycle, models = MomentumCycle(**MOMENTA), []
    for callbacks in ([cycle], []):
        models.append(model_with(getattr(keras.optimizers, name)(OneCycle(RATE, **CYCLE))))
        fit(models[-1], callbacks, epochs=6)
    assert np.isfinite(weights(models[0])).all()
    assert not np.array_equal(weights(models[0]), weights(models[1]))


def test_cycle_counts_micro_batches_as_the_learning_rate_does():
    cycle = MomentumCycle(**MOMENTA)
    fit(model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), gradient_accumulation_steps=2)), [cycle])
    np.testing.assert_allclose(cycle.record["momentum"], of_torch()[1], atol=1e-7)


def test_cycle_carries_on_with_the_optimizers_steps_and_stays_at_its_end():
    model, cycle = model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), epsilon=1e-12)), MomentumCycle(**MOMENTA)
    fit(model, [cycle], epochs=5)
    fit(model, [cycle], epochs=STEPS - 5)
    np.testing.assert_allclose(weights(model), of_torch()[0], rtol=1e-5, atol=1e-6)
    fit(model, [cycle], epochs=2)
    np.testing.assert_allclose(cycle.record["momentum"][-2:], [0.9, 0.9], atol=1e-7)


def test_optimizer_has_its_own_momentum_before_between_and_after():
    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((self.model.optimizer.beta_1, self.model.optimizer.get_config()["beta_1"]))

    seen, model = [], model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), beta_1=0.8))
    fit(model, [MomentumCycle(), Look()])
    assert set(seen) == {(0.8, 0.8)}
    assert model.optimizer.beta_1 == 0.8
    assert "_backend_update_step" not in vars(model.optimizer)


@pytest.mark.parametrize("kept", [True, False])
def test_an_exception_leaves_no_cycle_behind(kept):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("stopped")

    model = model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE)))
    cycle = MomentumCycle()
    with pytest.raises(RuntimeError, match="stopped"):
        fit(model, [cycle, Stop()])
    if not kept:
        del cycle
        gc.collect()
    detach_all(model)
    assert "_backend_update_step" not in vars(model.optimizer)


def test_cycle_of_ones_own_needs_no_schedule():
    cycle = MomentumCycle(**MOMENTA, cycle=OneCycle(RATE, **CYCLE))
    fit(model_with(keras.optimizers.Adam(1e-3)), [cycle])
    np.testing.assert_allclose(cycle.record["momentum"], of_torch()[1], atol=1e-7)


def test_cycle_acts_within_a_loss_scale():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), epsilon=1e-12))
    model = model_with(optimizer)
    fit(model, [MomentumCycle(**MOMENTA)])
    np.testing.assert_allclose(weights(model), of_torch()[0], rtol=1e-5, atol=1e-6)


def hooks(model):
    """What is set on the optimizer that a fresh one has not."""
    return {"apply", "_backend_update_step", "_unetdyn_attachments"} & set(vars(model.optimizer))


def test_one_cycle_an_optimizer_and_the_second_is_refused_before_training():
    model = model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), beta_1=0.8))
    theirs = OptimizerTap(model)
    first = MomentumCycle(**MOMENTA)
    with pytest.raises(
        ValueError, match=r"one MomentumCycle an optimizer.*Received: a second one, 'again', for .*Adam"
    ):
        fit(model, [first, MomentumCycle(0.1, 0.2, name="again")])
    assert not weights(model).any()
    assert "_backend_update_step" not in vars(model.optimizer)
    assert theirs.attached
    theirs.detach()
    assert hooks(model) == set()
    fit(model, [first])
    assert model.optimizer.beta_1 == 0.8
    assert hooks(model) == set()


def test_cycle_that_an_exception_left_is_no_second_one():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("stopped")

    model, left = model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE))), MomentumCycle()
    with pytest.raises(RuntimeError, match="stopped"):
        fit(model, [left, Stop()])
    fit(model, [MomentumCycle()])
    assert hooks(model) == set()


@pytest.mark.parametrize("beta", [0, 0.0, np.float32(0.7)])
def test_cycle_takes_any_number_for_the_optimizers_own(beta):
    model, cycle = (
        model_with(keras.optimizers.Adam(OneCycle(RATE, **CYCLE), beta, epsilon=1e-12)),
        MomentumCycle(**MOMENTA),
    )
    fit(model, [cycle])
    np.testing.assert_allclose(weights(model), of_torch()[0], rtol=1e-5, atol=1e-6)
    assert model.optimizer.beta_1 is beta


NO_MOMENTUM = r"needs an optimizer with a momentum that may change: Adam, .* above 0\. Received: {} without one"


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda: keras.optimizers.SGD(OneCycle(RATE, **CYCLE)), NO_MOMENTUM.format("SGD")),
        (lambda: keras.optimizers.RMSprop(OneCycle(RATE, **CYCLE)), NO_MOMENTUM.format("RMSprop")),
        (lambda: keras.optimizers.Adagrad(OneCycle(RATE, **CYCLE)), NO_MOMENTUM.format("Adagrad")),
        (lambda: keras.optimizers.Muon(OneCycle(RATE, **CYCLE)), NO_MOMENTUM.format("Muon")),
        (lambda: keras.optimizers.ScheduleFreeAdamW(OneCycle(RATE, **CYCLE)), NO_MOMENTUM.format("ScheduleFreeAdamW")),
        (lambda: keras.optimizers.Adam(1e-3), r"follows the learning rate's `OneCycle`: compile .*Received: a learn"),
    ],
)
def test_cycle_refuses_before_training_an_optimizer_that_has_none(optimizer, message):
    model = model_with(optimizer())
    with pytest.raises(ValueError, match=message):
        fit(model, [MomentumCycle()])
    assert not weights(model).any()
    assert hooks(model) == set()


@pytest.mark.parametrize("cycle", [None, OneCycle(RATE, **CYCLE)])
def test_cycle_comes_back_from_its_config(cycle):
    made = MomentumCycle(0.5, 0.6, cycle, 1, "again")
    config = json.loads(json.dumps(made.get_config()))
    assert MomentumCycle.from_config(config).get_config() == made.get_config()
    assert set(inspect.signature(MomentumCycle).parameters) == set(config)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"base_momentum": -0.1}, ValueError, r"`base_momentum` must lie between 0 and 1, without 1\. .*=-0\.1"),
        ({"max_momentum": 1.0}, ValueError, r"`max_momentum` must lie between 0 and 1, without 1\. .*=1\.0"),
        ({"base_momentum": 0.99}, ValueError, r"`base_momentum` must not be above `max_momentum`\. .*0\.99.*0\.95"),
        ({"cycle": 100}, TypeError, r"`cycle` must be a `unetdyn\.schedules\.OneCycle`\. Received: int\."),
    ],
)
def test_cycle_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        MomentumCycle(**arguments)
