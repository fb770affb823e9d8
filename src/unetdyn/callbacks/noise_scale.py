"""Watch during `fit` the gradient noise scale: which batch size this training could use."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, check_count, check_fraction, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import noise_scale as messages
from unetdyn.analysis.gradient_noise import MIN_OBSERVATIONS, NoiseScale, finite_population, noise_scale
from unetdyn.callbacks.batch_sizes import batch_size_from, batch_sizes, samples_counted
from unetdyn.callbacks.noise_scale_sources import Observations, Source, source_of
from unetdyn.callbacks.step_callbacks import StepMonitor
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Probe, Rows

Series = dict[str, NDArray[Any]]

_KEPT = ("latest", "samples", "steps", "size", "reported_control", "told_of_size", "spoilt")


class NoiseScaleMonitor(StepMonitor):
    """Writes into `logs` the gradient noise scale B_simple = trΣ / |G|², which is about the critical batch size.

    Σ is the covariance over samples of one sample's gradient, G its mean. Both are measured without an extra pass, from
    what the training has anyway:

    - with `tf.distribute`, each replica's gradient against the whole batch's;
    - with `gradient_accumulation_steps`, each micro-batch's against the accumulated mean; undetermined where a control
      (`AutoClip`, `AdaptiveGradientClipping`) changes the micro-batches' gradients on their way into that mean;
    - otherwise each step's against the one before, at the price of one copy of the gradient. This assumes that the
      weights hardly move between two steps; where they do, the noise scale comes out too large, the more so the higher
      the learning rate, the curvature and the noise (`unetdyn.analysis.gradient_noise.consecutive_estimates`).

    trΣ and |G|² are averaged separately over the last `window` observations and divided then, with a confidence
    interval. Where the mean gradient cannot be told from zero there is no value: it is undetermined, never negative.
    There is an estimate at the end of each epoch, and in long epochs after every `window` observations.

    What to do with it: at a batch of B_simple, training takes about twice the fewest steps and twice the fewest
    samples. Far below, a larger batch saves steps nearly in proportion; far above, it only costs. The noise scale
    grows during training, often tenfold.

    What it assumes besides: that the gradient is a mean over the samples of a batch. Batch normalisation, and losses
    of a whole batch such as Dice, make samples depend on each other; then read it as an order of magnitude. Batches
    that differ in size are left out: the last of an epoch where it is, or may be, smaller.

    Keys: `trace_covariance` and `gradient_sq` as soon as anything was observed, and `noise_scale`, `noise_scale_low`,
    `noise_scale_high` from the first epoch on in which it is determined, NaN where it no longer is. Training is never
    changed.

    Args:
        batch_size: Samples in a batch (of one micro-batch under accumulation; over all replicas). Default: the number
            of samples that the model's loss counted in an epoch over the number of steps. Pass it where a custom
            `train_step` does not count samples, or where something evaluates the model in the midst of an epoch. A
            warning tells where the loss has counted another. A `BatchSizeSchedule` in the same `fit` is believed first.
        window: How many observations count, ≥ 30. 200 by default: a compromise between an interval that closes and
            weights that stay comparable. Where it stays undetermined, take more.
        dataset_size: Samples in the training set, where each epoch goes through it once without replacement; corrects
            |G|² for that (`unetdyn.analysis.gradient_noise.finite_population`). By default not corrected: the noise
            scale is then that of the population the training set was drawn from, larger by a share of B_simple/N.
        confidence: Of the interval; 0.95 by custom.
        verbose: 1 prints messages as they come; 0 is silent.
        undefined: What is in `logs` before it is first determined: `"absent"` (default) no key, `"nan"` the keys with
            NaN, which `CSVLogger` needs.
        name: The name under which `RunRecorder` keeps the record.

    Attributes:
        record: Dictionary of arrays. One element an estimate: `step` (the last one in it), `trace_covariance`,
            `gradient_sq`, `noise_scale` (NaN where undetermined), `noise_scale_low`, `noise_scale_high` (a lower bound
            and infinity where no more is known), `observations`, `batch_size` (samples of one update). One element an
            observation: `raw_step`, `raw_trace_covariance`, `raw_gradient_sq`.
        result: The last `unetdyn.analysis.gradient_noise.NoiseScale`, or None.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x, noise = rng.normal(size=(512, 4)), rng.normal(size=(512, 1))
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(keras.optimizers.SGD(1e-6), "mse")
        >>> monitor = NoiseScaleMonitor()
        >>> _ = model.fit(x, x.sum(axis=1, keepdims=True) + noise, batch_size=8, epochs=2, verbose=0,
        ...               callbacks=[monitor])
        >>> monitor.result.determined, monitor.record["batch_size"].tolist()
        (True, [8, 8])

    Reference:
        McCandlish, Kaplan, Amodei et al., An Empirical Model of Large-Batch Training (2018).
    """

    declaration = declarations.NOISE_SCALE

    def __init__(
        self,
        batch_size: int | None = None,
        window: int = 200,
        dataset_size: int | None = None,
        confidence: float = 0.95,
        verbose: int = 0,
        undefined: str = "absent",
        name: str = "noise_scale",
    ) -> None:
        if batch_size is not None:
            check_count("batch_size", batch_size, 1, "samples", "or None")
        check_count("window", window, MIN_OBSERVATIONS, "observations")
        if dataset_size is not None:
            check_count("dataset_size", dataset_size, 2, "samples", "or None")
        check_fraction("confidence", confidence)
        check_choice("undefined", undefined, ["absent", "nan"])
        self.batch_size = plain(batch_size)
        self.window = plain(window)
        self.dataset_size = plain(dataset_size)
        self.confidence = plain(confidence)
        self.undefined = undefined
        self._source: Source = source_of(None)
        super().__init__(name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """The estimates, and the observations they were made from."""
        return self._series.arrays | {f"raw_{name}": values for name, values in self._raw.arrays.items()}

    def probe(self) -> Probe | None:
        """What the training does not have by itself."""
        self._source = source_of(getattr(self.model, "optimizer", None))
        return self._source.probe()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count anew."""
        super().on_epoch_begin(epoch, logs)
        self._samples: float | None = None
        self._steps = 0

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note how many samples the loss has counted, before validation makes it count its own."""
        if self._samples is None:
            self._samples = samples_counted(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, and write into `logs`."""
        if self._samples is None:
            self._samples = samples_counted(self.model)
        super().on_epoch_end(epoch, logs)

    def _empty_record(self) -> StepRecord:
        columns = ("trace_covariance", "gradient_sq", "noise_scale", "noise_scale_low", "noise_scale_high")
        counts = ("step", "observations", "batch_size")
        return StepRecord(**{name: np.zeros(0, np.int64) for name in counts}, **{name: np.zeros(0) for name in columns})

    def _restart(self) -> None:
        super()._restart()
        self._new_optimizer()
        self._raw = StepRecord(**self._latest)
        self._samples, self._steps = None, 0
        self._size = self.batch_size
        self._last_reported: NoiseScale | None = None
        self._reported_control = False  # whether that one was undetermined because of a control
        self._told_of_size = False
        self._spoilt = -1
        self.result: NoiseScale | None = None

    def get_state(self) -> dict[str, Any]:
        """With the observations, and what was told of them."""
        reported, result = (None if each is None else asdict(each) for each in (self._last_reported, self.result))
        kept = {name: getattr(self, f"_{name}") for name in _KEPT}
        return super().get_state() | kept | {"raw": self._raw.get_state(), "last_reported": reported, "result": result}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        for name in _KEPT:
            setattr(self, f"_{name}", state[name])
        self._raw.set_state(state["raw"])
        self._last_reported, self.result = (
            None if each is None else NoiseScale(**each) for each in (state["last_reported"], state["result"])
        )

    def _new_optimizer(self) -> None:
        """No window pools observations of two trainings: those of another loss are of another size."""
        self._latest: Series = {
            "step": np.zeros(0, np.int64),
            "gradient_sq": np.zeros(0),
            "trace_covariance": np.zeros(0),
        }

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        del blocks
        self._steps += len(rows)
        scheduled = (self.params or {}).get("batch_size")  # by a `BatchSizeSchedule`, which may change it
        self._size = scheduled or self._size or batch_size_from(self._samples, self._steps)
        if self._size is None:
            self._warn_of_size(messages.batch_size_unknown(self._epoch))
        elif self.batch_size is not None and scheduled is None:
            self._compare_sizes(self.batch_size)
        # Where somebody has read in the midst of the epoch, nothing is known of the size of the last batch.
        samples = self._samples if self._steps == len(rows) else None
        seen = self._source.observe(rows, batch_sizes(self._size, len(rows), samples))
        self._spoilt = max(self._spoilt, seen.spoilt)
        new = self._corrected(seen)
        self._raw.append(**new)
        before = len(self._latest["step"])
        latest = {name: np.concatenate([old, new[name]]) for name, old in self._latest.items()}
        self._latest = _slice(latest, -self.window, None)
        count = len(latest["step"])
        for end in range(before + self.window, count, self.window):
            self._estimate(_slice(latest, end - self.window, end), int(latest["step"][end - 1]))
        return self._scalars(self._estimate(self._latest, int(rows.step[-1])))

    def _corrected(self, seen: Observations) -> Series:
        gradient_sq, trace = seen.gradient_sq, seen.trace_covariance
        if self.dataset_size is not None:
            gradient_sq = finite_population(gradient_sq, trace, self.dataset_size)
        return {"step": seen.step, "gradient_sq": gradient_sq, "trace_covariance": trace}

    def _estimate(self, window: Series, step: int) -> NoiseScale:
        """From a window of observations, into the record."""
        found = noise_scale(window["gradient_sq"], window["trace_covariance"], self.confidence)
        since = window["step"][:1]
        controlled = self._spoilt >= (since[0] if len(since) else 0)
        if controlled:
            found = _unknown(found)
        batch = (self._size or 0) * self._source.batches
        row = {
            "step": step,
            "trace_covariance": found.trace_covariance,
            "gradient_sq": found.gradient_sq,
            "noise_scale": found.value,
            "noise_scale_low": found.low,
            "noise_scale_high": found.high,
            "observations": found.observations,
            "batch_size": batch,
        }
        self._series.append(**{name: np.array([value]) for name, value in row.items()})
        self.result = found
        if not self._reported_control if controlled else _changed(found, self._last_reported, batch):
            self._last_reported, self._reported_control = found, controlled
            self.report(messages.noise_scale_estimate(found, batch, self._source.unit, self.window, self.confidence))
        return found

    def _scalars(self, found: NoiseScale) -> dict[str, float]:
        """NaN where nothing is known; `_put_into_logs` leaves that out as long as nothing was."""
        value, low, high = (found.value, found.low, found.high) if found.determined else (math.nan,) * 3
        means = {"trace_covariance": found.trace_covariance, "gradient_sq": found.gradient_sq}
        return means | {self.name: value, f"{self.name}_low": low, f"{self.name}_high": high}

    def _compare_sizes(self, given: int) -> None:
        """The last batch of an epoch may be smaller."""
        counted = batch_size_from(self._samples, self._steps)
        if counted is None or self._samples is None or given * (self._steps - 1) < self._samples <= given * self._steps:
            return
        self._warn_of_size(messages.batch_size_differs(self._epoch, int(self._samples), self._steps, counted, given))

    def _warn_of_size(self, finding: Finding) -> None:
        if self._told_of_size:
            return
        self._told_of_size = True
        self._warn(finding, stacklevel=5)


def _slice(series: Series, start: int, stop: int | None) -> Series:
    return {name: values[start:stop] for name, values in series.items()}


def _unknown(found: NoiseScale) -> NoiseScale:
    """The cycles that no control has changed are those with small gradients: a mean over them would say too little."""
    return NoiseScale(math.nan, math.nan, math.nan, math.nan, math.nan, found.observations, messages.CONTROLLED)


def _changed(found: NoiseScale, reported: NoiseScale | None, batch: int) -> bool:
    """Whether to tell of it: the first estimate with enough observations, another verdict, another interval or side."""
    if found.observations < MIN_OBSERVATIONS:
        return False
    if reported is None or reported.determined != found.determined:
        return True
    if not found.determined:
        return False
    apart = found.low > reported.high or found.high < reported.low
    return apart or messages.side(reported, batch) != messages.side(found, batch)
