import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.data import (
    Split,
    Stack,
    check_leakage,
    check_tile_leakage,
    split_by_fraction,
    split_by_section,
    tile,
)


def make(sections, size=1, names=None):
    """Sections that all differ: section `i` is grey level `i`."""
    images = np.broadcast_to(np.arange(sections, dtype="uint16")[:, None, None, None], (sections, size, size, 1))
    names = names or tuple(f"s{index}" for index in range(sections))
    return Stack(images.copy(), np.zeros(images.shape, "uint8"), names)


def test_split_by_section_takes_inclusive_ranges_and_lists():
    split = split_by_section(make(20), train=(0, 12), validation=[15, 14], test=range(17, 20))
    assert split.train.names == tuple(f"s{index}" for index in range(13))
    assert split.validation.images.ravel().tolist() == [15, 14]
    assert split.sections == {"train": tuple(range(13)), "validation": (15, 14), "test": (17, 18, 19)}
    assert list(split.parts) == ["train", "validation", "test"]


def test_split_by_section_works_without_a_test_part():
    split = split_by_section(make(4), train=(0, 1), validation=np.array([3]))
    assert split.test is None
    assert list(split.parts) == ["train", "validation"]


@pytest.mark.parametrize(
    ("train", "validation", "test", "gap", "text"),
    [
        ((0, 5), (5, 8), None, 1, "train and validation share the sections 5."),
        ((0, 5), (6, 8), None, 1, "train section 5 and validation section 6 have 0 sections between them, fewer than"),
        ((0, 3), (5, 6), (8, 9), 2, "validation section 6 and test section 8 have 1 sections.*gap of 2"),
        ([0, 9], [5], [7, 1], 1, "train section 0 and test section 1 have 0"),
    ],
)
def test_split_by_section_refuses_leakage(train, validation, test, gap, text):
    with pytest.raises(ValueError, match=f"must not know each other. Received: .*{text}"):
        split_by_section(make(10), train, validation, test, gap)


def test_split_by_section_refuses_the_same_image_under_another_name():
    stack = make(6)
    stack.images[5] = stack.images[0]
    with pytest.raises(ValueError, match=r"train 's0' and validation 's5' are the same image"):
        split_by_section(stack, train=(0, 2), validation=(4, 5))


@pytest.mark.parametrize("train", [(0, 10), [-1], [], (3, 2), [1, 1]])
def test_split_by_section_refuses_sections_that_do_not_exist(train):
    with pytest.raises(ValueError, match=r"`train` must name sections from 0 to 9, each once.*Received: train="):
        split_by_section(make(10), train, [9])


def test_split_by_section_accepts_no_gap_where_asked():
    assert len(split_by_section(make(4), (0, 2), (3, 3), gap=0).train) == 3
    with pytest.raises(ValueError, match=r"`gap` must be a whole number of sections, 0 or more. Received: gap=-1"):
        split_by_section(make(4), (0, 2), (3, 3), gap=-1)


@given(st.integers(1, 60), st.floats(0.05, 0.6), st.floats(0, 0.4), st.integers(0, 4))
@settings(deadline=None, max_examples=60)
def test_split_by_fraction_keeps_order_gap_and_proportions(sections, validation, test, gap):
    stack = make(sections)
    if sections < gap * (2 if test else 1) + round(validation * sections) + round(test * sections) + 3:
        with contextlib.suppress(ValueError):
            split_by_fraction(stack, validation, test, gap)
        return
    split = split_by_fraction(stack, validation, test, gap)
    parts = list(split.sections.values())
    for before, after in pairwise(parts):
        assert after[0] - before[-1] - 1 == gap
    assert [index for part in parts for index in part] == sorted({index for part in parts for index in part})
    assert parts[0][0] == 0
    assert parts[-1][-1] == sections - 1
    usable = sections - gap * (len(parts) - 1)
    assert abs(len(parts[1]) - validation * usable) <= max(0.5, 1 - validation * usable)
    assert check_leakage(split, gap).ok


@pytest.mark.parametrize(
    ("sections", "options", "text"),
    [
        (4, {}, "Received: 4 sections, of which 1 would be validation, 1 test and 2 gap"),
        (9, {"validation": 0}, "`validation` must lie between 0 and 1.*Received: validation=0"),
        (9, {"validation": 0.5, "test": 0.5}, "their sum must lie below 1. Received: validation=0.5, test=0.5"),
    ],
)
def test_split_by_fraction_refuses_what_leaves_nothing_to_train_on(sections, options, text):
    with pytest.raises(ValueError, match=text):
        split_by_fraction(make(sections), **options)


def test_check_leakage_reports_every_finding_in_a_sentence():
    stack = make(6)
    split = Split(stack.take([0, 1]), stack.take([1, 2]), stack.take([4]), {"train": (0, 1), "validation": (1, 2)})
    report = check_leakage(split)
    assert not report.ok
    assert str(report).splitlines() == [
        "train and validation share the sections 1.",
        "train 's1' and validation 's1' are the same image.",
    ]
    assert str(check_leakage(Split(stack.take([0]), stack.take([2]), None, {}))) == "No leakage found."


def test_check_leakage_does_not_mind_an_image_twice_in_one_part():
    stack = make(3)
    assert check_leakage(Split(stack.take([0, 0]), stack.take([2]), None, {})).ok


def test_check_tile_leakage_finds_tiles_drawn_at_random():
    tiles = tile(make(4, size=4), size=2)
    drawn = np.random.default_rng(0).permutation(len(tiles))
    report = check_tile_leakage(tiles.take(drawn[:12]), tiles.take(drawn[12:]))
    shared = set(tiles.section[drawn[:12]]) & set(tiles.section[drawn[12:]])
    assert len(report.findings) == len(shared) > 0


def test_check_tile_leakage_passes_a_split_by_section():
    split = split_by_section(make(6, size=4), (0, 2), (4, 5))
    assert check_tile_leakage(tile(split.train, 2), tile(split.validation, 2)).ok
