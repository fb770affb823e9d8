"""What comes out of the network."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, descent, logged, planted, set_up
from unetdyn.analysis.diagnosis.causes import outputs

CONSTANT = [("outputs.constant", "ill", "low")]
RANGE = [("outputs.range", "watch", "high")]


def told(setup=None, **values):
    found = outputs.find(planted({"batch": batches(**values)}, setup=setup))
    return [(one.code, one.level, one.confidence) for one in found]


@pytest.mark.parametrize(("spread", "expected"), [(outputs.ALIKE * 0.99, CONSTANT), (outputs.ALIKE * 1.01, [])])
def test_one_answer_for_every_pixel(spread, expected):
    assert told(val_output_spread=spread) == expected


def test_one_answer_an_image_is_a_classification():
    assert told(set_up(output_shape=[None, 1]), val_output_spread=0.0) == []
    assert told(set_up(output_shape=[None, 8, 8, 1]), val_output_spread=0.0) == CONSTANT


def test_often_and_at_the_end():
    half = int(outputs.OFTEN * EPOCHS)
    for count, expected in ((half, CONSTANT), (half - 1, [])):
        assert told(val_output_spread=np.where(np.arange(EPOCHS) < EPOCHS - count, 0.3, 0.0)) == expected
    assert told(val_output_spread=np.where(np.arange(EPOCHS) < EPOCHS - 1, 0.0, 0.3)) == []


def test_training_is_looked_at_where_there_was_no_validation():
    values = batches(output_spread=0.0)
    only_training = {name: array for name, array in values.items() if not name.startswith("val_")}
    assert [one.code for one in outputs.find(planted({"batch": only_training}))] == ["outputs.constant"]
    assert told(output_spread=0.0) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"val_output_min": -5.0}, RANGE),
        ({"val_output_max": 7.0}, RANGE),
        ({"val_output_max": 1.0 + 1e-6}, []),
        ({"val_output_min": 0.0, "val_output_max": 1.0}, []),
    ],
)
def test_probabilities_lie_in_0_to_1(values, expected):
    assert told(**values) == expected


@pytest.mark.parametrize(
    ("least", "spread", "expected"),
    [(0.5, 0.01, RANGE), (0.6225, 0.01, RANGE), (0.49, 0.01, []), (0.5, 0.0, CONSTANT)],
    ids=["two sigmoids", "three", "one", "one answer"],
)
def test_sigmoid_of_what_is_never_below_0_is_never_below_one_half(least, spread, expected):
    found = told(val_output_min=least, val_output_max=0.731, val_output_spread=spread)
    assert found == expected


def test_outputs_below_one_half_in_the_first_epoch_are_a_beginning():
    least = np.where(np.arange(EPOCHS) == 0, 0.1, 0.5)
    assert told(val_output_min=least, val_output_spread=0.01) == RANGE
    assert told(val_output_min=least[::-1], val_output_spread=0.01) == []


def test_logits_may_be_anything():
    setup = set_up(loss={"name": "binary_crossentropy", "config": {"from_logits": True}}, output_activation="linear")
    assert told(setup, val_output_min=-9.0, val_output_max=9.0) == []
    assert told(setup, val_output_min=0.6, val_output_max=9.0) == []


def test_regressions_outputs_may_be_anything():
    logs = {"loss": descent(6, EPOCHS)["loss"], "val_mae": descent(6, EPOCHS)["loss"]}
    assert list(outputs.find(logged({"batch": batches(val_output_max=300.0)}, **logs))) == []


def test_nothing_recorded():
    assert list(outputs.find(planted())) == []
    assert told(val_output_spread=np.nan) == []
    assert told(val_output_min=np.nan, val_output_max=np.nan, val_output_spread=0.1) == []


def test_epochs_are_those_of_the_record():
    (one,) = outputs.find(planted({"batch": batches(first=10, val_output_spread=0.0)}))
    assert one.epochs == ((10, EPOCHS + 9),)
