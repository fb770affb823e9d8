"""The best constant answer: the loss of a model that answers every pixel alike, by the compiled loss itself."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from unetdyn.dynamics.loss_kinds import expects_logits, is_squared_error

PIXELS = 4096  # of the image on which the loss is evaluated
_SIDES = {0: (), 1: (4096,), 2: (64, 64), 3: (16, 16, 16)}
_GRID = 25
_REFINEMENTS = 24  # golden-section steps, each of which leaves 62 % of the interval
_LARGEST_LOGIT = 12.0

UNKNOWN = (math.nan, math.nan)


def best_constant(model: keras.Model, found: Mapping[str, float]) -> tuple[float, float]:
    """The least loss of a constant answer to targets like those that were seen, and that answer.

    The compiled loss is evaluated on one image of 4096 pixels with the same share of foreground: for masks of one
    channel at a grid of constants from 0 to 1, or of logits from -12 to 12 where the loss takes logits or the outputs
    leave [0, 1], refined around the best. For masks of several channels that share the pixels between them, and for
    whole numbers as classes, at the classes' shares and at each class alone. For other targets only the mean squared
    error is known: it is their variance. Losses which are no mean over pixels, such as Dice, see that one image where
    training sees batches: then it is an estimate. Regularisation and weights of samples are not in it.

    Args:
        model: As compiled. Its state is left alone.
        found: What `BatchStatistics.take` gave.

    Returns:
        Loss and answer. The answer is as the model would put it out, a logit where it puts out logits; NaN where it is
        a vector. Both are NaN where the loss can't be evaluated so.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> seen = {"target_other": 0.0, "target_nonfinite": 0.0, "foreground": 0.25, "output_min": 0, "output_max": 1}
        >>> [round(value, 2) for value in best_constant(model, seen)]  # the entropy of 1/4
        [0.56, 0.25]
    """
    if type(model).compute_loss is not keras.Model.compute_loss:
        return UNKNOWN
    try:
        return _best_constant(model, found)
    except Exception:  # a loss of the user's own may want anything; a training must not end for it
        return UNKNOWN


def _best_constant(model: keras.Model, found: Mapping[str, float]) -> tuple[float, float]:
    shape = tuple(model.output_shape)
    sides = _SIDES.get(len(shape) - 2)
    if sides is None:
        return UNKNOWN
    pixels = (1, *sides) if sides else (PIXELS,)
    classes = [found[f"class_{number}"] for number in range(shape[-1])] if "class_0" in found else []
    logits = expects_logits(model) or found["output_min"] < 0 or found["output_max"] > 1
    if classes and abs(sum(classes) - 1) < 1e-3:
        return _of_classes(model, classes, pixels, logits, one_hot=abs(found["target_share"] - 1) < 1e-3)
    if found["target_nonfinite"] > 0:
        return UNKNOWN
    if found["target_other"] == 0 and shape[-1] == 1:
        return _of_masks(model, found["foreground"], (*pixels, 1), logits)
    if is_squared_error(model):
        spread = np.resize([-1.0, 1.0], PIXELS).reshape(*pixels, 1)
        targets = found["target_mean"] + found["target_std"] * spread
        return _loss(model, targets, np.full_like(targets, found["target_mean"])), found["target_mean"]
    return UNKNOWN


def _of_masks(model: keras.Model, share: float, shape: tuple[int, ...], logits: bool) -> tuple[float, float]:
    ones = min(max(round(share * PIXELS), share > 0), PIXELS - (share < 1))
    mask = (np.arange(PIXELS) < ones).astype(np.float32).reshape(shape)

    def loss(answer: float) -> float:
        return _loss(model, mask, np.full_like(mask, answer))

    low, high = (-_LARGEST_LOGIT, _LARGEST_LOGIT) if logits else (0.0, 1.0)
    return _least(loss, np.linspace(low, high, _GRID))


def _least(loss: Callable[[float], float], grid: NDArray[np.float64]) -> tuple[float, float]:
    """The least of a function: that of the grid, then a golden section between its neighbours."""
    losses = np.array([loss(float(answer)) for answer in grid])
    if not np.isfinite(losses).any():
        return UNKNOWN
    place = int(np.nanargmin(losses))
    best, answer = float(losses[place]), float(grid[place])
    low, high = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, len(grid) - 1)])
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(_REFINEMENTS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        tried = [(loss(left), left), (loss(right), right)]
        best, answer = min((best, answer), *tried)
        if tried[0][0] < tried[1][0]:
            high = right
        else:
            low = left
    return best, answer


def _of_classes(
    model: keras.Model, shares: list[float], pixels: tuple[int, ...], logits: bool, one_hot: bool
) -> tuple[float, float]:
    ends = np.round(np.cumsum(shares) * PIXELS)
    owners = np.searchsorted(ends, np.arange(PIXELS), side="right").clip(0, len(shares) - 1).reshape(pixels)
    corners = np.eye(len(shares), dtype=np.float32)
    targets = corners[owners] if one_hot else owners.astype(np.int32)
    answers = np.concatenate([np.asarray(shares, np.float32)[None], corners])
    if logits:
        answers = np.log(answers + math.exp(-_LARGEST_LOGIT))
    best = min(_loss(model, targets, np.broadcast_to(each, (*pixels, len(shares)))) for each in answers)
    return best, math.nan


def _loss(model: keras.Model, targets: NDArray[Any], answers: NDArray[Any]) -> float:
    """What it assigns on the way goes nowhere."""
    with keras.StatelessScope():
        y = ops.convert_to_tensor(targets, "int32" if targets.dtype.kind == "i" else "float32")
        value = model._compile_loss(y, ops.convert_to_tensor(np.array(answers, np.float32)))
    return float(ops.convert_to_numpy(value))
