"""Watch how far apart a model's answers in training mode and in inference mode are."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.causes.statistics_lag import LOST, TIMES
from unetdyn.analysis.diagnosis.messages import mode_gap as messages
from unetdyn.analysis.thresholds.flips import jaccard_of
from unetdyn.callbacks.probe_monitor import BUDGET, ProbeMonitor, in_float32, maps_of
from unetdyn.callbacks.probe_set import BATCH_SIZE, IMAGES, Probe
from unetdyn.dynamics.loss_kinds import expects_logits

SCALARS = ("training_loss", "inference_loss", "training_jaccard", "inference_jaccard")
_TABLES = ("mean_distance", "variance_ratio")


class TrainInferenceGapMonitor(ProbeMonitor):
    """Calls the model on the same few images as in training and as in inference, and says where the two disagree.

    In training mode a batch norm uses the batch's mean and variance; in inference its moving statistics, which follow
    with a delay of 1 / (1 − momentum) steps. Where the weights move faster than that, validation collapses although
    the network has learned: the training loss falls, the Jaccard of the validation is 0. Dropout makes a gap too, of
    the other sign: inference is better.

    After each epoch that the budget allows: loss (`model.compute_loss`, weight penalties with it) and Jaccard at the
    threshold 0.5 in both modes, and for each trainable `BatchNormalization` (other than with `renorm`) how far its
    batches are from its moving statistics. Into `logs` go `mode_gap_loss` (inference minus training) and
    `mode_gap_jaccard` (training minus inference): both are about 0 where all is well.

    Training is never changed: moving statistics, seeds of dropouts and metrics stay as they are, to the last bit.
    Skipped epochs are NaN.

    Args:
        probe: A pair of arrays, images and masks, that stay the same; None (default): images spread over the validation
            data of the `fit`, taken at its first validation. Arrays, a `PyDataset`, and a `tf.data.Dataset` without
            random order or operations can be read without a change to training; for others the monitor says once that
            it needs `probe`, and training goes on.
        images: At most so many of them. Default 16.
        batch_size: How many go through the model at once; best what `fit` uses, because the statistics of a batch
            depend on it. Default 8.
        budget: Share of the training's time that it may take. Default 0.02. Epochs are left out where it has taken
            more, with None none is; the first, in which it is compiled, and the last are measured in any case.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record.
        verbose: 1 prints what is found, and at the end what it cost; 0 is silent.

    Attributes:
        record: `(epochs,)` arrays `epoch`, `training_loss`, `inference_loss`, `training_jaccard`, `inference_jaccard`,
            `seconds`; and by layer `mean_distance`, the root mean square over channels and batches of (batch mean −
            moving mean) / √(moving variance + ε), and `variance_ratio`, the geometric mean of (batch variance + ε) /
            (moving variance + ε). Jaccards are those of the first of a list of outputs, and NaN where it is no
            probability of one class.
        results: `cost`, a `ProbeCost`.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs: `statistics.lag` when it begins to hold, from
            the 30th step on.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential(
        ...     [keras.Input((8, 8, 1)), keras.layers.BatchNormalization(name="norm"), keras.layers.Conv2D(1, 1)]
        ... )
        >>> model.compile(loss="mse", optimizer="sgd")
        >>> x = np.random.default_rng(0).random((8, 8, 8, 1))
        >>> monitor = TrainInferenceGapMonitor(probe=(x, x), budget=None)
        >>> _ = model.fit(x, x, epochs=2, verbose=0, callbacks=[monitor])
        >>> list(monitor.record["mean_distance"]), monitor.record["training_loss"].shape
        (['norm'], (2,))

    Reference:
        Ioffe and Szegedy, "Batch normalization", 2015, section 3.1.
    """

    declaration = declarations.MODE_GAP
    _modes = (True, False)
    _lagging: bool

    def __init__(
        self,
        probe: Any = None,
        images: int = IMAGES,
        batch_size: int = BATCH_SIZE,
        budget: float | None = BUDGET,
        name: str = "mode_gap",
        verbose: int = 0,
    ) -> None:
        super().__init__(probe, images, batch_size, budget, name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """What was seen, as arrays with one element an epoch, and of each norm layer."""
        return super().record | {table: self._table(table) for table in _TABLES}

    def get_state(self) -> dict[str, Any]:
        """With whether the statistics lag."""
        return super().get_state() | {"lagging": self._lagging}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._lagging = state["lagging"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look up the norm layers, by name."""
        super().on_train_begin(logs)
        self._norms = norm_layers(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let go of the model and its layers."""
        super().on_train_end(logs)
        self._norms = {}

    def _columns(self) -> tuple[str, ...]:
        return SCALARS

    def _measure(self, probe: Probe) -> dict[str, Any]:
        batches = self._forward(probe)
        if not has_loss(self.model):
            self._say_once("loss", "the model was compiled without one")
        row: dict[str, Any] = {}
        for mode, name in ((True, "training"), (False, "inference")):
            row[f"{name}_loss"] = float(np.mean([each[mode]["loss"] for each in batches]))
            outputs = keras.tree.map_structure(
                lambda *parts: np.concatenate(parts), *(b[mode]["outputs"] for b in batches)
            )
            row[f"{name}_jaccard"] = self._jaccard(outputs, probe)
        row["layers"] = {name: self._of_layer(name, layer, batches) for name, layer in self._norms.items()}
        self._judge(row)
        return row

    def _one_mode(self, x: Any, y: Any, training: bool) -> dict[str, Any]:
        with momentum_zero(self._norms.values() if training else ()):
            outputs = self.model(x, training=training)
        statistics = {}
        if training:  # with momentum 0 the new moving statistics are the batch's own
            statistics = {
                name: (layer.moving_mean.value * 1, layer.moving_variance.value * 1)
                for name, layer in self._norms.items()
            }
        loss = self.model.compute_loss(x=x, y=y, y_pred=outputs) if has_loss(self.model) else float("nan")
        return {"outputs": in_float32(outputs), "loss": keras.ops.cast(loss, "float32"), "statistics": statistics}

    def _jaccard(self, outputs: Any, probe: Probe) -> float:
        try:
            maps = maps_of(outputs, probe.y, expects_logits(self.model))
        except ValueError as reason:
            self._say_once("Jaccard", str(reason))
            return float("nan")
        return jaccard_of(maps.target, maps.above)

    def _of_layer(self, name: str, layer: Any, batches: Sequence[Any]) -> tuple[float, float]:
        """Distance of the means and ratio of the variances."""
        means, variances = (np.stack([each[True]["statistics"][name][i] for each in batches]) for i in (0, 1))
        mean, variance = (keras.ops.convert_to_numpy(part.value) for part in (layer.moving_mean, layer.moving_variance))
        return statistics_gap(means, variances, mean, variance, layer.epsilon)

    def _judge(self, row: dict[str, Any]) -> None:
        """Say that the statistics lag when they begin to; in the first steps of any training they do."""
        before, self._lagging = self._lagging, lags(row) and self._steps() >= messages.WARMUP
        if self._lagging and not before:
            name = max(row["layers"], key=lambda each: np.nan_to_num(row["layers"][each][0], nan=-1.0))
            self.report(
                messages.statistics_lag(
                    (row["training_loss"], row["inference_loss"]),
                    (row["training_jaccard"], row["inference_jaccard"]),
                    name,
                    row["layers"][name][0],
                    float(self._norms[name].momentum),
                    (self.params or {}).get("steps"),
                )
            )

    def _steps(self) -> int:
        """Updates of the optimizer so far; enough where there is none to ask."""
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", messages.WARMUP)
        return int(keras.ops.convert_to_numpy(iterations))

    def _logged(self, row: dict[str, Any]) -> dict[str, float]:
        found = {key: row.get(key, float("nan")) for key in SCALARS}
        return {
            f"{self.name}_loss": found["inference_loss"] - found["training_loss"],
            f"{self.name}_jaccard": found["training_jaccard"] - found["inference_jaccard"],
        }

    def _table(self, table: str) -> dict[str, NDArray[np.float64]]:
        place, unknown = _TABLES.index(table), (float("nan"), float("nan"))
        names = dict.fromkeys(name for row in self._rows for name in row.get("layers", ()))
        return {
            name: np.array([row.get("layers", {}).get(name, unknown)[place] for row in self._rows]) for name in names
        }

    def _restart(self) -> None:
        super()._restart()
        self._lagging = False


def has_loss(model: keras.Model) -> bool:
    """Whether `compute_loss` has something to compute: a compiled loss, or one of the user's own."""
    return model.loss is not None or type(model).compute_loss is not keras.Model.compute_loss


def norm_layers(model: keras.Model) -> dict[str, Any]:
    """Batch norms that use the batch's statistics in training, at any depth, by name; by path where names repeat."""
    found = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.built and layer.trainable and not layer.renorm
    ]
    names = [layer.name for layer in found]
    return {layer.path if names.count(layer.name) > 1 else layer.name: layer for layer in found}


@contextlib.contextmanager
def momentum_zero(layers: Any) -> Iterator[None]:
    """In here moving statistics are those of the last batch."""
    before = [(layer, layer.momentum) for layer in layers]
    try:
        for layer, _ in before:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in before:
            layer.momentum = momentum


def statistics_gap(
    means: NDArray[Any],
    variances: NDArray[Any],
    moving_mean: NDArray[Any],
    moving_variance: NDArray[Any],
    epsilon: float,
) -> tuple[float, float]:
    """How far batches are from moving statistics.

    Args:
        means: `(batches, channels)`.
        variances: `(batches, channels)`.
        moving_mean: `(channels,)`.
        moving_variance: `(channels,)`.
        epsilon: Of the layer.

    Returns:
        The root mean square of (mean − moving mean) / √(moving variance + ε), and the geometric mean of
        (variance + ε) / (moving variance + ε).

    Example:
        >>> statistics_gap(np.array([[2.0]]), np.array([[3.0]]), np.array([0.0]), np.array([0.0]), 1.0)
        (2.0, 4.0)
    """
    spread = moving_variance.astype(np.float64) + epsilon
    with np.errstate(all="ignore"):  # a training that has diverged has NaN here
        distance = np.sqrt(np.mean((means - moving_mean.astype(np.float64)) ** 2 / spread))
        ratio = np.exp(np.mean(np.log((variances + epsilon) / spread)))
    return float(distance), float(ratio)


def lags(row: dict[str, Any]) -> bool:
    """Whether inference is so much worse than training mode, in a network with moving statistics."""
    worse = 0 < row["training_loss"] * TIMES < row["inference_loss"]
    return bool(row["layers"]) and worse and row["training_jaccard"] - row["inference_jaccard"] > LOST
