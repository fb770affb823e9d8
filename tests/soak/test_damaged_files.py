"""Images and models damaged in any way are read, or refused in one sentence."""

import io
import json
import random
import zipfile

import numpy as np
import tifffile
from PIL import Image

from damage import Bearing, damaged, reshaped, seeds
from unetdyn.data import read_image, read_stack
from unetdyn.runs import RunError
from unetdyn.runs.model_file import check_model_file

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def pillow(kind, mode="L", **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, kind, **options)
    return file.getvalue()


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


FILES = {
    "grey.png": pillow("PNG"),
    "colour.png": pillow("PNG", "RGB"),
    "palette.png": pillow("PNG", "P"),
    "photo.jpg": pillow("JPEG"),
    "plain.tif": tiff(PIXELS),
    "lzw.tif": tiff(np.stack([PIXELS, PIXELS]), compression="lzw"),
    "imagej.tif": tiff(np.stack([PIXELS, PIXELS]).astype(np.uint16), imagej=True),
    "tiled.tif": tiff(np.zeros((32, 32), np.float32), tile=(16, 16)),
}


def test_damaged_image_is_read_or_refused(tmp_path):
    bearing = Bearing()
    for seed in seeds(0.075):
        chance = random.Random(seed)
        name = chance.choice(list(FILES))
        path = tmp_path / name
        path.write_bytes(damaged(chance, FILES[name]))
        with bearing.of(f"seed {seed}: {name}"):
            assert chance.choice((read_image, lambda file: read_stack(file)[0]))(path).size
    assert bearing.counts["read"] > 0.1 * bearing.counts["tries"]


def model_file(description):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(description))
    return file.getvalue()


LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}, "registered_name": None}
MODEL = {"module": "keras", "class_name": "Sequential", "config": {"layers": [LAYER, LAYER]}, "registered_name": None}


def test_damaged_model_is_let_through_or_refused(tmp_path):
    path, bearing = tmp_path / "model.keras", Bearing()
    for seed in seeds(0.075):
        chance = random.Random(seed)
        whole = chance.random() < 0.5
        path.write_bytes(model_file(reshaped(chance, MODEL)) if whole else damaged(chance, model_file(MODEL)))
        with bearing.of(f"seed {seed}", RunError):
            check_model_file(path)
