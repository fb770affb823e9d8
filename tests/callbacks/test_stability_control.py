"""The adaptive stability control on planted logs, and once in a real `fit`."""

import json

import keras
import numpy as np
import pytest

from findings import told
from unetdyn.callbacks import (
    AdaptiveGradientClipping,
    ResumableRun,
    RunningAverageClipping,
    StabilityControl,
    StabilityMonitor,
)
from unetdyn.callbacks.settable_rate import rates_of

RATE = 0.25


def model_of(rate=RATE):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def begin(control, model=None):
    control.set_model(model_of() if model is None else model)
    control.on_train_begin()
    return control


def run(control, epochs, first=0):
    """The hooks of `fit` for planted logs; the rate after each epoch."""
    rates = []
    for number, logs in enumerate(epochs, start=first):
        control.on_epoch_begin(number)
        control.on_epoch_end(number, logs)
        rates.append(rates_of(control.model.optimizer)[0])
    return rates


def losses(values):
    return [{"val_loss": value} for value in values]


def wild(count, size=0.5):
    """Up and down: the variance of ten is 10/9 size², and where the first is low, the nearest descent is the mean."""
    return [1.0 - size * (-1) ** i for i in range(count)]


def test_sigma_out_of_its_band_lowers_the_rate_after_patience_epochs():
    control = begin(StabilityControl(patience=3, verbose=0))
    rates = run(control, losses(wild(13)))
    assert rates == [RATE] * 11 + [RATE / 2] * 2  # ten make a σ, and the third in a row counts
    assert control.record["sigma"][9] == pytest.approx(0.5 * np.sqrt(10 / 9))
    assert np.isnan(control.record["sigma"][:9]).all()
    assert control.record["action"].tolist() == [0] * 11 + [-1, 0]
    assert told(control) == [(11, "stability_control.lowered", "info")]
    assert "learning rate 0.25 → 0.125, since σ of val_loss 0.527 ≥ 0.1 for 3 epochs" in control.messages[0][1]
    assert control.findings[0][1].source == "the studies"


def test_a_loss_that_falls_fast_is_let_alone_though_its_sigma_is_large():
    control = begin(StabilityControl(patience=1, verbose=0))
    falling = [{"val_loss": loss, "stability": 0.9} for loss in np.linspace(5, 1, 30)]
    assert run(control, falling) == [RATE] * 30


def test_sigma_of_a_monitor_counts_where_there_is_one():
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0))
    calm = [{"val_loss": loss, "stability": 0.01} for loss in wild(30)]
    assert run(control, calm) == [RATE] * 30
    alone = begin(StabilityControl(patience=1, oscillation=None, verbose=0))
    assert run(alone, losses(wild(30)))[-1] < RATE


def test_nothing_counts_while_it_cools_down_and_sigma_is_then_of_the_new_rate():
    control = begin(StabilityControl(patience=1, cooldown=4, oscillation=None, verbose=0))
    rates = run(control, losses(wild(10)) + losses([1.0] * 20))
    assert rates == [RATE] * 9 + [RATE / 2] * 21
    control = begin(StabilityControl(patience=2, cooldown=10, oscillation=None, verbose=0))
    changed = np.flatnonzero(np.diff(run(control, losses(wild(40)))))
    assert changed.tolist() == [9, 21, 33]  # + 1: of the 11th, then 10 of rest and 2 of patience


def test_a_zigzag_lowers_the_rate_where_sigma_is_small():
    control = begin(StabilityControl(patience=3, verbose=0))
    noise = 0.001 * np.random.default_rng(0).normal(size=40)
    rates = run(control, losses(0.3 + 0.02 * (-1.0) ** np.arange(40) + noise))
    first = int(np.flatnonzero(np.diff(rates))[0]) + 1
    assert first == 21  # twenty values, and the third look in a row
    assert "val_loss oscillates (a zigzag, period 2" in control.messages[0][1]
    assert control.record["oscillation"][first] == 1.0


def test_flips_lower_the_rate_and_calm_needs_less_than_the_other_bound():
    control = begin(StabilityControl(patience=3, sigma=None, oscillation=None, cooldown=0, verbose=0))
    rates = run(control, [{"flips_rate": rate} for rate in (0.06, 0.03, float("nan"), 0.03, 0.01, 0.03)])
    assert rates == [RATE] * 3 + [RATE / 2] * 3
    assert "share of pixels that flip" in control.messages[0][1]
    assert run(control, [{}], first=6) == [RATE / 2]


def test_rate_has_a_floor_which_is_told_once():
    control = begin(StabilityControl(0.5, patience=1, cooldown=0, min_learning_rate=0.1, oscillation=None, verbose=0))
    rates = run(control, [{"val_loss": loss} for loss in wild(60)])
    assert sorted(set(rates), reverse=True) == pytest.approx([0.25, 0.125, 0.1])
    assert [code for _, code, _ in told(control)] == [*["stability_control.lowered"] * 2, "stability_control.least"]
    assert control.scale == pytest.approx(0.4)


def test_rate_below_the_floor_is_not_raised_to_it():
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0), model_of(rate=1e-8))
    assert run(control, losses(wild(20)))[-1] == pytest.approx(1e-8)
    assert [code for _, code, _ in told(control)] == ["stability_control.least"]


def test_calm_epochs_raise_the_rate_again_only_where_asked_and_never_above_the_first():
    for raise_after, last in ((None, RATE / 2), (5, RATE)):
        settings = {"patience": 1, "cooldown": 2, "oscillation": None, "verbose": 0}
        control = begin(StabilityControl(raise_after=raise_after, **settings))
        rates = run(control, losses(wild(10)) + losses([1.0] * 60))
        assert (min(rates), rates[-1]) == (RATE / 2, last)
    assert control.scale == 1.0
    assert [code for _, code, _ in told(control)] == ["stability_control.lowered", "stability_control.raised"]
    assert control.record["action"].tolist().count(1) == 1


def test_loss_that_is_not_finite_is_left_to_others():
    control = begin(StabilityControl(patience=1, verbose=0))
    assert run(control, losses([float("nan"), float("inf")] * 15)) == [RATE] * 30


def test_it_looks_anew_after_a_rollback():
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0))
    logs = [{"val_loss": loss, "rollback": float(place >= 5)} for place, loss in enumerate(wild(16))]
    rates = run(control, logs)
    assert rates[:14] == [RATE] * 14  # ten from the sixth on
    assert rates[14] == RATE / 2


def test_value_that_is_not_logged_is_told_once():
    control = begin(StabilityControl(verbose=0))
    with pytest.warns(UserWarning, match=r"StabilityControl: 'val_loss' is not in the logs of epoch 1, .* hold loss,"):
        run(control, [{"loss": 1.0}])
    run(control, [{"loss": 1.0}], first=1)


def test_logs_have_the_rate_of_the_epoch_and_what_was_done_to_it():
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0))
    logs = losses(wild(11))
    run(control, logs)
    assert [each["learning_rate"] for each in logs] == [RATE] * 10 + [RATE / 2]
    assert [each["stability_control"] for each in logs] == [1.0] * 9 + [0.5] * 2


def test_schedule_is_refused_before_training_starts_but_not_for_a_clip():
    model = model_of(keras.optimizers.schedules.CosineDecay(0.1, 100))
    with pytest.raises(ValueError, match=r"`StabilityControl` needs a learning rate that it can set.*CosineDecay"):
        begin(StabilityControl(), model)
    begin(StabilityControl(clip=AdaptiveGradientClipping()), model)


def test_rates_of_several_optimizers_are_lowered_each():
    several = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5))
    several["dense.*"] = keras.optimizers.SGD(0.25)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.MultiOptimizer(several), "mse")
    model.optimizer.build(model.trainable_variables)
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0), model)
    run(control, losses(wild(10)))
    assert sorted(rates_of(model.optimizer)) == [0.125, 0.25]


def test_rate_inside_a_loss_scale_is_lowered():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE)), "mse")
    control = begin(StabilityControl(patience=1, oscillation=None, verbose=0), model)
    run(control, losses(wild(10)))
    assert float(model.optimizer.inner_optimizer.learning_rate) == RATE / 2


def test_another_optimizer_is_looked_at_anew():
    control = begin(StabilityControl(patience=1, cooldown=0, oscillation=None, verbose=0))
    run(control, losses(wild(10)))
    control.model.compile(keras.optimizers.SGD(RATE), "mse")
    control.on_train_begin()
    assert control.scale == 1.0
    assert run(control, losses(wild(9)), first=10) == [RATE] * 9


def test_state_goes_on_in_another_control():
    """Wherever it is cut, rates, record and findings are those of a control that saw all."""
    planted = losses([*wild(18), *[1.0] * 30])
    settings = {"patience": 2, "cooldown": 3, "raise_after": 4, "verbose": 0}
    whole = begin(StabilityControl(**settings))
    rates = run(whole, [dict(each) for each in planted])
    for cut in (3, 10, 12, 15, 25):
        first, second = begin(StabilityControl(**settings)), begin(StabilityControl(**settings))
        run(first, [dict(each) for each in planted[:cut]])
        state = first.get_state()
        second.model.optimizer.learning_rate = first.model.optimizer.learning_rate  # as a resumed optimizer has it
        second.on_epoch_begin(cut)
        second.set_state(state)
        assert run(second, [dict(each) for each in planted[cut:]], first=cut) == rates[cut:]
        for name, values in whole.record.items():
            np.testing.assert_array_equal(second.record[name], values, err_msg=f"{name} cut at {cut}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, "`factor` must lie between 0 and 1"),
        ({"patience": 0}, "`patience` must be a whole number of epochs, 1 or more"),
        ({"sigma": 0}, "`sigma` must be a finite number above 0, or None"),
        ({"calm_sigma": 0.2}, "`calm_sigma` must be a number from 0 to 0.1"),
        ({"oscillation": 0.7}, "`oscillation` must lie between 0 and 0.5"),
        ({"flip_rate": 2}, "`flip_rate` must lie between 0 and 1"),
        ({"calm_flip_rate": 0.3}, "`calm_flip_rate` must be a number from 0 to 0.05"),
        ({"cooldown": -1}, "`cooldown` must be a whole number of epochs, 0 or more"),
        ({"min_learning_rate": -1}, "`min_learning_rate` must be a finite number, 0 or above"),
        ({"min_clipping": -1}, "`min_clipping` must be a finite number, 0 or above"),
        ({"raise_after": 0}, "`raise_after` must be a whole number of epochs, 1 or more, or None for never"),
        ({"sigma": None, "oscillation": None, "flip_rate": None}, "must be looked at. Received: None for all three"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        StabilityControl(**arguments)


def test_clip_of_another_kind_is_refused():
    refused = r"`clip` must be an AdaptiveGradientClipping or a RunningAverageClipping, or None\. Received: float"
    with pytest.raises(TypeError, match=refused):
        StabilityControl(clip=0.5)


def test_config_is_that_of_the_arguments():
    control = StabilityControl(0.3, sigma=None, clip=AdaptiveGradientClipping(0.02))
    config = control.get_config()
    assert (config["factor"], config["sigma"], config["clip"]["clipping"]) == (0.3, None, 0.02)
    json.dumps(config)


class Planted(keras.callbacks.Callback):
    """Writes a wild validation loss into the logs, and keeps the weights after each epoch."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = 1.0 + epoch % 2
        self.weights.append(np.concatenate([each.ravel() for each in self.model.get_weights()]))


@pytest.mark.parametrize("lever", ["rate", "clipping", "alpha"])
def test_steps_of_a_real_fit_become_smaller(lever):
    """Of a linear loss the gradient is the same at every step: an update shows rate and clip by itself."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.01), lambda y, p: keras.ops.mean(p, axis=-1))
    clip = {"clipping": AdaptiveGradientClipping(0.5), "alpha": RunningAverageClipping(0.5)}.get(lever)
    settings = {"factor": 0.25, "patience": 1, "cooldown": 20, "oscillation": None, "verbose": 0}
    control, planted = StabilityControl(clip=clip, **settings), Planted()
    x = np.ones((2, 1))
    units = [*([clip] if clip else []), planted, StabilityMonitor(), control]
    model.fit(x, x, batch_size=2, epochs=13, verbose=0, callbacks=units)
    assert [code for _, code, _ in told(control)] == ["stability_control.lowered"]
    steps = np.abs(np.diff([weights[0] for weights in planted.weights]))  # of the kernel
    at = int(np.flatnonzero(control.record["action"])[0])
    ratio = steps[at] / steps[at - 1]
    assert ratio == pytest.approx(0.25, rel=0.02)  # the clip's bound goes with the weight, which moved by 1 %
    if clip is not None:
        assert getattr(clip, lever) == 0.125
        turned = "clipping" if lever == "clipping" else "α of RunningAverageClipping"
        assert f"StabilityControl: {turned} 0.5 → 0.125, since" in control.findings[0][1].seen


@pytest.mark.parametrize(
    ("clip", "least"), [(AdaptiveGradientClipping(0.01), 1e-4), (RunningAverageClipping(2.0), 0.02)]
)
def test_clip_is_not_lowered_below_a_hundredth_of_its_default(clip, least):
    settings = {"sigma": 0.1, "oscillation": None, "verbose": 0}
    control = begin(StabilityControl(factor=1e-3, patience=1, cooldown=0, clip=clip, **settings))
    run(control, losses(wild(30)))
    assert control.record["value"][-1] == least
    assert [code for _, code, _ in told(control)] == ["stability_control.lowered", "stability_control.least"]
    own = begin(StabilityControl(factor=1e-3, patience=1, clip=type(clip)(1.0), min_clipping=0.5, **settings))
    run(own, losses(wild(12)))
    assert own.record["value"][-1] == 0.5


@pytest.mark.filterwarnings("ignore:Planted has no `get_state`")
@pytest.mark.parametrize("kind", [AdaptiveGradientClipping, RunningAverageClipping])
def test_clip_that_was_tightened_stays_so_when_the_training_is_carried_on(kind, tmp_path):
    def trained(folder, epochs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="last")])
        model.compile(keras.optimizers.SGD(0.01), lambda y, p: keras.ops.mean(p, axis=-1))
        clip, x = kind(0.5), np.ones((2, 1))
        control = StabilityControl(factor=0.25, patience=1, oscillation=None, clip=clip, verbose=0)
        run = ResumableRun(folder, verbose=0)
        units = [clip, Planted(), StabilityMonitor(), control, run]
        model.fit(x, x, batch_size=2, epochs=epochs, verbose=0, callbacks=units)
        return run.resumed_from, clip, control.record["value"].tolist(), model.get_weights()[0]

    _, whole, values, weight = trained(tmp_path / "whole", 14)
    assert 0.125 in values[:12]
    trained(tmp_path / "cut", 12)
    resumed_from, clip, again, found = trained(tmp_path / "cut", 14)
    assert resumed_from == (12, 0)
    assert again == values
    assert clip.get_config() == whole.get_config() != kind(0.5).get_config()
    np.testing.assert_array_equal(found, weight)
