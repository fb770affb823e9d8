"""Faults that were designed without a look at the rules, after these were tuned: the fair test of them.

Whoever changes a rule leaves them unread, or else moves what was read to `faults.py`.
"""

import numpy as np

from .datasets import Arrays
from .faults import FAULTS, NO_NORM, add, chosen_tiles, each, empty_tiles, on_part

__all__ = ["FAULTS", "UNSEEN"]

_KNOWN = frozenset(FAULTS)


def _of_other_polarity(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """Bright on dark instead of dark on bright. Mean and deviation stay."""
    chosen = chosen_tiles(len(arrays.val_x), share, rng)
    arrays.val_x[chosen] *= -1


def _magnified(arrays: Arrays, _part: str, factor: float, _: np.random.Generator) -> None:
    """A part of each training tile, around its foreground, as large as the whole tile was."""
    from scipy.ndimage import uniform_filter, zoom

    size = arrays.x.shape[1]
    side = round(size / factor)
    for image, mask in zip(arrays.x, arrays.y, strict=True):
        fullest = np.argmax(uniform_filter(mask[..., 0], side, mode="constant"))
        top, left = (np.clip(middle - side // 2, 0, size - side) for middle in np.unravel_index(fullest, (size, size)))
        for tile, order in ((image, 1), (mask, 0)):
            part = tile[top : top + side, left : left + side, 0]
            tile[..., 0] = zoom(part, size / side, order=order, grid_mode=True, mode="nearest")


def _blank(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """Images that could not be read and became black; their masks were read."""
    arrays.x[chosen_tiles(len(arrays.x), share, rng)] = arrays.x.min()


def _moved(arrays: Arrays, _part: str, pixels: int, rng: np.random.Generator) -> None:
    """Each mask lies so many pixels beside its structure, in a direction of its own: badly registered sections."""
    from scipy.ndimage import shift

    for masks in (arrays.y, arrays.val_y):
        for mask, angle in zip(masks, rng.uniform(0, 2 * np.pi, len(masks)), strict=True):
            way = (round(pixels * np.sin(angle)), round(pixels * np.cos(angle)), 0)
            mask[:] = shift(mask, way, order=0)


def _unannotated(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """A share of the structures was never drawn."""
    from scipy.ndimage import label

    for masks in (arrays.y, arrays.val_y):
        for mask in masks:
            structures, count = label(mask > 0.5)
            missing = 1 + np.flatnonzero(rng.random(count) < share)
            mask[np.isin(structures, missing)] = 0


def _dilated(arrays: Arrays, _part: str, pixels: int, _: np.random.Generator) -> None:
    """Somebody else drew the training masks, with a broad brush."""
    from scipy.ndimage import binary_dilation

    cross = np.zeros((1, 3, 3, 1), bool)
    cross[0, 1, :, 0] = cross[0, :, 1, 0] = True
    arrays.y[:] = binary_dilation(arrays.y > 0.5, cross, iterations=pixels)


def _mostly_empty(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """Tiles cut anywhere, of which most show none of what is looked for."""
    chosen = chosen_tiles(len(arrays.x), share, rng)
    images = empty_tiles(arrays, len(chosen), rng)
    arrays.x[chosen], arrays.y[chosen] = images, 0


# The rule and its rate.
add("decay_per_step", each("step_factor", 0.95, 0.85, 0.5, schedule="exponential"),
    "learning_rate.low training.short", "The rate lowered once an epoch, not at each step.",
    {"step_factor": 0.95 ** (1 / 12)})  # fmt: skip
add("rate_growing", each("step_factor", *(factor ** (1 / 12) for factor in (1.3, 1.6, 3.0)), schedule="exponential"),
    "learning_rate.high gradient.exploding", "The rate set anew each epoch from the first one, so that it falls.",
    {"step_factor": 0.95 ** (1 / 12)})  # fmt: skip
add("epsilon_huge", each("epsilon", 0.1, 3.0, 1000.0), "learning_rate.low training.short",
    "Adam's epsilon at 1e-7, or a rate that is higher by as much.", {"epsilon": 1e-7})  # fmt: skip
add("momentum_heavy", each("momentum", 0.99, 0.997, 0.9995, optimizer="sgd", learning_rate=0.2),
    "learning_rate.high gradient.exploding", "A momentum of 0.9, or a rate that is lower by as much.",
    {"momentum": 0.9})  # fmt: skip
add("accumulation_long", each("accumulation", 8, 32, 144), "training.short learning_rate.low",
    "No accumulation, or as many more epochs.", {"accumulation": None})  # fmt: skip

# The net's start.
add("output_bias", each("head_bias", -6.0, -12.0, -25.0), "init.bad outputs.constant",
    "An output bias of 0, or the log-odds of the foreground.", {"head_bias": 0.0})  # fmt: skip
add("tanh_saturated", each("kernel_scale", 3.0, 8.0, 30.0), "init.bad activation.saturating",
    "Glorot's or He's initialisation.", {"kernel_scale": 1.0},
    NO_NORM.but(activation="tanh"), twin="no_norm")  # fmt: skip

# The aim.
add("loss_of_masks", each("steepness", 60.0, 400.0, 1e5, loss="steep"), "loss.wrong gradient.vanishing",
    "A loss of the probabilities, without a threshold.", {"loss": "bce"})  # fmt: skip
add("metric_threshold", each("metric_threshold", 0.9, 0.99, 0.9999), "metric.suspicious threshold.flips",
    "A threshold of 0.5.", {"metric_threshold": 0.5}, outcome="metric")  # fmt: skip

# The labels.
add("masks_moved", on_part("both", _moved, 4, 8, 16), "labels.noise labels.shuffled",
    "Images and masks registered.")  # fmt: skip
add("objects_missing", on_part("both", _unannotated, 0.4, 0.7, 0.9), "labels.missing labels.noise labels.empty",
    "All structures annotated.")  # fmt: skip
add("masks_dilated", on_part("train", _dilated, 2, 4, 8), "sets.differ labels.noise",
    "All masks drawn by the same rule.")  # fmt: skip

# The sets.
add("images_blank", on_part("train", _blank, 0.5, 0.8, 1.0), "sets.differ labels.shuffled",
    "Images that can be read, or those left out that cannot.")  # fmt: skip
add("training_empty", on_part("train", _mostly_empty, 0.8, 0.95, 1.0), "labels.empty sets.differ background",
    "Training tiles cut where the structures are.")  # fmt: skip
add("training_magnified", on_part("train", _magnified, 1.6, 2.5, 4.0), "sets.differ",
    "All images at one pixel size.")  # fmt: skip
add("validation_polarity", on_part("validation", _of_other_polarity, 0.3, 0.6, 1.0), "sets.differ",
    "Both sets with the same contrast.", outcome="validation")  # fmt: skip

UNSEEN: frozenset[str] = frozenset(FAULTS) - _KNOWN
"""The families of this file: nobody who tunes the rules has seen them."""
