"""How good the metric got, and how much of it is left at the end."""

import math
from dataclasses import replace

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, batches, descent, healthy, logged, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.change import LAST
from unetdyn.analysis.diagnosis.symptoms import metric_level


def test_healthy_metric_keeps_its_best():
    (found,) = metric_level.find(planted())
    peak = healthy()["val_jaccard"]
    assert (found.code, found.level, found.name) == ("metric.end", "good", "validation Jaccard")
    assert found.seen == f"best {peak.max():.3g} at epoch {peak.argmax() + 1}, {peak[-1]:.3g} at the end"


@pytest.mark.parametrize(
    ("values", "code", "level", "why"),
    [
        (np.full(EPOCHS, math.nan), "metric.nonfinite", "ill", "never was a number"),
        (np.r_[np.full(39, 0.5), math.inf], "metric.nonfinite", "ill", "not finite at the end"),
        (np.zeros(EPOCHS), "metric.nothing", "ill", "learned nothing"),
        (np.r_[np.linspace(0.1, 0.8, 37), 0.3, 0.3, 0.3], "metric.end", "ill", "ended 62% off its best"),
        (np.linspace(0.8, 0.4, EPOCHS), "metric.end", "ill", "ended 49% off its best"),
        (np.linspace(0.8, 0.7, EPOCHS), "metric.end", "watch", "ended 12% off its best"),
        (0.05 + np.abs(CALM), "metric.flat", "watch", "never got better by more than noise"),
    ],
)
def test_metric_that_learned_nothing_or_lost_it(values, code, level, why):
    (found,) = metric_level.find(planted(val_jaccard=values))
    assert (found.code, found.level) == (code, level)
    assert why in found.why


def test_metric_that_began_well_has_nowhere_to_go():
    """Of a large set the first epoch learns nearly all; only what a constant answer reaches tells that from nothing."""
    values = 0.8 + CALM
    (found,) = metric_level.find(planted({"batch": batches()}, val_jaccard=values))
    assert (found.code, found.level) == ("metric.end", "good")
    (found,) = metric_level.find(planted({"batch": batches(val_constant_jaccard=0.72)}, val_jaccard=values))
    assert (found.code, found.level) in {("metric.flat", "watch"), ("metric.low", "watch")}


def test_where_a_constant_answer_is_not_known_one_half_counts_as_a_good_beginning():
    for start, code in ((0.6, "metric.end"), (0.4, "metric.flat")):
        (found,) = metric_level.find(planted(val_jaccard=start + CALM))
        assert found.code == code


@pytest.mark.parametrize(("gone", "code"), [(0.3, "metric.end"), (0.05, "metric.flat")])
def test_accuracy_of_a_rare_class_begins_near_1(gone, code):
    """It counts by how many of its errors are gone."""
    values = 0.96 + 0.04 * gone * (1 - np.exp(-np.arange(EPOCHS) / 6))
    evidence = logged(loss=descent(6, EPOCHS)["loss"], accuracy=values, val_accuracy=values)
    assert [found.code for found in metric_level.find(evidence)] == [code]


def ending_with(lost):
    return np.r_[np.linspace(0.1, 0.8, EPOCHS - LAST), np.full(LAST, 0.8 * (1 - lost))]


@pytest.mark.parametrize(
    ("part", "levels"), [(metric_level.LOST, ("good", "watch")), (metric_level.LOST_MUCH, ("watch", "ill"))]
)
def test_loss_at_the_end_is_graded_where_the_rule_says(part, levels):
    found = [next(metric_level.find(planted(val_jaccard=ending_with(part + by)))) for by in (-1e-6, 1e-6)]
    assert tuple(one.level for one in found) == levels


@pytest.mark.parametrize("last", [0.01, 0.3])
def test_one_bad_last_epoch_is_an_accident(last):
    (found,) = metric_level.find(planted(val_jaccard=np.r_[healthy()["val_jaccard"][:-1], last]))
    assert (found.code, found.level) == ("metric.end", "good")


def test_loss_at_the_end_within_noise_is_none():
    """It zigzags by a fifth, so its best is an upper value and the median of the last three a lower one."""
    zigzag = np.tile([0.4, 0.32], EPOCHS // 2)
    (found,) = metric_level.find(planted(val_jaccard=zigzag))
    assert (found.code, found.level) == ("metric.flat", "watch")
    calm = np.r_[np.linspace(0.1, 0.8, EPOCHS // 2), np.full(EPOCHS // 2, 0.64)]
    (found,) = metric_level.find(planted(val_jaccard=calm))
    assert (found.code, found.level) == ("metric.end", "watch")


@pytest.mark.parametrize("epochs", [15, 40, 100])
@pytest.mark.parametrize("scatter", [0.03, 0.05, 0.1])
def test_best_of_many_noisy_values_is_no_height_that_was_lost(epochs, scatter):
    """200 trainings that rose and stayed; of 100 values with noise of a twentieth the best is an eighth above all."""
    random = np.random.default_rng(0)
    level = 0.8 * (1 - np.exp(-np.arange(epochs) / (epochs / 8)))
    found = [
        next(metric_level.find(logged(val_jaccard=level * (1 + scatter * random.normal(size=epochs)))))
        for _ in range(200)
    ]
    assert np.mean([one.level == "good" for one in found]) > 0.95


@pytest.mark.parametrize("epochs", [20, 40, 100])
def test_fifth_that_was_lost_is_seen_through_noise_of_a_thirtieth(epochs):
    random = np.random.default_rng(0)
    level = np.r_[
        np.linspace(0.1, 0.8, epochs // 3), np.full(epochs // 3, 0.8), np.full(epochs - epochs // 3 * 2, 0.64)
    ]
    found = [
        next(metric_level.find(logged(val_jaccard=level * (1 + random.normal(size=epochs) / 30)))) for _ in range(100)
    ]
    assert np.mean([one.code == "metric.end" and one.level in ("watch", "ill") for one in found]) > 0.9


@pytest.mark.parametrize("constant", [0.1, 0.5])
@pytest.mark.parametrize(
    ("part", "codes"),
    [(metric_level.NONE, ("metric.nothing", "metric.low")), (metric_level.FEW, ("metric.low", "metric.end"))],
)
def test_what_was_learned_is_the_way_from_the_best_constant_answer(constant, part, codes):
    record = {"batch": batches(val_constant_jaccard=constant)}
    found = []
    for way in (part - 1e-6, part + 1e-6):
        reached = constant + way * (1 - constant)
        (one,) = metric_level.find(planted(record, val_jaccard=np.linspace(0.5 * reached, reached, EPOCHS)))
        found.append(one)
    assert tuple(one.code for one in found) == codes
    assert f"the best constant answer reaches {constant:g}" in found[0].seen
    assert [one.level for one in found] == [
        {"metric.nothing": "ill", "metric.low": "watch"}.get(c, "good") for c in codes
    ]


def test_object_that_fills_the_image_makes_a_high_jaccard_nothing():
    record = {"batch": batches(val_constant_jaccard=0.8)}
    (found,) = metric_level.find(planted(record, val_jaccard=np.linspace(0.5, 0.81, EPOCHS)))
    assert (found.code, found.level) == ("metric.nothing", "ill")


def test_constant_answer_of_a_jaccard_says_nothing_of_an_accuracy():
    logs = {"loss": descent(6, 40)["loss"], "val_accuracy": np.linspace(0.05, 0.15, 40)}
    (found,) = metric_level.find(logged({"batch": batches(val_constant_jaccard=0.3)}, **logs))
    assert found.code == "metric.end"


@pytest.mark.parametrize("foreground", [0.1, 0.5])
def test_constant_answers_dice_is_larger_than_its_jaccard(foreground):
    """All answered foreground: 2 tp / (2 tp + fp + fn), with tp the foreground and fp the background."""
    dice = 2 * foreground / (2 * foreground + (1 - foreground))
    record = {"batch": batches(val_constant_jaccard=foreground)}
    for reached, code in ((dice, "metric.nothing"), (dice + 0.5 * (1 - dice), "metric.end")):
        logs = {"loss": descent(6, EPOCHS)["loss"], "val_dice_coef": np.linspace(0.5 * reached, reached, EPOCHS)}
        (found,) = metric_level.find(logged(record, **logs))
        assert found.code == code


def test_score_that_is_negative_has_not_learned_nothing():
    """A log-likelihood, a negative error: no name tells what a constant answer reaches."""
    logs = {"loss": descent(6, EPOCHS)["loss"], "val_my_score": np.linspace(-9.0, -2.0, EPOCHS)}
    (found,) = metric_level.find(logged(**logs))
    assert (found.code, found.level) == ("metric.end", "good")


@pytest.mark.parametrize(("best", "code"), [(-1e-6, "metric.nothing"), (1e-6, "metric.end")])
def test_without_a_constant_answer_an_overlap_must_leave_nought(best, code):
    values = np.linspace(0.0, metric_level.UNSEEN + best, EPOCHS)
    (found,) = metric_level.find(planted(val_jaccard=values))
    assert found.code == code


@pytest.mark.parametrize(
    ("status", "loss", "code"),
    [
        ("running", descent(20, EPOCHS)["loss"], "metric.end"),
        ("finished", descent(20, EPOCHS)["loss"], "metric.nothing"),
        ("running", descent(3, EPOCHS)["loss"], "metric.nothing"),
        ("running", -0.7 + 0 * CALM, "metric.nothing"),
    ],
)
def test_little_of_a_training_that_still_runs_and_learns_says_nothing(status, loss, code):
    evidence = replace(planted(loss=loss, val_jaccard=np.linspace(0.0, 0.01, EPOCHS)), status=status)
    (found,) = metric_level.find(evidence)
    assert found.code == code


def test_few_epochs_with_little_say_nothing():
    for epochs, code in ((metric_level.SOON - 1, "metric.end"), (metric_level.SOON, "metric.nothing")):
        (found,) = metric_level.find(Evidence.read({"val_jaccard": np.linspace(0.0, 0.01, epochs)}))
        assert found.code == code


def test_short_training_that_rises_is_no_illness():
    (found,) = metric_level.find(Evidence.read({"val_jaccard": [0.05, 0.06, 0.2, 0.35]}))
    assert (found.code, found.level) == ("metric.end", "good")


def test_lowest_value_of_an_error_is_its_best():
    (found,) = metric_level.find(Evidence.read({"loss": descent(6, 40)["loss"], "mae": descent(6, 40)["loss"]}, "mae"))
    assert (found.level, found.name) == ("good", "mae")
    assert "at epoch 40, 0.0508 at the end" in found.seen


def test_error_that_rises_again_lost_its_best():
    values = np.r_[np.linspace(1.0, 0.2, 30), np.full(10, 0.4)]
    (found,) = metric_level.find(Evidence.read({"loss": values, "mae": values}, "mae"))
    assert (found.code, found.level) == ("metric.end", "ill")


def test_no_metric_no_finding():
    assert list(metric_level.find(Evidence.read({"loss": [1.0, 0.5]}))) == []
