"""Dice, precision, recall, specificity and accuracy against brute force, scikit-learn, and each other."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from unetdyn.evaluation import pixel_counts
from unetdyn.metrics import accuracy, dice, precision, recall, specificity, thresholded_jaccard

RNG = np.random.default_rng(0)
TOLERANCE = 1e-6
SCORES = {each.__name__: each for each in (dice, precision, recall, specificity, accuracy)}

maps = arrays("float32", (3, 4, 5, 1), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
masks = arrays("uint8", (2, 3, 4, 1), elements=st.sampled_from([0, 1]))

every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)


def by_hand(name: str, y: np.ndarray, p: np.ndarray, empty: float = 1.0) -> float:
    """The definition, pixel by pixel, with its conventions written out."""
    tp = fp = fn = tn = 0
    for a, b in zip(y.ravel() > 0.5, p.ravel() > 0.5, strict=True):
        tp, fp, fn, tn = tp + (a and b), fp + (b and not a), fn + (a and not b), tn + (not a and not b)
    if name == "accuracy":
        return (tp + tn) / (tp + fp + fn + tn) if tp + fp + fn + tn else empty
    if (tn if name == "specificity" else tp) + fp + fn == 0:
        return empty
    above, below = {
        "dice": (2 * tp, 2 * tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
    }[name]
    return above / below if below else 0.0


def by_sklearn(name: str, y: np.ndarray, p: np.ndarray, **options: object) -> float:
    """The same of masks of 0 and 1, or of columns of them."""
    if name == "accuracy":  # scikit-learn's own asks that all columns be right
        return accuracy_score(y.ravel(), p.ravel())
    if name == "specificity":
        return recall_score(1 - y, 1 - p, zero_division=0, **options)
    function = {"dice": f1_score, "precision": precision_score, "recall": recall_score}[name]
    return function(y, p, zero_division=0, **options)


@pytest.mark.parametrize("name", SCORES)
@settings(deadline=None, max_examples=10)
@given(y=maps, p=maps)
def test_score_is_the_definition_and_in_range(name: str, y: np.ndarray, p: np.ndarray) -> None:
    score = float(SCORES[name](y, p))
    assert score == pytest.approx(by_hand(name, y, p), abs=TOLERANCE)
    assert 0 <= score <= 1


@settings(deadline=None, max_examples=15)
@given(masks, masks)
def test_scores_obey_the_laws_between_them(y: np.ndarray, p: np.ndarray) -> None:
    jaccard, overlap = float(thresholded_jaccard(y, p)), float(dice(y, p))
    assert overlap == pytest.approx(2 * jaccard / (1 + jaccard), abs=TOLERANCE)
    assert overlap == float(dice(p, y))
    assert float(precision(y, p)) == float(recall(p, y))
    assert float(specificity(y, p)) == float(recall(1 - y, 1 - p))
    assert float(accuracy(y, p)) == float(accuracy(p, y)) == float(accuracy(1 - y, 1 - p))
    assert jaccard <= overlap <= 1


@every_score
def test_score_equals_sklearn_of_one_map_and_of_several(score: Callable) -> None:
    name = score.__name__
    y, p = RNG.integers(0, 2, (5, 6, 7, 3)), RNG.random((5, 6, 7, 3), dtype="float32")
    one = y[..., 0].ravel(), (p[..., 0] > 0.3).astype(int).ravel()
    assert float(score(y[..., 0], p[..., :1], threshold=0.3)) == pytest.approx(by_sklearn(name, *one), abs=TOLERANCE)
    flat = y.reshape(-1, 3), (p.reshape(-1, 3) > 0.5).astype(int)
    assert float(score(y, p)) == pytest.approx(by_sklearn(name, *flat, average="micro"), abs=TOLERANCE)
    each = [by_sklearn(name, *(column[:, c] for column in flat)) for c in range(3)]
    assert float(score(y, p, class_ids=[2, 0])) == pytest.approx((each[2] + each[0]) / 2, abs=TOLERANCE)


@every_score
def test_score_of_classes_that_exclude_each_other_equals_sklearn(score: Callable) -> None:
    name = score.__name__
    labels, p = RNG.integers(0, 3, (4, 5, 6)), RNG.random((4, 5, 6, 3), dtype="float32") * 0.4
    largest = p.argmax(-1)
    each = [by_sklearn(name, (labels == c).astype(int).ravel(), (largest == c).astype(int).ravel()) for c in range(3)]
    for y in (labels, labels[..., None], np.eye(3)[labels]):
        found = float(score(y, p, threshold=None, class_ids=[0, 1, 2]))
        assert found == pytest.approx(np.mean(each), abs=TOLERANCE)


@pytest.mark.parametrize("form", ["class numbers", "one-hot"])
def test_accuracy_of_classes_that_exclude_each_other_is_that_of_pixels(form: str) -> None:
    labels, p = RNG.integers(0, 3, (4, 5, 6)), RNG.random((4, 5, 6, 3), dtype="float32")
    labels[0, 0], weight = 255, RNG.integers(0, 2, labels.shape)
    y = labels if form == "class numbers" else np.where(labels[..., None] == 255, 255, np.eye(3)[labels % 255])
    for mask, kept in ((None, labels != 255), (weight, (labels != 255) & (weight > 0))):
        expected = accuracy_score(labels[kept], p.argmax(-1)[kept])
        found = accuracy(y, p, threshold=None, ignore_label=255, sample_weight=mask)
        assert float(found) == pytest.approx(expected, abs=TOLERANCE)
    per_image = [accuracy_score(a[a != 255], b.argmax(-1)[a != 255]) for a, b in zip(labels, p, strict=True)]
    found = accuracy(y, p, threshold=None, ignore_label=255, aggregate="image")
    assert float(found) == pytest.approx(np.mean(per_image), abs=TOLERANCE)


def test_accuracy_leaves_out_channels_of_weight_zero() -> None:
    y, p = np.array([[[[1, 0, 0], [0, 1, 0]]]]), np.array([[[[0.2, 0.9, 0.1], [0.1, 0.8, 0.1]]]])
    weight = np.array([[[[0, 0, 1], [1, 1, 1]]]])  # of the first pixel the channel that is right
    assert float(accuracy(y, p, threshold=None)) == 0.5
    assert float(accuracy(y, p, threshold=None, sample_weight=weight)) == 1.0


HARD = {  # an image each: labels, predictions
    "nothing": ([0, 0, 0, 0], [0, 0, 0, 0]),
    "missed": ([1, 1, 0, 0], [0, 0, 0, 0]),
    "made up": ([0, 0, 0, 0], [0, 1, 0, 0]),
    "everything": ([1, 1, 1, 1], [1, 1, 1, 1]),
    "background made up": ([1, 1, 1, 1], [1, 0, 1, 1]),
    "apart": ([1, 0, 0, 0], [0, 1, 0, 0]),
}
Y, P = (np.array([pair[side] for pair in HARD.values()]).reshape(-1, 2, 2, 1) for side in (0, 1))


@every_score
@pytest.mark.parametrize("empty", [1.0, 0.0, "skip"])
def test_empty_is_the_score_of_images_without_a_subject_only(score: Callable, empty: float | str) -> None:
    value = np.nan if empty == "skip" else empty
    each = [by_hand(score.__name__, y, p, value) for y, p in zip(Y, P, strict=True)]
    assert sum(np.isnan(each)) == (empty == "skip" and score is not accuracy)
    assert float(score(Y, P, aggregate="image", empty=empty)) == pytest.approx(np.nanmean(each), abs=TOLERANCE)
    for aggregate in ("image", "dataset", "batch"):
        for i, expected in enumerate(each):
            found = float(score(Y[i : i + 1], P[i : i + 1], aggregate=aggregate, empty=empty))
            assert found == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)


@pytest.mark.parametrize("empty", [1.0, 0.0, "skip"])
def test_conventions_are_those_of_the_evaluation_of_masks(empty: float | str) -> None:
    for y, p in zip(Y, P, strict=True):
        evaluated = pixel_counts(p[..., 0], y[..., 0]).scores(empty=empty)
        for name, score in SCORES.items():
            assert float(score(y[None], p[None], empty=empty)) == pytest.approx(getattr(evaluated, name), nan_ok=True)


def test_a_missed_object_does_not_improve_the_mean_precision() -> None:
    found, missed = ([1, 1, 0, 0], [0.9, 0.9, 0.9, 0]), ([1, 1, 0, 0], [0.9, 0.9, 0.9, 0.9])
    y, p = ([np.array(pair[i]).reshape(1, 2, 2, 1) for pair in (found, missed)] for i in (0, 1))
    for empty in (1.0, 0.0, "skip"):
        there = precision(np.concatenate(y), np.concatenate(p), aggregate="image", empty=empty)
        gone = precision(np.concatenate(y), np.concatenate([p[0], 0 * p[1]]), aggregate="image", empty=empty)
        assert (float(there), float(gone)) == pytest.approx(((2 / 3 + 1 / 2) / 2, 2 / 3 / 2))


@every_score
def test_ignored_labels_and_masked_pixels_count_nowhere(score: Callable) -> None:
    y, p = RNG.integers(0, 2, (4, 5, 6, 1)), RNG.random((4, 5, 6, 1), dtype="float32")
    weight, void = RNG.choice([0.0, 0.3, 2.0], y.shape), RNG.random(y.shape) < 0.3
    void[0] = True  # a whole image without a label has no score
    kept = ~void & (weight > 0)
    labels = np.where(void, 255, y)
    expected = by_hand(score.__name__, y[kept], p[kept])
    assert float(score(labels, p, ignore_label=255, sample_weight=weight)) == pytest.approx(expected, abs=TOLERANCE)
    images = [by_hand(score.__name__, y[i][kept[i]], p[i][kept[i]]) for i in (1, 2, 3)]
    found = score(labels, p, ignore_label=255, sample_weight=weight, aggregate="image")
    assert float(found) == pytest.approx(np.mean(images), abs=TOLERANCE)


@every_score
def test_large_logits_are_as_their_signs(score: Callable) -> None:
    y = RNG.integers(0, 2, (2, 5, 6, 1))
    logits = RNG.choice([-1e4, 1e4], y.shape).astype("float16")  # whose sigmoid is 0 or 1 in every precision
    assert float(score(y, logits, from_logits=True)) == float(score(y, logits > 0))


@every_score
def test_a_nan_prediction_is_background(score: Callable) -> None:
    y = RNG.integers(0, 2, (2, 5, 6, 1))
    p = np.where(RNG.random(y.shape) < 0.3, np.nan, RNG.random(y.shape))
    assert float(score(y, p)) == float(score(y, np.nan_to_num(p)))


def test_arguments_are_refused_by_name() -> None:
    y = np.zeros((1, 2, 2, 1))
    with pytest.raises(
        TypeError, match=r"unknown argument 'treshold'; there are threshold, .*Did you mean 'threshold'\?"
    ):
        dice(y, y, treshold=0.3)
    with pytest.raises(ValueError, match=r"`empty` must be one of 1\.0, 0\.0, 'skip'\. Received: empty=0\.5"):
        precision(y, y, empty=0.5)
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        accuracy(np.zeros((2, 4)), np.zeros((2, 4, 4, 1)))
