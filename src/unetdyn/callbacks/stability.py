"""Watch during `fit` how much the validation loss scatters from epoch to epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages import stability as messages
from unetdyn.analysis.stability_classes import DDOF, WINDOW, Stability, check_window, stability
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.monitor import Monitor


class StabilityMonitor(Monitor):
    """Writes into `logs` the standard deviation of the validation loss over its last epochs.

    σ = sqrt(Σ (vᵢ − v̄)² / (window − ddof)), and σ / |v̄| beside it, because σ depends on the loss's scale; see
    `unetdyn.analysis.stability`. For `val_loss` the keys are `stability` (σ) and `stability_cv` (the coefficient of
    variation); for another value, such as `val_jaccard`, `val_jaccard_stability` and `val_jaccard_stability_cv`.

    The window counts the epochs in which the value was observed: with `validation_freq=2`, ten validations are twenty
    epochs. The keys are there from the first epoch with a full window in which they are numbers. Later they are NaN
    where the window holds a value that is not finite. Training is never changed: weights with and without the monitor
    are equal to the last bit (on JAX to float rounding, because XLA may fuse differently).

    Put the monitor before the callbacks that read its keys. `EarlyStopping`, `ReduceLROnPlateau` and `ModelCheckpoint`
    with `monitor="stability", mode="min"` warn in each epoch that has no such key yet, and begin with the first that
    has. `CSVLogger` takes its columns from the first epoch's `logs` and leaves later keys out: `undefined="nan"` gives
    it the columns, but the other three take a first NaN for the best value ever (`start_from_epoch=window - 1` keeps
    `EarlyStopping` from that). A warning tells at the first epoch's end where the two don't go together.

    A `fit` that goes on with the same model carries on with the record, whether it passes `initial_epoch` or counts
    from 0 again; another training starts it anew, and a warning says so, once.

    Args:
        monitor: A name in `logs`, or several. Default `"val_loss"`, the value of the studies.
        window: How many observed values count, ≥ 2. 10 is what the studies used.
        ddof: 1 (default), the sample standard deviation; 0, the population's, `numpy.std` as in the studies' monitor.
        verbose: 1 prints a sentence when the class of stability is first known and when it changes; 0 is silent.
        undefined: What is in `logs` before the window is full: `"absent"` (default) no key, `"nan"` the keys with NaN.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record; give two monitors in one
            `fit` different names.

    Attributes:
        record: Dictionary of arrays of shape `(epochs,)`: `epoch` (from 0), and for each monitored name `NAME`,
            `NAME_sigma`, `NAME_cv`; NaN where not observed or not defined.
        results: `unetdyn.analysis.Stability` by monitored name, as of the last epoch.
        result: The first of them.
        val_losses: A list of the validation losses so far, one for each validation, whatever is monitored: what the
            studies' class keeps.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        TypeError: If `monitor` isn't a name or a sequence of names.
        ValueError: If another argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.0))
        >>> x = np.ones((4, 1))
        >>> monitor = StabilityMonitor(window=3)
        >>> history = model.fit(x, x, validation_data=(x, x), epochs=5, verbose=0, callbacks=[monitor])
        >>> history.history["stability"]
        [0.0, 0.0, 0.0]
        >>> monitor.result.label
        'Excellent'

    Reference:
        Window, formula and classes: the studies (docs/studies.md).
    """

    declaration = declarations.STABILITY

    def __init__(
        self,
        monitor: str | Sequence[str] = "val_loss",
        window: int = WINDOW,
        ddof: int = DDOF,
        verbose: int = 0,
        undefined: str = "absent",
        name: str = "stability",
    ) -> None:
        check_window(window, ddof)
        check_choice("undefined", undefined, ["absent", "nan"])
        self.monitor = _names(monitor)
        self.window = plain(window)
        self.ddof = plain(ddof)
        self.undefined = undefined
        self._warned: set[str] = set()
        super().__init__(name, verbose)

    @property
    def record(self) -> dict[str, NDArray[Any]]:
        """What was seen, as arrays with one element an epoch."""
        return self._since(0)

    def record_since(self, row: int) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """The epochs from one on; None where a subclass has a record of its own."""
        if type(self).record is not _RECORD:
            return None
        first = row if row <= len(self._epochs) else 0
        return first, self._since(first)

    def _since(self, row: int) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"epoch": np.array(self._epochs[row:], dtype=np.int64)}
        for name, rows in self._rows.items():
            columns = np.array(rows[3 * row :], dtype=np.float64).reshape(-1, 3).T
            arrays |= dict(zip((name, f"{name}_sigma", f"{name}_cv"), columns, strict=True))
        return arrays

    @property
    def result(self) -> Stability:
        """The stability of the first monitored value, as of the last epoch."""
        return self.results[self.monitor[0]]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Measure, and write into `logs`."""
        logs = {} if logs is None else logs
        self._epochs.append(self._epoch)
        available = list(logs)
        if "val_loss" in logs:
            self.val_losses.append(_scalar("val_loss", logs["val_loss"]))
        for name in self.monitor:
            if name in logs:
                self._observe(name, _scalar(name, logs[name]), logs)
            else:
                self._rows[name].extend((np.nan, np.nan, np.nan))
                self._warn_once(name, available)

    def _observe(self, name: str, value: float, logs: dict[str, Any]) -> None:
        self._values[name] = [*self._values[name], value][-self.window :]
        before, now = self.results[name], stability(self._values[name], self.window, self.ddof)
        self.results[name] = now
        self._rows[name].extend((value, now.sigma, now.coefficient_of_variation))
        key = self.name if name == "val_loss" else f"{name}_{self.name}"
        scalars = {key: now.sigma, f"{key}_cv": now.coefficient_of_variation}
        self._put_into_logs(logs, scalars)
        if now.label != before.label:
            self.report(messages.class_of_stability(name, now))

    def _warn_once(self, name: str, available: list[str]) -> None:
        if name in self._warned:
            return
        self._warned.add(name)
        self._warn(messages.value_not_logged(name, self._epoch, available, self.window), stacklevel=2)

    def _restart(self) -> None:
        super()._restart()
        self.val_losses: list[float] = []
        self._epochs: list[int] = []
        self._values: dict[str, list[float]] = {name: [] for name in self.monitor}
        self._rows: dict[str, list[float]] = {
            name: [] for name in self.monitor
        }  # value, σ, CV of one epoch after another
        self.results = {name: stability([], self.window, self.ddof) for name in self.monitor}

    def get_state(self) -> dict[str, Any]:
        """With what was observed."""
        return super().get_state() | {
            "warned": sorted(self._warned),
            "val_losses": list(self.val_losses),
            "epochs": list(self._epochs),
            "values": {name: list(values) for name, values in self._values.items()},
            "rows": {name: list(rows) for name, rows in self._rows.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._warned = set(state["warned"])
        self.val_losses, self._epochs = list(state["val_losses"]), list(state["epochs"])
        self._values = {name: list(values) for name, values in state["values"].items()}
        self._rows = {name: list(rows) for name, rows in state["rows"].items()}
        self.results = {name: stability(values, self.window, self.ddof) for name, values in self._values.items()}


_RECORD = StabilityMonitor.record


def _names(monitor: str | Sequence[str]) -> tuple[str, ...]:
    names = (monitor,) if isinstance(monitor, str) else monitor
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"`monitor` must be a name in `logs`, or a list of them. Received: monitor={monitor!r}.")
    if len(set(names)) < len(names):
        raise ValueError(f"`monitor` must name each value once. Received: monitor={monitor!r}.")
    return tuple(names)


def _scalar(name: str, value: Any) -> float:
    """A metric with one value a class has no stability of its own."""
    number = logged_number(value)
    if number is None:
        raise ValueError(
            f"StabilityMonitor needs one number an epoch. Received: {name!r} with {np.size(value)} values; monitor a "
            "mean over the classes."
        )
    return number
