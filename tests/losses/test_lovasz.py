import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from sklearn.metrics import jaccard_score

from autodiff import gradient
from region_references import lovasz, lovasz_sigmoid, quotients, sigmoid, softmax
from region_references import lovasz_hinge as hinge
from unetdyn.losses import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge, lovasz_softmax

RNG = np.random.default_rng(0)
Y = (RNG.random((4, 5, 6, 1)) < 0.4).astype("float32")
X = RNG.normal(size=Y.shape).astype("float32") * 3
P = sigmoid(X)
NUMBERS = RNG.integers(0, 3, (4, 5, 6, 1))
SCORES = RNG.normal(size=(4, 5, 6, 3)).astype("float32")


def test_losses_are_the_papers_algorithm() -> None:
    each = [lovasz_sigmoid(y.astype(float), p.astype(float)) for y, p in zip(Y, P, strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_softmax(Y, X, from_logits=True)), each, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_softmax(Y[..., 0], P)), each, rtol=1e-5)
    hinges = [hinge(y.astype(float), x.astype(float)) for y, x in zip(Y, X, strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_hinge(Y, X)), hinges, rtol=1e-5)
    assert float(lovasz_hinge(Y, X, aggregate="batch")) == pytest.approx(hinge(Y.astype(float), X), rel=1e-5)
    assert float(LovaszSoftmaxLoss()(Y, P)) == pytest.approx(np.mean(each), rel=1e-5)
    assert float(LovaszHingeLoss()(Y, X)) == pytest.approx(np.mean(hinges), rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_on_hard_predictions_it_is_one_minus_jaccard(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = (rng.random((2, 1, 3, 4, 1)) < rng.random()).astype("float32")
    expected = 1 - jaccard_score(y.ravel(), p.ravel(), zero_division=1.0)
    assert float(lovasz_softmax(y, p)[0]) == pytest.approx(expected, abs=1e-6)
    assert float(lovasz_hinge(y, 2 * p - 1)[0]) == pytest.approx(2 * expected, abs=1e-6)


def test_several_classes_are_averaged_over_those_in_the_labels() -> None:
    numbers = NUMBERS.copy()
    numbers[0] = np.where(numbers[0] == 2, 0, numbers[0])
    p = softmax(SCORES.astype(float))
    expected = []
    for image, pixels in zip(numbers[..., 0], p, strict=True):
        present = [c for c in range(3) if (image == c).any()]
        expected.append([lovasz((image == c) * 1.0, np.abs((image == c) - pixels[..., c])) for c in present])
    found = ops.convert_to_numpy(lovasz_softmax(numbers, SCORES, from_logits=True))
    np.testing.assert_allclose(found, [np.mean(each) for each in expected], rtol=1e-5)
    weights = [1, 2, 5]
    weighted = ops.convert_to_numpy(lovasz_softmax(numbers, SCORES, from_logits=True, class_weights=weights))
    np.testing.assert_allclose(weighted, [np.average(e, weights=weights[: len(e)]) for e in expected], rtol=1e-5)
    one_hot = np.eye(3)[numbers[..., 0]]
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_softmax(one_hot, p)), found, rtol=1e-5)


def test_gradients_are_the_difference_quotients() -> None:
    y, x = Y[:1, :4, :4], X[:1, :4, :4]
    slope = gradient(lambda t: lovasz_softmax(y, t, from_logits=True), x)
    expected = quotients(lambda a, b: lovasz_sigmoid(a, sigmoid(b)), y, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)
    slope = gradient(lambda t: lovasz_hinge(y, t), x)
    np.testing.assert_allclose(slope, quotients(hinge, y, x), rtol=1e-4, atol=1e-7)


def test_image_without_foreground_costs_its_largest_error() -> None:
    y = np.zeros_like(Y)
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_softmax(y, P)), P.max((1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(lovasz_hinge(y, X)), 1 + X.max((1, 2, 3)), rtol=1e-6)
    assert float(lovasz_softmax(y, y, aggregate="batch")) == 0


def test_weights_of_many_pixels_are_not_lost_to_cancellation() -> None:
    """They are of the order of 1e-5, and the differences of Jaccard indices in float32 are whole steps of 6e-8."""
    rng = np.random.default_rng(0)
    y = (rng.random((1, 300, 300, 1)) < 0.5).astype("float32")
    errors = (rng.permutation(y.size) + 1.0).reshape(y.shape) / (y.size + 1)  # no two alike
    slope = gradient(lambda t: lovasz_softmax(y, t), np.abs(y - errors))
    gt = y.ravel()[np.argsort(-errors.ravel())].astype(float)
    jaccard = 1 - (gt.sum() - gt.cumsum()) / (gt.sum() + (1 - gt).cumsum())
    weights = np.diff(jaccard, prepend=0)
    np.testing.assert_allclose(np.abs(slope.ravel()[np.argsort(-errors.ravel())]), weights, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("aggregate", ["batch", "image"])
@pytest.mark.parametrize("ignored", [False, True])
def test_pixels_that_do_not_count_are_left_out(aggregate: str, ignored: bool) -> None:
    kept = RNG.random(Y.shape) < 0.7
    y, x = np.where(kept, Y, 255), np.where(kept, X, np.nan).astype("float32")
    options = {"ignore_label": 255} if ignored else {"sample_weight": kept * 2.0}
    pieces = [(Y, P, kept)] if aggregate == "batch" else list(zip(Y, P, kept, strict=True))
    expected = [lovasz_sigmoid(a[k].astype(float), b[k]) for a, b, k in pieces]
    found = lovasz_softmax(y, x, from_logits=True, aggregate=aggregate, **options)
    assert np.atleast_1d(ops.convert_to_numpy(found)) == pytest.approx(expected, rel=1e-5)
    pieces = [(Y, X, kept)] if aggregate == "batch" else list(zip(Y, X, kept, strict=True))
    expected = [hinge(a[k].astype(float), b[k]) for a, b, k in pieces]
    found = lovasz_hinge(y, x, aggregate=aggregate, **options)
    assert np.atleast_1d(ops.convert_to_numpy(found)) == pytest.approx(expected, rel=1e-5)
    slope = gradient(lambda t: lovasz_softmax(y, t, from_logits=True, aggregate=aggregate, **options), x)
    assert np.isfinite(slope).all()
    assert (slope[~kept] == 0).all()


def test_hinge_of_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="takes logits only: leave `from_logits` out, or use `LovaszSoftmaxLoss`"):
        LovaszHingeLoss(from_logits=False)
