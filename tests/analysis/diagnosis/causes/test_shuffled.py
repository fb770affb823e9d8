"""Masks that do not belong to their images."""

import numpy as np
import pytest

from planted_runs import CONSTANT_LOSS, EPOCHS, batches, healthy, logged, planted
from unetdyn.analysis.diagnosis.causes import shuffled

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
