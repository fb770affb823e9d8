"""Kernels decay, nothing else does: in every optimizer of Keras, in its compiled step, and after loading."""

import inspect

import keras
import numpy as np
import pytest

from unetdyn.models import AttentionResUNet
from unetdyn.optimizers import WeightDecayGroups, weight_decay_groups

layers, optimizers = keras.layers, keras.optimizers

ALL = sorted(
    name
    for name, kind in vars(optimizers).items()
    if inspect.isclass(kind) and "weight_decay" in inspect.signature(kind).parameters and name != "Optimizer"
)
RATE, DECAY = 0.125, 0.5
FACTOR = 1 - RATE * DECAY  # exact in float32
KERNELS, OTHERS = ("conv/kernel", "dense/kernel"), ("conv/bias", "norm/gamma", "norm/beta", "prelu/alpha", "dense/bias")


def small():
    x = inputs = keras.Input((4, 4, 1))
    for layer in (
        layers.Conv2D(2, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.PReLU(name="prelu"),
        layers.Flatten(),
        layers.Dense(1, name="dense"),
    ):
        x = layer(x)
    model = keras.Model(inputs, x)
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, 2.0, "float32"))
    return model


def values(model):
    return {variable.path: np.array(variable.numpy()) for variable in model.trainable_variables}


def step(optimizer, model, gradient=0.0):
    gradients = [keras.ops.full(variable.shape, gradient) for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    return values(model)


@pytest.mark.parametrize("name", ALL)
def test_only_kernels_differ_from_a_step_without_decay(name):
    kind, decayed, plain = getattr(optimizers, name), small(), small()
    optimizer = kind(RATE, weight_decay=DECAY)
    weight_decay_groups(optimizer, decayed)
    none = {"weight_decay": 0.0, **({"adam_weight_decay": 0.0} if name == "Muon" else {})}
    found, without = step(optimizer, decayed, 0.25), step(kind(RATE, **none), plain, 0.25)
    changed = {path for path in found if not np.array_equal(found[path], without[path])}
    assert changed <= set(KERNELS)
    assert changed or name in ("Ftrl", "ScheduleFreeAdamW")  # these make weights anew from what they keep


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad"])
def test_kernels_decay_by_the_rate_times_the_decay(name):
    model = small()
    optimizer = getattr(optimizers, name)(RATE, weight_decay=DECAY)
    weight_decay_groups(optimizer, model)
    found = step(optimizer, model)
    assert {path for path in found if np.all(found[path] == 2 * FACTOR)} == set(KERNELS)
    assert {path for path in found if np.all(found[path] == 2)} == set(OTHERS)


def fit_step(model):
    """A step whose gradient is 0, since the loss is."""
    model.fit(np.zeros((2, 4, 4, 1), "float32"), np.zeros((2, 1), "float32"), verbose=0)
    return values(model)


def nought(y_true, y_pred):
    return 0 * y_pred


def test_inside_a_loss_scale_optimizer():
    model = small()
    model.compile(optimizers.LossScaleOptimizer(optimizers.SGD(RATE, weight_decay=DECAY)), nought)
    weight_decay_groups(model.optimizer, model)
    found = fit_step(model)
    assert {path for path in found if np.all(found[path] == 2 * FACTOR)} == set(KERNELS)
    assert {path for path in found if np.all(found[path] == 2)} == set(OTHERS)


def test_in_fit_and_again_after_loading(tmp_path):
    """Keras keeps no exclusion in a file: without a second call everything would decay."""
    model = small()
    model.compile(optimizers.SGD(RATE, weight_decay=DECAY), nought)
    weight_decay_groups(model.optimizer, model)
    assert {path for path, value in fit_step(model).items() if np.all(value == 2)} == set(OTHERS)
    model.save(tmp_path / "m.keras")

    lost, again = (keras.saving.load_model(tmp_path / "m.keras", {"nought": nought}) for _ in range(2))
    assert np.all(fit_step(lost)["conv/bias"] == 2 * FACTOR)
    weight_decay_groups(again.optimizer, again)
    found = fit_step(again)
    assert {path for path, value in found.items() if np.all(value == 2 * FACTOR**2)} == set(KERNELS)
    assert {path for path, value in found.items() if np.all(value == 2)} == set(OTHERS)


def test_in_a_model_that_has_trained_already():
    model = small()
    model.compile(optimizers.SGD(RATE, weight_decay=DECAY), nought)
    assert np.all(fit_step(model)["conv/bias"] == 2 * FACTOR)
    weight_decay_groups(model.optimizer, model)
    found = fit_step(model)
    assert np.all(found["conv/bias"] == 2 * FACTOR)
    assert np.all(found["conv/kernel"] == 2 * FACTOR**2)


def test_result_names_every_trainable_weight_of_a_network_once():
    model = AttentionResUNet((16, 16, 1), filters=2, depth=1, seed=0)
    groups = weight_decay_groups(optimizers.AdamW(weight_decay=0.01), model)
    assert groups.weight_decay == 0.01
    assert sorted(groups.decayed + groups.spared) == sorted(each.path for each in model.trainable_variables)
    assert {path.rpartition("/")[2] for path in groups.decayed} == {"kernel"}
    assert {path.rpartition("/")[2] for path in groups.spared} == {"bias", "beta", "gamma"}


def test_frozen_weights_are_sorted_but_not_listed():
    model = small()
    model.get_layer("dense").trainable = False
    optimizer = optimizers.SGD(RATE, weight_decay=DECAY)
    groups = weight_decay_groups(optimizer, model)
    assert groups.decayed == ("conv/kernel",)
    model.get_layer("dense").trainable = True
    found = step(optimizer, model)
    assert np.all(found["dense/bias"] == 2)
    assert np.all(found["dense/kernel"] == 2 * FACTOR)


def test_result_shows_what_decays():
    text = str(WeightDecayGroups(0.01, ("a/kernel", "b/kernel"), ("a/bias",)))
    assert text == "weight decay  0.01\n2 decay       a/kernel, b/kernel\n1 don't       a/bias"


@pytest.mark.parametrize("decay", [None, 0.0])
def test_optimizer_without_decay_is_refused(decay):
    with pytest.raises(ValueError, match=r"must have a weight decay: Adam\(.*Received: weight_decay=" + str(decay)):
        weight_decay_groups(optimizers.Adam(weight_decay=decay), small())


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match=r"`optimizer` must be a Keras optimizer.*Received: optimizer='adamw'"):
        weight_decay_groups("adamw", small())


def test_model_without_weights_yet_is_refused():
    with pytest.raises(ValueError, match=r"`model` must be built.*`model\.build\(input_shape\)`"):
        weight_decay_groups(optimizers.AdamW(), keras.Sequential([layers.Dense(1)]))


def test_model_without_kernels_is_refused():
    model = keras.Sequential([keras.Input((2,)), layers.BatchNormalization(name="norm")], name="net")
    with pytest.raises(
        ValueError, match=r"must have a kernel that is trained. Received: net/norm/gamma, net/norm/beta"
    ):
        weight_decay_groups(optimizers.AdamW(), model)


def test_optimizer_of_another_model_is_refused():
    optimizer = optimizers.AdamW()
    optimizer.build(small().trainable_variables)
    with pytest.raises(ValueError, match=r"Received: one that was built without conv/kernel.*pass `model\.optimizer`"):
        weight_decay_groups(optimizer, small())
