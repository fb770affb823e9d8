import functools

import keras
import numpy as np
import pytest
from keras import ops

from autodiff import gradient
from region_references import dice, quotients, sigmoid
from unetdyn.data import TileDataset
from unetdyn.losses import BoundaryLoss, DiceLoss, boundary_loss, boundary_targets, signed_distance

RNG = np.random.default_rng(0)
Y = (RNG.random((3, 6, 7, 1)) < 0.4).astype("float32")
X = RNG.normal(size=Y.shape).astype("float32")
TARGETS = boundary_targets(Y)


def brute_force(mask: np.ndarray, spacing: tuple = (1, 1)) -> np.ndarray:
    """Distance from the centre of each pixel to that of the nearest pixel of the contour; − inside."""
    inside = [place for place in np.ndindex(mask.shape) if mask[place]]
    steps = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    beside = {(i, j): [(i + a, j + b) for a, b in steps] for i, j in np.ndindex(mask.shape)}
    contour = np.array([p for p in inside if any(q in beside and not mask[q] for q in beside[p])])
    found = np.zeros(mask.shape)
    for place in np.ndindex(mask.shape):
        distance = np.sqrt((((contour - place) * spacing) ** 2).sum(-1)).min()
        found[place] = -distance if mask[place] else distance
    return found


@pytest.mark.parametrize("spacing", [None, (1, 1), (4, 0.5)])
def test_signed_distance_by_brute_force(spacing: tuple | None) -> None:
    mask = np.zeros((7, 9), bool)
    mask[1:6, 2:] = True
    mask[3, 4:6] = False
    mask[0, 0] = True
    np.testing.assert_allclose(signed_distance(mask, spacing), brute_force(mask, spacing or (1, 1)), atol=1e-12)


def test_signed_distance_of_a_straight_edge_is_that_of_the_authors() -> None:
    """`one_hot2dist` of the authors' code: `distance(~mask) * ~mask - (distance(mask) - 1) * mask`."""
    from scipy.ndimage import distance_transform_edt as distance

    mask = np.broadcast_to(np.arange(9) > 4, (5, 9))
    np.testing.assert_allclose(signed_distance(mask), distance(~mask) * ~mask - (distance(mask) - 1) * mask)


@pytest.mark.parametrize("value", [0, 1])
def test_mask_without_boundary_has_no_distances(value: int) -> None:
    assert (boundary_targets(np.full((2, 4, 4, 1), value))[..., 1] == 0).all()
    assert (boundary_targets(np.full((2, 4, 4, 1), value))[..., 0] == value).all()


def test_targets_are_masks_and_distances_of_each_class() -> None:
    numbers = RNG.integers(0, 3, (2, 5, 6, 1))
    found = boundary_targets(numbers, classes=3)
    assert (found.shape, found.dtype) == ((2, 5, 6, 6), np.float32)
    for c in range(3):
        np.testing.assert_array_equal(found[..., c], numbers[..., 0] == c)
        np.testing.assert_allclose(found[1, ..., 3 + c], brute_force(numbers[1, ..., 0] == c), rtol=1e-6)
    np.testing.assert_array_equal(boundary_targets(Y[..., 0]), TARGETS)


def test_weight_grows_by_a_step_an_epoch() -> None:
    grown = boundary_targets(Y, 3, step=0.5)
    np.testing.assert_array_equal(grown[..., 0], TARGETS[..., 0])
    np.testing.assert_allclose(grown[..., 1], 2.5 * TARGETS[..., 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("masks", "options", "text"),
    [
        (Y * 255, {}, r"must be a batch of masks that hold the class numbers 0 to 1.* Received: the value 255"),
        (Y * np.nan, {}, "Received: the value nan"),
        (Y + 2, {"classes": 3}, "class numbers 0 to 2.* Received: the value 3"),
        ([1, 0], {}, r"Received: masks.shape=\(2,\)"),
        (Y, {"classes": 0}, "`classes` must be a whole number, 1 or more"),
        (Y, {"epoch": -1}, "`epoch` must be a whole number, 0 or more"),
        (Y, {"step": -1}, "`step` must be a finite number above 0, or 0 for a weight that stays"),
    ],
)
def test_bad_masks_are_refused_before_training(masks: object, options: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        boundary_targets(masks, **options)


def of_image(targets: np.ndarray, p: np.ndarray) -> float:
    """Kervadec et al. (2019), equation 6, as a mean."""
    return float((targets[..., 1:] * p).mean())


def test_loss_is_the_papers_formula() -> None:
    each = [of_image(t, sigmoid(x.astype(float))) for t, x in zip(TARGETS, X, strict=True)]
    found = ops.convert_to_numpy(boundary_loss(TARGETS, X, from_logits=True))
    np.testing.assert_allclose(found, each, rtol=1e-4, atol=1e-6)
    whole = dice(Y, sigmoid(X.astype(float))) + 0.2 * np.mean(each)
    assert float(BoundaryLoss(weight=0.2, from_logits=True)(TARGETS, X)) == pytest.approx(whole, rel=1e-5)
    other = BoundaryLoss(DiceLoss(squared=True), 0.2)(TARGETS, sigmoid(X))
    assert float(other) == pytest.approx(dice(Y, sigmoid(X), squared=True) + 0.2 * np.mean(each), rel=1e-5)


def test_gradient_is_the_difference_quotient() -> None:
    slope = gradient(lambda t: boundary_loss(TARGETS[:1], t, from_logits=True), X[:1])
    expected = quotients(lambda a, b: of_image(a, sigmoid(b)), TARGETS[:1], X[:1])
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)


def test_the_mask_itself_is_the_least() -> None:
    best = float(boundary_loss(TARGETS, Y)[0])
    assert best == pytest.approx(TARGETS[0, ..., 1].clip(max=0).mean(), abs=1e-6)


@pytest.mark.parametrize("shape", [(3,), (3, 6, 7), (3, 6, 7, 1)])
def test_weights_of_images_and_pixels(shape: tuple) -> None:
    weight = RNG.integers(0, 3, shape).astype("float32")
    p, phi = sigmoid(X), TARGETS[..., 1:]
    full = np.broadcast_to(weight.reshape(shape + (1,) * (4 - len(shape))), Y.shape)
    if len(shape) == 1:
        expected = np.mean(weight * (phi * p).mean((1, 2, 3)))
    else:
        expected = np.mean([np.average(a * b, weights=w) for a, b, w in zip(phi, p, full, strict=True)])
    region = DiceLoss(from_logits=True)(Y, X, weight)
    found = BoundaryLoss(weight=2.0, from_logits=True)(TARGETS, X, weight)
    assert float(found) == pytest.approx(float(region) + 2 * expected, rel=1e-4)


def test_tile_dataset_makes_the_targets_of_augmented_masks() -> None:
    images = np.zeros((3, 6, 7, 1), "float32")
    data = TileDataset(images, Y, 2, shuffle=False, targets=functools.partial(boundary_targets, step=1.0))
    np.testing.assert_array_equal(data[0][1], TARGETS[:2])
    data.epoch = 2
    np.testing.assert_allclose(data[1][1][..., 1], 3 * TARGETS[2:, ..., 1], rtol=1e-6)
    weighted = TileDataset(images, Y, 2, shuffle=False, weights=np.ones_like(Y), targets=lambda masks, _: [masks] * 3)
    batch = weighted[0]
    assert [len(part) for part in batch[1:]] == [3, 3]
    np.testing.assert_array_equal(batch[1][2], Y[:2])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BoundaryLoss()(Y, X), r"must have 2 channels, masks and then their distances.* y_true.shape=\(3, 6"),
        (lambda: BoundaryLoss()(Y[..., 0], X), "`boundary_targets\\(masks\\)` makes them"),
        (lambda: BoundaryLoss(DiceLoss(), from_logits=True), "from_logits=True, and region.from_logits=False"),
        (lambda: BoundaryLoss("dice"), "`region` must be a `keras.losses.Loss`, or None. Received: region='dice'"),
        (lambda: BoundaryLoss(weight=0), "`weight` must be a finite number above 0"),
    ],
)
def test_bad_arguments_are_refused(make: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_region_of_keras_own() -> None:
    own = keras.losses.BinaryCrossentropy(from_logits=True)
    found = float(BoundaryLoss(own, from_logits=True)(TARGETS, X))
    boundary = np.mean([of_image(t, sigmoid(x)) for t, x in zip(TARGETS, X, strict=True)])
    assert found == pytest.approx(float(own(Y, X)) + 0.01 * boundary, rel=1e-5)
