import numpy as np
import pytest

from unetdyn.data.masks import class_indices


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
