"""Small batches for tests of augmentation, what comes back as arrays, and the eight symmetries."""

import keras
import numpy as np

NOTHING = {"flip": False, "rotate90": False}
EVERYTHING = {
    "rotation": 30.0,
    "zoom": 0.2,
    "shear": 10.0,
    "shift": 3.0,
    "elastic": 1.5,
    "elastic_spacing": 12.0,
    "contrast": 0.3,
    "brightness": 0.4,
    "gamma": 0.3,
    "noise": 0.1,
    "blur": 1.0,
    "cutout": 0.3,
}


def arrays(augmentation, *batch):
    """What comes back, as NumPy's arrays."""
    return tuple(keras.ops.convert_to_numpy(part) for part in augmentation(*batch))


def batch(count=4, size=16, channels=1):
    images = np.random.default_rng(0).normal(size=(count, size, size, channels)).astype("float32")
    return images, (images[..., :1] > 0).astype("uint8")


def symmetries(image):
    turned = [np.rot90(image, turns) for turns in range(4)]
    return turned + [np.transpose(one, (1, 0, 2)) for one in turned]
