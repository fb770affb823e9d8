"""What a step's inputs, targets and outputs are like: sums made inside the compiled step, and what the host makes of
them.

A step's state is one float32 vector, so that it costs one variable: compensated sums, maxima, and the values that
moments are taken about.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

Tensor = Any

PARTS = ("input", "target", "output")
NEAR = 0.05  # half the width of the band around the threshold
MAX_CLASSES = 64  # above it the shares of classes are not counted

_TOO_SPARSE = ("SparseTensor", "RaggedTensor", "BCOO", "IndexedSlices")


class BatchSums:
    """What is summed over the steps of an epoch, for the thresholds asked for.

    Accuracy: within a step, means are taken axis by axis in float32; over steps, sums are compensated (Kahan), and
    moments are taken about the first step's mean. So shares and means are right to about 1e-6 of their size, also over
    10,000 steps, and a standard deviation to about 1e-3 of itself even where the mean is 10,000 times as large.

    Args:
        thresholds: Of the outputs; without any, only `images`, `steps` and `batch_size` are counted.
        classes: Channels of the output whose targets' shares are counted; 0 for none.

    Example:
        >>> sums = BatchSums([0.5], classes=0)
        >>> mask = ops.array([[[0.0], [1.0]]])
        >>> step = sums.add(ops.array(sums.start), mask, mask, mask)
        >>> found = sums.read([ops.convert_to_numpy(step)])
        >>> found["images"], found["steps"], found["foreground"], found["output_std"]
        (1.0, 1.0, 0.5, 0.5)
    """

    def __init__(self, thresholds: Sequence[float], classes: int = 0) -> None:
        self.thresholds = tuple(thresholds)
        self.classes = classes
        self.sums = ["steps", "images"]
        self.maxima = ["batch_size"]
        self.centres: list[str] = []
        if self.thresholds:
            self.sums += [
                f"{part}_{of}" for part in PARTS for of in ("values", "nonfinite", "finite", "first", "second")
            ]
            self.sums += ["fractional", "other", "foreground", "masks", "empty", "answers", "spread"]
            self.sums += [f"class_{number}" for number in range(classes)] + ["classified"]
            self.sums += [f"{of}_{threshold!r}" for of in ("above", "near") for threshold in self.thresholds]
            self.maxima += [f"{part}_{end}" for part in PARTS for end in ("max", "min")]  # of min the negative
            self.centres = list(PARTS)
        self._splits = np.cumsum([len(self.sums), len(self.sums), len(self.maxima)])

    @property
    def start(self) -> NDArray[np.float32]:
        """The state before the first step."""
        sums, maxima, centres = len(self.sums), len(self.maxima), len(self.centres)
        return np.concatenate([np.zeros(2 * sums), np.full(maxima, -np.inf), np.zeros(centres)]).astype(np.float32)

    def add(self, state: Tensor, x: Any, y: Any, y_pred: Any) -> Tensor:
        """The state after one more step."""
        total, lost, maxima, centres = ops.split(state, self._splits)
        batch = _batch_size(x)
        seen: dict[str, Tensor] = {"steps": 1.0, "images": batch, "batch_size": batch}
        about = {part: centres[place] for place, part in enumerate(self.centres)}
        first = ops.equal(total[0], 0.0)
        if self.thresholds:
            for part, found in zip(PARTS, (x, y, y_pred), strict=True):
                tensor = single(found)
                if tensor is not None:
                    seen |= self._part(part, tensor, about, first)
        # A step may lack a part, or its centre: where all its values are not finite.
        new = ops.stack([ops.cast(seen.get(name, 0.0), "float32") for name in self.sums])
        high = ops.stack([ops.cast(seen.get(name, -np.inf), "float32") for name in self.maxima])
        # Kahan: what the last addition rounded off is taken along.
        corrected = new - lost
        summed = total + corrected
        lost = (summed - total) - corrected
        kept = [ops.reshape(about[part], (1,)) for part in self.centres]
        return ops.concatenate([summed, lost, ops.maximum(maxima, high), *kept])

    def _part(self, part: str, tensor: Tensor, about: dict[str, Tensor], first: Tensor) -> dict[str, Tensor]:
        raw = ops.stop_gradient(tensor)
        values = ops.cast(raw, "float32")
        count = _size(values)
        is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(raw.dtype))
        finite = ops.isfinite(values) if is_float else None
        lacking = _mean_in_images(_number(ops.logical_not(finite))) if finite is not None else None  # (images,)
        share = 1.0 - lacking if lacking is not None else None
        safe = values if finite is None else ops.where(finite, values, 0.0)
        image_means, image_variances = _moments(safe, finite, share)
        weights = ops.ones_like(image_means) if share is None else share
        present = ops.mean(weights)
        mean = _ratio(ops.mean(weights * image_means), present)
        variance = _ratio(ops.mean(weights * (image_variances + ops.square(image_means - mean))), present)
        centre = about[part] = ops.where(first, mean, about[part])
        weight = count * present
        seen = {
            f"{part}_values": count,
            f"{part}_nonfinite": 0.0 if lacking is None else count * ops.mean(lacking),
            f"{part}_finite": weight,
            f"{part}_first": weight * (mean - centre),
            f"{part}_second": weight * (variance + ops.square(mean - centre)),
            f"{part}_max": ops.max(safe if finite is None else ops.where(finite, values, -np.inf)),
            f"{part}_min": ops.max(-safe if finite is None else ops.where(finite, -values, -np.inf)),
        }
        if part == "target":
            seen |= self._target(values, safe, count)
        elif part == "output":
            answers = ops.sum(_number(weights > 0))
            seen |= {"answers": answers, "spread": ops.sum(ops.sqrt(image_variances))}  # 0 where nothing is finite
            for threshold in self.thresholds:
                seen[f"above_{threshold!r}"] = count * _mean(_number(values > threshold))
                seen[f"near_{threshold!r}"] = count * _mean(_number(ops.abs(values - threshold) <= NEAR))
        return seen

    def _target(self, values: Tensor, safe: Tensor, count: Tensor) -> dict[str, Tensor]:
        images = ops.cast(ops.shape(values)[0], "float32")
        foreground = _mean_in_images(_number(values > 0.5))
        other = ops.logical_and(ops.not_equal(values, 0.0), ops.not_equal(values, 1.0))
        seen = {
            "fractional": count * _mean(_number(ops.not_equal(safe, ops.floor(safe)))),
            "other": count * _mean(_number(other)),
            "foreground": count * ops.mean(foreground),
            "masks": images,
            "empty": images * ops.mean(_number(ops.equal(foreground, 0.0))),
        }
        if self.classes:
            one_hot = values.shape[-1] == self.classes and len(values.shape) > 1
            pixels = count / self.classes if one_hot else count
            seen["classified"] = pixels
            for number in range(self.classes):
                of_class = values[..., number] if one_hot else _number(ops.equal(values, float(number)))
                seen[f"class_{number}"] = pixels * _mean(of_class)
        return seen

    def read(self, states: Sequence[NDArray[np.float32]]) -> dict[str, float]:
        """The numbers of an epoch.

        Args:
            states: One, or several of which each has seen a part of the epoch, in any order.

        Returns:
            By name; NaN where unknown. `"above_0.5"` and `"near_0.5"` are of the threshold 0.5, `"class_0"` of the
            first channel.
        """
        parts = [np.split(np.asarray(state, np.float64), self._splits) for state in states]
        parts = [part for part in parts if part[0][0] > 0]
        total = np.sum([part[0] - part[1] for part in parts], axis=0) if parts else np.zeros(len(self.sums))
        sums = dict(zip(self.sums, total.tolist(), strict=True))
        high = np.max([part[2] for part in parts], axis=0) if parts else np.full(len(self.maxima), -np.inf)
        maxima = dict(zip(self.maxima, high.tolist(), strict=True))
        found = {name: sums[name] for name in ("images", "steps")}
        found["batch_size"] = maxima["batch_size"] if parts else 0.0
        if not self.thresholds:
            return found
        for place, part in enumerate(PARTS):
            known = sums[f"{part}_finite"] > 0
            found[f"{part}_max"] = maxima[f"{part}_max"] if known else np.nan
            found[f"{part}_min"] = -maxima[f"{part}_min"] if known else np.nan
            found[f"{part}_mean"], found[f"{part}_std"] = self._joint_moments(part, place, parts)
            found[f"{part}_nonfinite"] = _share(sums[f"{part}_nonfinite"], sums[f"{part}_values"])
        values = sums["target_values"]
        found["target_share"] = _share(values, sums["output_values"])
        found |= {f"target_{name}": _share(sums[name], values) for name in ("fractional", "other")}
        found["foreground"] = _share(sums["foreground"], values)
        found["empty"] = _share(sums["empty"], sums["masks"])
        found["output_spread"] = _share(sums["spread"], sums["answers"])
        for name in [f"{of}_{threshold!r}" for of in ("above", "near") for threshold in self.thresholds]:
            found[name] = _share(sums[name], sums["output_values"])
        for number in range(self.classes):
            found[f"class_{number}"] = _share(sums[f"class_{number}"], sums["classified"])
        return found

    def of_replica(self, state: NDArray[np.float32], replicas: int) -> NDArray[np.float32]:
        """A replica's state, so that those of all replicas together count each step once, and its whole batch."""
        own = state.copy()
        own[[0, len(self.sums)]] /= replicas
        own[2 * len(self.sums)] *= replicas
        return own

    def chosen_from(self, other: "BatchSums", state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The state that these sums would have, from one of other sums which hold them all."""
        total, lost, maxima, centres = np.split(state, other._splits)
        sums = [other.sums.index(name) for name in self.sums]
        high = [other.maxima.index(name) for name in self.maxima]
        return np.concatenate([total[sums], lost[sums], maxima[high], centres[: len(self.centres)]])

    def _joint_moments(self, part: str, place: int, parts: list[list[NDArray[np.float64]]]) -> tuple[float, float]:
        """Mean and standard deviation of states whose moments are about different centres."""
        weights, means, variances = [], [], []
        columns = [self.sums.index(f"{part}_{of}") for of in ("finite", "first", "second")]
        for total, lost, _, centres in parts:
            weight, first, second = (total - lost)[columns]
            if weight > 0:
                weights.append(weight)
                means.append(centres[place] + first / weight)
                variances.append(max(0.0, second / weight - (first / weight) ** 2))
        if not weights:
            return np.nan, np.nan
        mean = float(np.average(means, weights=weights))
        variance = np.average(np.asarray(variances) + np.square(np.subtract(means, mean)), weights=weights)
        return mean, float(np.sqrt(variance))


def single(structure: Any) -> Tensor | None:
    """The one dense tensor of numbers in what a model is given or gives; None where there are several, or none.

    >>> tuple(single([ops.ones((2, 1))]).shape), single([ops.ones(2), ops.ones(2)]), single(None)
    ((2, 1), None, None)
    """
    leaves = [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]
    if len(leaves) != 1 or type(leaves[0]).__name__ in _TOO_SPARSE:
        return None
    try:
        numeric = keras.backend.standardize_dtype(leaves[0].dtype) not in ("string", "complex64", "complex128")
        # `train_on_batch` on PyTorch hands on the arrays it was given.
        return ops.convert_to_tensor(leaves[0]) if numeric and len(leaves[0].shape) > 0 else None
    except (AttributeError, TypeError, ValueError):
        return None


def _batch_size(x: Any) -> Tensor:
    leaves = [leaf for leaf in keras.tree.flatten(x) if leaf is not None and hasattr(leaf, "shape")]
    return ops.cast(ops.shape(leaves[0])[0], "float32") if leaves else 0.0


def _size(tensor: Tensor) -> Tensor:
    size: Tensor = 1.0
    for length in ops.shape(tensor):
        size = size * ops.cast(length, "float32")
    return size


def _number(condition: Tensor) -> Tensor:
    return ops.cast(condition, "float32")


def _mean_in_images(values: Tensor) -> Tensor:
    """Mean of each image, `(images,)`; axis by axis, so that no float32 sum has more terms than a row of pixels."""
    if len(values.shape) > 3:
        values = ops.mean(values, axis=(-2, -1))  # the last axis is of channels, and short
    while len(values.shape) > 1:
        values = ops.mean(values, axis=-1)
    return values


def _mean(values: Tensor) -> Tensor:
    return ops.mean(_mean_in_images(values))


def _moments(safe: Tensor, finite: Tensor | None, share: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and variance of the finite values of each image: in two passes, since one would cancel."""
    shape = (-1,) + (1,) * (len(safe.shape) - 1)
    means = _mean_in_images(safe)
    if share is not None:
        means = _ratio(means, share)
    differences = ops.square(safe - ops.reshape(means, shape))
    if finite is None:
        return means, _mean_in_images(differences)
    return means, _ratio(_mean_in_images(ops.where(finite, differences, 0.0)), share)


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """0 where the denominator is: there is nothing then that could count."""
    return ops.where(denominator > 0, numerator / ops.where(denominator > 0, denominator, 1.0), 0.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
