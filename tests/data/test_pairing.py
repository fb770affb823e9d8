import re

import pytest

from unetdyn.data.pairing import check_pair, pair_names, tell_apart


@pytest.mark.parametrize(
    ("images", "masks", "pair", "expected"),
    [
        (["a", "b"], ["b", "a_mask"], None, {"a": ["a_mask"], "b": ["b"]}),
        (["a[left]"], ["a[left]_Mask"], None, {"a[left]": ["a[left]_Mask"]}),
        (["p1/a", "p2/a"], ["p2/a", "p1/a_label"], None, {"p1/a": ["p1/a_label"], "p2/a": ["p2/a"]}),
        (["image_1", "image_11"], ["mask_11", "mask_1"], ("image_{}", "mask_{}"), {1: [1], 11: [11]}),
        (["1_img", "2_img"], ["1_gt", "2_gt"], ("{}_img", "{}_gt"), {}),
        (["case_1_0000"], ["case_1"], ("{}_0000", "{}"), {}),
        (["ISIC_1"], ["ISIC_1_segmentation"], ("{}", "{}_segmentation"), {}),
        (["a.ome"], ["a"], ("{}.ome", "{}"), {}),
        (["p1/image_1"], ["p1/mask_1"], ("image_{}", "mask_{}"), {}),
        (["a", "b"], ["a_1", "b_1", "a_2"], ("{}", "{}_*"), {"a": ["a_1", "a_2"], "b": ["b_1"]}),
        (["x/x", "y/y"], ["x/f1", "x/0c", "y/aa"], ("{}/*", "{}/*"), {"x/x": ["x/f1", "x/0c"], "y/y": ["y/aa"]}),
        (["(a+b)1"], ["[a+b]1"], ("(a+b){}", "[a+b]{}"), {}),
    ],
)
def test_pair_names_pairs_by_rule(images, masks, pair, expected):
    if not all(isinstance(name, str) for name in expected):
        expected = {f"image_{key}": [f"mask_{value}" for value in values] for key, values in expected.items()}
    expected = expected or {image: [mask] for image, mask in zip(images, masks, strict=True)}
    assert pair_names(images, masks, pair) == expected


@pytest.mark.parametrize(
    ("images", "masks", "pair", "text"),
    [
        (["a"], ["b"], None, "1 images without a mask: 'a'; 1 masks without an image: 'b'. Rename or remove those"),
        (["1"], ["10"], None, "1 images without a mask: '1'; 1 masks without an image: '10'"),
        (
            ["a"],
            ["a", "a_mask"],
            None,
            "two masks for image 'a', one of them 'a_mask'. Remove or rename one; where the",
        ),
        (
            ["a", "x_b"],
            ["b"],
            ("x_{}", "{}"),
            "names of all images. Received: the pattern 'x_{}', which does not suit 'a'",
        ),
        (
            ["a"],
            ["a", "b"],
            ("{}", "{}_gt"),
            "names of all masks. Received: the pattern '{}_gt', which does not suit 'a', 'b'",
        ),
        (
            ["i1"],
            ["m1", "m2"],
            ("i{}", "m{}"),
            "0 images without a mask: nothing; 1 masks without an image: 'm2'. The patterns",
        ),
        (
            ["i1"],
            ["m01"],
            ("i{}", "m{}"),
            "The nearest are image '1' and mask '01': they differ in the zeros before a number.",
        ),
        (["a_1", "a_2"], ["a"], ("{}_*", "{}"), "with which 'a_1' and 'a_2' are both 'a'. Choose a pattern"),
    ],
)
def test_pair_names_refuses_what_no_rule_pairs(images, masks, pair, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        pair_names(images, masks, pair)


@pytest.mark.parametrize("pair", ["image_{}", ("image_{}",), ("a", "b"), ("{}", "{}{}"), (1, 2), 3, ("{}", None)])
def test_check_pair_refuses_what_are_not_two_patterns(pair):
    with pytest.raises(ValueError, match=r"`pair` must be two patterns, .*\(\"image_\{\}\", \"mask_\{\}\"\), or None"):
        check_pair(pair)


@pytest.mark.parametrize(
    ("names", "pair", "images"),
    [
        (["a", "a_mask", "b", "b-label"], None, ["a", "b"]),
        (["a_mask", "b", "b_mask"], None, ["a_mask", "b"]),
        (["1_img", "1_gt"], ("{}_img", "{}_gt"), ["1_img"]),
        (["a", "a_gt"], ("{}", "{}_gt"), ["a"]),
        (["a_rgb", "a"], ("{}_rgb", "{}"), ["a_rgb"]),
        (["p/a", "p/a_gt"], ("{}", "{}_gt"), ["p/a"]),
    ],
)
def test_tell_apart_parts_one_folder(names, pair, images):
    assert tell_apart(names, pair) == (images, [name for name in names if name not in images])


def test_tell_apart_leaves_what_suits_no_pattern_to_the_error():
    pair = ("{}_img", "{}_gt")
    with pytest.raises(ValueError, match=r"which does not suit 'other'"):
        pair_names(*tell_apart(["1_img", "1_gt", "other"], pair), pair)


def test_tell_apart_refuses_two_patterns_that_suit_one_name_alike():
    assert tell_apart(["ab", "ba"], ("a{}", "{}a")) == (["ab"], ["ba"])
    with pytest.raises(ValueError, match=r"must tell images from masks.*both suit 'aba'\. One of them must say more"):
        tell_apart(["ab", "aba"], ("a{}", "{}a"))
