"""Watch during `fit` the gradient noise scale: which batch size this training could use."""

import math
import warnings
from typing import Any

import keras
import numpy as np

from unetdyn._messages import unknown_choice
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.callbacks.tap_monitor import TapMonitor
from unetdyn.dynamics.noise_scale import MIN_OBSERVATIONS, NoiseScale, finite_population, noise_scale
from unetdyn.dynamics.noise_scale_sources import Observations, Source, batch_size_from, batch_sizes, source_of
from unetdyn.dynamics.probe import Probe
from unetdyn.dynamics.rows import Rows

_CONTROLLED = (
    "a control changed gradients before they were accumulated. Keras' own clipping (`global_clipnorm`) acts after "
    "that, and leaves them to be compared"
)


class NoiseScaleMonitor(TapMonitor):
    """Writes into `logs` the gradient noise scale B_simple = trΣ / |G|², which is about the critical batch size.

    Σ is the covariance over samples of one sample's gradient, G its mean. Both are measured without an extra pass, from
    what the training has anyway:

    - with `tf.distribute`, each replica's gradient against the whole batch's;
    - with `gradient_accumulation_steps`, each micro-batch's against the accumulated mean; undetermined where a control
      (`AutoClip`, `AdaptiveGradientClipping`) changes the micro-batches' gradients on their way into that mean;
    - otherwise each step's against the one before, at the price of one copy of the gradient. This assumes that the
      weights hardly move between two steps; where they do, the noise scale comes out too large, the more so the higher
      the learning rate, the curvature and the noise (`unetdyn.dynamics.noise_scale.consecutive_estimates`).

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
    `noise_scale_high` where it is determined. Training is never changed.

    Args:
        batch_size: samples in a batch (of one micro-batch under accumulation; over all replicas). Default: the number
            of samples that the model's loss counted in an epoch over the number of steps. Pass it where a custom
            `train_step` does not count samples, or where something evaluates the model in the midst of an epoch.
        window: how many observations count, ≥ 30. 200 by default: a compromise between an interval that closes and
            weights that stay comparable. Where it stays undetermined, take more.
        dataset_size: samples in the training set, where each epoch goes through it once without replacement; corrects
            |G|² for that (`unetdyn.dynamics.noise_scale.finite_population`). By default not corrected: the noise
            scale is then that of the population the training set was drawn from, larger by a share of B_simple/N.
        confidence: of the interval; 0.95 by custom.
        verbose: 1 prints messages as they come; 0 is silent.
        undefined: what is in `logs` while undetermined: `"absent"` (default) no key, `"nan"` the keys with NaN, which
            `CSVLogger` needs.
        name: the name under which `RunRecorder` keeps the record.

    Attributes:
        record: dictionary of arrays. One element an estimate: `step` (the last one in it), `trace_covariance`,
            `gradient_sq`, `noise_scale` (NaN where undetermined), `noise_scale_low`, `noise_scale_high` (a lower bound
            and infinity where no more is known), `observations`, `batch_size` (samples of one update). One element an
            observation: `raw_step`, `raw_trace_covariance`, `raw_gradient_sq`.
        result: the last `unetdyn.dynamics.noise_scale.NoiseScale`, or None.
        messages: (epoch, sentence) pairs, printed or not.

    Raises:
        ValueError: if an argument is out of its range.

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
        _check_count("batch_size", batch_size, 1)
        _check_count("window", window, MIN_OBSERVATIONS)
        _check_count("dataset_size", dataset_size, 2)
        if not 0 < confidence < 1:
            raise ValueError(f"`confidence` must lie between 0 and 1. Received: confidence={confidence}.")
        if undefined not in ("absent", "nan"):
            raise ValueError(unknown_choice("undefined", undefined, ["absent", "nan"]))
        self.batch_size = batch_size
        self.window = window
        self.dataset_size = dataset_size
        self.confidence = confidence
        self.undefined = undefined
        self._source: Source = source_of(None)
        super().__init__(name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """The estimates, and the observations they were made from."""
        return self._kept.arrays | {f"raw_{name}": values for name, values in self._raw.arrays.items()}

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
            self._samples = _samples_counted(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, and write into `logs`."""
        if self._samples is None:
            self._samples = _samples_counted(self.model)
        super().on_epoch_end(epoch, logs)

    def _empty_record(self) -> StepRecord:
        columns = ("trace_covariance", "gradient_sq", "noise_scale", "noise_scale_low", "noise_scale_high")
        counts = ("step", "observations", "batch_size")
        return StepRecord(**{name: np.zeros(0, np.int64) for name in counts}, **{name: np.zeros(0) for name in columns})

    def _restart(self) -> None:
        super()._restart()
        self._raw = StepRecord(step=np.zeros(0, np.int64), gradient_sq=np.zeros(0), trace_covariance=np.zeros(0))
        self._samples, self._steps = None, 0
        self._size = self.batch_size
        self._said: NoiseScale | None = None
        self._unsized = False
        self._spoilt = -1
        self.result: NoiseScale | None = None

    def _digest(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        del blocks
        self._steps += len(rows)
        self._size = self._size or batch_size_from(self._samples, self._steps)
        if self._size is None:
            self._warn_unsized()
        # Where somebody has read in the midst of the epoch, nothing is known of the size of the last batch.
        samples = self._samples if self._steps == len(rows) else None
        seen = self._source.observe(rows, batch_sizes(self._size, len(rows), samples))
        self._spoilt = max(self._spoilt, seen.spoilt)
        before = len(self._raw)
        self._raw.append(**self._corrected(seen))
        for end in range(before + self.window, len(self._raw), self.window):
            self._estimate(end, int(self._raw.arrays["step"][end - 1]))
        return self._scalars(self._estimate(len(self._raw), int(rows.step[-1])))

    def _corrected(self, seen: Observations) -> dict[str, Any]:
        gradient_sq, trace = seen.gradient_sq, seen.trace_covariance
        if self.dataset_size is not None:
            gradient_sq = finite_population(gradient_sq, trace, self.dataset_size)
        return {"step": seen.step, "gradient_sq": gradient_sq, "trace_covariance": trace}

    def _estimate(self, end: int, step: int) -> NoiseScale:
        """From the window that ends before observation `end`, into the record."""
        raw, window = self._raw.arrays, slice(max(0, end - self.window), end)
        found = noise_scale(raw["gradient_sq"][window], raw["trace_covariance"][window], self.confidence)
        since = raw["step"][window][:1]
        if self._spoilt >= (since[0] if len(since) else 0):
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
        self._kept.append(**{name: np.array([value]) for name, value in row.items()})
        self.result = found
        if _is_news(found, self._said, batch):
            self._said = found
            self._say(self._sentence(found, batch))
        return found

    def _scalars(self, found: NoiseScale) -> dict[str, float]:
        scalars = {"trace_covariance": found.trace_covariance, "gradient_sq": found.gradient_sq}
        if found.determined or self.undefined == "nan":
            high = found.high if found.determined else math.nan
            low = found.low if found.determined else math.nan
            scalars |= {self.name: found.value, f"{self.name}_low": low, f"{self.name}_high": high}
        return {key: value for key, value in scalars.items() if found.observations or self.undefined == "nan"}

    def _sentence(self, found: NoiseScale, batch: int) -> str:
        source = f"{found.observations} {self._source.unit}"
        if not found.determined:
            bound = f", but above {found.low:.3g} samples" if found.low > 0 else ""
            full = found.observations >= self.window and found.reason != _CONTROLLED
            more = f" A `window` longer than {self.window} may tell." if full else ""
            return f"The gradient noise scale is undetermined{bound}, from {source}: {found.reason}.{more}"
        return (
            f"The gradient noise scale is {found.value:.3g} samples ({self.confidence:.0%} interval {found.low:.3g} to "
            f"{found.high:.3g}), from {source}. {_advice(found, batch)}"
        )

    def _warn_unsized(self) -> None:
        if self._unsized:
            return
        self._unsized = True
        text = (
            f"{type(self).__name__}: the batch size could not be told from what the loss counted in epoch "
            f"{self._epoch + 1}, so the noise scale is undetermined. Pass `batch_size=` what you pass to `fit`."
        )
        self.messages.append((self._epoch, text))
        warnings.warn(text, UserWarning, stacklevel=4)


def _unknown(found: NoiseScale) -> NoiseScale:
    """The cycles that no control has changed are those with small gradients: a mean over them would say too little."""
    return NoiseScale(math.nan, math.nan, math.nan, math.nan, math.nan, found.observations, _CONTROLLED)


def _check_count(argument: str, value: int | None, least: int) -> None:
    if value is None and argument != "window":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"`{argument}` must be an integer of at least {least}. Received: {argument}={value!r}.")


def _advice(found: NoiseScale, batch: int) -> str:
    """What the batch in use costs, by S = S_min (1 + B_crit/B) and E = E_min (1 + B/B_crit) of the paper."""
    where = {-1: "below that: a larger batch would save steps", 0: "within it", 1: "above that: a smaller one would do"}
    steps, samples = 1 + found.value / batch, 1 + batch / found.value
    return (
        f"Updates use {batch} samples, {where[_side(found, batch)]}. That takes about {steps:.3g} times the fewest "
        f"possible steps and {samples:.3g} times the fewest samples; a batch of {found.value:.2g} takes twice either."
    )


def _side(found: NoiseScale, batch: int) -> int:
    """Whether the batch lies below (−1), in (0) or above (1) the interval."""
    return int(batch > found.high) - int(batch < found.low)


def _is_news(found: NoiseScale, said: NoiseScale | None, batch: int) -> bool:
    """Worth a sentence: the first estimate that could have been one, another verdict, or one that contradicts it."""
    if found.reason == _CONTROLLED:
        return said is None or said.reason != _CONTROLLED
    if found.observations < MIN_OBSERVATIONS:
        return False
    if said is None or said.determined != found.determined:
        return True
    if not found.determined:
        return False
    return _side(said, batch) != _side(found, batch) or found.low > said.high or found.high < said.low


def _samples_counted(model: keras.Model) -> float | None:
    """How many samples the running mean of the loss stands for: Keras weights each batch with its size."""
    count = getattr(getattr(model, "_loss_tracker", None), "count", None)
    return None if count is None else float(keras.ops.convert_to_numpy(count))
