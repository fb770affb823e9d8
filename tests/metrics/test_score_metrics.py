"""The metrics of `fit`: the same numbers in whatever batches they come, their names, and what they warn of."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from unetdyn.analysis.metric_names import direction
from unetdyn.metrics import Accuracy, Dice, Precision, Recall, Specificity, ThresholdedJaccard, counts, scores
from unetdyn.metrics.counting import CountingRule, image_counts, validate

RNG = np.random.default_rng(0)
METRICS = {"dice": Dice, "precision": Precision, "recall": Recall, "specificity": Specificity, "accuracy": Accuracy}

Y, P = RNG.integers(0, 2, (7, 3, 4, 1)), RNG.random((7, 3, 4, 1), dtype="float32")
Y[0] = P[0] = 0

every_metric = pytest.mark.parametrize("name", METRICS)


def counted(metric: keras.metrics.Metric) -> list[int]:
    return counts.to_integers(metric.totals)[:, 0].tolist()


@every_metric
@settings(deadline=None, max_examples=5)
@given(st.permutations(range(7)), st.sampled_from([[], [3], [1, 4, 6]]))
def test_value_does_not_depend_on_order_and_batching(name: str, order: list[int], cuts: list[int]) -> None:
    for aggregate in ("dataset", "image"):
        metric = METRICS[name](aggregate=aggregate)
        for batch in np.split(np.array(order), cuts):
            metric.update_state(Y[batch], P[batch])
        assert float(metric.result()) == float(getattr(scores, name)(Y, P, aggregate=aggregate))


@every_metric
def test_name_direction_and_first_value(name: str) -> None:
    metric = METRICS[name]()
    assert (metric.name, metric._direction, float(metric.result())) == (name, "up", 1.0)
    assert [direction(logged) for logged in (name, f"val_{name}")] == ["up", "up"]
    assert float(METRICS[name](empty=0.0).result()) == 0.0
    assert np.isnan(float(METRICS[name](empty="skip").result()))


def test_four_counts_are_exact_in_an_image_of_more_than_two_to_the_24_pixels() -> None:
    y, p = np.zeros((1, 4097, 4097, 1), "float32"), np.zeros((1, 4097, 4097, 1), "float32")
    y[0, :4000], p[0, 1:4003] = 1, 1
    rule = CountingRule()
    found = ops.convert_to_numpy(image_counts(validate(y, p, None, rule), rule))
    assert found[0, :, 0].tolist() == [3999 * 4097, 3 * 4097, 4097, 94 * 4097]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8", "bool"])
def test_four_counts_are_exact_of_every_dtype(dtype: str) -> None:
    y, p = RNG.integers(0, 2, (2, 1, 200, 200, 1))  # 40000 pixels: float16 counts to 2048
    metric = Specificity()
    metric.update_state(ops.cast(y, dtype), ops.cast(p, dtype))
    assert counted(metric) == [int(each.sum()) for each in (y & p, (1 - y) & p, y & (1 - p), (1 - y) & (1 - p))]


@pytest.mark.parametrize("start", [2**24 - 3, 2**31 - 3, 2**40 + 1])
@every_metric
def test_ratios_of_large_counts_are_those_of_python_integers(name: str, start: int) -> None:
    tp, fp, fn, tn = totals = np.array([start, start // 3, start // 7 + 1, 2 * start - 5])
    metric = METRICS[name]()
    metric.totals.assign(np.stack([totals // counts.LIMB, totals % counts.LIMB])[..., None].astype("float32"))
    above, below = {
        "dice": (2 * tp, 2 * tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "accuracy": (tp + tn, tp + fp + fn + tn),
    }[name]
    assert float(metric.result()) == pytest.approx(int(above) / int(below), rel=2e-7)


@every_metric
def test_masks_of_255_count_as_those_of_one_and_are_warned_of(name: str) -> None:
    y, p = RNG.integers(0, 2, (2, 5, 5, 1)).astype("uint8"), RNG.random((2, 5, 5, 1), dtype="float32")
    right, metric = METRICS[name](), METRICS[name]()
    right.update_state(y, p)
    metric.update_state(y * np.uint8(255), p)
    with pytest.warns(UserWarning, match=f"Metric '{name}': `y_true` holds the values 0 and 255 instead of 0 and 1"):
        assert float(metric.result()) == float(right.result())


def test_logits_taken_for_probabilities_are_warned_of() -> None:
    metric = Recall()
    metric.update_state(np.ones((1, 2, 2, 1)), np.array([-9.0, -1, 1, 9]).reshape(1, 2, 2, 1))
    with pytest.warns(UserWarning, match="Metric 'recall': `y_pred` holds values outside .*`from_logits=True`"):
        metric.result()


def test_a_perfect_prediction_of_an_8_bit_mask_is_perfect() -> None:
    """`medicai` 0.0.4 gives 4e-9: it casts the probabilities to the type of the mask, 0.9 to 0."""
    y = RNG.integers(0, 2, (2, 16, 16, 1)).astype("uint8")
    for metric in (Dice(), ThresholdedJaccard(), Precision(), Recall(), Specificity(), Accuracy()):
        metric.update_state(y, np.where(y, 0.9, 0.1))
        assert float(metric.result()) == 1.0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sizes are unknown in a trace on TensorFlow only")
def test_images_of_a_size_unknown_in_the_trace_are_counted() -> None:
    import tensorflow as tf

    maps = tf.TensorSpec((None, None, None, 1))
    traced = tf.function(scores.accuracy, input_signature=[maps, maps], autograph=False)
    for side in (3, 4):
        y, p = Y[:, :side, :side].astype("float32"), P[:, :side, :side]
        assert float(traced(y, p)) == float(scores.accuracy(y, p))
