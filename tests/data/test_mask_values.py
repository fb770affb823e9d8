import io

import numpy as np
import pytest
from PIL import Image

from mask_pictures import areas, smoothed
from unetdyn.data.mask_values import advice, kind_of


def through_jpeg(array, quality):
    file = io.BytesIO()
    Image.fromarray(array[..., 0]).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))[..., np.newaxis]


def resized(array, how):
    return np.asarray(Image.fromarray(array[..., 0]).resize((31, 27), how))[..., np.newaxis]


HARD = np.where(smoothed() > 127, 255, 0).astype("uint8")
MIXED = np.asarray(Image.fromarray(areas(0, 80, 240, 160, side=30)[..., 0]).rotate(10, Image.BICUBIC))

KINDS = [
    *[("smoothed", through_jpeg(HARD, quality)) for quality in (30, 75, 95)],
    *[("smoothed", resized(HARD, how)) for how in (Image.BILINEAR, Image.BICUBIC, Image.LANCZOS, Image.BOX)],
    ("smoothed", smoothed()),
    ("smoothed", smoothed(65535, "uint16")),
    ("smoothed", smoothed(1, "float32")),
    ("soft", smoothed(255, "uint16")),
    ("soft", smoothed(1023, "uint16")),
    ("soft", smoothed(90)),
    ("soft", smoothed(0.4, "float32")),
    ("unscaled", smoothed(255, "float32")),
    ("unscaled", np.rint(smoothed(255, "float32"))),
    ("negative", areas(-1, 1, dtype="float32")),
    ("negative", areas(-1, 0, 1, dtype="float32")),
    ("void", areas(0, 1, 255)),
    ("void", areas(0, 15, 255)),
    ("void", areas(0, 1, 2, 65535, dtype="uint16")),
    ("void", areas(1, 2, 255)),
    ("void", areas(1, 255)),
    ("void", np.array([0, 15, 255], "uint8").reshape(1, 3, 1)),
    ("pair", areas(10, 250)),
    ("all_ones", areas(7, 2**64, dtype="float32")),
    ("all_ones", areas(0, 7, 9, 2**32, dtype="float32")),
    ("pair", areas(100, 200, dtype="float32")),
    ("from_one", areas(1, 2)),
    ("from_one", areas(1, 2, 3)),
    ("indices", areas(0, 1, 2)),
    ("levels", areas(0, 128, 255)),
    ("levels", areas(0, 85, 170, 255)),
    ("levels", areas(0, 0.5, 1, dtype="float32")),
    ("divided", areas(*(np.arange(4) / 255), dtype="float32")),
    ("objects", areas(*range(40))),
    ("objects", areas(*range(0, 700, 7), dtype="uint16")),
    ("objects", areas(*range(40), dtype="float32")),
    ("objects", areas(*range(200, 230))),
    ("mixed", MIXED[..., np.newaxis]),
    ("binary", areas(0, 7)),
]


@pytest.mark.parametrize(("kind", "array"), KINDS, ids=[f"{kind}-{place}" for place, (kind, _) in enumerate(KINDS)])
def test_kind_of_tells_masks_apart_and_only_greys_are_told_of_a_threshold(kind, array):
    values = np.unique(array)
    assert kind_of(array, values) == kind
    hint = advice(kind, values, array.dtype)
    assert ("mask_threshold" in hint) == (kind in ("smoothed", "unscaled"))


@pytest.mark.parametrize(
    ("values", "kind", "parts"),
    [
        ([0, 1, 255], "void", ["`ignore=255`."]),
        ([0, 1, 2, 255], "void", ["`ignore=255` and `classes=3`, or `foreground='nonzero'`"]),
        ([0, 3, 9, 255], "void", ["`ignore=255` and `foreground='nonzero'`"]),
        ([1, 255], "void", ["`ignore=255`; if it is the object and 1 the background, save `mask > 1`."]),
        ([7, 2.0**64], "all_ones", ["2**64 - 1", "mask.max(), 0, mask)`", "`ignore=18446744073709551615`"]),
        ([10, 250], "pair", ["save `mask > 10`"]),
        ([1, 2], "from_one", ["begin at 1", "`mask - 1`", "`mask == 1` if it is the object"]),
        ([1, 2, 3], "from_one", ["`mask - 1` if 1 is the background."]),
        ([0, 1, 2], "indices", ["`classes=3`", "`foreground='nonzero'`"]),
        ([0, 128, 255], "levels", ["indices 0 to 2", "`ignore`", "`foreground='nonzero'`"]),
        ([0, 1 / 255, 3 / 255], "divided", ["over 255, the largest 3"]),
        ([-1, 0, 1], "negative", ["`ignore=-1`", "`mask > 0`"]),
    ],
)
def test_advice_names_what_to_pass(values, kind, parts):
    hint = advice(kind, np.array(values), np.dtype("uint8"))
    assert [part for part in parts if part not in hint] == []
