"""Masks that do not belong to their images."""

import numpy as np
import pytest

from planted_runs import CONSTANT_LOSS, EPOCHS, FOREGROUND, batches, healthy, logged, modes, planted, set_up
from unetdyn.analysis.diagnosis.causes import shuffled
from unetdyn.analysis.diagnosis.causes.learning_rate import SMALL
from unetdyn.analysis.diagnosis.causes.overfitting import KNOWN_BY_HEART
from unetdyn.analysis.diagnosis.causes.statistics_lag import LOST
from unetdyn.analysis.diagnosis.symptoms.metric_level import NONE

SHUFFLED = [("labels.shuffled", "ill", "low")]
UNLEARNED = 0.9 * CONSTANT_LOSS


def told(loss, trained=0.2, **values):
    record = {"batch": batches(**values)}
    found = shuffled.find(planted(record, loss=np.full(EPOCHS, loss), jaccard=np.full(EPOCHS, trained)))
    return [(one.code, one.level, one.confidence) for one in found]


@pytest.mark.parametrize(
    ("part", "expected"),
    [(shuffled.NEAR + 1e-6, SHUFFLED), (shuffled.NEAR - 1e-6, []), (3.0 - 1e-6, SHUFFLED), (3.0 + 1e-6, [])],
)
def test_training_loss_is_near_a_constant_answers(part, expected):
    assert told(part * CONSTANT_LOSS) == expected


@pytest.mark.parametrize(("trained", "expected"), [(shuffled.LITTLE, SHUFFLED), (shuffled.LITTLE + 1e-6, [])])
def test_what_the_training_metric_knows_was_learned(trained, expected):
    assert told(UNLEARNED, trained) == expected


def test_healthy_training_learns_its_masks():
    assert list(shuffled.find(planted({"batch": batches()}, loss=0.5 * healthy()["loss"]))) == []


@pytest.mark.parametrize("constant", [0.0, -0.5, np.nan])
def test_constant_answer_that_costs_nothing_or_is_unknown(constant):
    assert told(UNLEARNED, constant_loss=constant) == []


def test_nothing_to_say_of_a_regression_or_of_few_epochs():
    record = {"batch": batches()}
    loss = np.full(EPOCHS, UNLEARNED)
    assert list(shuffled.find(logged(record, loss=loss, val_mae=loss))) == []
    assert list(shuffled.find(logged(record, loss=loss[:4], val_jaccard=loss[:4]))) == []
    assert list(shuffled.find(planted())) == []


CHANCE = FOREGROUND + NONE * (1 - FOREGROUND)  # as far as a validation gets that has learned nothing
BY_HEART = [("labels.shuffled", "ill", "medium")]


def by_heart(trained=0.6, validated=CHANCE - 1e-6, gap=None, setup=None):
    records = {"batch": batches()} | ({} if gap is None else {"mode_gap": gap})
    curves = {"jaccard": np.full(EPOCHS, trained), "val_jaccard": np.full(EPOCHS, validated)}
    found = shuffled.find(planted(records, setup=setup, **curves))
    return [(one.code, one.level, one.confidence) for one in found]


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (shuffled.HEART + 1e-6, BY_HEART),
        (shuffled.HEART - 1e-6, []),
        (KNOWN_BY_HEART - 1e-6, BY_HEART),
        (KNOWN_BY_HEART + 1e-6, []),
    ],
)
def test_masks_that_were_learned_by_heart(trained, expected):
    assert by_heart(trained) == expected


def test_validation_that_left_the_constant_answer_learned_something():
    assert by_heart(validated=CHANCE + 1e-6) == []


@pytest.mark.parametrize(("by", "expected"), [(1e-6, []), (-1e-6, BY_HEART)])
def test_modes_that_differ_have_another_cause(by, expected):
    """Validation is no better than a constant answer, and well answered in training mode: the statistics lag."""
    assert by_heart(gap=modes(training_jaccard=0.6, inference_jaccard=0.6 - LOST - by)) == expected
    assert by_heart(gap=modes(training_jaccard=np.nan, inference_jaccard=np.nan)) == BY_HEART


@pytest.mark.parametrize(("by", "expected"), [(1e-6, SHUFFLED), (-1e-6, [])])
def test_updates_that_are_small_can_have_learned_nothing_yet(by, expected):
    updates = np.full(EPOCHS, np.log10(SMALL) + by)
    curves = {"loss": np.full(EPOCHS, UNLEARNED), "jaccard": np.full(EPOCHS, 0.2), "update_ratio_log10": updates}
    found = shuffled.find(planted({"batch": batches()}, **curves))
    assert [(one.code, one.level, one.confidence) for one in found] == expected


@pytest.mark.parametrize(
    "setup",
    [
        set_up(penalty=1e-4),
        set_up(l1_penalty=1e-4),
        set_up(loss={"name": "binary_crossentropy", "config": {"label_smoothing": 0.1}}),
    ],
    ids=["L2", "L1", "label smoothing"],
)
def test_loss_that_is_kept_up_says_nothing_of_the_masks(setup):
    curves = {"loss": np.full(EPOCHS, UNLEARNED), "jaccard": np.full(EPOCHS, 0.2)}
    assert list(shuffled.find(planted({"batch": batches()}, setup=setup, **curves))) == []
    assert list(shuffled.find(planted({"batch": batches()}, setup=set_up(), **curves)))
    assert by_heart(setup=setup) == BY_HEART


@pytest.mark.parametrize(
    ("middle", "end", "expected"),
    [
        (shuffled.LONG + 0.01, 1.0, []),
        (shuffled.LONG - 0.01, 1.0, SHUFFLED),
        (1.5, 1.5 * (1 - shuffled.FALLING) - 0.01, []),
        (1.5, 1.5 * (1 - shuffled.FALLING) + 0.01, SHUFFLED),
    ],
)
def test_loss_that_still_comes_down_to_a_constant_answers_says_nothing_of_the_masks(middle, end, expected):
    loss = np.r_[np.full(EPOCHS - 10, middle), np.full(10, end)] * CONSTANT_LOSS
    found = shuffled.find(planted({"batch": batches()}, loss=loss, jaccard=np.full(EPOCHS, 0.2)))
    assert [(one.code, one.level, one.confidence) for one in found] == expected
