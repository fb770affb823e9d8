"""The synthetic micrographs: their form, their statistics, and that no grey-level threshold finds the mitochondria."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unetdyn.data.stack import Stack
from unetdyn.data.synthetic import synthetic_em


@pytest.fixture(scope="module", params=[0, 2])
def stack(request: pytest.FixtureRequest) -> Stack:
    return synthetic_em(seed=request.param)


def jaccard(one: np.ndarray, two: np.ndarray) -> float:
    return (one & two).sum() / (one | two).sum()


def best_threshold_jaccard(images: np.ndarray, masks: np.ndarray) -> float:
    scores = [jaccard(chosen, masks) for level in range(256) for chosen in (images > level, images <= level)]
    return max(scores)


def neighbour_jaccard(masks: np.ndarray, distance: int) -> float:
    return float(np.mean([jaccard(one, two) for one, two in zip(masks, masks[distance:], strict=False)]))


def test_synthetic_em_has_the_form_of_a_stack(stack: Stack) -> None:
    assert stack.images.shape == stack.masks.shape == (16, 256, 256, 1)
    assert stack.images.dtype == stack.masks.dtype == np.uint8
    assert set(np.unique(stack.masks)) == {0, 1}
    assert stack.names[0] == "00"
    assert stack.names[15] == "15"


def test_synthetic_em_holds_the_documented_share_of_mitochondria(stack: Stack) -> None:
    assert 0.04 < stack.masks.mean() < 0.12
    assert stack.masks.any(axis=(1, 2, 3)).all()


def test_synthetic_em_share_follows_the_argument() -> None:
    none, few, many = (synthetic_em(3, 256, seed=1, mitochondria=share).masks.mean() for share in (0, 0.03, 0.1))
    assert none == 0
    assert 0.005 < few < 0.75 * many


def test_synthetic_em_defeats_every_threshold(stack: Stack) -> None:
    assert best_threshold_jaccard(stack.images, stack.masks > 0) < 0.3


def test_synthetic_em_defeats_every_threshold_after_smoothing(stack: Stack) -> None:
    smooth = gaussian_filter(stack.images, (0, 3, 3, 0))
    assert best_threshold_jaccard(smooth, stack.masks > 0) < 0.35


def test_synthetic_em_neighbours_overlap_and_drift_apart(stack: Stack) -> None:
    overlaps = [neighbour_jaccard(stack.masks > 0, distance) for distance in (1, 2, 4, 8)]
    assert 0.5 < overlaps[0] < 0.8
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[3] < 0.2


def test_synthetic_em_uses_the_grey_range_without_saturating(stack: Stack) -> None:
    for image in stack.images:
        low, high = np.percentile(image, [1, 99])
        assert low < 60
        assert high > 180
        assert np.isin(image, (0, 255)).mean() < 0.02


def test_synthetic_em_is_dark_in_mitochondria_but_overlaps_with_the_rest(stack: Stack) -> None:
    inside, outside = stack.images[stack.masks > 0], stack.images[stack.masks == 0]
    assert np.median(inside) < np.median(outside) - 30
    darker = (outside < np.percentile(inside, 90)).sum()
    assert darker > 2 * len(inside)


def test_synthetic_em_resembles_itself_only_for_the_same_seed() -> None:
    one, same, other = (synthetic_em(2, 96, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.images, same.images)
    np.testing.assert_array_equal(one.masks, same.masks)
    assert (one.images != other.images).mean() > 0.9
    assert (one.masks != other.masks).any()


def test_synthetic_em_section_is_the_same_in_a_longer_stack() -> None:
    short, long = synthetic_em(3, 128, seed=4), synthetic_em(12, 128, seed=4)
    np.testing.assert_array_equal(short.images, long.images[:3])
    np.testing.assert_array_equal(short.masks, long.masks[:3])


def test_synthetic_em_leaves_the_global_random_state_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    synthetic_em(1, 64)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_synthetic_em_masks_do_not_depend_on_the_microscope() -> None:
    plain = synthetic_em(2, 96, seed=2)
    other = synthetic_em(2, 96, seed=2, noise=0, blur=2, uneven_light=0.4)
    np.testing.assert_array_equal(plain.masks, other.masks)
    assert (plain.images != other.images).mean() > 0.9


def test_synthetic_em_drift_shifts_sections() -> None:
    still, shaken = (synthetic_em(6, 128, seed=1, drift=drift).masks > 0 for drift in (0, 6))
    assert neighbour_jaccard(shaken, 1) < neighbour_jaccard(still, 1) - 0.1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"sections": 0}, r"`sections` must be a whole number, 1 or more. Received: sections=0"),
        ({"sections": 2.5}, r"`sections` must be a whole number, 1 or more. Received: sections=2.5"),
        ({"size": 63}, r"`size` must be a whole number of pixels, 64 or more. Received: size=63"),
        ({"seed": -1}, r"`seed` must be a whole number, 0 or more. Received: seed=-1"),
        ({"mitochondria": 0.2}, r"`mitochondria` must be a number from 0 to 0.1. Received: mitochondria=0.2"),
        ({"decoys": 2}, r"`decoys` must lie between 0 and 1. Received: decoys=2"),
        ({"noise": -1.0}, r"`noise` must be a finite number, 0 or above. Received: noise=-1.0"),
        ({"blur": float("nan")}, r"`blur` must be a finite number, 0 or above. Received: blur=nan"),
        ({"uneven_light": 0.6}, r"`uneven_light` must be a number from 0 to 0.5. Received: uneven_light=0.6"),
        ({"drift": float("inf")}, r"`drift` must be a finite number, 0 or above. Received: drift=inf"),
    ],
)
def test_synthetic_em_refuses(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        synthetic_em(**arguments)
