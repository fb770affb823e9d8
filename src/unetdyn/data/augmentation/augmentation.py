"""The class that a user makes: which changes, how strong, and the batch by `(seed, epoch, batch)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from unetdyn._checks import check_count, check_positive, check_range
from unetdyn.data.augmentation.backend import engine
from unetdyn.data.augmentation.blur import blur_radius
from unetdyn.data.augmentation.draws import draw
from unetdyn.data.augmentation.symmetries import turned_on_host

Tensor = Any


class Augmentation:
    """Random transformations of a batch of images with their masks, compiled for the device that trains.

    In this order: flips, quarter turns; shear, zoom, rotation, shift and elastic deformation; blur, gamma, contrast,
    brightness, noise, cutout. Each sample has its own draw, which depends on `(seed, epoch, batch)` and the sample's
    place in the batch only, and is the same on all backends and devices, so a resumed run sees the batches of an
    uninterrupted one.

    Flips and quarter turns are exact, and where nothing else of the geometry is asked for, no pixel is interpolated.
    All else is one resampling about the centre of the tile: images bilinear, masks by their nearest pixel, so 0/1 stays
    0/1. Beyond the border both are continued by their mirror image (d c b a | a b c d | d c b a). What changes grey
    values leaves masks alone.

    Tiles in 3D, `(batch, depth, height, width, channels)`, are changed as one: all sections of a tile are flipped,
    turned and moved alike, in their plane, and `flip` also reverses their order with probability ½. Contrast, gamma and
    cutout go by each section's own values, and noise is drawn for each voxel.

    Args:
        flip: Mirror left and right, and up and down, each with probability ½ (default): sections have no top. In 3D
            also front and back.
        rotate90: Swap rows and columns with probability ½ (default). With `flip` all eight symmetries of the square
            are drawn alike; these are exact, no grey value is invented. Needs square tiles.
        rotation: Largest rotation in degrees, either way. Default 0: it blurs by interpolating, and its corners are
            mirrored tissue that does not exist.
        zoom: Largest change of scale as a fraction, either way; default 0.
        contrast: Largest change of contrast about the image's mean, as a fraction in [0, 1]; default 0.
        brightness: Largest shift of the grey values, in the images' own unit (standard deviations after
            `normalise`); default 0.
        noise: Standard deviation of the Gaussian noise that is added, in the same unit; default 0.
        seed: Whole number ≥ 0.
        shear: Largest shear in degrees, either way, at most 60; default 0. Rows slide by the angle's tangent times
            their distance from the centre.
        shift: Largest shift in pixels, either way along each axis; default 0. Fractions of a pixel are drawn too.
        elastic: Standard deviation in pixels of the displacement along each axis, by a smooth random field: cubic
            B-splines through a coarse grid. At most an eighth of `elastic_spacing`; coefficients that would fold tissue
            over are cut off, at two standard deviations there and further out below it. Between the grid's points it
            is up to 8 % smaller. Default 0.
        elastic_spacing: Distance of the grid's points in pixels, default 32: how far tissue moves as one.
        gamma: Largest change of the exponent as a fraction: values, taken from the least to the largest of each channel
            as 0 to 1, are raised to a power between 1 / (1 + gamma) and 1 + gamma, even on a logarithmic scale.
            Default 0.
        blur: Largest σ of a Gaussian blur in pixels; each between 0 and it is drawn alike. Default 0.
        cutout: Largest side of a box in which the image is its own mean, as a fraction of the tile's side in [0, 1];
            height, width and place are drawn alike. The mask stays: the network is to guess what was there. Default 0.

    Raises:
        ValueError: Where a number is out of its range; when called, where images and masks do not agree.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from unetdyn.data import Augmentation
        >>> augmentation = Augmentation(rotation=10.0, elastic=1.0, seed=1)
        >>> images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
        >>> masks = (images > 0).astype("float32")
        >>> first, again = (augmentation(images, masks, epoch=0, batch=3) for _ in range(2))
        >>> bool(keras.ops.all(first[0] == again[0])), np.unique(keras.ops.convert_to_numpy(first[1])).tolist()
        (True, [0.0, 1.0])
    """

    def __init__(
        self,
        flip: bool = True,
        rotate90: bool = True,
        rotation: float = 0.0,
        zoom: float = 0.0,
        contrast: float = 0.0,
        brightness: float = 0.0,
        noise: float = 0.0,
        seed: int = 0,
        shear: float = 0.0,
        shift: float = 0.0,
        elastic: float = 0.0,
        elastic_spacing: float = 32.0,
        gamma: float = 0.0,
        blur: float = 0.0,
        cutout: float = 0.0,
    ) -> None:
        check_range("rotation", rotation, 0, 180)
        check_range("zoom", zoom, 0, 0.99)
        check_range("contrast", contrast, 0, 1)
        check_range("brightness", brightness, 0)
        check_range("noise", noise, 0)
        check_count("seed", seed, least=0, unit="")
        check_range("shear", shear, 0, 60)
        check_range("shift", shift, 0)
        check_positive("elastic_spacing", elastic_spacing)
        check_range("elastic", elastic, 0)
        if elastic > elastic_spacing / 8:
            raise ValueError(
                "`elastic` must be at most an eighth of `elastic_spacing`, or tissue would fold over. Received: "
                f"elastic={elastic:g}, elastic_spacing={elastic_spacing:g}. Widen the grid to {8 * elastic:g} pixels."
            )
        check_range("gamma", gamma, 0)
        check_range("blur", blur, 0)
        check_range("cutout", cutout, 0, 1)
        self.seed = seed
        self.flip, self.rotate90 = flip, rotate90
        self.settings = {"flip": flip, "rotate90": rotate90, "rotation": rotation, "zoom": zoom}
        self.settings |= {"contrast": contrast, "brightness": brightness, "noise": noise, "seed": seed}
        self.settings |= {"shear": shear, "shift": shift, "elastic": elastic, "elastic_spacing": elastic_spacing}
        self.settings |= {"gamma": gamma, "blur": blur, "cutout": cutout}

    def __call__(self, images: np.ndarray, masks: np.ndarray, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """The batch transformed by the draw of `(seed, epoch, batch)`.

        Args:
            images: Array of shape `(batch, height, width, channels)`, in 3D `(batch, depth, height, width, channels)`.
            masks: The same with 1 channel; further channels, such as weights, are moved alike.
            epoch: Number of the epoch, from 0.
            batch: Number of the batch in the epoch, from 0.

        Returns:
            Images and masks as `float32` tensors of Keras' backend, of the same shapes, on the device that it computes
            on. `keras.ops.convert_to_numpy` makes arrays of them.
        """
        self._check(images, masks)
        exact, geometry, greys = draw(self.settings, images.shape, epoch, batch)
        chosen = engine()
        if chosen.on_host():
            images, masks = turned_on_host(images, exact), turned_on_host(masks, exact)
            exact = {}
        images, masks = (chosen.tensor(np.ascontiguousarray(part, np.float32)) for part in (images, masks))
        if exact or geometry:
            images, masks = chosen.move(images, masks, exact, geometry)
        return (chosen.grey(images, greys) if greys else images), masks

    def _check(self, images: np.ndarray, masks: np.ndarray) -> None:
        if images.shape[:-1] != masks.shape[:-1] or images.ndim not in (4, 5):
            raise ValueError(
                "`images` and `masks` must have shapes (batch, height, width, channels), or with depth before height, "
                f"that agree but in the last. Received: images.shape={images.shape}, masks.shape={masks.shape}."
            )
        if self.rotate90 and images.shape[-3] != images.shape[-2]:
            raise ValueError(
                f"`rotate90=True` needs square images. Received: images.shape={images.shape}. Pass `rotate90=False`."
            )
        blur = self.settings["blur"]
        if blur_radius(blur) > min(images.shape[-3:-1]):
            raise ValueError(
                f"`blur` must be at most a quarter of the images' sides. Received: blur={blur:g}, "
                f"images.shape={images.shape}."
            )
