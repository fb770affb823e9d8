"""The studies' adaptive stability control: a lower rate, or a tighter clip, when a training leaves its band."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from unetdyn._checks import check_count, check_fraction, check_positive, check_range, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES
from unetdyn.analysis.diagnosis.messages import controls as messages
from unetdyn.analysis.stability_classes import WINDOW
from unetdyn.callbacks.bands import Band
from unetdyn.callbacks.epoch_control import EpochControl, State
from unetdyn.callbacks.levers import Clip, ClipLever, RateLever
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.steadiness import flips_in, scatter_of, swings_of

SIGMA, CALM_SIGMA = 0.1, 0.05
OSCILLATION = 0.001
FLIP_RATE, CALM_FLIP_RATE = 0.05, 0.02
LEAST_RATE = 1e-6
_NAN = float("nan")


class StabilityControl(EpochControl):
    """A control that lowers the learning rate, or tightens a clip, when the training is unsteady for some epochs.

    The studies (docs/studies.md) name it as work to be done: "Adaptive Stability Control: Dynamic adjustment of
    training parameters based on real-time stability measurements". What they say of the parts is taken from them:

    - σ, "the standard deviation of the validation loss over its last 10 epochs", is "Moderate (0.05 ≤ σ < 0.1)" and
      "Poor (σ ≥ 0.1)" in their words, and a training has converged with σ below 0.05: it is out from 0.1 on, and calm
      below 0.05.
    - A rate that is too high makes "oscillations and instability", "frequent threshold crossings" and "massive Jaccard
      fluctuations": so the oscillation of the loss and the rate of flips are looked at too.
    - "σ ∝ α^β" with β from 0.5 to 1.5: half the rate makes σ smaller by a factor of 1.4 to 2.8. Their reduction is
      "factor=0.5, conservative", down to "min_lr=1e-6, prevent underflow".

    After each epoch it looks at

    - **σ** of `monitor`, as a `StabilityMonitor` has put it into `logs` (`stability`; of another value
      `NAME_stability`), or its own. A loss that falls fast has a large σ as well, so what counts is at most its scatter
      about the descent (`analysis.scatter`).
    - **oscillation** of `monitor`, by `analysis.oscillation` over at most 40 epochs since it last acted; known from the
      20th on. Level 0.001, since each epoch is a look: with 0.01, 9 % of 300 made-up trainings of 100 epochs with white
      noise had a false alarm for three epochs in a row, with 0.001, 2 %, and of as many with a zigzag of 1.5 standard
      deviations of the noise each was found (benchmarks/false_alarms.py).
    - **flips**, the `flips_rate` of a `ThresholdFlipMonitor` in `logs`, where there is one: the share of pixels that
      crossed the threshold. Bounds: rules of thumb; mitochondria cover 5 to 10 % of a section.

    Where one of them is out of its band for `patience` epochs in a row, the rate is multiplied by `factor`. A value
    that is out stays out until it is below its calm bound. Then nothing counts for `cooldown` epochs, after which σ is
    that of the new rate alone. A value that is not finite is left out:
    that is the matter of `DivergenceRollback`, after whose rollbacks it looks anew.

    Put it behind the monitors and before `RunRecorder`. It works on what other callbacks leave, and they on what it
    leaves: `ReduceLROnPlateau` may be in the same `fit`. A learning rate that is a schedule is refused before training
    starts: it is computed from the step's number in the compiled step, and to scale it there would change what a saved
    optimizer holds. In logs: `learning_rate`, that of the epoch, as Keras' callback writes it; and `stability_control`,
    the product of all factors so far, 1 where it has done nothing.

    Args:
        factor: What the rate, or the clip, is multiplied by, between 0 and 1. Default 0.5, the studies'.
        patience: For how many epochs in a row a value must be out, ≥ 1. Default 3: one wild epoch is none.
        sigma: σ from here on is out, > 0; None doesn't look at it. Default 0.1. It has the unit of the loss: a focal
            loss needs a smaller one.
        calm_sigma: Below it σ is calm, at most `sigma`. Default 0.05.
        oscillation: The level of the test, between 0 and 0.5; None doesn't look at it. Default 0.001.
        flip_rate: A share of pixels, from here on out, between 0 and 1; None doesn't look at it. Default 0.05.
        calm_flip_rate: Below it flips are calm, at most `flip_rate`. Default 0.02.
        cooldown: How many epochs don't count after it has acted, ≥ 0. Default 10, the window of σ.
        min_learning_rate: What the rate is not lowered below, ≥ 0. Default 1e-6, the studies'.
        clip: An `AdaptiveGradientClipping` in the same `fit`, whose `clipping` is lowered in place of the rate, or a
            `RunningAverageClipping`, whose `alpha` is; None (default) for the rate. With it, the rate may be a
            schedule. Adam and its like divide the gradient by its own size: there the second only tames spikes. The
            optimizer's own `clipnorm`, `global_clipnorm` and `clipvalue` can't be tightened: the compiled step has them
            as constants.
        min_clipping: What the clip is not lowered below, ≥ 0. Default: a hundredth of what it has by default, 1e-4 of
            `clipping` and 0.02 of `alpha`.
        raise_after: After so many epochs in a row in which all that is known is calm, one factor is taken back, at
            most to where it began; None (default) never: a rate that was too high once is so again, unless the
            trouble was at the beginning of the training.
        monitor: The value whose σ and oscillation count. Default `"val_loss"`.
        verbose: 1 (default) prints what it did and why; 0 is silent.
        name: The name under which `RunRecorder` keeps the record, and the key in `logs`.

    Attributes:
        record: Arrays of shape `(epochs,)`: `epoch` (from 0), `sigma` (what counted of it), `oscillation` (1 or 0),
            `flip_rate`, NaN where not known; `value` (rate or clip after it), `action` (−1 lowered, 1 raised, 0).
        scale: The product of all factors so far.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs: `stability_control.lowered`, `.raised`, and
            `.least` where there is nothing left to lower.

    Raises:
        ValueError: If an argument is out of its range, or when training begins, if the rate can't be set.
        TypeError: If `clip` is neither of the two.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(0.5), "mse")
        >>> control = StabilityControl(patience=1, verbose=0)
        >>> control.set_model(model)
        >>> for epoch in range(10):  # as `fit` does it
        ...     control.on_epoch_begin(epoch)
        ...     control.on_epoch_end(epoch, {"val_loss": 1.0 + epoch % 2})
        >>> float(model.optimizer.learning_rate), control.findings[0][1].seen.split(". ")[0]
        (0.25, 'StabilityControl: learning rate 0.5 → 0.25, since σ of val_loss 0.527 ≥ 0.1 for 1 epoch')

    Reference:
        The studies (docs/studies.md): Training dynamics, "Future research directions"; the two thresholds: Schmitt, A
        thermionic trigger (1938).
    """

    declaration = declarations.STABILITY_CONTROL
    types: ClassVar = {"action": "int64"}

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 3,
        sigma: float | None = SIGMA,
        calm_sigma: float = CALM_SIGMA,
        oscillation: float | None = OSCILLATION,
        flip_rate: float | None = FLIP_RATE,
        calm_flip_rate: float = CALM_FLIP_RATE,
        cooldown: int = WINDOW,
        min_learning_rate: float = LEAST_RATE,
        clip: Clip | None = None,
        min_clipping: float | None = None,
        raise_after: int | None = None,
        monitor: str = "val_loss",
        verbose: int = 1,
        name: str = "stability_control",
    ) -> None:
        check_fraction("factor", factor)
        check_count("patience", patience, 1)
        check_count("cooldown", cooldown, 0)
        check_range("min_learning_rate", min_learning_rate, 0)
        if min_clipping is not None:
            check_range("min_clipping", min_clipping, 0)
        if raise_after is not None:
            check_count("raise_after", raise_after, 1, otherwise="or None for never")
        if clip is not None and not isinstance(clip, Clip):
            raise TypeError(
                "`clip` must be an AdaptiveGradientClipping or a RunningAverageClipping, or None. "
                f"Received: {type(clip).__name__}."
            )
        self.factor, self.patience, self.cooldown = plain(factor), plain(patience), plain(cooldown)
        self.sigma, self.calm_sigma, self.oscillation = plain(sigma), plain(calm_sigma), plain(oscillation)
        self.flip_rate, self.calm_flip_rate = plain(flip_rate), plain(calm_flip_rate)
        self.min_learning_rate, self.min_clipping = plain(min_learning_rate), plain(min_clipping)
        self.clip, self.raise_after, self.monitor = clip, plain(raise_after), monitor
        self._lever = RateLever(self.min_learning_rate) if clip is None else ClipLever(clip, self.min_clipping)
        self._bands = self._made_bands()
        super().__init__(name, verbose)

    def _made_bands(self) -> dict[str, Band]:
        """Of what is looked at."""
        bands = {}
        if self.sigma is not None:
            check_positive("sigma", self.sigma, "or None")
            check_range("calm_sigma", self.calm_sigma, 0, self.sigma)
            bands["sigma"] = Band(f"σ of {self.monitor}", self.sigma, self.calm_sigma, STUDIES)
        if self.oscillation is not None:
            check_fraction("oscillation", self.oscillation, most=0.5, otherwise="or None")
            bands["oscillation"] = Band("", 1.0, 1.0, f"a test of noise at level {self.oscillation:g}")
        if self.flip_rate is not None:
            check_fraction("flip_rate", self.flip_rate, otherwise="or None")
            check_range("calm_flip_rate", self.calm_flip_rate, 0, self.flip_rate)
            bands["flip_rate"] = Band("share of pixels that flip", self.flip_rate, self.calm_flip_rate, RULE_OF_THUMB)
        if not bands:
            raise ValueError(
                "One of `sigma`, `oscillation` and `flip_rate` must be looked at. Received: None for all three."
            )
        return bands

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with; of `clip` its own."""
        arguments = (
            *("factor", "patience", "sigma", "calm_sigma", "oscillation", "flip_rate", "calm_flip_rate", "cooldown"),
            *("min_learning_rate", "min_clipping", "raise_after", "monitor", "verbose", "name"),
        )
        config = {argument: getattr(self, argument) for argument in arguments}
        return {**config, "clip": None if self.clip is None else self.clip.get_config()}

    def _new_optimizer(self) -> None:
        self.scale = 1.0
        self._cooling = 0
        self._at_least = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What was seen so far was of another rate."""
        self._values: list[float] = []
        for band in self._bands.values():
            band.begin()

    def on_train_begin(self, logs: State | None = None) -> None:
        """Refuse an optimizer whose rate can't be set."""
        self._lever.check("StabilityControl", self.model)
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: State | None = None) -> None:  # noqa: ARG002
        """Look, and act where something has been out of its band for too long."""
        logs = {} if logs is None else logs
        self._note_rate(logs)
        if self._undone(logs):
            self._begin_anew()
        seen = self._look(logs)
        action = self._act() if self._cooling == 0 else 0
        if self._cooling and not action:
            self._cooling -= 1
        value = self._lever.values(self.model)[0]
        self._note(epoch=self._epoch, value=value, action=action, **{name: seen.get(name, _NAN) for name in _SIGNALS})
        self._put_into_logs(logs, {self.name: self.scale})

    def _look(self, logs: State) -> dict[str, float]:
        """What is known of each signal; while it cools down nothing counts."""
        value = logged_number(logs.get(self.monitor))
        if value is None and not self._warned and {"sigma", "oscillation"} & self._bands.keys():
            self._warned = True
            self._warn(messages.value_not_logged("StabilityControl", self.monitor, self._epoch, list(logs)), 2)
        known = {"flip_rate": flips_in(logs)}
        if value is not None and np.isfinite(value):
            self._values.append(value)
            known["sigma"] = scatter_of(self._values, self.monitor, logs)
            if self.oscillation is not None:
                known["oscillation"], words = swings_of(self._values, self.monitor, self.oscillation)
                self._bands["oscillation"].name = words
        if not self._cooling:
            for name, band in self._bands.items():
                band.look(known.get(name, _NAN))
        return known

    def _act(self) -> int:
        out = [band for band in self._bands.values() if band.out >= self.patience]
        if out:
            return self._lower(out)
        known = [band.calm_for for band in self._bands.values() if band.value == band.value]
        if self.raise_after is not None and self.scale < 1 and known and min(known) >= self.raise_after:
            return self._raise(min(known))
        return 0

    def _lower(self, out: Sequence[Band]) -> int:
        before, least, reasons = self._lever.values(self.model), self._lever.least, [band.words for band in out]
        after = [max(value * self.factor, min(value, least)) for value in before]
        if all(np.isclose(after, before, rtol=1e-6, atol=0)):  # a variable in float32 is not quite what it was set to
            if not self._at_least:
                self._at_least = True
                self.report(messages.at_its_least(self._lever.name, before, reasons))
            return 0
        self._lever.set(self.model, after)
        self.scale *= after[0] / before[0]
        sources = "; ".join(dict.fromkeys(band.source for band in out))
        self.report(messages.lowered(self._lever.name, before, after, reasons, sources, self.cooldown))
        self._cool_down()
        return -1

    def _raise(self, calm: int) -> int:
        scale = min(1.0, self.scale / self.factor)
        before = self._lever.values(self.model)
        after = [value * scale / self.scale for value in before]
        self._lever.set(self.model, after)
        self.scale = scale
        self.report(messages.raised(self._lever.name, before, after, calm))
        self._cool_down()
        return 1

    def _cool_down(self) -> None:
        self._at_least = False
        self._cooling = self.cooldown
        self._begin_anew()

    def get_state(self) -> State:
        """The record, the values since it last acted, and how long each has been out of its band."""
        return super().get_state() | {
            "scale": self.scale,
            "cooling": self._cooling,
            "at_least": self._at_least,
            "values": np.array(self._values, dtype=np.float64),
            "bands": {name: band.get_state() for name, band in self._bands.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was asked; the rate comes back with the optimizer, a clip by itself."""
        super().set_state(state)
        self.scale, self._cooling, self._at_least = state["scale"], state["cooling"], state["at_least"]
        self._values = np.asarray(state["values"]).tolist()
        for name, band in self._bands.items():
            band.set_state(state["bands"][name])


_SIGNALS = ("sigma", "oscillation", "flip_rate")
