"""Whether the losses fell, and stayed there."""

import math
from dataclasses import replace

import numpy as np
import pytest

from planted_runs import CALM, CONSTANT_LOSS, EPOCHS, batches, descent, healthy, logged, planted, set_up
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.change import LAST, NOTHING
from unetdyn.analysis.diagnosis.symptoms import losses
from unetdyn.analysis.diagnosis.symptoms.metric_level import FEW

LEARNED_NOTHING = np.full(EPOCHS, 0.01)


def found(evidence):
    return {finding.seen.split(" loss")[0]: finding for finding in losses.find(evidence)}


def ending_at(name, value):
    return np.r_[healthy()[name][:-LAST], np.full(LAST, value)]


def test_healthy_losses_fell():
    both = found(planted())
    assert [(one.code, one.level) for one in both.values()] == [("loss.fell", "good")] * 2
    values = healthy()["loss"]
    expected = f"training loss {values[0]:.3g} at first, {values.min():.3g} at best, {values[-1]:.3g} at the end"
    assert both["training"].seen == expected


@pytest.mark.parametrize(
    ("change", "code", "level", "why"),
    [
        ({"loss": np.full(EPOCHS, 0.69)}, "loss.flat", "ill", "its training loss never fell by more than noise"),
        ({"val_loss": 0.69 + CALM}, "loss.flat", "watch", "its validation loss never fell by more than noise"),
        ({"loss": np.linspace(0.3, 0.4, EPOCHS)}, "loss.rose", "ill", "its training loss rose from 0.3 to 0.397"),
        ({"loss": ending_at("loss", 1e6)}, "loss.rose", "ill", "to 1000000 at the end"),
        ({"loss": ending_at("loss", 0.5)}, "loss.rose", "watch", "to 0.5 at the end"),
        ({"val_loss": np.r_[healthy()["val_loss"][:20], np.full(20, 50.0)]}, "loss.rose", "ill", "rose from 0.1"),
        ({"val_loss": 0.12 + 0.004 * np.abs(np.arange(EPOCHS) - 15)}, "loss.rose", "watch", "from 0.12 to 0.212"),
        (
            {"loss": np.r_[healthy()["loss"][:20], np.full(20, math.nan)]},
            "loss.nonfinite",
            "ill",
            "its training loss is not finite at the end",
        ),
    ],
)
def test_losses_that_did_not_fall(change, code, level, why):
    one = found(planted(**change))["training" if "loss" in change else "validation"]
    assert (one.code, one.level, one.name, one.curves) == (code, level, "loss", tuple(change))
    assert why in one.why


@pytest.mark.parametrize("name", losses.GIVEN_BACK)
def test_thresholds_are_where_the_rule_says(name):
    for part, levels in zip(losses.GIVEN_BACK[name], (("good", "watch"), ("watch", "ill")), strict=True):
        for given_back, level in zip((part - 1e-6, part + 1e-6), levels, strict=True):
            values = np.r_[np.linspace(1.0, 0.5, EPOCHS - LAST), np.full(LAST, 0.5 + 0.5 * given_back)]
            assert [one.level for one in losses.find(Evidence.read({name: values}))] == [level]


@pytest.mark.parametrize("name", losses.GIVEN_BACK)
@pytest.mark.parametrize("last", [0.5, 50.0, 1e6])
def test_one_bad_last_epoch_is_an_accident(name, last):
    one = found(planted(**{name: np.r_[healthy()[name][:-1], last]}))
    assert {finding.level for finding in one.values()} == {"good"}


def test_loss_that_began_just_above_where_it_ended_fell_where_that_is_much():
    """The fall must be more than a fiftieth of the loss, however calm it is."""
    for fall, code in ((NOTHING * 0.9, "loss.flat"), (NOTHING * 1.3, "loss.fell")):
        (one,) = losses.find(logged(loss=np.linspace(0.693, 0.693 * (1 - fall), EPOCHS)))
        assert one.code == code


def test_loss_no_better_than_a_constant_answers():
    for part, code in ((1e-3, "loss.constant"), (-1e-3, "loss.fell")):
        lowest = (losses.CONSTANT + part) * CONSTANT_LOSS
        values = lowest + 0.6 * np.exp(-np.arange(EPOCHS) / 2)
        one = found(planted({"batch": batches()}, loss=values, val_jaccard=LEARNED_NOTHING))["training"]
        assert one.code == code
        assert one.level == ("ill" if code == "loss.constant" else "good")
    evidence = planted({"batch": batches()}, loss=np.full(EPOCHS, 0.5), val_jaccard=LEARNED_NOTHING)
    assert f"the best constant answer costs {CONSTANT_LOSS:.3g}" in found(evidence)["training"].seen


def test_loss_of_masks_that_are_good_is_an_observation():
    """A focal loss keeps probabilities near ½ while the masks are right."""
    records, loss = {"batch": batches(val_constant_jaccard=0.1)}, np.full(EPOCHS, CONSTANT_LOSS)
    for best, level in ((0.1 + 0.9 * FEW + 1e-6, "info"), (0.1 + 0.9 * FEW - 1e-6, "ill")):
        one = found(planted(records, loss=loss, val_jaccard=np.full(EPOCHS, best)))["training"]
        assert (one.code, one.level) == ("loss.constant", level)


def test_loss_that_fell_within_the_first_epoch_is_not_flat():
    """Of a large set the first epoch learns nearly all, and its mean loss is far below a constant answer's."""
    low = np.full(EPOCHS, 0.1)
    assert found(planted(loss=low))["training"].code == "loss.flat"
    one = found(planted({"batch": batches()}, loss=low))["training"]
    assert (one.code, one.level) == ("loss.fell", "good")


def test_validation_loss_that_fell_within_the_first_epoch_is_not_flat():
    low = 0.1 + CALM
    assert found(planted(val_loss=low))["validation"].code == "loss.flat"
    one = found(planted({"batch": batches()}, val_loss=low))["validation"]
    assert (one.code, one.level) == ("loss.fell", "good")
    one = found(planted({"batch": batches(val_constant_loss=0.1)}, val_loss=low))["validation"]
    assert (one.code, one.level) == ("loss.flat", "watch")


def test_loss_that_holds_a_penalty_is_not_measured_by_a_constant_answer():
    loss = 0.4 + healthy()["loss"]
    for penalty, code in ((0.0, "loss.constant"), (1e-4, "loss.fell")):
        evidence = planted({"batch": batches()}, loss=loss, setup=set_up(penalty=penalty))
        assert found(evidence)["training"].code == code


@pytest.mark.parametrize("constant", [0.0, -0.5, np.nan])
def test_constant_answer_that_costs_nothing_or_is_unknown_is_no_measure(constant):
    one = found(planted({"batch": batches(constant_loss=constant)}))["training"]
    assert one.code == "loss.fell"


def test_validation_is_not_measured_by_the_trainings_constant_answer():
    one = found(planted({"batch": batches(val_constant_loss=0.01)}))["validation"]
    assert one.code == "loss.fell"


def test_loss_that_still_falls_while_training_runs_says_nothing_yet():
    loss = descent(20, EPOCHS)["loss"] + CONSTANT_LOSS
    for status, told in (("running", ("loss.fell", "unknown")), ("finished", ("loss.constant", "ill"))):
        evidence = planted({"batch": batches()}, loss=loss, val_jaccard=LEARNED_NOTHING)
        one = found(replace(evidence, status=status))["training"]
        assert (one.code, one.level) == told
    flat = planted({"batch": batches()}, loss=np.full(EPOCHS, CONSTANT_LOSS), val_jaccard=LEARNED_NOTHING)
    still = replace(flat, status="running")
    assert found(still)["training"].level == "ill"


def test_negative_loss_falls_as_others_do():
    score = -0.8 + 0.7 * np.exp(-np.arange(EPOCHS) / 6)
    assert [one.code for one in losses.find(logged(loss=score, val_loss=score))] == ["loss.fell"] * 2


def test_of_a_few_epochs_only_nan_says_anything():
    soon = losses.SOON - 1
    assert [one.level for one in losses.find(logged(loss=np.linspace(0.4, 0.5, soon)))] == ["unknown"]
    assert [one.level for one in losses.find(logged(loss=[0.5, math.nan]))] == ["ill"]
    (one,) = losses.find(logged({"batch": batches(epochs=soon)}, loss=np.full(soon, 0.5)))
    assert one.level == "unknown"


def test_short_training_that_falls_is_well():
    assert [one.level for one in losses.find(logged(**descent(2, 6)))] == ["good"] * 2


def test_loss_that_was_infinite_at_first_fell():
    (one,) = losses.find(logged(loss=np.r_[math.inf, descent(4, 39)["loss"]]))
    assert one.code == "loss.fell"


def test_limits_are_in_words():
    """The numbers of `GIVEN_BACK`, as a person reads them."""
    words = [losses.ROSE[name].threshold.replace(f"the {losses._words(name)} ", "") for name in losses.GIVEN_BACK]
    assert losses._as_much(0.5) == "half of what"
    assert losses._as_much(1) == "all that"
    assert losses._as_much(10.0) == "ten times what"
    for text, parts in zip(words, losses.GIVEN_BACK.values(), strict=True):
        assert all(losses._as_much(part) in text for part in parts)


def test_a_training_that_began_well_may_stand_still():
    well = {"loss": 0.05 + CALM[:20], "val_loss": 0.06 + CALM[:20], "val_jaccard": 0.87 + CALM[:20]}
    assert {one.code for one in losses.find(Evidence.read(well))} == {"loss.fell"}
    assert "loss.flat" in {one.code for one in losses.find(Evidence.read(well | {"val_jaccard": 0.3 + CALM[:20]}))}
