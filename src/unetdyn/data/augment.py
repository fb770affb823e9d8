"""Augmentation: image and mask transformed together, by a draw from the seed, the epoch and the batch alone."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from unetdyn._checks import check_count, check_range

# Keras' colour layers clip to a value range, and scale their factor by it. Normalised images have no such range, so
# the layers are given one that no image reaches.
_UNBOUNDED = 1e6

Step = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


class Augmentation:
    """Random transformations of a batch of images with their masks, built on Keras' preprocessing layers.

    In this order: flips, quarter turns, rotation, zoom, contrast, brightness, noise. Each sample has its own draw.
    Masks follow the geometry by nearest neighbour, so 0/1 stays 0/1; grey values and noise leave them alone. On a given
    backend the draw depends on `(seed, epoch, batch)` only, so a resumed run sees the batches of an uninterrupted one:
    Keras' layers keep no state here, they are given a seed for each batch (`get_random_transformation`). All of it runs
    on the CPU, whatever device trains.

    Tiles in 3D, `(batch, depth, height, width, channels)`, are changed as one: all sections of a tile are flipped,
    turned and shifted alike, in their plane, and `flip` also reverses their order with probability ½. Contrast changes
    about each section's own mean.

    Elastic deformation is left out: Keras 3.15's `RandomElasticTransform` draws one distortion for the whole batch,
    clips masks to the images' value range and, given a seed, decides whether to act by comparing two equal numbers.

    Flips and quarter turns cost little. Rotation and zoom interpolate and cost several times as much, most on PyTorch,
    whose affine transform in Keras loops over images.

    Args:
        flip: Mirror left and right, and up and down, each with probability ½ (default): sections have no top. Keras'
            `"horizontal_and_vertical"` does both or neither, so two layers are used. In 3D also front and back.
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

    Raises:
        ValueError: Where a number is out of its range; when called, where images and masks do not agree.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Augmentation
        >>> augmentation = Augmentation(rotation=10.0, seed=1)
        >>> images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
        >>> masks = (images > 0).astype("float32")
        >>> first = augmentation(images, masks, epoch=0, batch=3)
        >>> again = augmentation(images, masks, epoch=0, batch=3)
        >>> bool((first[0] == again[0]).all()), sorted(np.unique(first[1]).tolist())
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
    ) -> None:
        check_range("rotation", rotation, 0, 180)
        check_range("zoom", zoom, 0, 0.99)
        check_range("contrast", contrast, 0, 1)
        check_range("brightness", brightness, 0, _UNBOUNDED)
        check_range("noise", noise, 0)
        check_count("seed", seed, least=0, unit="")
        self.seed = seed
        self.flip, self.rotate90 = flip, rotate90
        self.settings = {"flip": flip, "rotate90": rotate90, "rotation": rotation, "zoom": zoom}
        self.settings |= {"contrast": contrast, "brightness": brightness, "noise": noise, "seed": seed}
        # The layers' own seed is never used; without one they would draw it from Python's global random numbers.
        common = {"dtype": "float32", "data_format": "channels_last", "seed": 0}
        layers = keras.layers
        wide = (-_UNBOUNDED, _UNBOUNDED)
        steps: list[tuple[bool, Step]] = [
            (flip, _by_layer(layers.RandomFlip("horizontal", **common))),
            (flip, _by_layer(layers.RandomFlip("vertical", **common))),
            (rotate90, _swap_axes),
            (rotation > 0, _by_layer(layers.RandomRotation(rotation / 360.0, **common))),
            (zoom > 0, _by_layer(layers.RandomZoom(zoom, **common))),
            # Twice, because a single factor only ever raises the contrast: Keras cuts its lower end at 0.
            (contrast > 0, _by_layer(layers.RandomContrast((contrast, contrast), wide, **common))),
            (brightness > 0, _by_layer(layers.RandomBrightness(brightness / (2 * _UNBOUNDED), wide, **common))),
            (noise > 0, _adding_noise(noise)),
        ]
        # A step keeps its number whether others are used or not, so switching one on leaves the others' draws alone.
        self._steps = {number: step for number, (wanted, step) in enumerate(steps) if wanted}
        self._numbers = len(steps) + 1  # the last one is drawn for the order of sections

    def __call__(self, images: np.ndarray, masks: np.ndarray, epoch: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch transformed by the draw of `(seed, epoch, batch)`.

        Args:
            images: Array of shape `(batch, height, width, channels)`, in 3D `(batch, depth, height, width, channels)`.
            masks: The same with 1 channel; further channels, such as weights, are moved alike.
            epoch: Number of the epoch, from 0.
            batch: Number of the batch in the epoch, from 0.

        Returns:
            Images and masks as `float32`, of the same shapes.
        """
        if images.shape[:-1] != masks.shape[:-1] or images.ndim not in (4, 5):
            raise ValueError(
                "`images` and `masks` must have shapes (batch, height, width, channels), or with depth before height, "
                f"that agree but in the last. Received: images.shape={images.shape}, masks.shape={masks.shape}."
            )
        if self.rotate90 and images.shape[-3] != images.shape[-2]:
            raise ValueError(
                f"`rotate90=True` needs square images. Received: images.shape={images.shape}. Pass `rotate90=False`."
            )
        # 31 bits, because a seed is a signed 32-bit number on PyTorch.
        seeds = np.random.SeedSequence([self.seed, epoch, batch]).generate_state(self._numbers) >> 1
        if images.ndim == 5 and self.flip:
            images, masks = _reversed(images, masks, int(seeds[-1]))
        with keras.device("cpu"):
            flat, flat_masks = (
                keras.ops.convert_to_tensor(_in_channels(part.astype(np.float32))) for part in (images, masks)
            )
            for number, step in self._steps.items():
                flat, flat_masks = step(flat, flat_masks, int(seeds[number]))
            return _from_channels(_to_numpy(flat), images.shape), _from_channels(_to_numpy(flat_masks), masks.shape)


def _in_channels(tiles: np.ndarray) -> np.ndarray:
    """Of tiles in 3D, sections as channels, so that layers for images change them alike."""
    return tiles if tiles.ndim == 4 else np.moveaxis(tiles, 1, 3).reshape(*tiles.shape[0:1], *tiles.shape[2:4], -1)


def _from_channels(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 4:
        return flat
    batch, depth, height, width, channels = shape
    return np.ascontiguousarray(np.moveaxis(flat.reshape(batch, height, width, depth, channels), 3, 1))


def _reversed(images: np.ndarray, masks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of the tiles with their sections in reverse."""
    turned = (np.random.default_rng(seed).random(len(images)) < 0.5)[:, None, None, None, None]
    return np.where(turned, images[:, ::-1], images), np.where(turned, masks[:, ::-1], masks)


def _by_layer(layer: keras.layers.Layer) -> Step:
    def step(images: np.ndarray, masks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        # Drawn twice from one seed: on PyTorch, Keras 3.15's affine_transform swaps entries of the matrix it is given
        # in place, so masks that reuse the images' draw are turned about another point than the images
        # (keras/src/backend/torch/image.py, "swap the values").
        for_images, for_masks = (layer.get_random_transformation(images, training=True, seed=seed) for _ in range(2))
        return (
            layer.transform_images(images, for_images, training=True),
            layer.transform_segmentation_masks(masks, for_masks, training=True),
        )

    return step


def _swap_axes(images: np.ndarray, masks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    swap = keras.random.uniform((len(images), 1, 1, 1), seed=seed) < 0.5

    def swapped(array: np.ndarray) -> np.ndarray:
        return keras.ops.where(swap, keras.ops.transpose(array, (0, 2, 1, 3)), array)

    return swapped(images), swapped(masks)


def _adding_noise(deviation: float) -> Step:
    def step(images: np.ndarray, masks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return images + keras.random.normal(images.shape, stddev=deviation, seed=seed, dtype="float32"), masks

    return step


def _to_numpy(array: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(array), dtype=np.float32)
