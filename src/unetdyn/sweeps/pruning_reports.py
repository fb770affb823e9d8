"""The callback by which a training tells a search of its values, and hears whether it should end."""

from collections.abc import Callable, Collection
from typing import Any

import keras

from unetdyn.callbacks import RunRecorder
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.neighbours import callbacks_of_fit

PRUNED = "pruned"
"""Kind of the event in a run directory, whose `reason` says why."""


class PruningReports(keras.callbacks.Callback):
    """Reports a value to a trial of Optuna after each epoch, and ends the training where the pruner says so.

    The training ends as by early stopping: the record is whole, the best model is kept. An event `pruned` and
    `pruned_after` in the summary tell it; `runs.Run.status` is "finished". Put it behind `RunRecorder` where the
    pruner reads run directories. In a function for `study.optimize`, raise `optuna.TrialPruned(reports.pruned)` after
    `fit` where `reports.pruned` is not empty.

    Args:
        trial: An `optuna.Trial`.
        monitor: The value in `logs`. Default `"val_jaccard"`. An epoch without it reports nothing.
        ask: Says after each epoch whether and why to end: a text, empty to go on. Default None: as
            `trial.should_prune()`, with the reason that a `StabilityPruner` has. Optuna has neither reports nor pruning
            where there are several objectives: with `ask` nothing is reported to it.
        reported: Epochs that the trial has reported already, from 0, as of one that is resumed.

    Attributes:
        pruned: Why the training was ended; empty where it was not.
        ends_training: Whether it was, for `unetdyn.experiment`: no further stage begins.

    Example:
        >>> import numpy as np, optuna
        >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
        >>> def objective(trial):
        ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        ...     model.compile(keras.optimizers.SGD(trial.suggest_float("rate", 0.01, 0.1)), "mse")
        ...     reports, x = PruningReports(trial, "loss"), np.ones((4, 1))
        ...     model.fit(x, x, epochs=5, verbose=0, callbacks=[reports])
        ...     if reports.pruned:
        ...         raise optuna.TrialPruned(reports.pruned)
        ...     return trial.user_attrs.get("loss", 0.0)
        >>> study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.9, n_warmup_steps=2))
        >>> study.optimize(objective, n_trials=1)
        >>> sorted(study.trials[0].intermediate_values)
        [0, 1, 2, 3, 4]
    """

    def __init__(
        self,
        trial: Any,
        monitor: str = "val_jaccard",
        ask: Callable[[], str] | None = None,
        reported: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.trial, self.monitor = trial, monitor
        self.pruned = ""
        self._ask, self._reported = ask, set(reported)

    @property
    def ends_training(self) -> bool:
        """Whether the training was ended."""
        return bool(self.pruned)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report, and end the training where that is asked for."""
        value = logged_number((logs or {}).get(self.monitor))
        if value is None:
            return
        if self._ask is None and epoch not in self._reported:
            self.trial.report(value, epoch)
            self._reported.add(epoch)
        self.pruned = self._reason() if self._ask is None else self._ask()
        if self.pruned:
            self.model.stop_training = True
            for recorder in self._recorders():
                recorder.event(PRUNED, f"Ended early: {self.pruned}", epoch=epoch, reason=self.pruned)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note in the summary that the training has not come to its end."""
        if self.pruned:
            for recorder in self._recorders():
                recorder.conclude(pruned_after=len(recorder.epochs))

    def get_state(self) -> dict[str, Any]:
        """What was reported."""
        return {"reported": sorted(self._reported), "pruned": self.pruned}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there; what was reported since stays reported."""
        self._reported |= set(state["reported"])
        self.pruned = state["pruned"]

    def _reason(self) -> str:
        if not self.trial.should_prune():
            return ""
        pruner = self.trial.study.pruner
        signal = getattr(pruner, "why", {}).get(self.trial.number)
        return f"by {type(pruner).__name__}" if signal is None else f"{signal.kind}: {signal.message}"

    def _recorders(self) -> list[RunRecorder]:
        return [each for each in callbacks_of_fit() if isinstance(each, RunRecorder)]
