"""Stop a training when a criterion of convergence holds, and say which, with its numbers."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from unetdyn import analysis
from unetdyn._checks import check_choice, check_count, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.criteria import Criterion
from unetdyn.analysis.curves import Curves
from unetdyn.analysis.diagnosis.messages import controls as messages
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.best_model import MODES, BestModel
from unetdyn.callbacks.epoch_control import EpochControl, State
from unetdyn.callbacks.gradient import GradientMonitor
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.callbacks.neighbours import callbacks_of_fit

SOURCES = {
    "slope": "two one-sided tests, Schuirmann (1987)",
    "stability": "the studies",
    "change": "Gill, Murray and Wright (1981)",
    "improvement": "the studies, without a formula there",
    "gradient": "the studies; Nocedal and Wright (2006)",
}
_TRIAL = {"stability": {"loss": [0.5], "metric": [0.5]}, "gradient": {"epoch": [0], "grad_norm": [1.0]}}
"""The least history that a criterion takes; of the others one value."""


class ConvergenceStopping(EpochControl):
    """A control that stops a training when one of the criteria of `unetdyn.analysis` says that it has converged.

    `keras.callbacks.EarlyStopping` stops when a value has not become better for some epochs. This one asks at each
    epoch's end what `unetdyn.analysis` would say of the training so far, and says why it stops: criterion, numbers,
    threshold and where that comes from. A criterion that is undetermined, as with too much noise, stops nothing.

    | `criterion` | converged when | asks |
    | --- | --- | --- |
    | `"slope"` | the slope of `monitor` is shown to be small | `converged_by_slope`: the only one that is evidence |
    | `"stability"` | σ of loss and metric are small (0.05 and 0.01) | `converged_by_stability`: the studies' |
    | `"change"` | |L_t − L_(t−10)| / |L_(t−10)| < 0.01, ten times in a row | `converged_by_change` |
    | `"improvement"` | the best gets better by less than 0.1 % an epoch | `converged_by_improvement` |
    | `"gradient"` | ‖∇L‖ < ε; `settings={"epsilon": ε}` is needed | `converged_by_gradient` |

    A look at every epoch is many tests: the first epoch in which `"slope"` holds has not its level α. A validation loss
    that rises, as in overfitting, has not converged by the slope, and never stops this control: that is what
    `EarlyStopping` is for, and both may be in one `fit`. Epochs that a `DivergenceRollback` has undone are left out.

    Put it behind what writes into `logs` and before `RunRecorder`. `restore_best_weights` follows `EarlyStopping`: the
    weights of the best epoch of a `fit` are put back when it ends, whether this control ended it or not. With averaged
    weights, those are kept that the model has at the epoch's end; `RunRecorder` saves the averages. In logs: the key
    `convergence`, 1 while the criterion holds and 0 else. A `fit` with another optimizer, as of a stage, is looked at
    anew.

    Args:
        criterion: Which. Default `"slope"`.
        min_epochs: It stops after so many epochs (of the stage) at the earliest, ≥ 1. Default 30: a net that still
            answers "background" everywhere has a flat loss, too, and takes off later.
        restore_best_weights: Whether the weights of the best epoch are put back in the end. Default False.
        monitor: The value in `logs` that the criterion looks at (`"stability"` and `"gradient"` have their own), and
            by which the best epoch is chosen. Default `"val_loss"`.
        mode: `"min"`, `"max"` or `"auto"` (default): whether less or more of `monitor` is better, by the rules of
            `RunRecorder`: Keras' metric object, then what a monitor declares, then the name.
        settings: Further arguments of the criterion's function, such as `{"window": 20}`. Default none.
        verbose: 1 (default) prints why it stops; 0 is silent.
        name: The name under which `RunRecorder` keeps the record, and the key in `logs`.

    Attributes:
        record: Arrays of shape `(epochs,)`: `epoch` (from 0), `monitored` (the value of `monitor`), `holds` (whether
            the criterion held after it).
        result: What the criterion says of the training so far, a `unetdyn.analysis.criteria.Criterion`, or None.
        stopped_epoch: After which epoch (from 0) it has stopped; None if it has not.
        best: (epoch, value) of the best epoch of this `fit`, or None.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs: `convergence.stopped`.

    Raises:
        ValueError: If an argument is out of its range; at the beginning of a training, if `"gradient"` has no
            `GradientMonitor` in the same `fit`.
        TypeError: If `settings` are none of the criterion.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(keras.optimizers.SGD(0.2), "mse")
        >>> x, y = np.ones((4, 1)), np.array([[1.0], [3.0], [1.0], [3.0]])  # no line comes nearer than 1
        >>> stopping = ConvergenceStopping("improvement", 5, monitor="loss", settings={"window": 2}, verbose=0)
        >>> _ = model.fit(x, y, batch_size=4, epochs=50, verbose=0, callbacks=[stopping])
        >>> stopping.stopped_epoch, stopping.messages[0][1].split(": ")[1]
        (5, 'training stopped after 6 epochs, converged by improvement of loss')

    Reference:
        Each criterion's own; the studies (docs/studies.md) name scatter, relative change, improvements and the norm of
        the gradient.
    """

    declaration = declarations.CONVERGENCE
    types: ClassVar = {"holds": "bool"}

    def __init__(
        self,
        criterion: str = "slope",
        min_epochs: int = 30,
        restore_best_weights: bool = False,
        monitor: str = "val_loss",
        mode: str = "auto",
        settings: Mapping[str, Any] | None = None,
        verbose: int = 1,
        name: str = "convergence",
    ) -> None:
        check_choice("criterion", criterion, SOURCES)
        check_count("min_epochs", min_epochs, 1)
        check_choice("mode", mode, MODES)
        self.criterion, self.monitor, self.mode = criterion, monitor, mode
        self.min_epochs = plain(min_epochs)
        self.restore_best_weights = bool(restore_best_weights)
        self.settings = {argument: plain(value) for argument, value in (settings or {}).items()}
        self._check_settings()
        self._gradients: GradientMonitor | None = None
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        arguments = (
            "criterion",
            "min_epochs",
            "restore_best_weights",
            "monitor",
            "mode",
            "settings",
            "verbose",
            "name",
        )
        return {argument: getattr(self, argument) for argument in arguments}

    def _restart(self) -> None:
        super()._restart()
        self.stopped_epoch: int | None = None

    def _new_optimizer(self) -> None:
        self._logged: dict[str, tuple[list[int], list[float]]] = {}
        self._epochs_seen = 0
        self._begin_best()

    def _begin_best(self) -> None:
        self._choice = BestModel(self.monitor, self.mode)
        self._best_weights: list[np.ndarray] | None = None

    @property
    def result(self) -> Criterion | None:
        """What the criterion says of the training so far; None before the first epoch."""
        return self._ask() if self.monitor in self._logged else None

    @property
    def best(self) -> tuple[int, float] | None:
        """(epoch, value) of the best epoch of this `fit`, or None."""
        return self._choice.best

    def on_train_begin(self, logs: State | None = None) -> None:
        """See whether what the criterion needs is there."""
        super().on_train_begin(logs)
        self.stopped_epoch = None
        self._begin_best()
        self._gradients = next((each for each in callbacks_of_fit() if isinstance(each, GradientMonitor)), None)
        if self.criterion == "gradient" and self._gradients is None:
            raise ValueError(
                "`criterion='gradient'` goes by the record of a `GradientMonitor`: put one before this control into "
                f"the callbacks of `fit`. Received: {[type(each).__name__ for each in callbacks_of_fit()]}."
            )

    def on_epoch_end(self, epoch: int, logs: State | None = None) -> None:  # noqa: ARG002
        """Ask the criterion, keep the best weights, and stop where it holds."""
        logs = {} if logs is None else logs
        self._epochs_seen += 1
        undone = self._undone(logs)
        value = logged_number(logs.get(self.monitor))
        if value is None and not self._warned:
            self._warned = True
            self._warn(messages.value_not_logged("ConvergenceStopping", self.monitor, self._epoch, list(logs)), 2)
        for key, logged in logs.items() if not undone else ():
            wanted = key == self.monitor or self.criterion == "stability"
            if wanted and (number := logged_number(logged)) is not None:
                epochs, values = self._logged.setdefault(key, ([], []))
                epochs.append(self._epoch)
                values.append(number)
        if value is not None and not undone:
            self._compare(value)
        result = None if value is None or undone else self._ask()
        since = None if result is None else result.since
        self._note(epoch=self._epoch, monitored=np.nan if value is None else value, holds=since is not None)
        self._put_into_logs(logs, {self.name: float(since is not None)})
        if result is not None and since is not None and self._epochs_seen >= self.min_epochs:
            self._stop(result, since)

    def on_train_end(self, logs: State | None = None) -> None:  # noqa: ARG002
        """Put the best weights back, where that was asked for."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)

    def _compare(self, value: float) -> None:
        if self._choice.guesses(self.monitor, self._log_keys()) and self.restore_best_weights:
            self._warn(messages.direction_assumed("ConvergenceStopping", self.monitor), 3)
        if self._choice.is_better(value):
            self._choice.best = (self._epoch, value)
            if self.restore_best_weights:
                self._best_weights = self.model.get_weights()

    def _log_keys(self) -> LogKeys:
        return LogKeys(metric_directions(self.model))

    def _ask(self) -> Criterion:
        by, settings = _by(self.criterion), self.settings
        if self.criterion == "gradient":
            assert self._gradients is not None, "it was looked for when the training began"
            return by(self._gradients.record, **settings)
        logged = {key: (np.array(epochs), np.array(values)) for key, (epochs, values) in self._logged.items()}
        curves = Curves(logged, "fit", self._log_keys())
        if self.criterion == "stability":
            return by(curves, **settings)
        if self.criterion == "improvement":
            settings = {"mode": "min" if self._choice.direction == "down" else "max"} | settings
        return by(curves[self.monitor], name=self.monitor, **settings)

    def _stop(self, found: Criterion, since: int) -> None:
        self.stopped_epoch = self._epoch
        self.model.stop_training = True
        best = ""
        if self._best_weights is not None and self.best is not None:
            best = f" The weights of epoch {self.best[0] + 1} come back, {self.monitor} {self.best[1]:.4g}."
        how = (self.criterion, found.watched, found.evidence, since)
        self.report(messages.converged(*how, self._epochs_seen, best, SOURCES[self.criterion]))

    def _check_settings(self) -> None:
        """A wrong name or value is told now, not after the first epoch."""
        if self.criterion == "gradient" and "epsilon" not in self.settings:
            raise ValueError(
                "`criterion='gradient'` needs ε, which has no default, since any factor before the loss is one "
                f"before the gradient: settings={{'epsilon': ...}}. Received: settings={self.settings}."
            )
        trial = dict(self.settings)
        if self.criterion == "stability":
            trial.pop("metric", None)  # nobody knows yet what will be logged
        _by(self.criterion)(_TRIAL.get(self.criterion, [0.5]), **trial)

    def get_state(self) -> State:
        """The record, the curves so far, and the best epoch with its weights."""
        return super().get_state() | {
            "stopped_epoch": self.stopped_epoch,
            "logged": {key: {"epochs": np.array(e), "values": np.array(v)} for key, (e, v) in self._logged.items()},
            "epochs_seen": self._epochs_seen,
            "choice": self._choice.get_state(),
            "best_weights": None if self._best_weights is None else list(self._best_weights),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was asked."""
        super().set_state(state)
        self.stopped_epoch = state["stopped_epoch"]
        self._logged = {
            key: (kept["epochs"].tolist(), kept["values"].tolist()) for key, kept in state["logged"].items()
        }
        self._epochs_seen = state["epochs_seen"]
        self._choice.set_state(state["choice"])
        weights = state["best_weights"]
        self._best_weights = None if weights is None else [np.asarray(each) for each in weights]


def _by(criterion: str) -> Callable[..., Criterion]:
    """The function of a criterion; only who asks for one has SciPy loaded."""
    return getattr(analysis, f"converged_by_{criterion}")
