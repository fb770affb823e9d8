import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import jaccard_score

from unetdyn.metrics import jacard_coef, thresholded_jaccard

RNG = np.random.default_rng(0)
TOLERANCE = 1e-6

maps = arrays("float32", (3, 4, 5, 1), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))


def by_hand(y: np.ndarray, p: np.ndarray) -> float:
    """The definition, pixel by pixel."""
    intersection = union = 0
    for a, b in zip(y.ravel(), p.ravel(), strict=True):
        intersection += a > 0.5 and b > 0.5
        union += a > 0.5 or b > 0.5
    return intersection / union if union else 1.0


@settings(deadline=None, max_examples=25)
@given(maps, maps)
def test_thresholded_jaccard_is_the_definition_in_range_and_symmetric(y: np.ndarray, p: np.ndarray) -> None:
    score = float(thresholded_jaccard(y, p))
    assert score == pytest.approx(by_hand(y, p), abs=TOLERANCE)
    assert 0 <= score <= 1
    assert score == float(thresholded_jaccard(p, y))
    assert float(thresholded_jaccard(y, y)) == 1.0


@pytest.mark.parametrize("shape", [(8,), (8, 5), (6, 7, 9, 1), (4, 5, 6, 7, 1)])
def test_thresholded_jaccard_equals_sklearn_in_every_rank(shape: tuple) -> None:
    y, p = RNG.integers(0, 2, shape), RNG.random(shape, dtype="float32")
    expected = jaccard_score(y.ravel(), p.ravel() > 0.5)
    assert float(thresholded_jaccard(y, p)) == pytest.approx(expected, abs=TOLERANCE)
    assert float(jacard_coef(y, p)) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_thresholded_jaccard_takes_the_threshold_for_predictions_only(threshold: float) -> None:
    y, p = RNG.random((4, 6, 6, 1)), RNG.random((4, 6, 6, 1), dtype="float32")
    expected = jaccard_score(y.ravel() > 0.5, p.ravel() > threshold)
    assert float(thresholded_jaccard(y, p, threshold=threshold)) == pytest.approx(expected, abs=TOLERANCE)


def test_thresholded_jaccard_counts_labels_of_099_and_255_as_foreground() -> None:
    p = np.array([[1.0, 1.0, 0.0, 0.0]])
    assert float(thresholded_jaccard(np.array([[0.99, 255, 0.0, 0.01]]), p)) == 1.0


def test_thresholded_jaccard_counts_multi_label_maps_as_sklearn_does() -> None:
    y, p = RNG.integers(0, 2, (5, 6, 7, 3)), RNG.random((5, 6, 7, 3), dtype="float32")
    flat = y.reshape(-1, 3), p.reshape(-1, 3) > 0.5
    assert float(thresholded_jaccard(y, p)) == pytest.approx(jaccard_score(*flat, average="micro"), abs=TOLERANCE)
    macro = thresholded_jaccard(y, p, class_ids=[0, 1, 2])
    assert float(macro) == pytest.approx(jaccard_score(*flat, average="macro"), abs=TOLERANCE)
    each = [float(thresholded_jaccard(y, p, class_ids=[c])) for c in (2, 0, 1)]
    assert each == pytest.approx(jaccard_score(*flat, average=None)[[2, 0, 1]], abs=TOLERANCE)


@pytest.mark.parametrize("form", ["sparse", "sparse with an axis", "one-hot"])
def test_thresholded_jaccard_gives_a_pixel_to_its_largest_channel_without_threshold(form: str) -> None:
    labels, p = RNG.integers(0, 3, (5, 6, 7)), RNG.random((5, 6, 7, 3), dtype="float32") * 0.4
    y = {"sparse": labels, "sparse with an axis": labels[..., None], "one-hot": np.eye(3)[labels]}[form]
    flat = labels.ravel(), p.argmax(-1).ravel()
    for ids, expected in [
        ([0, 1, 2], jaccard_score(*flat, average="macro")),
        ([2, 1], jaccard_score(*flat, average=None)[1:].mean()),
        (None, jaccard_score(*flat, average="micro")),
    ]:
        score = thresholded_jaccard(y, p, threshold=None, class_ids=ids)
        assert float(score) == pytest.approx(expected, abs=TOLERANCE)


def test_thresholded_jaccard_thresholds_channels_against_sparse_labels() -> None:
    labels, p = RNG.integers(0, 3, (5, 6, 7)), RNG.random((5, 6, 7, 3), dtype="float32")
    expected = jaccard_score(np.eye(3)[labels].reshape(-1, 3), p.reshape(-1, 3) > 0.5, average="macro")
    assert float(thresholded_jaccard(labels, p, class_ids=[0, 1, 2])) == pytest.approx(expected, abs=TOLERANCE)


def test_thresholded_jaccard_of_one_channel_knows_background_and_foreground() -> None:
    y, p = RNG.integers(0, 2, (4, 6, 6, 1)), RNG.random((4, 6, 6, 1), dtype="float32")
    both = jaccard_score(y.ravel(), p.ravel() > 0.5, average=None)
    for ids, expected in [([0], both[0]), ([1], both[1]), ([0, 1], both.mean())]:
        assert float(thresholded_jaccard(y, p, class_ids=ids)) == pytest.approx(expected, abs=TOLERANCE)


def test_thresholded_jaccard_of_flat_class_scores() -> None:
    labels, p = RNG.integers(0, 3, 40), RNG.random((40, 3), dtype="float32")
    expected = jaccard_score(labels, p.argmax(-1), average="macro")
    score = thresholded_jaccard(labels, p, threshold=None, class_ids=[0, 1, 2])
    assert float(score) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("comparison", [">", ">="])
def test_comparison_decides_at_the_threshold(comparison: str) -> None:
    y, p = np.ones((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.5, dtype="float32")
    assert float(thresholded_jaccard(y, p, comparison=comparison)) == (1.0 if comparison == ">=" else 0.0)
    logits = np.zeros((1, 2, 2, 1), dtype="float32")
    score = float(thresholded_jaccard(y, logits, comparison=comparison, from_logits=True))
    assert score == (1.0 if comparison == ">=" else 0.0)


def test_from_logits_is_exact_where_the_sigmoid_rounds() -> None:
    y = np.ones((1, 1, 3, 1))
    logits = np.array([1e-12, 30.0, -1e-12], dtype="float32").reshape(1, 1, 3, 1)  # σ(1e-12) is 0.5 in float32
    assert float(thresholded_jaccard(y, logits, from_logits=True)) == pytest.approx(2 / 3)
    logits = np.array([2.1, 2.3, -2.3], dtype="float32").reshape(1, 1, 3, 1)  # ln 9 = 2.197
    assert float(thresholded_jaccard(y, logits, from_logits=True, threshold=0.9)) == pytest.approx(1 / 3)
    assert float(thresholded_jaccard(y, logits, from_logits=True, threshold=1.0)) == 0.0
    assert float(thresholded_jaccard(y, logits, from_logits=True, threshold=0.0)) == 1.0


def test_a_nan_prediction_is_background() -> None:
    y, p = np.ones((1, 1, 2, 1)), np.array([np.nan, 1.0]).reshape(1, 1, 2, 1)
    assert float(thresholded_jaccard(y, p)) == 0.5
    assert float(thresholded_jaccard(y, p, comparison=">=")) == 0.5


@pytest.mark.parametrize(("empty", "expected"), [(1.0, 1.0), (0.0, 0.0), ("skip", np.nan)])
def test_empty_is_the_score_of_an_empty_union(empty: float | str, expected: float) -> None:
    zeros = np.zeros((2, 3, 3, 1))
    for aggregate in ("dataset", "image", "batch"):
        score = float(thresholded_jaccard(zeros, zeros, empty=empty, aggregate=aggregate))
        np.testing.assert_equal(score, expected)


def test_empty_skip_leaves_classes_and_images_out_of_the_mean() -> None:
    y, p = np.zeros((2, 1, 4, 3)), np.zeros((2, 1, 4, 3))
    y[0, 0, :2, 0] = p[0, 0, 1:3, 0] = 1  # image 0, class 0: 1 of 3; class 1 only in image 1: 1 of 1; class 2 nowhere
    y[1, 0, 0, 1] = p[1, 0, 0, 1] = 1
    for aggregate in ("dataset", "image"):
        score = thresholded_jaccard(y, p, class_ids=[0, 1, 2], empty="skip", aggregate=aggregate)
        assert float(score) == pytest.approx((1 / 3 + 1) / 2, abs=TOLERANCE)
    assert float(thresholded_jaccard(y, p, aggregate="image", empty=0.0, class_ids=[0])) == pytest.approx(1 / 6)


def test_aggregate_image_is_the_mean_of_the_images() -> None:
    y, p = RNG.integers(0, 2, (6, 5, 5, 1)), RNG.random((6, 5, 5, 1), dtype="float32")
    expected = np.mean([by_hand(a, b) for a, b in zip(y, p, strict=True)])
    assert float(thresholded_jaccard(y, p, aggregate="image")) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 6), (4, 5, 6, 1)])
@pytest.mark.parametrize("aggregate", ["dataset", "image"])
def test_sample_weight_leaves_pixels_of_weight_zero_out(shape: tuple, aggregate: str) -> None:
    y, p = RNG.integers(0, 2, (4, 5, 6, 1)), RNG.random((4, 5, 6, 1), dtype="float32")
    weight = RNG.choice([0.0, 0.3, 2.0], shape)
    weight[0] = 0  # a whole image left out has no score, rather than that of an empty one
    full = np.broadcast_to(weight.reshape(shape + (1,) * (4 - len(shape))), y.shape) != 0
    expected = by_hand(y[full], p[full])
    if aggregate == "image":
        kept = [i for i in range(4) if full[i].any()]
        expected = np.mean([by_hand(y[i][full[i]], p[i][full[i]]) for i in kept])
    score = thresholded_jaccard(y, p, sample_weight=weight, aggregate=aggregate)
    assert float(score) == pytest.approx(expected, abs=TOLERANCE)


def test_sample_weight_masks_channels_and_classes() -> None:
    y, p = RNG.integers(0, 2, (4, 5, 6, 3)), RNG.random((4, 5, 6, 3), dtype="float32")
    weight = RNG.integers(0, 2, y.shape)
    for c in range(3):
        kept = weight[..., c] > 0
        expected = by_hand(y[..., c][kept], p[..., c][kept])
        score = thresholded_jaccard(y, p, sample_weight=weight, class_ids=[c])
        assert float(score) == pytest.approx(expected, abs=TOLERANCE)
    expected = by_hand(y[weight > 0], p[weight > 0])
    assert float(thresholded_jaccard(y, p, sample_weight=weight)) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"threshold": 1.5}, r"`threshold` must lie between 0 and 1.*Received: threshold=1\.5"),
        ({"comparison": "=>"}, r"`comparison` must be one of '>', '>='\. Received: comparison='=>'"),
        ({"aggregate": "images"}, r"`aggregate` must be one of .*Did you mean 'image'\?"),
        ({"empty": 0.5}, r"`empty` must be one of 1\.0, 0\.0, 'skip'\. Received: empty=0\.5"),
        ({"class_ids": []}, r"`class_ids` must be a list of different channel numbers"),
        ({"class_ids": [1.0]}, r"channel numbers, whole as in \[1, 2\], or None. Received: class_ids=\[1.0\]"),
        ({"class_ids": [0.5]}, r"Received: class_ids=\[0\.5\]"),
        ({"class_ids": [1, 1]}, r"Received: class_ids=\[1, 1\]"),
        ({"class_ids": [2]}, r"`class_ids` must be below the number of classes, 2\. Received: class_ids=\[2\]"),
        ({"threshold": None}, r"`threshold=None` takes the largest channel and needs predictions with more than one"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        thresholded_jaccard(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), **arguments)


@pytest.mark.parametrize(
    ("true", "pred"), [((2, 4, 4, 1), (2, 8, 8, 1)), ((2, 4, 4, 2), (2, 4, 4, 3)), ((2, 4), (2, 4, 4, 1))]
)
def test_shapes_that_do_not_fit_are_refused(true: tuple, pred: tuple) -> None:
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        jacard_coef(np.zeros(true), np.zeros(pred))


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # Keras' own metric on JAX
def test_binary_iou_of_keras_still_differs_where_the_docstring_says() -> None:
    """Keras 3.15: empty against empty is 0, and 0.99 is truncated to 0. Here both are 1."""
    keras_iou = keras.metrics.BinaryIoU(target_class_ids=[1])
    keras_iou.update_state(np.zeros((1, 4)), np.zeros((1, 4)))
    assert float(keras_iou.result()) == 0.0
    assert float(jacard_coef(np.zeros((1, 4)), np.zeros((1, 4)))) == 1.0
    keras_iou.reset_state()
    keras_iou.update_state(np.full((1, 4), 0.99), np.ones((1, 4)))
    assert float(keras_iou.result()) == 0.0
    assert float(jacard_coef(np.full((1, 4), 0.99), np.ones((1, 4)))) == 1.0
