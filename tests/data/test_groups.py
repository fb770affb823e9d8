import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.data import read_groups
from unetdyn.data.groups import group_names, share_out, suggest_groups

NAMES = ["p01_s1", "p01_s2", "p02_s1"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (r"^(p\d+)_", ("p01", "p01", "p02")),
        (r"p\d+", ("p01", "p01", "p02")),
        (r"^p(\d)(\d)", ("0/1", "0/1", "0/2")),
        (["x", "x", "y"], ("x", "x", "y")),
        (np.array([7, 7, 8]), (7, 7, 8)),
        ({"p01_s1.png": "x", "p01_s2.tif": "x", "p02_s1": "y", "else": "z"}, ("x", "x", "y")),
    ],
)
def test_group_names_takes_patterns_mappings_and_lists(groups, expected):
    assert group_names(NAMES, groups) == expected


def test_group_names_takes_a_column_of_a_table():
    pandas = pytest.importorskip("pandas")
    assert group_names(NAMES, pandas.Series([1, 1, 2], index=[5, 6, 7])) == (1, 1, 2)
    with pytest.raises(ValueError, match=r"a list without one for 'p01_s2', 'p02_s1'\."):
        group_names(NAMES, pandas.Series(["a", None, pandas.NA]))


def test_group_names_gives_pages_the_group_of_their_file():
    assert group_names(["a[0]", "a[1]", "b[0]"], {"a": 1, "b[0]": 2}) == (1, 1, 2)


def test_group_names_knows_a_name_in_any_form_of_unicode():
    names = [unicodedata.normalize("NFC", "Müller")]
    assert group_names(names, {unicodedata.normalize("NFD", "Müller"): 1}) == (1,)


def test_group_names_keeps_names_with_a_point_apart():
    assert group_names(["a.v1", "a.v2"], {"a.v1": 1, "a.v2": 2}) == (1, 2)


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        (r"^(q\d+)_", ValueError, r"the pattern '.*', which finds nothing in 'p01_s1', 'p01_s2', 'p02_s1'\."),
        (r"_(z*)", ValueError, "which finds nothing in"),
        ("(p", ValueError, r"must be a regular expression such as r'.*', or .*Received: groups='\(p' \(missing"),
        ({"p01_s1": 1}, ValueError, r"the groups of 1 names \('p01_s1'\), without one for 'p01_s2', 'p02_s1'"),
        ([1, float("nan"), 2], ValueError, "a list without one for 'p01_s2'"),
        ([1, 2], ValueError, r"to each of the 3 sections\. Received: 2 groups"),
        ({1, 2, 3}, TypeError, r"must be a pattern on names, a mapping.*Received: set\."),
        (3, TypeError, r"Received: int\."),
    ],
)
def test_group_names_refuses_what_leaves_a_section_without_group(groups, error, text):
    with pytest.raises(error, match=text):
        group_names(NAMES, groups)


def off_target(sizes, chosen, target):
    return abs(sum(sizes[group] for group in chosen) - target)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=7), st.floats(0.05, 0.6), st.floats(0.05, 0.35))
@settings(deadline=None, max_examples=60)
def test_share_out_comes_as_near_as_brute_force(sizes, validation, test):
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    targets = {"test": test * len(groups), "validation": validation * len(groups)}
    parts = share_out(groups, targets)
    of_part = {part: {groups[section] for section in own} for part, own in parts.items()}
    assert sorted(itertools.chain(*parts.values())) == list(range(len(groups)))
    assert sum(map(len, of_part.values())) == len(sizes)
    free = set(range(len(sizes)))
    for part, leave in (("test", 2), ("validation", 1)):
        choices = [c for count in range(1, len(free) - leave + 1) for c in itertools.combinations(free, count)]
        nearest = min(off_target(sizes, choice, targets[part]) for choice in choices)
        assert off_target(sizes, of_part[part], targets[part]) == pytest.approx(nearest)
        free -= of_part[part]


def test_share_out_takes_the_later_of_equal_groups():
    assert share_out("aabbccdd", {"test": 2, "validation": 2}) == {
        "train": (0, 1, 2, 3),
        "validation": (4, 5),
        "test": (6, 7),
    }


def test_share_out_copes_with_many_groups():
    groups = [section // 10 for section in range(3000)]
    parts = share_out(groups, {"test": 600.0, "validation": 450.0})
    assert {part: len(own) for part, own in parts.items()} == {"train": 1950, "validation": 450, "test": 600}


@pytest.mark.parametrize(
    ("train", "validation", "group"),
    [
        (["p01_s003", "p02_s001"], ["p01_s004"], "p01"),
        (["p01/s003", "p02/s001"], ["p02/s002"], "p02"),
        (["a[0]", "b[0]"], ["b[1]"], "b"),
        (["mouse A-3", "mouse B-1"], ["mouse B-2"], "mouse B"),
    ],
)
def test_suggest_groups_names_what_two_parts_share(train, validation, group):
    sentence = suggest_groups({"train": train, "validation": validation})
    assert f"if {group!r} is one patient or specimen" in sentence
    pattern = sentence.split("here r'")[1].removesuffix("'.")
    assert group in group_names([*train, *validation], pattern)


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        (["00", "01"], ["03"]),
        (["slice_001", "slice_002"], ["slice_004"]),
        (["p01_s1", "p01_s2"], ["p02_s1"]),
        (["cat", "dog"], ["cow"]),
    ],
)
def test_suggest_groups_is_silent_where_names_share_nothing_of_their_own(train, validation):
    assert suggest_groups({"train": train, "validation": validation}) == ""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_read_groups_reads_what_spreadsheets_write(tmp_path, separator, encoding):
    rows = [["image", "age", "patient"], ["a.png", "40", " 7"], ["p/b.TIF", "50", "8"], ["", "", ""]]
    text = "\n".join(separator.join(row) for row in rows)
    (tmp_path / "t.csv").write_text(text, encoding=encoding)
    assert read_groups(tmp_path / "t.csv", "patient") == {"a": "7", "p/b": "8"}
    assert read_groups(tmp_path / "t.csv", "image", names="age") == {"40": "a.png", "50": "p/b.TIF"}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", {}, r"`column` must be a column of '.*t\.csv': it has none\. Received: column='patient'\."),
        ("file,patiant\na,1", {}, r"'file', 'patiant'\. Received: column='patient'\. Did you mean 'patiant'\?"),
        ("file,patient\na,1", {"names": "name"}, r"`names` must be a column .*Received: names='name'"),
        ("file,patient\na,1\nb,", {}, r"Received: line 3 of '.*' with file='b', patient=''\. Fill it in"),
        ("file,patient\na,1\nb", {}, r"line 3 of '.*' with file='b', patient=''"),
        ("file,patient\na,1\na.png,2", {}, r"'a\.png' in line 3 of '.*' with the group '2', and before with '1'"),
    ],
)
def test_read_groups_refuses_a_table_that_leaves_a_group_open(tmp_path, text, options, expected):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=expected):
        read_groups(tmp_path / "t.csv", "patient", **options)


def test_read_groups_refuses_a_path_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a table of the images' groups\. Received: path='.*', which is no"):
        read_groups(tmp_path / "t.csv", "patient")


def test_read_groups_refuses_a_table_in_another_encoding(tmp_path):
    (tmp_path / "t.csv").write_bytes("file,patient\nM\xfcller,1".encode("cp1252"))
    with pytest.raises(ValueError, match=r"must be a table in UTF-8\. Received: path='.*' \(.*\)\. Save it as CSV"):
        read_groups(tmp_path / "t.csv", "patient")
