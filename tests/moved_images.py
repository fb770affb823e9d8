"""Images whose place after a transformation is known, and the transformation by hand-made draws."""

import keras
import numpy as np
from scipy import ndimage

from unetdyn.data.augmentation.backend import engine
from unetdyn.data.augmentation.matrices import inverse_matrix

SIDE = 48  # of all images in these tests, so that each backend compiles few shapes


def blobs(count=4, side=SIDE):
    """Smooth images, and masks that are where they are above 0."""
    noise = np.random.default_rng(1).normal(size=(count, side, side))
    images = np.stack([ndimage.gaussian_filter(image, 4, mode="wrap") for image in noise])[..., None]
    return (images / images.std()).astype("float32"), (images > 0).astype("float32")


def discs(row, column, radius=7.0, count=4, side=SIDE):
    """A disc around a place, counted from the centre; grey values fall off linearly over the pixel at its border."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    distance = np.hypot(rows - row, columns - column)
    image = np.clip(radius + 0.5 - distance, 0, 1).astype("float32")
    return np.repeat(image[None, :, :, None], count, 0), np.repeat((image > 0.5)[None, :, :, None], count, 0).astype(
        "float32"
    )


def centre(image):
    """Of mass, counted from the middle of the image."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] - (np.array(image.shape[:2]) - 1)[:, None, None] / 2
    return np.array([(image[..., 0] * rows).sum(), (image[..., 0] * columns).sum()]) / image.sum()


def matrix(count=4, angle=0.0, scale=1.0, shear=0.0, shift=(0.0, 0.0), symmetry=(False, False, False)):
    """Of angles in degrees; one for all samples, or one for each."""
    numbers = (
        np.broadcast_to(np.asarray(each, float), (count,)) for each in (np.radians(angle), scale, np.radians(shear))
    )
    exact = (np.broadcast_to(np.asarray(each), (count,)) for each in symmetry)
    return inverse_matrix(*numbers, np.broadcast_to(np.asarray(shift, float), (count, 2)), *exact)


def move(images, masks, matrix, **elastic):
    """By the backend, as arrays."""
    chosen = engine()
    moved = chosen.move(chosen.tensor(images), chosen.tensor(masks), {}, {"matrix": matrix, **elastic})
    return tuple(keras.ops.convert_to_numpy(part) for part in moved)
