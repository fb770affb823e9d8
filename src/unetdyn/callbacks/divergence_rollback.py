"""Go back to the last good state when a training diverges, with a lower learning rate, and go on."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from unetdyn._checks import check_count, check_fraction, check_positive, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages import controls as messages
from unetdyn.analysis.divergence import (
    DEVIATIONS,
    DIVERGENCE_WINDOW,
    LEAST_PAST,
    DivergenceLimits,
    divergence_limits,
)
from unetdyn.callbacks.epoch_control import EpochControl, State
from unetdyn.callbacks.first_loss import FirstLoss
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.settable_rate import check_rate_is_settable, rates_of, set_rates
from unetdyn.dynamics.going_back import go_back, state_to_keep
from unetdyn.dynamics.optimizers import build_optimizer
from unetdyn.dynamics.training_state import Values

BEGINNING = -1
"""Of the epoch that a state is from: before the first."""


class DivergenceRollback(EpochControl):
    """A control that brings back the last good state when a training has diverged, lowers the rate, and goes on.

    After each epoch it looks at loss and weights. The training has **diverged** if the loss, or a weight that was
    finite before, is not finite, or if the loss lies more than `k` robust deviations above its past: above level + k ·
    1.4826 · MAD, where level and MAD are the median and the median absolute deviation of those `window` good losses in
    a row whose median is lowest, and the deviation counts as a twentieth of the level at least (`analysis.divergence`).
    The level never rises: so a loss that creeps up is noticed too. Before there are five good epochs, the level is the
    lowest loss so far, that of the untrained model in its first step included, and the deviation a fifth of it. One
    batch is no sure level: each time that it goes back to the beginning, the next first step counts too, and the
    largest of them is that of the untrained model.

    A loss of more than half of these deviations is **suspicious**: it becomes no past, and its state is not kept. Any
    other epoch is **good**, and its state, all variables of model and optimizer, is copied to the host: one copy,
    beside the one that is being made. At first it is the state before the first step. From a GPU, on JAX and PyTorch,
    it lies in page-locked memory, which can't be swapped out, for as long as the training takes.

    When a training has diverged, weights, optimizer and moving statistics become what they were in the last good epoch;
    random generators and the order of the data go on. The rate becomes `factor` times that with which it diverged, also
    if it diverges again from the same state. After `max_rollbacks` it gives up: training stops with the last good
    state, and a report says how often, at which rates, and what usually helps. So it does at once where the very first
    loss was not finite, which no rate mends.

    It looks between epochs: within one, no step waits for the host, and the rest of an epoch that has diverged is lost.
    A `NonFiniteGuard` before it in the list keeps single bad batches out of the weights; an epoch in which it skipped
    some, and whose weights are finite, is suspicious whatever its loss says. What stops a training by itself then,
    such as the guard after ten in a row, a `Watch(stop_on=...)` or `keras.callbacks.TerminateOnNaN`, stops it before
    this control acts: give the guard `max_consecutive=None`.

    Put it before what exchanges weights at an epoch's end, as `keras.callbacks.SwapEMAWeights(swap_on_epoch=True)`
    does, and before `RunRecorder`. Logs stay those of the epoch that diverged: `EarlyStopping`, `ReduceLROnPlateau` and
    the recorder's best epoch see an epoch that was no better, or has no number; they are not set back, and their
    patience goes on. `ReduceLROnPlateau` may lower the rate further. A rate that is a schedule can't be lowered, and is
    refused before training starts; with `factor=1` it is let alone, and may be one. In logs: `learning_rate`, that of
    the epoch, and `rollback`, how often it has gone back.

    Args:
        factor: What the rate is multiplied by after a rollback, above 0 and at most 1. Default 0.1, as of
            `keras.callbacks.ReduceLROnPlateau`: each rollback costs epochs, and a rate that diverges is rarely only a
            little too high.
        max_rollbacks: How often it may go back, ≥ 0. Default 6: with the default factor a rate a million times too high
            comes down.
        k: How many robust deviations above its past the loss has diverged, > 0. Default 10.
        window: How many good losses make a level, ≥ 5. Default 10.
        monitor: Which value in `logs` is the loss. Default `"loss"`: the validation's rises in overfitting, too, which
            is no divergence.
        verbose: 1 (default) prints what it did and why; 0 is silent.
        name: The name under which `RunRecorder` keeps the record, and the key in `logs`.

    Attributes:
        record: Arrays of shape `(epochs,)`: `epoch` (from 0), `monitored` (the loss), `level`, `limit` (from where on
            it has diverged; infinite where not known), `verdict` (0 good, 1 suspicious, 2 diverged), `learning_rate`
            (with which the next epoch is trained), `back_to` (the epoch whose state came back, −1 for the beginning, −2
            for none).
        rollbacks: How often it has gone back.
        good_epoch: The epoch of the state that it would bring back; −1 for the beginning, None where there is none.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs: `rollback.back`, and `rollback.gave_up`.

    Raises:
        ValueError: If an argument is out of its range; at the beginning of a training, if the rate can't be set.

    Example:
        >>> import keras
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(3e3), "mse")
        >>> x = np.linspace(-1, 1, 32)[:, None]
        >>> rollback = DivergenceRollback(verbose=0)
        >>> history = model.fit(x, 2 * x, batch_size=4, epochs=20, verbose=0, callbacks=[rollback]).history
        >>> 1 <= rollback.rollbacks <= 6, history["loss"][-1] < 0.1
        (True, True)

    Reference:
        Hampel, The influence curve and its role in robust estimation (1974), for median and MAD; Chowdhery et al.,
        PaLM: Scaling language modeling with pathways (2022), section 5.1, for going back to a state before a spike.
    """

    declaration = declarations.ROLLBACK
    types: ClassVar = {"verdict": "int64", "back_to": "int64"}

    def __init__(
        self,
        factor: float = 0.1,
        max_rollbacks: int = 6,
        k: float = DEVIATIONS,
        window: int = DIVERGENCE_WINDOW,
        monitor: str = "loss",
        verbose: int = 1,
        name: str = "rollback",
    ) -> None:
        check_fraction("factor", factor, one=True)
        check_count("max_rollbacks", max_rollbacks, 0, "rollbacks")
        check_positive("k", k)
        check_count("window", window, LEAST_PAST)
        self.factor, self.max_rollbacks = plain(factor), plain(max_rollbacks)
        self.k, self.window, self.monitor = plain(k), plain(window), monitor
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        arguments = ("factor", "max_rollbacks", "k", "window", "monitor", "verbose", "name")
        return {argument: getattr(self, argument) for argument in arguments}

    def _new_optimizer(self) -> None:
        self.rollbacks = 0
        self._begun = self._again = False
        self.good_epoch: int | None = None
        self._good: Values | None = None
        self._finite: set[str] = set()
        self._past: list[float] = []
        self._first: FirstLoss | None = None
        self._first_loss: float | None = None
        self._diverged_at: list[list[float]] = []

    def on_train_begin(self, logs: State | None = None) -> None:
        """Refuse an optimizer whose rate can't be set."""
        if self.factor < 1:
            check_rate_is_settable("DivergenceRollback", self.model.optimizer)
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: State | None = None) -> None:
        """Before the first step, keep the state that there is."""
        super().on_epoch_begin(epoch, logs)
        build_optimizer(self.model)
        if not self._begun and self.model.built:
            self._keep(BEGINNING, state_to_keep(self.model))
        if not self._begun or self._again:
            self._first = FirstLoss(self.model, self.monitor)
        self._begun, self._again = True, False

    def on_epoch_end(self, epoch: int, logs: State | None = None) -> None:  # noqa: ARG002
        """Judge the epoch; keep its state, or go back."""
        logs = {} if logs is None else logs
        self._note_rate(logs)
        loss = logged_number(logs.get(self.monitor))
        if loss is None and not self._warned:
            self._warned = True
            self._warn(messages.value_not_logged("DivergenceRollback", self.monitor, self._epoch, list(logs)), 2)
        now = state_to_keep(self.model)
        limits = divergence_limits(self._past, self._untrained_loss(), self.k, self.window)
        verdict, why = self._judged(loss, now, limits, logged_number(logs.get("skipped_updates")))
        back_to = BEGINNING - 1
        if verdict == "good":
            self._past += [] if loss is None else [loss]
            self._keep(self._epoch, now)
        elif verdict == "diverged":
            back_to = self._go_back(messages.diverged(why, limits.level, limits.diverged), now)
        self._note(
            epoch=self._epoch,
            monitored=np.nan if loss is None else loss,
            level=limits.level,
            limit=limits.diverged,
            verdict=("good", "suspicious", "diverged").index(verdict),
            learning_rate=self._rates()[0],
            back_to=back_to,
        )
        self._put_into_logs(logs, {self.name: float(self.rollbacks)})

    def _judged(
        self, loss: float | None, now: Values, limits: DivergenceLimits, skipped: float | None
    ) -> tuple[str, str]:
        """The verdict on an epoch, and why, where it has diverged."""
        broken = [place for place in self._finite if not np.isfinite(now[place]).all()]
        if broken:
            return "diverged", f"{len(broken)} of {len(self._finite)} variables of the model are not finite"
        if loss is None:
            return "good", ""
        if not np.isfinite(loss):
            if skipped:  # by a guard, which kept them out of the weights: Keras' mean over the batches has them in it
                return "suspicious", ""
            return "diverged", f"{self.monitor} is {loss:g}"
        return limits.judge(loss), f"{self.monitor} {loss:.4g} is far above its past"

    def _keep(self, epoch: int, values: Values) -> None:
        self.good_epoch, self._good = epoch, values
        ours = [place for place in values if place.startswith("model/")]
        self._finite = {place for place in ours if np.isfinite(values[place]).all()}

    def _go_back(self, why: str, now: Values) -> int:
        """To the last good state, if it may; the epoch that it is from."""
        rates = self._rates()
        self._diverged_at.append(rates)
        first = self._untrained_loss()
        reason = ""
        if first is not None and not np.isfinite(first):
            reason = f"{self.monitor} was {first:g} in the very first step, so that no learning rate is the cause"
        elif self._good is None:
            reason = "the model was not built before its first step, so that there is no state to go back to"
        elif self.rollbacks >= self.max_rollbacks:
            reason = f"it has gone back {self.rollbacks} times, as often as `max_rollbacks` allows"
        if self._good is not None:
            go_back(self.model, self._good, now)
        if reason:
            self.model.stop_training = True
            self.report(messages.gave_up(why, reason, self.good_epoch, self._diverged_at))
            return BEGINNING - 1 if self.good_epoch is None else self.good_epoch
        assert self.good_epoch is not None, "there is a state"
        self.rollbacks += 1
        self._again = self.good_epoch == BEGINNING
        if self.factor < 1:
            set_rates(self.model.optimizer, [rate * self.factor for rate in rates])
        self.report(
            messages.rolled_back(why, self.good_epoch, rates, self._rates(), self.rollbacks, self.max_rollbacks)
        )
        return self.good_epoch

    def _rates(self) -> list[float]:
        return rates_of(self.model.optimizer)

    def _untrained_loss(self) -> float | None:
        """That of the first step; the largest of several, where it has gone back to the beginning."""
        if self._first is not None and (value := self._first.value) is not None:
            known = self._first_loss
            self._first_loss, self._first = value if known is None or not known > value else known, None
        return self._first_loss

    def get_state(self) -> State:
        """The record, the last good state, and the losses that made its past."""
        return super().get_state() | {
            "rollbacks": self.rollbacks,
            "good_epoch": self.good_epoch,
            "good": self._good,
            "past": np.array(self._past, dtype=np.float64),
            "first_loss": self._untrained_loss(),
            "again": self._again,
            "diverged_at": [list(rates) for rates in self._diverged_at],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was asked."""
        super().set_state(state)
        self._good, self._finite = None, set()
        good: Mapping[str, Any] | None = state["good"]
        if good is not None:
            self._keep(state["good_epoch"], {place: np.asarray(value) for place, value in good.items()})
        self.rollbacks, self.good_epoch = state["rollbacks"], state["good_epoch"]
        self._past = np.asarray(state["past"]).tolist()
        self._begun, self._again = True, state["again"]
        self._first, self._first_loss = None, state["first_loss"]
        self._diverged_at = [list(rates) for rates in state["diverged_at"]]
