"""What is drawn: its distributions, and what it depends on."""

import numpy as np
import pytest
from scipy import stats

from unetdyn.data import epoch_order
from unetdyn.data.augmentation import Augmentation
from unetdyn.data.augmentation.draws import KINDS, draw

EVERYTHING = {
    "rotation": 30.0,
    "zoom": 0.2,
    "contrast": 0.3,
    "brightness": 0.4,
    "noise": 0.1,
    "shear": 10.0,
    "shift": 6.0,
    "elastic": 1.0,
    "gamma": 0.5,
    "blur": 1.0,
    "cutout": 0.5,
}
SHAPE = (4, 32, 32, 1)
RARE = 1e-5  # how often a sample of the stated distribution fails; the seeds are fixed, so it does always or never


def drawn(shape=SHAPE, epoch=0, batch=0, **changed):
    return draw(Augmentation(**changed).settings, shape, epoch, batch)


def flat(draws):
    return {f"{part}.{name}": value for part in draws._fields for name, value in getattr(draws, part).items()}


def test_every_kind_is_an_argument():
    assert set(EVERYTHING) == set(KINDS) - {"flip", "rotate90", "order"}


def test_draws_are_a_function_of_seed_epoch_and_batch():
    first, again = (flat(drawn(**EVERYTHING, seed=5, epoch=2, batch=7)) for _ in range(2))
    assert first.keys() == again.keys()
    for name, numbers in first.items():
        np.testing.assert_array_equal(numbers, again[name])
    for seed, epoch, batch in [(6, 2, 7), (5, 3, 7), (5, 2, 8)]:
        other = flat(drawn(**EVERYTHING, seed=seed, epoch=epoch, batch=batch))
        alike = {name for name, numbers in first.items() if np.array_equal(numbers, other[name])}
        assert alike == {"geometry.elastic_rows", "geometry.elastic_columns", "greys.noise_deviation"}


@pytest.mark.parametrize("shape", [(4, 32, 32, 1), (4, 3, 32, 32, 2)])
def test_samples_have_their_draws_however_many_follow(shape):
    some, more = (flat(drawn((count, *shape[1:]), **EVERYTHING)) for count in (2, 4))
    sections = 2 * (shape[1] if len(shape) == 5 else 1)
    for name, numbers in some.items():
        kept = numbers.shape[0] if "elastic_" in name else 2 if name.startswith("exact") else sections
        np.testing.assert_array_equal(numbers, more[name][:kept] if numbers.ndim else more[name])


@pytest.mark.parametrize("kind", EVERYTHING)
def test_switching_a_kind_on_does_not_move_the_others(kind):
    without = {name: value for name, value in EVERYTHING.items() if name != kind}
    few, all_of_them = flat(drawn(**without)), flat(drawn(**EVERYTHING))
    assert len(few) < len(all_of_them) or kind in ("rotation", "zoom", "shear", "shift")
    for name in few.keys() - {"geometry.matrix"}:
        np.testing.assert_array_equal(few[name], all_of_them[name])


def test_all_eight_symmetries_are_drawn_alike():
    exact = drawn((8000, 8, 8, 1)).exact
    counts = np.bincount(4 * exact["swap"] + 2 * exact["rows"] + exact["columns"], minlength=8)
    assert stats.chisquare(counts).pvalue > RARE
    assert "order" not in exact
    blocks = drawn((8000, 2, 8, 8, 1)).exact
    np.testing.assert_array_equal(blocks["swap"], exact["swap"])
    assert stats.binomtest(int(blocks["order"].sum()), 8000).pvalue > RARE


def test_symmetries_are_independent_of_the_order_of_tiles():
    """A seed that is continued by zeros draws the numbers of the shorter one."""
    order = np.argsort(epoch_order(2000, seed=3, epoch=0))
    exact = drawn((2000, 8, 8, 1), seed=3).exact
    for flags in exact.values():
        assert stats.mannwhitneyu(order[flags], order[~flags]).pvalue > RARE


def uniform(numbers, low, high):
    return stats.kstest(numbers, "uniform", args=(low, high - low)).pvalue > RARE


def test_numbers_are_drawn_alike_within_their_limits():
    plain, count = {"flip": False, "rotate90": False}, (4000, 32, 32, 1)

    def matrix(**kind):
        return drawn(count, **plain, **kind).geometry["matrix"].astype(float)

    angle = matrix(rotation=30.0)
    assert uniform(np.degrees(np.arctan2(angle[:, 0, 1], angle[:, 0, 0])), -30, 30)
    assert uniform(1 / matrix(zoom=0.2)[:, 0, 0], 0.8, 1.2)
    assert uniform(np.degrees(np.arctan(-matrix(shear=10.0)[:, 1, 0])), -10, 10)
    for axis in (0, 1):
        assert uniform(-matrix(shift=6.0)[:, axis, 2], -6, 6)
    greys = drawn(count, **plain, **EVERYTHING).greys
    assert uniform(greys["contrast"], 0.7, 1.3)
    assert uniform(greys["brightness"], -0.4, 0.4)
    assert uniform(np.log(greys["gamma"]), -np.log(1.5), np.log(1.5))
    # A Gaussian's weights: the second over the first is exp(-1 / 2 σ²).
    ratio = greys["blur"][:, 1].astype(float) / greys["blur"][:, 0]
    seen = ratio > 0  # below σ = 0.07 it is 0 in float32
    assert uniform(np.sqrt(-0.5 / np.log(ratio[seen])), (-0.5 / np.log(ratio[seen].min())) ** 0.5, 1.0)


def test_boxes_lie_within_the_tile_and_are_at_most_as_large_as_said():
    boxes = drawn((4000, 30, 40, 1), rotate90=False, cutout=0.5).greys["cutout"]
    top, left, bottom, right = boxes.T
    assert (boxes[:, :2] >= 0).all()
    assert bottom.max() == 30
    assert right.max() == 40
    assert (bottom - top).max() == 15
    assert (right - left).max() == 20
    # Heights round to 0 … 15, the ends half as often as the others.
    expected = np.r_[0.5, np.ones(14), 0.5] / 15
    assert stats.chisquare(np.bincount(bottom - top, minlength=16), 4000 * expected).pvalue > RARE
    of_ten = top[bottom - top == 10]
    assert stats.chisquare(np.bincount(of_ten, minlength=21)).pvalue > RARE


def test_sections_of_a_block_have_one_draw_but_for_the_noise():
    draws = drawn((2, 3, 32, 32, 1), **EVERYTHING)
    for numbers in (draws.geometry["matrix"], draws.geometry["elastic"], draws.greys["blur"], draws.greys["cutout"]):
        assert len(numbers) == 6
        np.testing.assert_array_equal(numbers[::3], numbers[2::3])
        assert (numbers[0] != numbers[3]).any()
    assert len(np.unique(draws.greys["noise"], axis=0)) == 6
