"""Watch during `fit` what goes through the model: inputs, targets and outputs, and the best constant answer."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import is_number
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages import batch as messages
from unetdyn.analysis.diagnosis.messages import steps
from unetdyn.callbacks.monitor import Monitor
from unetdyn.dynamics.batch_statistics import BatchStatistics
from unetdyn.dynamics.constant_answer import UNKNOWN, best_constant
from unetdyn.dynamics.loss_kinds import expects_masks, expects_probabilities

CONSTANT = ("constant_loss", "constant_output", "constant_jaccard")
_SCALING_LAYERS = ("Rescaling", "Normalization", "BatchNormalization")


class BatchMonitor(Monitor):
    """Measures what every step is given and answers: ranges of inputs, targets and outputs, share of foreground.

    Many trainings that go wrong are wrong here: masks from 0 to 255, inputs that nobody scaled, a validation set
    without foreground, outputs that are all alike. And what seems to learn must be held against the best constant
    answer, one and the same value for every pixel, whose loss on these targets is `constant_loss`: a model whose loss
    is not below it has learned nothing from the images yet.

    Everything is summed on the device inside the train and test steps, from what they have anyway, with no copy of the
    data, and read once an epoch. Training is never changed. The outputs of the training set are those of the train
    steps, each before its update, with dropout and batch statistics in training mode; validation's are those by which
    Keras evaluates.

    A model of several inputs has no input statistics, one of several targets or outputs none of those: they are NaN.
    Sample weights do not count; with any, or with class weights, `constant_loss` and `constant_output` are NaN. What a
    `train_step` of your own does not hand to `compute_metrics` is not seen.

    Args:
        threshold: Of the outputs; 0.5 by default. Where outputs are logits, pass 0.
        verbose: 1 prints messages as they come; 0 is silent.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: Dictionary of arrays with one element an epoch, NaN where unknown: `epoch`; `images`, `steps`, and
            `batch_size` (the most images in one step); `input_`, `target_` and `output_` with `min`, `max`, `mean`,
            `std` (over all finite values of the epoch) and `nonfinite` (share); `target_fractional` (share of values
            that are no whole number), `target_other` (share that is neither 0 nor 1), `foreground` (share above 0.5),
            `empty` (share of images without any foreground), `output_spread` (mean over images of the standard
            deviation within an image), `above` (share of outputs above the threshold), `near` (share within 0.05 of
            it), `constant_loss`, `constant_output` (the best constant answer), `constant_jaccard` (its Jaccard index
            where all is answered foreground, which is the share of foreground; of masks with one channel). And the same
            of the validation set with the prefix `val_`.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not; each code once.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If `threshold` is no finite number.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> masks = np.zeros((6, 4, 4, 1))
        >>> masks[:, 0] = 255
        >>> monitor = BatchMonitor()
        >>> _ = model.fit(masks / 255, masks, batch_size=4, verbose=0, callbacks=[monitor])
        >>> monitor.record["foreground"].tolist(), monitor.record["target_max"].tolist()
        ([0.25], [255.0])
        >>> [finding.code for _, finding in monitor.findings]
        ['labels.scale']
    """

    declaration = declarations.BATCH

    def __init__(self, threshold: float = 0.5, verbose: int = 0, name: str = "batch") -> None:
        if not is_number(threshold) or not math.isfinite(threshold):
            raise ValueError(
                "`threshold` must be a finite number: 0.5 for probabilities, 0 for logits. "
                f"Received: threshold={threshold!r}."
            )
        self.threshold = threshold
        self._statistics: BatchStatistics | None = None
        self._lost = False  # whether it has said that it was taken off the model
        super().__init__(name, verbose)

    @property
    def record(self) -> dict[str, NDArray[Any]]:
        """What was measured, as arrays with one element an epoch."""
        columns = {name: [row.get(name, math.nan) for row in self._rows] for name in declarations.BATCH.arrays[1:]}
        epochs = np.array([row["epoch"] for row in self._rows], dtype=np.int64)
        return {"epoch": epochs, **{name: np.array(values, np.float64) for name, values in columns.items()}}

    def _restart(self) -> None:
        super()._restart()
        self._rows: list[dict[str, float]] = []
        self._told: set[str] = set()
        self._constants: dict[tuple[float, ...], tuple[float, float]] = {}
        self._validation: dict[str, float] | None = None

    def get_state(self) -> dict[str, Any]:
        """With what was counted; the sums on the device are among the training's variables."""
        return super().get_state() | {
            "rows": list(self._rows),
            "told": sorted(self._told),
            "constants": list(self._constants.items()),
            "validation": None if self._validation is None else dict(self._validation),
            "lost": self._lost,
            "statistics": None if self._statistics is None else self._statistics.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._rows, self._told, self._constants = list(state["rows"]), set(state["told"]), dict(state["constants"])
        self._validation = None if state["validation"] is None else dict(state["validation"])
        self._lost = state["lost"]
        if self._statistics is not None and state["statistics"] is not None:
            self._statistics.set_state(state["statistics"])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Attach to the model, whose loss may be another than that of an earlier `fit`."""
        self._constants = {}
        self._lost = False
        if self._statistics is not None:
            self._statistics.detach()
        self._statistics = BatchStatistics(self.model, self.threshold, session=self.params)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count anew."""
        super().on_epoch_begin(epoch, logs)
        self._validation = None
        self._tell_if_detached()
        if self._statistics is not None:
            self._statistics.take(True)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Forget what other evaluations have seen."""
        if self._statistics is not None:
            self._statistics.take(False)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Take what validation has seen, before anybody else evaluates the model."""
        if self._statistics is not None:
            self._validation = self._statistics.take(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Measure, and write into `logs`."""
        self._put_into_logs(logs, self.read())
        self._tell_if_detached()

    def _tell_if_detached(self) -> None:
        """Once a training: that it runs is certain, since it calls."""
        if not self._lost and self._statistics is not None and not self._statistics.attached:
            self._lost = True
            self._warn(steps.detached(type(self).__name__, self._epoch, steps.TAKEN_OFF), stacklevel=3)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Leave the model as it was."""
        if self._statistics is not None:
            self._statistics.detach()

    def read(self) -> dict[str, float]:
        """Take what was seen since the last reading into the record, as an epoch.

        Called at the end of each epoch; call it yourself after an exception, for the unfinished epoch.

        Returns:
            What goes into `logs`; nothing where there was no step.
        """
        if self._statistics is None:
            return {}
        weighted = self._statistics.weighted
        sets = {"training": self._statistics.take(True)}
        if not sets["training"]["steps"]:
            return {}
        if self._validation is not None:
            sets["validation"], self._validation = self._validation, None
        row: dict[str, float] = {"epoch": self._epoch}
        scalars: dict[str, float] = {}
        for numbers, prefix, training in zip(sets.values(), ("", "val_"), (True, False), strict=False):
            numbers |= dict(zip(CONSTANT, self._constant(numbers, weighted[training]), strict=True))
            row |= {f"{prefix}{key}": value for key, value in numbers.items()}
            scalars |= {f"{prefix}{self.name}_{key}": numbers[key] for key in ("foreground", "near")}
        self._rows.append(row)
        self._tell(sets)
        return scalars

    def _constant(self, numbers: Mapping[str, float], weighted: bool) -> tuple[float, float, float]:
        """Loss, answer and Jaccard index of the best constant answer, made anew only where the targets have changed.

        Under weights the logged loss is another one, and the constant answer's is not known.
        """
        several = "class_0" in numbers
        asked = (
            *(numbers[key] for key in ("foreground", "target_other", "target_nonfinite", "target_mean", "target_std")),
            *(numbers[key] for key in sorted(numbers) if key.startswith("class_")),
            float(numbers["output_min"] < 0 or numbers["output_max"] > 1),
        )
        if math.isnan(numbers["foreground"]):
            return (*UNKNOWN, math.nan)
        jaccard = math.nan if several else numbers["foreground"]
        if weighted:
            return (*UNKNOWN, jaccard)
        rounded = tuple(round(value, 6) for value in asked)
        if rounded not in self._constants:
            self._constants[rounded] = best_constant(self.model, numbers)
        return (*self._constants[rounded], jaccard)

    def _tell(self, sets: Mapping[str, Mapping[str, float]]) -> None:
        layers = [type(layer).__name__ for layer in self.model._flatten_layers(include_self=False)]
        shape = getattr(self.model, "output_shape", None)
        found = messages.of_an_epoch(
            sets,
            masks=expects_masks(self.model),
            probabilities=expects_probabilities(self.model),
            scales_inputs=any(layer in _SCALING_LAYERS for layer in layers[:2]),
            several_values=isinstance(shape, tuple) and len(shape) > 2,
        )
        for finding in found:
            if finding.code not in self._told:
                self._told.add(finding.code)
                self.report(finding)
