"""Small pictures of the sections that score worst."""

import numpy as np
import pytest

from unetdyn.evaluation.section_pictures import NOT_COUNTED, SIDE, SectionPictures, WorstSections, as_grey_levels


def kept(scores, most=2, side=4):
    worst, rng = WorstSections(most), np.random.default_rng(0)
    for place, score in enumerate(scores):
        image = rng.integers(0, 255, (side, side, 1))
        worst.add(f"s{place}", score, image, rng.random((side, side)) > 0.5, rng.random((side, side)))
    return worst.pictures()


@pytest.mark.parametrize("scores", [[0.9, 0.1, 0.5, 0.3], [0.1, 0.3, 0.5, 0.9], [0.9, 0.5, 0.3, 0.1]])
def test_worst_sections_are_kept_whatever_their_order(scores):
    found = kept([np.nan, *scores])
    assert found.score.tolist() == sorted(scores)[:2]
    assert [scores[int(name[1:]) - 1] for name in found.name] == sorted(scores)[:2]


def test_of_equal_scores_the_first_are_kept_in_their_order():
    assert kept([0.5, 0.5, 0.5]).name == ("s0", "s1")
    assert kept([np.nan]) is None


def test_large_sections_become_means_of_blocks():
    image = np.arange(2 * SIDE * 6, dtype=float).reshape(2 * SIDE, 6, 1)
    mask = np.zeros((2 * SIDE, 6), np.uint8)
    mask[:2, :2] = NOT_COUNTED
    mask[2:4, 2:4] = [[1, 1], [0, 0]]
    p = np.zeros(mask.shape)
    p[0, :2] = 1
    worst = WorstSections()
    worst.add("a", 0.5, image, mask, p)
    found = worst.pictures()
    assert (found.shrunk, found.image.shape) == (2, (1, SIDE, 3, 1))
    assert found.mask[0, :2].tolist() == [[NOT_COUNTED, 0, 0], [0, 1, 0]]
    assert found.probability[0, 0].tolist() == pytest.approx([0.5, 0, 0], abs=1 / 256)
    blocks = image[..., 0].reshape(SIDE, 2, 3, 2).mean(axis=(1, 3))
    low, high = np.percentile(blocks, (1, 99))
    np.testing.assert_array_equal(found.image[0, ..., 0], np.rint(255 * np.clip((blocks - low) / (high - low), 0, 1)))


def test_bytes_are_bounded_whatever_the_sections_size():
    worst = WorstSections(most=1)
    worst.add("a", 0.5, np.zeros((3, 1000, 3)), np.zeros((3, 1000)), np.zeros((3, 1000)))
    assert max(worst.pictures().image.shape[1:3]) <= SIDE


def test_a_grey_image_without_contrast_is_black():
    assert as_grey_levels(np.full((2, 2, 1), 7.0)).tolist() == np.zeros((2, 2, 1)).tolist()
    assert as_grey_levels(np.zeros((2, 2, 4))).shape == (2, 2, 1)


def test_pictures_come_back_from_their_arrays():
    found = kept([0.2, 0.1])
    again = SectionPictures.from_arrays(found.arrays())
    assert again.name == found.name == ("s1", "s0")
    for part in ("image", "mask", "level", "score"):
        np.testing.assert_array_equal(getattr(again, part), getattr(found, part))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((2, 4, 4, 1))}, "`image` must be uint8"),
        ({"image": np.zeros((2, 4, 4, 2), np.uint8)}, "1 or 3"),
        ({"mask": np.zeros((2, 4, 5), np.uint8)}, "`mask` must be uint8"),
        ({"level": np.zeros((2, 4, 4))}, "`level` must be uint8"),
        ({"name": np.zeros(2)}, "`name` must be a text"),
        ({"score": np.array(["a", "b"])}, "`score` must be a number"),
        ({"shrunk": np.array(0)}, "`shrunk` must be a whole number"),
    ],
)
def test_other_arrays_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        SectionPictures.from_arrays(kept([0.2, 0.1]).arrays() | change)
    with pytest.raises(ValueError, match="it lacks 'image'"):
        SectionPictures.from_arrays({"name": np.array(["a"])})
