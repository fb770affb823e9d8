import json
import re
import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from sklearn.metrics import jaccard_score

from unetdyn.metrics import ThresholdedJaccard, counts, jacard_coef, thresholded_jaccard
from unetdyn.metrics.input_flags import WARNINGS
from unetdyn.metrics.label_warnings import Labels, label_warnings

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, (12, 6, 7, 1)).astype("float32")
P = RNG.random((12, 6, 7, 1), dtype="float32")


def score(metric: keras.metrics.Metric, y: np.ndarray, p: np.ndarray, batch: int, **masks: np.ndarray) -> float:
    metric.reset_state()
    for i in range(0, len(y), batch):
        metric.update_state(y[i : i + batch], p[i : i + batch], **{k: v[i : i + batch] for k, v in masks.items()})
    return float(metric.result())


def plant(metric: ThresholdedJaccard, *totals: int) -> None:
    """As if so many true positives, false positives, false negatives and true negatives had been counted."""
    numbers = np.array(totals)[:, None]
    metric.totals.assign(np.stack([numbers // counts.LIMB, numbers % counts.LIMB]).astype("float32"))


def counted(metric: ThresholdedJaccard) -> list[int]:
    return counts.to_integers(metric.totals)[:, 0].tolist()


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(12)), st.sampled_from([1, 5, 12]), st.sampled_from(["dataset", "image"]))
def test_value_does_not_depend_on_order_and_batching(order: list[int], batch: int, aggregate: str) -> None:
    expected = float(thresholded_jaccard(Y, P, aggregate=aggregate))
    assert score(ThresholdedJaccard(aggregate=aggregate), Y[order], P[order], batch) == expected


def test_value_equals_sklearn() -> None:
    expected = jaccard_score(Y.ravel(), P.ravel() > 0.5)
    assert score(ThresholdedJaccard(), Y, P, batch=5) == pytest.approx(expected, abs=1e-6)


def test_aggregate_batch_is_what_keras_makes_of_the_function() -> None:
    function = keras.metrics.MeanMetricWrapper(jacard_coef)
    metric = ThresholdedJaccard(aggregate="batch")
    assert score(metric, Y, P, batch=4) == pytest.approx(score(function, Y, P, batch=4), abs=1e-6)
    assert abs(score(metric, Y, P, batch=1) - score(metric, Y, P, batch=12)) > 1e-4


@pytest.mark.parametrize("aggregate", ["dataset", "image", "batch"])
def test_a_masked_batch_changes_nothing(aggregate: str) -> None:
    metric = ThresholdedJaccard(aggregate=aggregate)
    expected = score(metric, Y, P, batch=12)
    metric.update_state(Y[:3], 1 - Y[:3], sample_weight=np.zeros(3))
    assert float(metric.result()) == expected


@pytest.mark.parametrize("start", [2**24 - 3, 2**31 - 3, 2**32 - 3, 2**40 + 1])
def test_counts_stay_exact_past_every_limit(start: int) -> None:
    metric = ThresholdedJaccard()
    plant(metric, start, start, 1, start)
    y = np.ones((1, 1, 5, 1))
    metric.update_state(y, y)
    assert counted(metric) == [start + 5, start, 1, start]
    assert float(metric.result()) == pytest.approx((start + 5) / (2 * start + 6), rel=1e-6)


def test_repeated_large_updates_pass_two_to_the_31_pixels() -> None:
    metric = ThresholdedJaccard()
    y, p = np.ones((4, 512, 512, 1), dtype="bool"), np.ones((4, 512, 512, 1), dtype="float16")
    p[0, 0, 0] = 0
    metric.update_state(y, p)
    for _ in range(11):  # the state doubled: 2^20 · 2^11 = 2^31 pixels
        metric.totals.assign(counts.add(metric.totals, ops.convert_to_tensor(metric.totals)))
    metric.update_state(y, p)
    assert counted(metric) == [2**31 + 2**20 - 2**11 - 1, 0, 2**11 + 1, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "uint8", "bool"])
def test_inputs_of_every_dtype_are_counted_exactly(dtype: str) -> None:
    y = RNG.integers(0, 2, (1, 300, 300, 1))  # 90000 pixels: more than float16 can hold
    p = RNG.integers(0, 2, (1, 300, 300, 1))
    metric = ThresholdedJaccard()
    metric.update_state(ops.cast(y, dtype), ops.cast(p, dtype))
    assert counted(metric) == [int(each.sum()) for each in (y & p, (1 - y) & p, y & (1 - p), (1 - y) & (1 - p))]


def test_result_before_any_update_is_that_of_nothing() -> None:
    assert float(ThresholdedJaccard().result()) == 1.0
    assert float(ThresholdedJaccard(empty=0.0).result()) == 0.0
    assert np.isnan(float(ThresholdedJaccard(empty="skip").result()))


def test_name_and_direction_suit_logs_and_callbacks() -> None:
    assert [ThresholdedJaccard().name, ThresholdedJaccard().name] == ["jaccard", "jaccard"]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[ThresholdedJaccard()])
    stopping = keras.callbacks.EarlyStopping(monitor="val_jaccard", mode="auto")
    y = np.array([[0.0], [1.0]])
    logs = model.fit(np.eye(2, 4), y, validation_data=(np.eye(2, 4), y), verbose=0, callbacks=[stopping])
    assert {"jaccard", "val_jaccard"} <= set(logs.history)
    assert stopping.monitor_op(2.0, 1.0)  # larger is better


def test_get_config_is_complete_and_json_able() -> None:
    config = ThresholdedJaccard(0.3, ">=", "image", "skip", False, (2, 1), name="iou").get_config()
    assert ThresholdedJaccard.from_config(json.loads(json.dumps(config))).get_config() == config
    assert config["class_ids"] == [2, 1]


def test_shapes_are_refused_while_a_step_is_traced() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 1, activation="sigmoid")])
    model.compile("sgd", lambda y, p: ops.mean(p), metrics=[ThresholdedJaccard()])
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        model.fit(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)), verbose=0)


# The warnings. A model whose output is its input lets the test say what the predictions are.


def identity_model(metric: keras.metrics.Metric, **options: object) -> keras.Model:
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inputs))
    model.compile(keras.optimizers.SGD(0.0), lambda y, p: ops.mean(p), metrics=[metric], **options)
    return model


GOOD = (RNG.integers(0, 2, (4, 4, 4, 1)).astype("float32"), RNG.random((4, 4, 4, 1), dtype="float32"))
HALF = np.arange(16).reshape(4, 4, 1) % 2 == 0  # of the pixels of an image
LABELS = {  # what labels are, and what must have been seen of them
    "0/255": (GOOD[0] * 255, Labels(smallest=255, largest=255)),
    "fractional": (GOOD[0] * 0.8, Labels(smallest=0.8, largest=0.8)),
    "resized": (np.where(HALF, GOOD[0], GOOD[0] * 0.25), Labels(smallest=0.25, largest=1)),
    "-1/1": (GOOD[0] * 2 - 1, Labels(lowest=-1, smallest=1, largest=1)),
    "-1 void": (np.where(HALF, GOOD[0], -1), Labels(lowest=-1, smallest=1, largest=1)),
    "divided twice": (GOOD[0] / 255, Labels(smallest=0.00392157, largest=0.00392157)),
    "16 bits divided twice": (GOOD[0] / 65535, Labels(smallest=1.5259e-05, largest=1.5259e-05)),
    "1/2": (GOOD[0] + 1, Labels(smallest=1, largest=2, background=False)),
    "255 void": (np.where(HALF, GOOD[0], 255), Labels(smallest=1, largest=255)),
    "1/255": (GOOD[0] * 254 + 1, Labels(smallest=1, largest=255, background=False)),
    "greys": (GOOD[0] * 200 * HALF + 0.5 * ~HALF, Labels(smallest=0.5, largest=200)),
    "objects": (GOOD[0] * (2 + np.arange(16).reshape(4, 4, 1)), Labels(smallest=2, largest=17)),
    "NaN": (np.where(HALF, GOOD[0], np.nan), Labels(smallest=1, largest=1, nonfinite=True)),
}
BAD = {
    "prediction_outside": (GOOD[0], GOOD[1] * 8 - 4),
    "prediction_nan": (GOOD[0], np.where(GOOD[1] > 0.7, np.nan, GOOD[1])),
    "constant": (GOOD[0], np.ones_like(GOOD[1])),
}


def messages(warned: list[warnings.WarningMessage]) -> int:
    return sum(str(warning.message).startswith("Metric 'iou': ") for warning in warned)


@pytest.mark.parametrize("labels", LABELS)
def test_bad_labels_are_warned_of_once_in_words_that_fit(labels: str) -> None:
    y, seen = LABELS[labels]
    texts = [f"Metric 'iou': {text}" for _, text in label_warnings(seen)]
    assert len(texts) == 1
    metric = ThresholdedJaccard(name="iou")
    with pytest.warns(UserWarning, match=re.escape(texts[0])) as warned:
        [score(metric, y.astype("float32"), GOOD[1], batch=4) for _ in range(2)]
    assert messages(warned) == 1


def test_bad_labels_are_warned_of_in_a_compiled_fit_of_one_epoch() -> None:
    y, seen = LABELS["255 void"]
    model = identity_model(ThresholdedJaccard(name="iou"))
    ((_, text),) = label_warnings(seen)
    with pytest.warns(UserWarning, match=re.escape(text)) as warned:
        model.fit(GOOD[1], y, batch_size=2, epochs=1, verbose=0)
    assert messages(warned) == 1


@pytest.mark.parametrize("ignored", [-1, 255])
@pytest.mark.parametrize("aggregate", ["dataset", "image"])
def test_ignored_labels_are_left_out_as_if_the_pixels_were_not_there(ignored: int, aggregate: str) -> None:
    y = np.where(RNG.random(Y.shape) < 0.3, ignored, Y)
    found = score(ThresholdedJaccard(aggregate=aggregate, ignore_label=ignored), y, P, batch=5)
    if aggregate == "dataset":
        assert found == pytest.approx(jaccard_score(y[y != ignored], P[y != ignored] > 0.5), abs=1e-6)
    assert found == score(ThresholdedJaccard(aggregate=aggregate), Y, P, batch=5, sample_weight=y != ignored)
    assert found == float(thresholded_jaccard(y, P, aggregate=aggregate, ignore_label=ignored))


def test_ignored_labels_and_masked_pixels_are_both_left_out() -> None:
    y, weight = np.where(RNG.random(Y.shape) < 0.3, 255, Y), RNG.integers(0, 2, Y.shape)
    expected = jaccard_score(y[(y != 255) & (weight > 0)], P[(y != 255) & (weight > 0)] > 0.5)
    found = score(ThresholdedJaccard(ignore_label=255), y, P, batch=5, sample_weight=weight)
    assert found == pytest.approx(expected, abs=1e-6)


def test_ignored_class_numbers_are_left_out() -> None:
    labels, channels = RNG.integers(0, 3, (4, 6, 7)), RNG.random((4, 6, 7, 3))
    labels[:, :2] = 255
    expected = jaccard_score(labels[:, 2:].ravel(), channels[:, 2:].argmax(-1).ravel(), average="macro")
    metric = ThresholdedJaccard(threshold=None, class_ids=[0, 1, 2], ignore_label=255)
    assert score(metric, labels, channels, batch=3) == pytest.approx(expected, abs=1e-6)


def test_ignore_label_that_is_no_number_is_refused() -> None:
    for wrong in ("255", np.nan, True):
        with pytest.raises(
            ValueError, match=r"`ignore_label` must be the label of pixels to leave out.*Received: ignore_"
        ):
            ThresholdedJaccard(ignore_label=wrong)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0, 1, 2, 255], "class number 255, none of the model's 3 channels, which are 0 to 2.*`ignore_label=255`"),
        ([-1, 0, 1, 2], "class number -1.*`ignore_label=-1`"),
        ([1, 2, 3, 3], "class numbers from 1 to 3, and 3 is none.*begin at 1: subtract 1"),
        ([0, 1, 2, 3], "class numbers to 3, which is none of.*a channel for each class.*`ignore_label=3`"),
        ([0, 1 / 255, 2 / 255, 0], "class numbers that are not whole, such as 0.00392157.*divided by 255"),
    ],
)
def test_class_numbers_without_a_channel_are_told_apart(labels: list, text: str) -> None:
    with pytest.warns(UserWarning, match=text):
        score(ThresholdedJaccard(threshold=None), np.array(labels).reshape(1, 2, 2), RNG.random((1, 2, 2, 3)), batch=1)


def test_rows_of_zeros_are_warned_of_where_classes_exclude_each_other() -> None:
    one_hot = np.eye(3)[RNG.integers(0, 3, (2, 4, 4))]
    one_hot[0, 0, 0] = 0
    with pytest.warns(UserWarning, match="one-hot row is all 0"):
        score(ThresholdedJaccard(threshold=None), one_hot, RNG.random((2, 4, 4, 3)), batch=2)
    score(ThresholdedJaccard(), one_hot, RNG.random((2, 4, 4, 3)), batch=2)  # channels may all be empty here
    weight = np.ones((2, 4, 4))
    weight[0, 0, 0] = 0
    score(ThresholdedJaccard(threshold=None), one_hot, RNG.random((2, 4, 4, 3)), batch=2, sample_weight=weight)


@pytest.mark.parametrize("code", BAD)
def test_bad_data_are_warned_of_once(code: str) -> None:
    metric = ThresholdedJaccard(name="iou")
    with pytest.warns(UserWarning, match=re.escape(WARNINGS[code])) as warned:
        [score(metric, *BAD[code], batch=2) for _ in range(3)]
    assert messages(warned) == 1


@pytest.mark.parametrize("code", BAD)
def test_bad_data_are_warned_of_in_a_compiled_fit_of_one_epoch(code: str) -> None:
    y, p = BAD[code]
    model = identity_model(ThresholdedJaccard(name="iou"))
    with pytest.warns(UserWarning, match=re.escape(WARNINGS[code])) as warned:
        model.fit(p, y, batch_size=2, epochs=1, verbose=0)
    assert messages(warned) == 1
    model.evaluate(p, y, batch_size=2, verbose=0)


def test_good_data_are_not_warned_of() -> None:
    model = identity_model(ThresholdedJaccard(name="iou"))
    model.fit(GOOD[1], GOOD[0], batch_size=2, epochs=2, verbose=0)
    score(ThresholdedJaccard(from_logits=True), GOOD[0], GOOD[1] * 8 - 4, batch=2)
    score(ThresholdedJaccard(), np.ones((2, 3, 3, 1)), np.ones((2, 3, 3, 1)), batch=2)
    score(ThresholdedJaccard(), GOOD[0] > 0, GOOD[1], batch=2)
    labels, channels = RNG.integers(0, 3, (2, 4, 4)), RNG.normal(size=(2, 4, 4, 3))
    score(ThresholdedJaccard(threshold=None, class_ids=[0, 1, 2]), labels, channels, batch=2)


def test_bad_data_under_the_mask_are_not_warned_of() -> None:
    y, p = GOOD[0].copy(), GOOD[1].copy()
    y[0], p[0] = 255, -3
    score(ThresholdedJaccard(), y, p, batch=2, sample_weight=np.array([0, 1, 1, 1]))


def test_class_numbers_without_a_channel_are_warned_of() -> None:
    labels = np.array([[[0, 1], [2, 255]]])
    metric = ThresholdedJaccard(threshold=None)
    with pytest.warns(UserWarning, match="class number 255, none of the model's 3 channels"):
        score(metric, labels, RNG.random((1, 2, 2, 3)), batch=1)
    with warnings.catch_warnings():
        score(metric, labels, RNG.random((1, 2, 2, 3)), batch=1)


def test_update_and_result_make_no_tensor_of_a_number(monkeypatch):
    """On PyTorch that is a copy to the GPU, for which the host waits until all is done that the GPU was told before."""
    torch = pytest.importorskip("torch")
    if keras.backend.backend() != "torch":
        pytest.skip("of PyTorch")
    metric = ThresholdedJaccard()
    y = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).reshape(1, 2, 2, 1)
    metric.update_state(y, y)
    metric.result()  # the first of an epoch reads the flags
    made, make = [], torch.as_tensor
    monkeypatch.setattr(torch, "as_tensor", lambda value, **given: made.append(value) or make(value, **given))

    metric.update_state(y, y)
    score = metric.result()

    assert made == []
    assert float(score) == 1.0
