"""What is written of a model's outputs, against SciPy, and what is refused."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from unetdyn.inference.reduction import Reduction

LOGITS = np.random.default_rng(0).normal(0, 30, (4, 5, 3)).astype("float32")


def reduced(reduction, outputs):
    return reduction.result(reduction.scores(outputs), reduction.dtype_for(outputs.shape[-1]))


def test_probabilities_of_logits_are_those_of_scipy():
    one = reduced(Reduction("probabilities", from_logits=True), LOGITS[..., :1])
    np.testing.assert_allclose(one, expit(LOGITS[..., :1].astype("float64")), atol=1e-7)
    several = reduced(Reduction("probabilities", from_logits=True), LOGITS)
    np.testing.assert_allclose(several, softmax(LOGITS.astype("float64"), axis=-1), atol=1e-6)
    maps = reduced(Reduction("threshold", from_logits=True), LOGITS)
    np.testing.assert_array_equal(maps, LOGITS > 0)


@pytest.mark.parametrize(("comparison", "expected"), [(">", [0, 0, 1]), (">=", [0, 1, 1])])
def test_pixel_at_the_threshold_is_foreground_only_if_asked_for(comparison, expected):
    outputs = np.array([0.29, 0.3, 0.31], "float32")[:, np.newaxis]
    assert reduced(Reduction("threshold", 0.3, comparison), outputs)[:, 0].tolist() == expected


@pytest.mark.parametrize(("classes", "dtype"), [(2, "uint8"), (256, "uint8"), (257, "uint16")])
def test_class_numbers_have_the_smallest_dtype_that_holds_them(classes, dtype):
    outputs = np.zeros((2, classes), "float32")
    outputs[0, -1] = 1
    found = reduced(Reduction("argmax"), outputs)
    assert found[:, 0].tolist() == [classes - 1, 0]  # the first of equals
    assert found.dtype == dtype


@pytest.mark.parametrize(("dtype", "step"), [("float32", 1e-7), ("float16", 5e-4), ("uint8", 0.5 / 255)])
def test_probabilities_are_stored_as_finely_as_asked_for(dtype, step):
    outputs = np.linspace(0, 1, 1000, dtype="float32")[:, np.newaxis]
    found = reduced(Reduction("probabilities", dtype=dtype), outputs)
    assert found.dtype == dtype
    np.testing.assert_allclose(found / (255 if dtype == "uint8" else 1), outputs, atol=step * 1.01)


def test_sums_of_shares_above_one_are_clipped():
    found = Reduction("probabilities").result(np.array([[1 + 2e-7]], "float32"), np.dtype("float32"))
    assert found.item() == 1


def test_logits_come_out_as_they_are():
    assert reduced(Reduction("logits"), LOGITS) is not LOGITS
    np.testing.assert_array_equal(reduced(Reduction("logits"), LOGITS), LOGITS)


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([[-7.25], [5]], "outputs from -7.25 to 5, which are none: it gives logits. Pass from_logits=True"),
        ([[0.5], [1.01]], "outputs from 0.5 to 1.01"),
        ([[0.5], [np.nan]], "finite numbers. Received: outputs with NaN"),
        ([[0.5], [np.inf]], "finite numbers"),
    ],
)
def test_outputs_that_are_no_probabilities_are_refused(outputs, text):
    with pytest.raises(ValueError, match=text):
        Reduction("threshold").scores(np.array(outputs, "float32"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"reduce": "treshold"}, "Did you mean 'threshold'"),
        ({"reduce": "threshold", "threshold": 127}, "`threshold` must lie between 0 and 1. Received: threshold=127"),
        ({"reduce": "threshold", "comparison": "<"}, "`comparison` must be one of '>', '>='"),
        (
            {"reduce": "argmax", "dtype": "float32"},
            "`dtype` must be one of 'uint8', 'uint16', or None, with reduce='arg",
        ),
        ({"reduce": "logits", "from_logits": False}, "`reduce='logits'` needs a model that gives logits"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Reduction(**arguments)


def test_argmax_needs_classes_and_room_for_them():
    with pytest.raises(ValueError, match=r"a model with 1 channel, whose mask is had by reduce='threshold'"):
        Reduction("argmax").dtype_for(1)
    with pytest.raises(ValueError, match=r"`dtype` must hold 300 classes. Received: dtype='uint8'"):
        Reduction("argmax", dtype="uint8").dtype_for(300)
