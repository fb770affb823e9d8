import numpy as np
import pytest
from scipy import ndimage

from mask_pictures import areas, smoothed
from unetdyn.data.masks import check_mask_arguments, class_indices, counted, refuse_unmarked


def mask(*values, dtype="uint8"):
    return np.array(values, dtype).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (mask(0, 1), [0, 1]),
        (mask(0, 255), [0, 1]),
        (mask(0, 65535, dtype="uint16"), [0, 1]),
        (mask(0, 1, dtype="float32"), [0, 1]),
        (mask(0, 7), [0, 1]),
        (mask(0, 0), [0, 0]),
        (mask(255, 255), [1, 1]),
        (np.repeat(mask(0, 255), 3, axis=-1), [0, 1]),
    ],
)
def test_class_indices_take_any_one_value_for_foreground(array, expected):
    indices = class_indices(array, "a")
    assert indices.dtype == np.uint8
    assert indices.shape == (1, 2, 1)
    assert indices.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("array", "classes", "text"),
    [
        (mask(0, 1, 2), 1, r"0 and one other value. Received: mask 'a' with 3 values \(0, 1, 2\)\..*pass `classes=3`"),
        (mask(0, 100, 255), 1, r"3 values \(0, 100, 255\).*`mask_threshold=0.5`"),
        (mask(-1, 0, dtype="float32"), 1, r"2 values \(-1, 0\)\. No class index is negative"),
        (areas(0, 255), 3, r"If this is a binary mask, pass `classes=1`; if 255 marks .* pass `ignore=255`"),
        (areas(0, 1, 2, 3, 5), 5, r"If 5 is a class too, pass `classes=6`; if 5 marks .* pass `ignore=5`"),
        (areas(0, 1, 2, -1, dtype="float32"), 3, r"If -1 marks pixels without a label, pass `ignore=-1`"),
        (areas(1, 2, 3), 3, r"No labelled pixel is 0.*begin at 1\. Save `mask - 1`"),
        (smoothed(), 2, r"pass `classes=1` and `mask_threshold=0.5`"),
        (areas(*range(0, 90, 3)), 2, r"numbers of single objects, pass `classes=1` and `foreground='nonzero'`"),
        (mask(*range(0, 200, 20)), 1, r"10 values \(0, 20, 40, 60, 80, 100, …\)"),
        (mask(1, 2), 1, r"mask 'a' with 2 values \(1, 2\)"),
        (mask(0, 1, 3), 3, r"With `classes=3`.*indices 0 to 2 only.*the largest 3\."),
        (mask(0, 255), 2, r"With `classes=2`.*the largest 255\. If this is a binary mask, pass `classes=1`"),
        (mask(0, 0.5, 1, dtype="float32"), 2, r"3 values \(0, 0.5, 1\)"),
        (mask(0, np.nan, dtype="float32"), 1, "NaN"),
        (np.arange(6, dtype="uint8").reshape(1, 2, 3), 1, "with 3 channels that differ"),
    ],
)
def test_class_indices_refuse_values_that_classes_do_not_allow(array, classes, text):
    with pytest.raises(ValueError, match=text):
        class_indices(array, "a", classes)


def test_class_indices_keep_indices_of_several_classes():
    assert class_indices(mask(0, 2, 1), "a", classes=3).ravel().tolist() == [0, 2, 1]


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("uint16", 65535), ("float32", 1.0)])
def test_class_indices_threshold_only_masks_of_more_than_two_values(dtype, most):
    smooth = mask(0, 0.4 * most, 0.6 * most, most, dtype=dtype)
    assert class_indices(smooth, "a", threshold=0.5).ravel().tolist() == [0, 0, 1, 1]
    # The trap: 0 and 1 in an 8-bit file are two values, not two shades of black.
    assert class_indices(mask(0, 1, dtype=dtype), "a", threshold=0.5).ravel().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("array", "threshold", "text"),
    [
        (areas(0, 1, 255), 0.5, r"two values, or greys.*3 values \(0, 1, 255\)\. If 255 marks .* `ignore=255`"),
        (areas(*range(40), dtype="uint16"), 0.5, r"40 values.*`foreground='nonzero'`"),
        (areas(1, 2), 0.5, "the labels begin at 1"),
        (areas(-1, 1, dtype="float32"), 0.5, "No class index is negative"),
        (smoothed(255, "float32"), 0.5, r"Greys that are stored as floats must lie in \[0, 1\]"),
        (
            smoothed(255, "uint16"),
            0.5,
            r"above which there is nothing in mask 'a'.*the largest 255 of 65535\. They reach",
        ),
        (smoothed(100), 0.5, r"there is nothing in mask 'a'.*the largest 100 of 255"),
        (np.maximum(smoothed(), 10), 0.01, r"mask_threshold=0.01, below which there is nothing.*Choose another"),
        (smoothed(), 0.999, None),
    ],
)
def test_class_indices_refuse_a_threshold_that_does_not_divide_greys(array, threshold, text):
    if text is None:
        assert 0 < class_indices(array, "a", threshold=threshold).mean() < 1
        return
    with pytest.raises(ValueError, match=text):
        class_indices(array, "a", threshold=threshold)


def test_class_indices_threshold_a_published_mask_with_one_odd_pixel():
    """As 15.png of the real masks: 0 and 255, and a single 1 that a resize has left; no index beside a void."""
    array = np.kron(np.array([[0, 255], [255, 0]], "uint8"), np.ones((20, 20), "uint8"))[..., np.newaxis]
    array[3, 20] = 1
    assert class_indices(array, "a", threshold=0.5).sum() == 800 - 1
    with pytest.raises(ValueError, match=r"`mask_threshold=0\.5`"):
        class_indices(array, "a")


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (mask(0, 1, 255), {"ignore": 255}, [0, 1, 0]),
        (mask(0, 255), {"ignore": 255}, [0, 0]),
        (mask(1, 255), {"ignore": 255}, [1, 0]),
        (mask(0, 15, 255), {"ignore": 255}, [0, 1, 0]),
        (mask(0, 1, -1, dtype="float32"), {"ignore": -1}, [0, 1, 0]),
        (mask(0, 1, 2, 255), {"ignore": 255, "classes": 3}, [0, 1, 2, 0]),
        (mask(0, 3, 9, 255), {"ignore": 255, "foreground": "nonzero"}, [0, 1, 1, 0]),
        (mask(0, 3, 900, dtype="uint16"), {"foreground": "nonzero"}, [0, 1, 1]),
        (mask(255, 255), {"ignore": 255}, [0, 0]),
    ],
)
def test_class_indices_leave_out_what_is_ignored_and_join_objects(array, options, expected):
    indices = class_indices(array, "a", **options)
    assert indices.dtype == np.uint8
    assert indices.ravel().tolist() == expected


def test_class_indices_join_the_objects_that_scipy_numbered():
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(96, 96)), 4) > 0.02
    numbers = ndimage.label(blobs)[0].astype("uint16")[..., np.newaxis]
    assert numbers.max() > 2
    np.testing.assert_array_equal(class_indices(numbers, "a", foreground="nonzero")[..., 0], blobs)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (smoothed(), r"must hold 0 and the numbers of objects.*`mask_threshold=0.5`"),
        (areas(-1, 0, 1, 2, dtype="float32"), "pass `ignore=-1`"),
        (smoothed(255, "float32"), "stored as floats"),
    ],
)
def test_class_indices_refuse_greys_as_the_numbers_of_objects(array, text):
    with pytest.raises(ValueError, match=text):
        class_indices(array, "a", foreground="nonzero")


def test_class_indices_judge_what_is_left_beside_the_ignored():
    """0 is unlabelled, 1 the background, 2 the object, as interactive tools export it."""
    with pytest.raises(ValueError, match=r"labels begin at 1.*what was 0 and is ignored needs another number"):
        class_indices(areas(0, 1, 2), "a", ignore=0)


def test_counted_are_the_pixels_that_have_a_label():
    assert counted(np.repeat(mask(0, 1, 255), 3, axis=-1), 255).ravel().tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, None, "255", None), r"`ignore` must be the value .*Received: ignore='255'"),
        ((1, None, np.nan, None), r"Received: ignore=nan"),
        ((1, None, True, None), r"Received: ignore=True"),
        ((1, None, None, "all"), r"`foreground` must be one of 'nonzero', None\. Received: foreground='all'"),
        (
            (3, None, None, "nonzero"),
            r"`foreground` must go with `classes=1`.*Received: foreground='nonzero', classes=3",
        ),
        ((3, 0.5, None, None), r"`mask_threshold` must go with `classes=1`"),
        ((1, 0.5, None, "nonzero"), r"`mask_threshold` and `foreground` must not go together"),
        ((1, 1.0, None, None), r"`mask_threshold` must lie between 0 and 1, without 1, or None"),
    ],
)
def test_check_mask_arguments_refuses_what_does_not_go_together(arguments, text):
    with pytest.raises(ValueError, match=text):
        check_mask_arguments(*arguments)


def test_refuse_unmarked_wants_two_classes_among_the_pixels_that_count():
    masks = np.zeros((2, 2, 2, 1), "uint8")
    masks[0] = 1
    refuse_unmarked(masks, None)
    with pytest.raises(ValueError, match=r"Received: 1 masks, all foreground; check"):
        refuse_unmarked(masks[:1], None)
    with pytest.raises(ValueError, match=r"1 masks, all of class 2"):
        refuse_unmarked(2 * masks[:1], None)
    with pytest.raises(ValueError, match=r"1 masks, all background"):
        refuse_unmarked(masks[1:], None)
    refuse_unmarked(masks[1:], None, background=False)
    with pytest.raises(ValueError, match=r"2 masks, all foreground.*and that `ignore` is not the value"):
        refuse_unmarked(masks, masks)
    with pytest.raises(ValueError, match=r"without any pixel that has a label"):
        refuse_unmarked(masks, 0 * masks)
