"""Stopping by a criterion, on planted logs, against what `unetdyn.analysis` says of the same history."""

import json

import keras
import numpy as np
import pytest

from findings import told
from unetdyn import analysis
from unetdyn.callbacks import ConvergenceStopping, GradientMonitor

EPOCHS = 120
WAVE = 0.0008 * np.sin(2.3 * np.arange(EPOCHS))
LOSS = 0.2 + 0.6 * np.exp(-np.arange(EPOCHS) / 10) + WAVE
JACCARD = 0.8 - 0.7 * np.exp(-np.arange(EPOCHS) / 10) + WAVE
HISTORY = {"loss": LOSS, "val_loss": LOSS, "val_jaccard": JACCARD}


def model_of():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def begin(control, model=None):
    control.set_model(model_of() if model is None else model)
    control.on_train_begin()
    control.model.stop_training = False
    return control


def run(control, history, first=0, weights=False):
    """The hooks of `fit` until it stops; how many epochs there were."""
    count = len(next(iter(history.values())))
    for place in range(count):
        control.on_epoch_begin(first + place)
        if weights:
            control.model.layers[0].kernel.assign([[float(first + place)]])
        control.on_epoch_end(first + place, {name: float(values[place]) for name, values in history.items()})
        if control.model.stop_training:
            return place + 1
    return count


def first_epoch(criterion, name="val_loss", least=30):
    """The first epoch, ≥ `least`, after which the criterion of the history so far holds."""
    for count in range(least, EPOCHS + 1):
        so_far = {key: values[:count] for key, values in HISTORY.items()}
        match criterion:
            case "stability":
                found = analysis.converged_by_stability(so_far)
            case "slope":
                found = analysis.converged_by_slope(so_far[name])
            case "change":
                found = analysis.converged_by_change(so_far[name])
            case _:
                mode = "min" if name == "val_loss" else "max"
                found = analysis.converged_by_improvement(so_far[name], mode)
        if found.converged:
            return count
    raise AssertionError("the planted history converges")


@pytest.mark.parametrize("criterion", ["slope", "stability", "change", "improvement"])
def test_it_stops_in_the_first_epoch_in_which_the_analysis_says_converged(criterion):
    control = begin(ConvergenceStopping(criterion, verbose=0))
    epochs = run(control, HISTORY)
    assert epochs == first_epoch(criterion) < EPOCHS
    assert control.stopped_epoch == epochs - 1
    assert control.record["holds"].tolist()[-1]
    assert told(control) == [(epochs - 1, "convergence.stopped", "info")]
    assert f"converged by {criterion} of" in control.messages[0][1]


def test_a_metric_of_which_more_is_better_improves_upwards():
    control = begin(ConvergenceStopping("improvement", monitor="val_jaccard", verbose=0))
    assert run(control, HISTORY) == first_epoch("improvement", "val_jaccard")


def test_it_says_criterion_numbers_threshold_and_source():
    control = begin(ConvergenceStopping("stability", verbose=0))
    run(control, HISTORY)
    found = control.findings[0][1]
    assert "converged by stability of val_loss and val_jaccard: σ 0.0" in found.seen
    assert "< 0.05 and σ" in found.threshold
    assert found.source == "the studies"


def test_settings_go_to_the_criterion():
    loose = begin(ConvergenceStopping("stability", settings={"loss_sigma": 9.0, "metric_sigma": 9.0}, verbose=0))
    assert run(loose, HISTORY) == 30


def test_min_epochs_lets_a_flat_beginning_pass():
    flat = {"val_loss": np.full(60, 0.69)}
    for least in (12, 45):
        control = begin(ConvergenceStopping("change", min_epochs=least, verbose=0))
        assert run(control, flat) == max(least, 20)  # a lag of ten, ten times in a row


def test_it_never_stops_where_the_criterion_is_undetermined():
    noise = {"val_loss": np.random.default_rng(0).normal(size=80)}
    assert run(begin(ConvergenceStopping("slope", verbose=0)), noise) == 80
    assert run(begin(ConvergenceStopping("slope", verbose=0)), {"val_loss": np.full(60, np.nan)}) == 60


def test_gradient_goes_by_a_monitor_in_the_same_fit():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.3), "mse")
    x = np.ones((2, 1))
    gradients = GradientMonitor()
    control = ConvergenceStopping("gradient", 1, monitor="loss", settings={"epsilon": 0.01, "in_a_row": 2}, verbose=0)
    model.fit(x, x, epochs=40, batch_size=2, verbose=0, callbacks=[gradients, control])
    norms = gradients.record["grad_norm"]
    assert control.stopped_epoch == int(np.flatnonzero(norms < 0.01)[0]) + 1 == len(norms) - 1


def test_gradient_without_a_monitor_or_epsilon_is_refused():
    with pytest.raises(ValueError, match=r"needs ε, which has no default.*settings={'epsilon': ...}"):
        ConvergenceStopping("gradient")
    with pytest.raises(ValueError, match="goes by the record of a `GradientMonitor`: put one before this control"):
        begin(ConvergenceStopping("gradient", settings={"epsilon": 0.1}))


@pytest.mark.parametrize(("mode", "best"), [("auto", 3), ("min", 3), ("max", 1)])
def test_best_weights_come_back_when_training_ends(mode, best):
    control = begin(ConvergenceStopping(restore_best_weights=True, mode=mode, verbose=0))
    run(control, {"val_loss": [0.5, 0.9, 0.4, 0.3, 0.3, 0.6]}, weights=True)
    control.on_train_end()
    assert float(control.model.get_weights()[0][0, 0]) == best
    assert control.best == (best, {1: 0.9, 3: 0.3}[best])


def test_weights_stay_where_nothing_else_was_asked_for():
    control = begin(ConvergenceStopping(verbose=0))
    run(control, {"val_loss": [0.5, 0.4, 0.6]}, weights=True)
    control.on_train_end()
    assert float(control.model.get_weights()[0][0, 0]) == 2


def test_direction_that_nothing_tells_is_assumed_and_told():
    control = begin(ConvergenceStopping(restore_best_weights=True, monitor="sharpness", verbose=0))
    with pytest.warns(UserWarning, match="ConvergenceStopping: the highest sharpness is taken for the best"):
        run(control, {"sharpness": [0.5, 0.9, 0.4]}, weights=True)
    assert control.best == (1, 0.9)


def test_value_that_is_not_logged_is_told_once_and_stops_nothing():
    control = begin(ConvergenceStopping("change", min_epochs=1, verbose=0))
    with pytest.warns(UserWarning, match=r"ConvergenceStopping: 'val_loss' is not in the logs of epoch 1"):
        assert run(control, {"loss": np.ones(40)}) == 40
    assert np.isnan(control.record["monitored"]).all()


def test_epochs_that_a_rollback_has_undone_are_no_part_of_the_history():
    """One loss of 1e27 would make any slope small beside its range."""
    wild = {name: np.concatenate([[1e27], values]) for name, values in HISTORY.items()}
    undone = {**wild, "rollback": np.ones(EPOCHS + 1)}
    plain = begin(ConvergenceStopping("slope", 60, verbose=0))
    control = begin(ConvergenceStopping("slope", 61, verbose=0))
    assert run(control, undone) == run(plain, HISTORY) + 1
    assert control.result.slope == plain.result.slope


def test_another_optimizer_is_looked_at_anew():
    control = begin(ConvergenceStopping("change", verbose=0))
    run(control, {"val_loss": np.full(25, 0.5)})
    control.model.compile("sgd", "mae")
    control.on_train_begin()
    assert run(control, {"val_loss": np.full(60, 0.5)}, first=25) == 30
    assert len(control.record["epoch"]) == 55


def test_state_goes_on_in_another_control():
    whole = begin(ConvergenceStopping("change", restore_best_weights=True, verbose=0))
    epochs = run(whole, HISTORY, weights=True)
    for cut in (1, 15, epochs - 1):
        first = begin(ConvergenceStopping("change", restore_best_weights=True, verbose=0))
        second = begin(ConvergenceStopping("change", restore_best_weights=True, verbose=0))
        run(first, {name: values[:cut] for name, values in HISTORY.items()}, weights=True)
        second.on_epoch_begin(cut)
        second.set_state(first.get_state())
        assert cut + run(second, {k: v[cut:] for k, v in HISTORY.items()}, first=cut, weights=True) == epochs
        assert (second.best, second.stopped_epoch) == (whole.best, whole.stopped_epoch)
        assert second.messages == whole.messages
        for name, values in whole.record.items():
            np.testing.assert_array_equal(second.record[name], values)
        second.on_train_end()
        assert float(second.model.get_weights()[0][0, 0]) == whole.best[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"criterion": "slop"}, ValueError, "`criterion` must be one of .* Did you mean 'slope'"),
        ({"min_epochs": 0}, ValueError, "`min_epochs` must be a whole number of epochs, 1 or more"),
        ({"mode": "low"}, ValueError, "`mode` must be one of 'auto', 'max', 'min'"),
        ({"settings": {"window": 3}}, ValueError, "`window` must be a whole number of epochs, from 10"),
        ({"settings": {"windows": 30}}, TypeError, "unexpected keyword argument 'windows'"),
        ({"settings": {"metric": "val_jaccard"}}, TypeError, "unexpected keyword argument 'metric'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ConvergenceStopping(**arguments)


def test_config_is_that_of_the_arguments():
    config = ConvergenceStopping("change", 5, True, "loss", settings={"lag": np.int64(3)}).get_config()
    assert config["settings"] == {"lag": 3}
    assert json.loads(json.dumps(config)) == config
