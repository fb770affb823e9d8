"""Moving statistics that lag."""

import numpy as np
import pytest

from planted_runs import EPOCHS, healthy, logged, modes, planted, set_up
from unetdyn.analysis.diagnosis.causes import statistics_lag
from unetdyn.analysis.diagnosis.symptoms.gap import BEHIND

MEASURED, BY_CURVES = [("statistics.lag", "ill", "high")], [("statistics.lag", "ill", "medium")]


def told(evidence):
    return [(one.code, one.level, one.confidence) for one in statistics_lag.find(evidence)]


BEGIN = statistics_lag.BEGIN
SLOW = set_up(norms=[{"layer": "n", "momentum": 0.99, "trainable": True}])


def apart(epochs, cost=statistics_lag.TIMES + 1e-6, lost=statistics_lag.LOST + 1e-6):
    """Two modes that differ in so many epochs: inference costs so many times as much, and loses so much Jaccard."""
    there = (np.arange(EPOCHS) >= BEGIN) & (np.arange(EPOCHS) < BEGIN + epochs)
    return {"mode_gap": modes(inference_loss=0.1 * np.where(there, cost, 1), inference_jaccard=0.8 - there * lost)}


OFTEN = int(np.ceil(statistics_lag.OFTEN * EPOCHS))


def test_both_modes_alike_are_well():
    assert told(planted({"mode_gap": modes()})) == []


@pytest.mark.parametrize(("epochs", "expected"), [(OFTEN, MEASURED), (OFTEN - 1, []), (EPOCHS, MEASURED)])
def test_measured_epochs_are_counted(epochs, expected):
    assert told(planted(apart(epochs))) == expected


@pytest.mark.parametrize(
    "less", [{"cost": statistics_lag.TIMES - 1e-6}, {"lost": statistics_lag.LOST - 1e-6}], ids=["loss", "Jaccard"]
)
def test_both_the_loss_and_the_jaccard_must_differ(less):
    assert told(planted(apart(EPOCHS, **less))) == []


def test_without_a_jaccard_the_loss_tells():
    record = apart(EPOCHS)["mode_gap"] | {"training_jaccard": np.full(EPOCHS, np.nan)}
    record["inference_jaccard"] = record["training_jaccard"]
    assert told(planted({"mode_gap": record})) == MEASURED


def test_inference_that_is_no_number_is_apart():
    record = modes(inference_loss=np.nan, inference_jaccard=0.0)
    assert told(planted({"mode_gap": record})) == MEASURED


def test_one_epoch_of_a_short_training_is_an_accident():
    for count, expected in ((1, []), (2, MEASURED)):
        record = {name: values[:5] for name, values in apart(count)["mode_gap"].items()}
        assert told(planted({"mode_gap": record})) == expected


def test_beginning_does_not_count():
    """Moving statistics begin at 0 and 1, and need some steps."""
    for first, expected in ((0, []), (1, MEASURED)):
        there = np.isin(np.arange(EPOCHS), np.arange(first, first + OFTEN + BEGIN - 1))
        record = modes(inference_loss=np.where(there, 9.0, 0.1), inference_jaccard=np.where(there, 0.0, 0.8))
        assert there.sum() > OFTEN
        assert told(planted({"mode_gap": record})) == ([] if there[BEGIN:].sum() < OFTEN else expected)


@pytest.mark.parametrize(("momentum", "expected"), [(0.9, []), (0.96, []), (0.97, MEASURED), (0.99, MEASURED)])
def test_statistics_that_look_back_few_steps_have_no_lag_to_measure(momentum, expected):
    setup = set_up(norms=[{"layer": "n", "momentum": momentum, "trainable": True}])
    assert (1 / (1 - momentum) >= statistics_lag.STEPS) == bool(expected)
    assert told(planted(apart(EPOCHS), setup=setup)) == expected
    assert statistics_lag.can_lag(planted(setup=setup)) == bool(expected)


def test_whether_statistics_can_lag():
    frozen = [{"layer": "n", "momentum": 0.99, "trainable": False}]
    never = [{"layer": "n", "momentum": 1.0, "trainable": True}]
    assert statistics_lag.can_lag(planted())
    assert statistics_lag.can_lag(planted(setup=set_up(norms=never)))
    for norms in ([], frozen):
        assert not statistics_lag.can_lag(planted(setup=set_up(norms=norms)))
        assert told(planted(apart(EPOCHS), setup=set_up(norms=norms))) == []


def test_worst_epoch_is_a_number_where_one_is_known():
    record = apart(EPOCHS)["mode_gap"]
    record["inference_jaccard"][20] = 0.05
    record["training_jaccard"][[5, 9]] = np.nan, np.inf
    record["inference_jaccard"][9] = np.inf
    (one,) = statistics_lag.find(planted({"mode_gap": record}))
    assert "in epoch 21" in one.seen
    unknown = np.full(EPOCHS, np.nan)
    record |= {"training_jaccard": unknown, "inference_jaccard": unknown}
    record["inference_loss"][[5, 30]] = np.nan, 7.0
    (one,) = statistics_lag.find(planted({"mode_gap": record}))
    assert "in epoch 31" in one.seen


def test_finding_names_the_worst_epoch_and_layer():
    record = apart(EPOCHS)["mode_gap"]
    record["inference_jaccard"][6] = 0.05
    record["mean_distance"] = {"norm1": np.full(EPOCHS, 0.1), "norm2": np.full(EPOCHS, 3.0)}
    (one,) = statistics_lag.find(planted({"mode_gap": record}, setup=SLOW))
    assert f"in epoch 7; so in {EPOCHS - BEGIN} of {EPOCHS} epochs" in one.seen
    assert "norm2" in one.seen
    assert one.epochs == ((BEGIN, EPOCHS - 1),)


def by_curves(gone, setup=None, recovers=True, spike=statistics_lag.SPIKE + 1e-3, record=None):
    """The validation metric is gone in so many epochs, with a validation loss of so many times the training's."""
    logs = healthy()
    trained = np.linspace(0.3, 0.8, EPOCHS)
    at = slice(10, 10 + gone)
    validated = trained.copy() if recovers else trained * 0.5
    validated[at] = trained[at] * (BEHIND - 1e-6)
    logs["val_loss"] = logs["loss"] * 1.1
    logs["val_loss"][at] = spike * logs["loss"][at]
    records = {} if record is None else {"mode_gap": record}
    return planted(records, setup=setup, **logs | {"jaccard": trained, "val_jaccard": validated})


def seldom(*epochs, **changes):
    """A record with some epochs measured, of which `changes` says more."""
    record = modes(**changes)
    left_out = ~np.isin(np.arange(EPOCHS), epochs)
    return record | {name: np.where(left_out, np.nan, values) for name, values in record.items() if name != "epoch"}


APART = {"inference_loss": 9.0, "inference_jaccard": 0.0}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (seldom(0, EPOCHS - 1), BY_CURVES),
        (seldom(0, EPOCHS - 1, **APART), MEASURED),
        (seldom(0, 10), []),
        (seldom(0, 10, **APART), MEASURED),
        (seldom(0, EPOCHS - 1, training_loss=np.nan), BY_CURVES),
    ],
    ids=["others agree", "others are apart", "it agrees", "it is apart", "nothing measured"],
)
def test_epochs_that_the_budget_left_out_are_told_by_the_curves(record, expected):
    assert told(by_curves(OFTEN, record=record)) == expected


@pytest.mark.parametrize(("gone", "expected"), [(OFTEN, BY_CURVES), (OFTEN - 1, []), (0, [])])
def test_curves_tell_where_nothing_was_measured(gone, expected):
    assert told(by_curves(gone)) == expected


def test_validation_that_never_recovers_may_be_another_set():
    assert told(by_curves(OFTEN, recovers=False)) == []
    slow = set_up(norms=[{"layer": "n", "momentum": 0.99, "trainable": True}])
    steps = slow["steps_per_epoch"]
    assert 1 / (1 - 0.99) / steps > statistics_lag.EPOCHS
    assert told(by_curves(OFTEN, slow, recovers=False)) == BY_CURVES


def test_validation_loss_that_does_not_spike_is_no_lag():
    assert told(by_curves(OFTEN, spike=statistics_lag.SPIKE - 1e-3)) == []


@pytest.mark.parametrize(("momentum", "expected"), [(0.9, []), (0.99, BY_CURVES)])
def test_statistics_that_look_back_less_than_half_an_epoch_do_not_lag(momentum, expected):
    setup = set_up(norms=[{"layer": "n", "momentum": momentum, "trainable": True}])
    assert told(by_curves(OFTEN, setup)) == expected


def test_network_without_moving_statistics_has_none_that_lag():
    group = [{"layer": "n", "kind": "GroupNormalization", "momentum": None, "trainable": True}]
    for norms in ([], group):
        assert told(by_curves(OFTEN, set_up(norms=norms))) == []


def test_what_was_measured_goes_before_the_curves():
    evidence = by_curves(OFTEN)
    records = {"mode_gap": modes()}
    assert told(planted(records, **{name: evidence.curves[name].values for name in evidence.curves})) == []


@pytest.mark.parametrize(
    ("momentum", "steps", "epochs"), [(0.9, 5, 2.0), (0.99, 100, 1.0), (0.0, 1, 1.0), (1.0, 8, np.inf)]
)
def test_statistics_look_back_one_over_one_minus_momentum_steps(momentum, steps, epochs):
    norms = [{"layer": f"norm {value}", "momentum": value, "trainable": True} for value in (0.0, momentum)]
    evidence = planted(setup=set_up(norms=norms, steps_per_epoch=steps))
    found = statistics_lag.lag(evidence)
    assert found == (momentum, pytest.approx(epochs), steps)


@pytest.mark.parametrize("changes", [{"norms": []}, {"steps_per_epoch": None}])
def test_lag_that_is_not_known(changes):
    assert statistics_lag.lag(planted(setup=set_up(**changes))) is None


def test_frozen_norms_do_not_lag():
    frozen = [{"layer": "n", "momentum": 0.99, "trainable": False}]
    assert statistics_lag.lag(planted(setup=set_up(norms=frozen))) is None


def test_healthy_and_short_trainings():
    assert told(planted()) == told(planted(jaccard=healthy()["val_jaccard"])) == []
    short = {"loss": [0.7, 0.6, 0.5], "val_loss": [2.5, 0.7, 0.6], "jaccard": [0.3, 0.4, 0.5]}
    assert told(logged(**short, val_jaccard=[0.01, 0.4, 0.5])) == []


@pytest.mark.parametrize(("momentum", "steps", "expected"), [(0.99, 99, True), (0.99, 100, False), (0.9, 5, True)])
def test_statistics_lag_that_look_back_further_than_an_epoch(momentum, steps, expected):
    norms = [{"layer": "n", "momentum": momentum, "trainable": True}]
    assert statistics_lag.lags(planted(setup=set_up(norms=norms, steps_per_epoch=steps))) == expected


def test_curves_are_told():
    (one,) = statistics_lag.find(by_curves(OFTEN))
    assert (one.curves, one.epochs) == (("val_loss", "val_jaccard"), ((10, 9 + OFTEN),))
    (one,) = statistics_lag.find(logged(apart(EPOCHS), loss=healthy()["loss"]))
    assert one.curves == ()
