"""The sensitivity against masks that were changed pixel by pixel, scikit-learn, and central differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, jaccard_score

from unetdyn.analysis import jaccard_sensitivity

cases = st.tuples(st.integers(1, 40), st.integers(0, 40)).flatmap(
    lambda size: st.tuples(st.just(size[0]), st.just(sum(size)), st.integers(0, size[1]), st.integers(0, size[0]))
)


def masks(objects: int, total: int, fp: int, fn: int) -> tuple[np.ndarray, np.ndarray]:
    """A mask, and a prediction with so many errors: the first object pixels are missed, the last pixels invented."""
    true, found = np.arange(total) < objects, np.arange(total) < objects
    found[:fn] = False
    found[total - fp :] = True
    return true, found


@settings(deadline=None, max_examples=60)
@given(cases)
def test_scores_and_exact_changes_equal_those_of_masks(case):
    objects, total, fp, fn = case
    result = jaccard_sensitivity(*case)
    assert result.jaccard == pytest.approx(jaccard_score(*masks(*case), zero_division=0.0))
    assert result.accuracy == pytest.approx(accuracy_score(*masks(*case)))
    for more, possible, found in [
        ((fp + 1, fn), fp < total - objects, result.one_more_false_positive),
        ((fp, fn + 1), fn < objects, result.one_more_false_negative),
    ]:
        if possible:
            changed = jaccard_score(*masks(objects, total, *more), zero_division=0.0)
            assert found == pytest.approx(changed - result.jaccard, abs=1e-12)
        else:
            assert math.isnan(found)


@settings(deadline=None, max_examples=60)
@given(cases)
def test_slopes_equal_central_differences(case):
    objects, _, fp, fn = case
    step = 1e-4

    def jaccard(fp: float, fn: float) -> float:
        return (objects - fn) / (objects + fp)

    result = jaccard_sensitivity(*case)
    by_fp = (jaccard(fp + step, fn) - jaccard(fp - step, fn)) / (2 * step)
    by_fn = (jaccard(fp, fn + step) - jaccard(fp, fn - step)) / (2 * step)
    assert result.slope_false_positives == pytest.approx(by_fp, rel=1e-5, abs=1e-10)
    assert result.slope_false_negatives == pytest.approx(by_fn, rel=1e-5, abs=1e-10)


def test_the_ratio_of_the_studies():
    result = jaccard_sensitivity(500, 65_536)
    assert round(result.ratio) == 131
    assert result.jaccard_per_pixel == -result.one_more_false_negative == 1 / 500
    assert result.accuracy_per_pixel == 1 / 65_536


def test_a_miss_costs_more_than_an_invention():
    result = jaccard_sensitivity(500, 65_536, 400, 200)
    assert result.one_more_false_negative < result.one_more_false_positive < 0


def test_it_shows_itself():
    text = str(jaccard_sensitivity(np.int64(4), 4, 0, 4))
    assert "4 of 4 pixels" in text
    assert "one more false positive  not possible: no background pixel is left" in text
    assert "one more false negative  not possible: no object pixel is left" in text
    assert "<td style='text-align:left'>4 of 4 pixels</td>" in jaccard_sensitivity(4, 4)._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10), r"`object_pixels` must be a whole number of pixels, 1 or more, since the index of an empty mask "),
        ((11, 10), r"`total_pixels` must be .* 11 or more, since the object lies .* Received: total_pixels=10\."),
        ((5, 10, 6), r"`false_positives` .* from 0 to 5, since only background .* Received: false_positives=6\."),
        ((5, 10, 0, -1), r"`false_negatives` .* from 0 to 5, since only object .* Received: false_negatives=-1\."),
        ((5, 10, 0.5), r"`false_positives` must be a whole number .* Received: false_positives=0\.5\."),
        ((True, 10), r"`object_pixels` must be a whole number .* Received: object_pixels=True\."),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        jaccard_sensitivity(*arguments)
