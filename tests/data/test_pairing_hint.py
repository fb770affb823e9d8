import pytest

from unetdyn.data.pairing import pair_names
from unetdyn.data.pairing_hint import nearest_hint, pair_hint


@pytest.mark.parametrize(
    ("images", "masks", "pair"),
    [
        (["image_1", "image_2"], ["mask_1", "mask_2"], ("image_{}", "mask_{}")),
        (["image_10", "image_11"], ["mask_10", "mask_11"], ("image_{}", "mask_{}")),
        (["1_img", "2_img"], ["1_gt", "2_gt"], ("{}_img", "{}_gt")),
        (["case_001_0000", "case_011_0000"], ["case_001", "case_011"], ("{}_0000", "{}")),
        (["ISIC_1", "ISIC_2"], ["ISIC_1_segmentation", "ISIC_2_segmentation"], ("{}", "{}_segmentation")),
        (["img_cat", "img_cow"], ["msk_cat", "msk_cow"], ("img_{}", "msk_{}")),
        (["a.ome", "b.ome"], ["a", "b"], ("{}.ome", "{}")),
        (["p1/image_1", "p2/image_1"], ["p1/mask_1", "p2/mask_1"], ("image_{}", "mask_{}")),
        (["p1/image_1", "p2/image_2"], ["p1/a", "p1/b", "p2/c"], ("{}/*", "{}/*")),
        (["p1/im1", "p1/im2", "p2/im1"], ["p1/gt1", "p1/gt2", "p2/gt1"], ("im{}", "gt{}")),
    ],
)
def test_pair_hint_names_patterns_that_pair_them(images, masks, pair):
    hint = pair_hint(images, masks)
    assert f'Pass `pair=("{pair[0]}", "{pair[1]}")`' in hint
    assert all(pair_names(images, masks, pair).values())


def test_pair_hint_counts_what_its_patterns_pair():
    images, masks = [f"image_{n}" for n in (1, 2, 3)], [f"mask_{n}" for n in (1, 2)]
    assert pair_hint(images, masks).endswith("which pairs 2 of them.")


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a", "b"], ["c", "d"]),
        (["image_1", "image_2"], ["mask_7", "mask_8"]),
        (["image_1", "image_2", "image_3", "image_4"], ["mask_4", "mask_3"]),
        (["img_1", "img_2"], ["img_01", "img_02"]),
        (["a"], ["a_gt"]),
        (["a", "b"], []),
        ([], []),
    ],
)
def test_pair_hint_is_silent_where_no_pattern_pairs_most(images, masks):
    assert pair_hint(images, masks) == ""


@pytest.mark.parametrize(
    ("image", "mask", "text"),
    [
        ("Img1", "img1", "image 'Img1' and mask 'img1': they differ in upper and lower case."),
        ("img_1", "img_01", "image 'img_1' and mask 'img_01': they differ in the zeros before a number."),
        ("img_1 ", "img_1", "image 'img_1 ' and mask 'img_1': they differ in blanks."),
        ("img 1", "img  1", "image 'img 1' and mask 'img  1': they differ in blanks."),
        ("Img_1 ", "img_01", "image 'Img_1 ' and mask 'img_01': they differ in blanks, case or zeros."),
        ("5\u00b5m", "5\u03bcm", r"image '5\xb5m' and mask '5\u03bcm': they differ in characters that look alike."),
        ("a\u00a01", "a 1", r"image 'a\xa01' and mask 'a 1': they differ in characters that look alike."),
        ("a\u200b1", "a1", r"image 'a\u200b1' and mask 'a1': they differ in characters that look alike."),
        ("p1/a", "a", "image 'p1/a' and mask 'a': they differ in the folder they lie in."),
        ("section_3", "sectoin_3", "image 'section_3' and mask 'sectoin_3'."),
    ],
)
def test_nearest_hint_says_in_what_two_names_differ(image, mask, text):
    assert nearest_hint(["other", image], ["no", mask]) == f"The nearest are {text}"


@pytest.mark.parametrize(("image", "mask"), [("section_3", "section_4"), ("a", "b"), ("a[0]", "b[0]")])
def test_nearest_hint_takes_no_two_sections_for_one(image, mask):
    assert nearest_hint([image], [mask]) == ""
