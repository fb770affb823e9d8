import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grey_stacks import GROUPS, PATIENTS, grey, noise
from unetdyn.data import check_leakage, split_by_fraction, split_by_section, tile


def test_split_by_section_takes_inclusive_ranges_and_lists():
    split = split_by_section(grey(20), train=(0, 12), validation=[15, 14], test=range(17, 20))
    assert split.train.names == tuple(f"s{index}" for index in range(13))
    assert split.validation.images.ravel().tolist() == [15, 14]
    assert split.sections == {"train": tuple(range(13)), "validation": (15, 14), "test": (17, 18, 19)}
    assert list(split.parts) == ["train", "validation", "test"]


def test_split_by_section_works_without_a_test_part():
    split = split_by_section(grey(4), train=(0, 1), validation=np.array([3]))
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
        split_by_section(grey(10), train, validation, test, gap)


def test_split_by_section_refuses_the_same_image_under_another_name():
    stack = noise([f"s{index}" for index in range(6)])
    stack.images[5] = stack.images[0]
    with pytest.raises(ValueError, match=r"train 's0' and validation 's5' are the same image"):
        split_by_section(stack, train=(0, 2), validation=(4, 5))


@pytest.mark.parametrize("train", [(0, 10), [-1], [], (3, 2), [1, 1]])
def test_split_by_section_refuses_sections_that_do_not_exist(train):
    with pytest.raises(ValueError, match=r"`train` must name sections from 0 to 9, each once.*Received: train="):
        split_by_section(grey(10), train, [9])


def test_split_by_section_accepts_no_gap_where_asked():
    assert len(split_by_section(grey(4), (0, 2), (3, 3), gap=0).train) == 3
    with pytest.raises(ValueError, match=r"`gap` must be a whole number of sections, 0 or more. Received: gap=-1"):
        split_by_section(grey(4), (0, 2), (3, 3), gap=-1)


@given(st.integers(1, 60), st.floats(0.05, 0.6), st.floats(0, 0.4), st.integers(0, 4))
@settings(deadline=None, max_examples=60)
def test_split_by_fraction_keeps_order_gap_and_proportions(sections, validation, test, gap):
    stack = grey(sections)
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
        split_by_fraction(grey(sections), **options)


def test_split_by_section_lets_blank_end_slices_be():
    stack = noise("abcdef")
    stack.images[[0, 5]] = 7
    assert split_by_section(stack, (0, 2), (4, 5)).validation.names == ("e", "f")


@pytest.mark.parametrize("groups", GROUPS)
def test_split_by_section_refuses_a_group_in_two_parts(groups):
    with pytest.raises(ValueError, match=r"Group 'p2' gives 2 sections to train and 1 to validation\..*each group"):
        split_by_section(grey(12, names=PATIENTS), (0, 5), (7, 7), groups=groups)


@pytest.mark.parametrize("groups", GROUPS)
def test_split_by_section_wants_no_gap_between_groups(groups):
    split = split_by_section(grey(12, names=PATIENTS), (0, 3), (4, 7), (8, 11), groups=groups)
    assert [len(part) for part in split.parts.values()] == [4, 4, 4]
    assert len(set(split.groups["test"])) == 1
    assert check_leakage(split).ok
    with pytest.raises(ValueError, match="have 0 sections between them"):
        split_by_section(grey(12, names=PATIENTS), (0, 3), (4, 7), (8, 11))


def test_split_by_section_lets_no_block_reach_from_one_group_into_another():
    split = split_by_section(grey(12, names=PATIENTS), (0, 7), (8, 11), groups=GROUPS[0])
    blocks = tile(split.train, size=(2, 1, 1), stride=1)
    np.testing.assert_array_equal(blocks.section, [0, 1, 2, 4, 5, 6])  # not 3: sections 3 and 4 are of two patients
    assert len(tile(split.train, size=1)) == 8


def test_split_by_fraction_keeps_interleaved_groups_whole():
    names = [f"p{patient}_s{section}" for section in range(4) for patient in range(5)]
    split = split_by_fraction(grey(20, names=names), validation=0.2, test=0.2, groups=r"^p\d")
    assert {part: set(own) for part, own in split.groups.items()} == {
        "train": {"p0", "p1", "p2"},
        "validation": {"p3"},
        "test": {"p4"},
    }
    assert split.sections["validation"] == (3, 8, 13, 18)


def test_split_by_fraction_of_groups_works_without_a_test_part():
    split = split_by_fraction(grey(12, names=PATIENTS), validation=0.3, test=0, groups=r"^p\d")
    assert split.test is None
    assert set(split.groups["validation"]) == {"p3"}


def test_split_by_fraction_refuses_fewer_groups_than_parts():
    with pytest.raises(ValueError, match=r"each part: train, validation, test\. Received: 2 groups, 'p1', 'p2'\."):
        split_by_fraction(grey(8, names=PATIENTS[:8]), groups=r"^p\d")


def test_split_refuses_a_pattern_that_finds_the_section_instead_of_the_patient():
    text = r"the pattern '_s\.\$', with which each of the 4 .*'_s0' and '_s1'\. Change it; .*`gap=0`"
    stack = grey(4, names=PATIENTS[:4])
    with pytest.raises(ValueError, match=text):
        split_by_fraction(stack, groups="_s.$")
    with pytest.raises(ValueError, match=text):
        split_by_section(stack, [0], [1], groups="_s.$")
    assert split_by_section(stack, [0], [1], groups=list("abcd")).groups == {"train": ("a",), "validation": ("b",)}
