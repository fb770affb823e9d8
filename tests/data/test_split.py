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
    """Sections of one grey level each: section `i` is grey level `i`."""
    images = np.broadcast_to(np.arange(sections, dtype="uint16")[:, None, None, None], (sections, size, size, 1))
    names = names or tuple(f"s{index}" for index in range(sections))
    return Stack(images.copy(), np.zeros(images.shape, "uint8"), tuple(names))


def noise(names, size=4):
    """Sections of noise, which all differ."""
    images = np.random.default_rng(0).integers(0, 255, (len(names), size, size, 1), dtype="uint8")
    return Stack(images, np.zeros_like(images), tuple(names))


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
    stack = noise([f"s{index}" for index in range(6)])
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
    stack = noise([f"s{index}" for index in range(6)])
    split = Split(stack.take([0, 1]), stack.take([1, 2]), stack.take([4]), {"train": (0, 1), "validation": (1, 2)})
    report = check_leakage(split)
    assert not report.ok
    assert str(report).splitlines() == [
        "train and validation share the sections 1.",
        "train 's1' and validation 's1' are the same image.",
    ]
    assert str(check_leakage(Split(stack.take([0]), stack.take([2]), None, {}))) == "No leakage found."


def test_check_leakage_does_not_mind_an_image_twice_in_one_part():
    stack = noise("abc")
    assert check_leakage(Split(stack.take([0, 0]), stack.take([2]), None, {})).ok


def test_split_by_section_lets_blank_end_slices_be():
    stack = noise("abcdef")
    stack.images[[0, 5]] = 7
    assert split_by_section(stack, (0, 2), (4, 5)).validation.names == ("e", "f")


PATIENTS = [f"p{patient}_s{section}" for patient in (1, 2, 3) for section in range(4)]
FORMS = [
    r"^(p\d)_",
    {name: name[:2] for name in PATIENTS},
    [name[:2] for name in PATIENTS],
    np.repeat([1, 2, 3], 4),
]


@pytest.mark.parametrize("groups", FORMS)
def test_split_by_section_refuses_a_group_in_two_parts(groups):
    with pytest.raises(ValueError, match=r"Group '?p?2'? gives 2 sections to train and 1 to validation\..*each group"):
        split_by_section(make(12, names=PATIENTS), (0, 5), (7, 7), groups=groups)


@pytest.mark.parametrize("groups", FORMS)
def test_split_by_section_wants_no_gap_between_groups(groups):
    split = split_by_section(make(12, names=PATIENTS), (0, 3), (4, 7), (8, 11), groups=groups)
    assert [len(part) for part in split.parts.values()] == [4, 4, 4]
    assert len(set(split.groups["test"])) == 1
    assert check_leakage(split).ok
    with pytest.raises(ValueError, match="have 0 sections between them"):
        split_by_section(make(12, names=PATIENTS), (0, 3), (4, 7), (8, 11))


def test_split_by_fraction_keeps_interleaved_groups_whole():
    names = [f"p{patient}_s{section}" for section in range(4) for patient in range(5)]
    split = split_by_fraction(make(20, names=names), validation=0.2, test=0.2, groups=r"^p\d")
    assert {part: set(own) for part, own in split.groups.items()} == {
        "train": {"p0", "p1", "p2"},
        "validation": {"p3"},
        "test": {"p4"},
    }
    assert split.sections["validation"] == (3, 8, 13, 18)


def test_split_by_fraction_of_groups_works_without_a_test_part():
    split = split_by_fraction(make(12, names=PATIENTS), validation=0.3, test=0, groups=r"^p\d")
    assert split.test is None
    assert set(split.groups["validation"]) == {"p3"}


def test_split_by_fraction_refuses_fewer_groups_than_parts():
    with pytest.raises(ValueError, match=r"each part: train, validation, test\. Received: 2 groups, 'p1', 'p2'\."):
        split_by_fraction(make(8, names=PATIENTS[:8]), groups=r"^p\d")


@pytest.mark.parametrize("groups", FORMS)
def test_check_leakage_finds_groups_in_two_parts(groups):
    split = split_by_section(make(12, names=PATIENTS), (0, 5), (7, 7))
    assert check_leakage(split).ok
    report = check_leakage(split, groups=groups)
    assert [finding.replace("'", "").replace("p", "") for finding in report.findings] == [
        "Grou 2 gives 2 sections to train and 1 to validation."
    ]
    assert report.notes == ()


def test_check_leakage_of_parts_from_two_folders_takes_names_but_no_list():
    stack = make(12, names=PATIENTS)
    split = Split(stack.take(range(6)), stack.take([7]), None, {})
    assert len(check_leakage(split, groups=FORMS[0]).findings) == 1
    with pytest.raises(ValueError, match=r"does not know its `sections`\. Received: a list\. Pass `dict\(zip"):
        check_leakage(split, groups=FORMS[2])


def test_check_leakage_refuses_a_list_that_is_too_short():
    split = split_by_section(make(12, names=PATIENTS), (0, 5), (7, 7))
    with pytest.raises(ValueError, match=r"a group to each of the 8 sections\. Received: 3 groups"):
        check_leakage(split, groups=[1, 2, 3])


def test_check_leakage_notes_names_that_look_like_groups_and_stays_ok():
    report = check_leakage(split_by_section(make(12, names=PATIENTS), (0, 5), (7, 7)))
    assert report.ok
    assert str(report).splitlines() == ["No leakage found.", report.notes[0]]
    assert "'p2' is one patient or specimen" in report.notes[0]
    assert check_leakage(split_by_section(make(12), (0, 5), (7, 7))).notes == ()


@pytest.mark.parametrize("groups", FORMS[:2])
def test_check_tile_leakage_finds_groups_in_two_sets(groups):
    split = split_by_section(make(12, size=4, names=PATIENTS), (0, 5), (7, 7))
    train, validation = tile(split.train, 2), tile(split.validation, 2)
    plain = check_tile_leakage(train, validation)
    assert plain.ok
    assert "'p2' is one patient" in plain.notes[0]
    assert check_tile_leakage(train, validation, groups).findings == (
        "Group 'p2' gives 2 sections to train and 1 to validation.",
    )


def test_check_tile_leakage_refuses_a_list_of_groups():
    tiles = tile(make(2, size=4), size=2)
    with pytest.raises(TypeError, match=r"a pattern on the sections' names or a mapping.*Received: list\. Pass `dict"):
        check_tile_leakage(tiles, tiles, [1, 2])


def test_check_tile_leakage_finds_tiles_drawn_at_random():
    tiles = tile(make(4, size=4), size=2)
    drawn = np.random.default_rng(0).permutation(len(tiles))
    report = check_tile_leakage(tiles.take(drawn[:12]), tiles.take(drawn[12:]))
    shared = set(tiles.section[drawn[:12]]) & set(tiles.section[drawn[12:]])
    assert len(report.findings) == len(shared) > 0


def test_check_tile_leakage_passes_a_split_by_section():
    split = split_by_section(make(6, size=4), (0, 2), (4, 5))
    assert check_tile_leakage(tile(split.train, 2), tile(split.validation, 2)).ok
