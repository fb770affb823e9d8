"""The rollback on planted logs of a tiny model, and in real trainings that diverge."""

import json

import keras
import numpy as np
import pytest

from findings import told
from unetdyn.callbacks import DivergenceRollback, NonFiniteGuard
from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.training_state import copied

RATE = 0.25
NAN, INF = float("nan"), float("inf")
GOOD = [0.9, 0.7, 0.6, 0.55, 0.5, 0.5, 0.5]


def model_of(rate=RATE, optimizer=None):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=3)]
    model = keras.Sequential([keras.Input((1,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate) if optimizer is None else optimizer, "mse")
    return model


class Batches(keras.utils.PyDataset):
    """Eight batches of one sample of target 1, but for the very first, whose loss is a tenth of the others'."""

    small = True

    def __len__(self):
        return 8

    def __getitem__(self, place):
        first = self.small and place == 0
        return np.ones((1, 1)), np.full((1, 1), np.sqrt(0.1) if first else 1.0)

    def turn(self):
        """A callback after which there is no such batch."""
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(self, "small", False))


def begin(rollback, model=None):
    rollback.set_model(model_of() if model is None else model)
    rollback.on_train_begin()
    return rollback


def mark(model, value):
    """What a step would do, in weights, slots, counter and seed."""
    for variable in [*model.variables, *model.optimizer.variables]:
        if "learning_rate" not in variable.path:
            variable.assign(keras.ops.full(variable.shape, value, variable.dtype))


def marked(model):
    """The marks of weights, slots and counter, and of the dropout's seed."""
    seeds = {id(layer.seed_generator.state) for layer in model.layers if hasattr(layer, "seed_generator")}
    variables = [v for v in [*model.variables, *model.optimizer.variables] if "learning_rate" not in v.path]
    found = {id(v) in seeds: set() for v in variables}
    for variable in variables:
        found[id(variable) in seeds] |= set(np.unique(keras.ops.convert_to_numpy(variable.value)).tolist())
    return found[False], found[True]


def run(rollback, epochs, first=0, name="loss"):
    """Epochs of planted losses, each of which leaves the mark of its number plus 1."""
    for number, loss in enumerate(epochs, start=first):
        rollback.on_epoch_begin(number)
        mark(rollback.model, number + 1)
        rollback.on_epoch_end(number, {name: loss})


def rate_of(rollback):
    return float(rollback.model.optimizer.learning_rate)


@pytest.mark.parametrize("loss", [NAN, INF, 6.0])
def test_divergence_brings_back_the_last_good_state_with_a_lower_rate(loss):
    rollback = begin(DivergenceRollback(verbose=0))
    run(rollback, [*GOOD, loss])
    weights, seeds = marked(rollback.model)
    assert weights == {7}
    assert seeds == {8}, "random generators go on"
    assert rate_of(rollback) == pytest.approx(RATE / 10)
    assert told(rollback) == [(7, "rollback.back", "watch")]
    assert (rollback.rollbacks, rollback.good_epoch) == (1, 6)
    assert rollback.record["back_to"].tolist() == [-2] * 7 + [6]
    assert "Back to the end of epoch 7, learning rate 0.25 → 0.025; 1 of at most 6." in rollback.messages[0][1]
    assert not rollback.model.stop_training


def test_limits_in_the_record_are_median_and_mad():
    rollback = begin(DivergenceRollback(k=8, window=7, verbose=0))
    run(rollback, [*GOOD, 0.5])
    deviation = max(1.4826 * np.median(np.abs(np.array(GOOD) - 0.55)), 0.05 * 0.55)
    assert rollback.record["level"][7] == 0.55
    assert rollback.record["limit"][7] == pytest.approx(0.55 + 8 * deviation)


def test_weights_that_are_not_finite_have_diverged_whatever_the_loss_says():
    rollback = begin(DivergenceRollback(verbose=0))
    run(rollback, GOOD)
    rollback.on_epoch_begin(7)
    rollback.model.layers[0].kernel.assign([[NAN, 1.0]])
    rollback.on_epoch_end(7, {"loss": 0.5})
    assert marked(rollback.model)[0] == {7}
    assert "1 of 9 variables of the model are not finite" in rollback.messages[0][1]


def test_suspicious_epoch_is_neither_kept_nor_past():
    rollback = begin(DivergenceRollback(verbose=0))
    calm = [0.5] * 10  # deviation 0.025: suspicious above 0.625, diverged above 0.75
    run(rollback, [*calm, 0.7, 0.7, 0.8])  # 0.7 would be good after a few of itself
    assert rollback.record["verdict"].tolist() == [0] * 10 + [1, 1, 2]
    assert marked(rollback.model)[0] == {10}


def test_slow_divergence_goes_back_to_before_it_began():
    rollback = begin(DivergenceRollback(verbose=0))
    losses = [*[0.5] * 10, *(0.5 * 1.05 ** np.arange(1, 10))]
    run(rollback, losses)
    verdict = rollback.record["verdict"].tolist()
    last_good = rollback.record["back_to"][verdict.index(2)]
    assert losses[last_good] < 0.625
    assert losses[verdict.index(2)] > 0.75


def test_rate_falls_further_when_it_diverges_again_from_the_same_state():
    rollback = begin(DivergenceRollback(factor=0.5, verbose=0))
    run(rollback, [*GOOD, NAN, NAN, 0.5, NAN])
    assert rate_of(rollback) == pytest.approx(RATE / 8)
    assert rollback.record["back_to"][7:].tolist() == [6, 6, -2, 9]
    np.testing.assert_allclose(rollback.record["learning_rate"][6:] / RATE, [1, 0.5, 0.25, 0.25, 0.125], rtol=1e-6)


def test_it_gives_up_with_the_last_good_state_and_a_report():
    rollback = begin(DivergenceRollback(max_rollbacks=2, verbose=0))
    run(rollback, [*GOOD, NAN, NAN, NAN])
    assert rollback.model.stop_training
    assert marked(rollback.model)[0] == {7}
    assert [code for _, code, _ in told(rollback)] == ["rollback.back", "rollback.back", "rollback.gave_up"]
    report = rollback.findings[-1][1]
    assert report.level == "ill"
    assert "Diverged at learning rates 0.25, 0.025, 0.0025." in report.seen
    assert "it has gone back 2 times, as often as `max_rollbacks` allows" in report.seen
    assert "The model is as at the end of epoch 7." in report.seen
    assert "a look at the data" in report.advice


def test_first_epoch_goes_back_to_the_beginning():
    rollback = begin(DivergenceRollback(verbose=0))
    before = copied(rollback.model)
    run(rollback, [NAN])
    assert rollback.record["back_to"].tolist() == [-1]
    assert "Back to the beginning" in rollback.messages[0][1]
    for place, value in copied(rollback.model).items():
        if place.startswith("model/") and value.dtype.kind == "f":
            np.testing.assert_array_equal(value, before[place])


def test_first_batch_that_is_no_sure_level_is_made_up_for_by_the_next():
    """Of a regression on few samples: the first batch happens to have a loss of a tenth of the others'."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    data, rollback = Batches(), DivergenceRollback(verbose=0)
    model.fit(data, epochs=4, shuffle=False, verbose=0, callbacks=[data.turn(), rollback])
    assert rollback.record["verdict"].tolist() == [2, 0, 0, 0]
    assert rollback.get_state()["first_loss"] == pytest.approx(1.0)


def test_factor_of_one_leaves_the_rate_and_allows_a_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 10, 0.5)
    with pytest.raises(ValueError, match=r"`DivergenceRollback` needs a learning rate that it can set.*Exponential"):
        begin(DivergenceRollback(), model_of(schedule))
    rollback = begin(DivergenceRollback(factor=1, verbose=0), model_of(schedule))
    run(rollback, [*GOOD, NAN])
    assert marked(rollback.model)[0] == {7}
    assert "at the same rate" in rollback.messages[0][1] or "learning rate" in rollback.messages[0][1]


def test_batches_that_a_guard_skipped_make_an_epoch_suspicious_no_more():
    rollback = begin(DivergenceRollback(verbose=0))
    run(rollback, GOOD)
    rollback.on_epoch_begin(7)
    rollback.on_epoch_end(7, {"loss": NAN, "skipped_updates": 1.0})
    assert rollback.record["verdict"].tolist()[7:] == [1]
    rollback.on_epoch_begin(8)
    rollback.on_epoch_end(8, {"loss": NAN, "skipped_updates": 0.0})
    assert rollback.record["verdict"].tolist()[7:] == [1, 2]


def test_value_that_is_not_logged_is_told_once_and_weights_still_count():
    rollback = begin(DivergenceRollback(monitor="los", verbose=0))
    with pytest.warns(UserWarning, match=r"DivergenceRollback: 'los' is not in the logs .* Did you mean 'loss'\?"):
        run(rollback, [0.5])
    run(rollback, [0.5], first=1)
    rollback.on_epoch_begin(2)
    rollback.model.layers[0].kernel.assign([[INF, 1.0]])
    rollback.on_epoch_end(2, {"loss": 0.5})
    assert rollback.record["verdict"].tolist() == [0, 0, 2]


def test_another_optimizer_begins_anew():
    rollback = begin(DivergenceRollback(verbose=0))
    run(rollback, [*GOOD, NAN])
    rollback.model.compile(keras.optimizers.SGD(RATE), "mae")
    rollback.on_train_begin()
    assert (rollback.rollbacks, rollback.good_epoch) == (0, None)
    run(rollback, [50.0], first=8)
    assert rollback.record["verdict"][-1] == 0, "another loss has another level"


def test_rows_of_a_tap_count_on_after_a_rollback():
    model = model_of()
    rollback, x = DivergenceRollback(verbose=0), np.ones((8, 1), "float32")
    tap = OptimizerTap(model)

    class Plant(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["loss"] = NAN if epoch == 1 else 1.0

    model.fit(x, x, batch_size=2, epochs=3, verbose=0, callbacks=[Plant(), rollback])
    assert rollback.rollbacks == 1
    rows = tap.read()
    tap.detach()
    assert rows.step.tolist() == list(range(12))
    assert int(model.optimizer.iterations) == 8, "the optimizer's own counter went back"


def test_state_goes_on_in_another_control():
    losses = [*GOOD, 0.62, NAN, NAN, 0.5, 0.5, NAN]
    whole = begin(DivergenceRollback(verbose=0))
    run(whole, losses)
    for cut in (1, 7, 8, 9, 11):
        first, second = begin(DivergenceRollback(verbose=0)), begin(DivergenceRollback(verbose=0))
        run(first, losses[:cut])
        second.on_epoch_begin(cut)  # as a fit that begins there
        values = copied(first.model, metrics=False)
        variables = [*second.model.variables, *second.model.optimizer.variables]
        for variable, value in zip(variables, values.values(), strict=True):
            variable.assign(value)
        second.set_state(first.get_state())
        run(second, losses[cut:], first=cut)
        assert marked(second.model) == marked(whole.model)
        assert rate_of(second) == rate_of(whole)
        for name, kept in whole.record.items():
            np.testing.assert_array_equal(second.record[name], kept, err_msg=f"{name} cut at {cut}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 0}, "`factor` must lie between 0 and 1, without 0"),
        ({"factor": 1.5}, "`factor` must lie between 0 and 1, without 0"),
        ({"max_rollbacks": -1}, "`max_rollbacks` must be a whole number of rollbacks, 0 or more"),
        ({"k": 0}, "`k` must be a finite number above 0"),
        ({"window": 4}, "`window` must be a whole number of epochs, 5 or more"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DivergenceRollback(**arguments)


def test_config_is_that_of_the_arguments():
    config = DivergenceRollback(0.5, 3, 7.0, 20, "val_loss").get_config()
    assert list(config.values())[:5] == [0.5, 3, 7.0, 20, "val_loss"]
    assert json.loads(json.dumps(config)) == config


# Real trainings.

RNG = np.random.default_rng(0)
IMAGES = RNG.random((32, 8, 8, 1)).astype("float32")
MASKS = (IMAGES > 0.5).astype("float32")


def net(optimizer, loss="binary_crossentropy"):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer, loss)
    return model


def fit(model, callbacks, epochs=12, masks=MASKS):
    return model.fit(IMAGES, masks, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks).history["loss"]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_rate_ten_thousand_times_too_high_ends_trained(kind):
    """A loss of probabilities is bounded by Keras' ε: it never is NaN, and only the first step's loss tells."""
    optimizer = keras.optimizers.Adam(0.01 * 1e4) if kind == "adam" else keras.optimizers.SGD(0.5 * 1e4)
    rollback = DivergenceRollback(verbose=0)
    losses = fit(net(optimizer), [rollback])
    untrained = rollback.get_state()["first_loss"]
    assert losses[0] > 2 * untrained
    assert 2 <= rollback.rollbacks <= 6
    assert np.isfinite(losses[-1])
    assert losses[-1] < 0.9 * untrained


def test_data_that_are_not_finite_end_the_training_at_once():
    rollback = DivergenceRollback(verbose=0)
    assert len(fit(net("adam", "mse"), [rollback], masks=MASKS * NAN)) == 1
    assert "in the very first step, so that no learning rate is the cause" in rollback.messages[0][1]


def test_guard_and_rollback_together_keep_a_bad_batch_out():
    masks = MASKS.copy()
    masks[5] = NAN
    rollback = DivergenceRollback(verbose=0)
    model = net(keras.optimizers.Adam(0.01), "mse")  # PyTorch's cross-entropy refuses NaN
    fit(model, [NonFiniteGuard(max_consecutive=None, verbose=0), rollback], epochs=2, masks=masks)
    assert rollback.rollbacks == 0
    assert set(rollback.record["verdict"].tolist()) == {1}
    assert all(np.isfinite(each).all() for each in model.get_weights())
