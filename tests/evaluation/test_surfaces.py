"""Distances against brute force over all pairs of surface pixels, closed forms, and laws that any metric obeys."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from scipy.spatial.distance import cdist, directed_hausdorff

from unetdyn.evaluation import surface_scores


def surface_points(mask, spacing):
    """Where a neighbour across a face is background, or lies outside: one pixel after the other."""
    found = []
    for place in itertools.product(*map(range, mask.shape)):
        if not mask[place]:
            continue
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            beside = list(place)
            beside[axis] += step
            if not 0 <= beside[axis] < mask.shape[axis] or not mask[tuple(beside)]:
                found.append(place)
                break
    return np.array(found, dtype=float) * spacing


def by_brute_force(prediction, mask, spacing, tolerance):
    p, y = surface_points(prediction, spacing), surface_points(mask, spacing)
    distances = cdist(p, y)
    ways = [np.sort(distances.min(axis=1)), np.sort(distances.min(axis=0))]

    def percentile(d):  # between the two order statistics around 0.95 (n − 1)
        at = 0.95 * (len(d) - 1)
        low, high = d[math.floor(at)], d[math.ceil(at)]
        return low + (high - low) * (at - math.floor(at))

    both = np.concatenate(ways)
    hausdorff = max(directed_hausdorff(p, y)[0], directed_hausdorff(y, p)[0])
    return hausdorff, max(map(percentile, ways)), both.mean(), (both <= tolerance).mean()


def figures(scores):
    return scores.hausdorff, scores.hd95, scores.assd, scores.nsd


shapes = array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6)
pairs = shapes.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))
spacings = st.lists(st.sampled_from([0.5, 1.0, 2.5, 7.0]), min_size=3, max_size=3)


@settings(deadline=None, max_examples=40)
@given(pairs, spacings, st.sampled_from([0.0, 1.0, 2.6]))
def test_all_figures_equal_brute_force(data, spacing, tolerance):
    p, y = data
    assume(p.any() and y.any())
    spacing = spacing[: p.ndim]
    found = surface_scores(p, y, spacing=spacing, tolerance=tolerance)
    assert figures(found) == pytest.approx(by_brute_force(p, y, spacing, tolerance))
    assert found.state == "found"


@settings(deadline=None, max_examples=30)
@given(pairs, spacings, st.floats(0, 5), st.floats(0, 5))
def test_laws(data, spacing, one, other):
    p, y = data
    assume(p.any() and y.any())
    spacing = spacing[: p.ndim]
    low, high = sorted([one, other])
    found = surface_scores(p, y, spacing=spacing, tolerance=low)
    assert figures(surface_scores(y, p, spacing=spacing, tolerance=low)) == pytest.approx(figures(found))
    assert 0 <= found.assd <= found.hausdorff
    assert found.hd95 <= found.hausdorff
    assert 0 <= found.nsd <= surface_scores(p, y, spacing=spacing, tolerance=high).nsd <= 1
    scaled = surface_scores(p, y, spacing=[4 * s for s in spacing], tolerance=4 * low)
    assert figures(scaled)[:3] == pytest.approx([4 * d for d in figures(found)[:3]])
    assert scaled.nsd == found.nsd
    moved = np.pad(p, 2), np.pad(y, 2)
    assert figures(surface_scores(*moved, spacing=spacing, tolerance=low)) == figures(found)
    turned = surface_scores(p.T, y.T, spacing=spacing[::-1], tolerance=low)
    assert figures(turned) == pytest.approx(figures(found))
    same = surface_scores(p, p, tolerance=0)
    assert figures(same) == (0, 0, 0, 1)


def test_squares_one_inside_the_other():
    """A square with an edge of 41 pixels in one of 61: the corners are 10√2 apart, the sides 10."""
    outer, inner = np.zeros((2, 80, 80), dtype=bool)
    outer[10:71, 10:71] = inner[20:61, 20:61] = True
    found = surface_scores(inner, outer, spacing=2.0, tolerance=20.0)
    assert found.hausdorff == pytest.approx(20 * math.sqrt(2))
    # All 160 inner pixels are 10 from the outer side; of the 240 outer ones the 4 · 41 opposite the inner sides.
    assert found.nsd == pytest.approx((160 + 4 * 41) / 400)
    # Outwards along a side from where the inner one ends, k = 1 … 10: √(100 + k²); corners once.
    beyond = np.sqrt(100 + np.arange(1, 11) ** 2)
    total = 160 * 10 + 4 * 41 * 10 + 8 * beyond[:-1].sum() + 4 * beyond[-1]
    assert found.assd == pytest.approx(2 * total / 400)


@pytest.mark.parametrize(("axis", "far"), [(0, 100), (1, 8), (2, 6)])
def test_a_shifted_box_is_as_far_as_it_was_shifted_in_anisotropic_voxels(axis, far):
    mask = np.zeros((14, 20, 20), dtype=bool)
    mask[2:8, 4:12, 4:12] = True
    assert surface_scores(np.roll(mask, 2, axis), mask, spacing=(50, 4, 3)).hausdorff == far


@pytest.mark.parametrize("spacing", [0.1, 0.7, 4.6])
def test_a_distance_of_just_the_tolerance_is_within_it(spacing):
    mask = np.zeros((4, 9), dtype=bool)
    mask[2, 2] = True
    assert surface_scores(np.roll(mask, 3, 1), mask, spacing=spacing, tolerance=round(3 * spacing, 1)).nsd == 1


def test_distances_equal_scipys_distance_transform():
    rng = np.random.default_rng(0)
    p, y = ndimage.gaussian_filter(rng.normal(size=(2, 12, 40, 40)), (0, 1, 2, 2)) > 0.05
    spacing = (50, 4, 4)
    surfaces = [shape & ~ndimage.binary_erosion(shape) for shape in (p, y)]
    fields = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    ways = fields[1][surfaces[0]], fields[0][surfaces[1]]
    found = surface_scores(p, y, spacing=spacing)
    assert found.hd95 == pytest.approx(max(np.percentile(way, 95) for way in ways))
    assert found.assd == pytest.approx(np.concatenate(ways).mean())


def test_concentric_spheres_are_their_radii_apart():
    z, y, x = np.ogrid[-20:21, -20:21, -20:21]
    radius = np.sqrt(z**2 + y**2 + x**2)
    found = surface_scores(radius <= 12, radius <= 17, tolerance=6.5)
    assert found.assd == pytest.approx(5, abs=0.5)
    assert found.hausdorff == pytest.approx(5, abs=1.5)
    assert found.nsd == 1


def test_both_percentiles_are_taken_and_the_larger_counts():
    """Of 21 single pixels predicted, two lie 30 off, of 200 true ones none lies far: together they would not count."""
    mask, prediction = np.zeros((2, 40, 200), dtype=bool)
    mask[0] = True
    prediction[0, :190:10] = prediction[30, 5:15:5] = True
    found = surface_scores(prediction, mask)
    # 95 % of the 21 is the 20th smallest, one of the two; the true ones are at most 19 from the nearest.
    assert (found.hausdorff, found.hd95) == (30, 30)
    p, y = surface_points(prediction, (1, 1)), surface_points(mask, (1, 1))
    assert np.percentile(np.concatenate([cdist(p, y).min(1), cdist(p, y).min(0)]), 95) == 10


def test_the_border_of_the_image_is_surface():
    full = np.ones((5, 5), dtype=bool)
    inner = np.zeros((5, 5), dtype=bool)
    inner[2, 2] = True
    assert surface_scores(inner, full).hausdorff == pytest.approx(math.hypot(2, 2))


@pytest.mark.parametrize(("missed", "far"), [("inf", math.inf), ("diagonal", math.hypot(8 * 50, 6 * 4))])
@pytest.mark.parametrize("swap", [False, True])
def test_a_missed_or_invented_object_is_as_far_as_can_be(missed, far, swap):
    mask, nothing = np.zeros((2, 8, 6), dtype=bool)
    mask[2:4, 2:4] = True
    pair = (mask, nothing) if swap else (nothing, mask)
    found = surface_scores(*pair, spacing=(50, 4), tolerance=1e9, missed=missed)
    assert figures(found) == (far, far, far, 0)
    assert found.state == ("invented" if swap else "missed")


@pytest.mark.parametrize("missed", ["inf", "diagonal"])
def test_missing_more_objects_never_improves_the_mean(missed):
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:28, 20:28] = True
    off, nothing = np.roll(mask, 4, axis=0), np.zeros_like(mask)
    means = []
    for gone in range(6):
        predictions = [nothing] * gone + [off] * (5 - gone)
        means.append(np.mean([surface_scores(p, mask, missed=missed).hd95 for p in predictions]))
    assert means[0] == 4
    assert all(later >= earlier for earlier, later in itertools.pairwise(means))
    assert means[1] > 4


def test_nothing_in_both_is_perfect_or_left_out():
    nothing = np.zeros((4, 4))
    assert figures(surface_scores(nothing, nothing, tolerance=1)) == (0, 0, 0, 1)
    assert np.isnan(figures(surface_scores(nothing, nothing, tolerance=1, empty="skip"))).all()
    assert surface_scores(nothing, nothing).state == "empty"
    assert surface_scores(nothing, nothing).nsd is None


def test_pixels_without_a_label_are_background_in_both():
    mask, prediction = np.zeros((2, 10, 10), dtype="uint8")
    mask[2:5, 2:5] = prediction[2:5, 2:5] = 1
    prediction[8, 8], mask[7:, 7:] = 1, 255
    assert figures(surface_scores(prediction, mask, tolerance=0, ignore_label=255)) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"spacing": (1, 2, 3)}, r"`spacing` must be a finite number above 0, or one for each of the 2 axes"),
        ({"spacing": 0}, r"`spacing` must be .*Received: spacing=0"),
        ({"spacing": (4, math.nan)}, r"`spacing` must be .*Received: spacing=\(4, nan\)"),
        ({"tolerance": -1}, r"`tolerance` must be a finite number, 0 or above\. Received: tolerance=-1"),
        ({"missed": "nan"}, r"`missed` must be one of 'inf', 'diagonal'\. Received: missed='nan'"),
        ({"empty": 1.0}, r"`empty` must be one of 'perfect', 'skip'\. Received: empty=1\.0"),
    ],
)
def test_arguments_out_of_range_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        surface_scores(np.ones((3, 3)), np.ones((3, 3)), **options)


def test_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"`prediction` must hold 0 and 1 only\. Received: 0\.4, as probabilities"):
        surface_scores(np.full((3, 3), 0.4), np.ones((3, 3)))
