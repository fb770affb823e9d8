import numpy as np
import pytest

from grey_stacks import GROUPS, PATIENTS, grey, noise
from unetdyn.data import Split, check_leakage, check_tile_leakage, split_by_section, tile


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


@pytest.mark.parametrize("groups", GROUPS)
def test_check_leakage_finds_groups_in_two_parts(groups):
    split = split_by_section(grey(12, names=PATIENTS), (0, 5), (7, 7))
    assert check_leakage(split).ok
    report = check_leakage(split, groups=groups)
    assert report.findings == ("Group 'p2' gives 2 sections to train and 1 to validation.",)
    assert report.notes == ()


def test_check_leakage_of_parts_from_two_folders_takes_names_but_no_list():
    stack = grey(12, names=PATIENTS)
    split = Split(stack.take(range(6)), stack.take([7]), None, {})
    assert len(check_leakage(split, groups=GROUPS[0]).findings) == 1
    with pytest.raises(ValueError, match=r"does not know its `sections`\. Received: a list\. Pass `dict\(zip"):
        check_leakage(split, groups=GROUPS[2])


def test_check_leakage_refuses_a_list_that_is_too_short():
    split = split_by_section(grey(12, names=PATIENTS), (0, 5), (7, 7))
    with pytest.raises(ValueError, match=r"a group to each of the 8 sections\. Received: 3 groups"):
        check_leakage(split, groups=[1, 2, 3])


def test_check_leakage_notes_names_that_look_like_groups_and_stays_ok():
    report = check_leakage(split_by_section(grey(12, names=PATIENTS), (0, 5), (7, 7)))
    assert report.ok
    assert str(report).splitlines() == ["No leakage found.", report.notes[0]]
    assert "'p2' is one patient or specimen" in report.notes[0]
    assert check_leakage(split_by_section(grey(12), (0, 5), (7, 7))).notes == ()


@pytest.mark.parametrize("groups", GROUPS[:2])
def test_check_tile_leakage_finds_groups_in_two_sets(groups):
    split = split_by_section(grey(12, size=4, names=PATIENTS), (0, 5), (7, 7))
    train, validation = tile(split.train, 2), tile(split.validation, 2)
    plain = check_tile_leakage(train, validation)
    assert plain.ok
    assert "'p2' is one patient" in plain.notes[0]
    assert check_tile_leakage(train, validation, groups).findings == (
        "Group 'p2' gives 2 sections to train and 1 to validation.",
    )


def test_check_tile_leakage_refuses_a_list_of_groups():
    tiles = tile(grey(2, size=4), size=2)
    with pytest.raises(TypeError, match=r"a pattern on the sections' names or a mapping.*Received: list\. Pass `dict"):
        check_tile_leakage(tiles, tiles, [1, 2])


def test_check_tile_leakage_finds_tiles_drawn_at_random():
    tiles = tile(grey(4, size=4), size=2)
    drawn = np.random.default_rng(0).permutation(len(tiles))
    report = check_tile_leakage(tiles.take(drawn[:12]), tiles.take(drawn[12:]))
    shared = set(tiles.section[drawn[:12]]) & set(tiles.section[drawn[12:]])
    assert len(report.findings) == len(shared) > 0


def test_check_tile_leakage_passes_a_split_by_section():
    split = split_by_section(grey(6, size=4), (0, 2), (4, 5))
    assert check_tile_leakage(tile(split.train, 2), tile(split.validation, 2)).ok
