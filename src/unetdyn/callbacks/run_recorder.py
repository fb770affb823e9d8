"""Write a run directory from a user's own `model.fit`."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn._checks import nearest, unknown_choice
from unetdyn.runs import RunWriter, replacing


class RunRecorder(keras.callbacks.Callback):
    """Records a training in a run directory that survives `kill -9`, to be opened with `unetdyn.runs.open`.

    After each epoch: the logs with the learning rate and the seconds it took go to `epochs.jsonl`, the monitors' arrays
    to `dynamics/`, their messages to `events.jsonl`, and the model, when it is the best so far, to `model.keras`. Each
    is on the disk before the next epoch begins. Training is never changed, and nothing is added to `logs`.

    Put the recorder last in the list of callbacks: it sees the keys that those before it added.

    Keras calls no callback when training raises. `run.json` then keeps saying "running", unless you tell the recorder::

        try:
            model.fit(..., callbacks=[monitor, recorder])
        except BaseException as error:
            recorder.fail(error)
            raise

    Args:
        path: the run directory: new or empty, refused otherwise.
        config: anything worth keeping that JSON can hold: what the run was made from.
        seed: the run's seed, kept beside it.
        save_best: a name in `logs`; `model.keras` is the model of the epoch in which it was best. `None`, or a name
            that never appears or has a value a class (said once): the model at the end of training. Default
            `"val_jaccard"`, what a user of a segmentation model selects by.
        mode: `"max"`, `"min"`, or `"auto"` (default): `"min"` for names with "loss", "error" or "stability" in them,
            `"max"` for others.
        monitors: the callbacks of the same `fit` with a `record` to keep, such as `StabilityMonitor`.

    Attributes:
        path: the run directory.
        writer: the `unetdyn.runs.RunWriter` behind it.
        best: (epoch, value) of the best epoch, or None.

    Raises:
        FileExistsError: if `path` holds something.
        TypeError: if a monitor has no `name` or `record`.
        ValueError: if `mode` is unknown, two monitors have one name, or a second `fit` records an epoch again.

    Example:
        >>> import keras, numpy as np, tempfile, unetdyn.runs
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(loss="mse", optimizer="sgd")
        >>> x = np.ones((4, 1))
        >>> recorder = RunRecorder(tempfile.mkdtemp(), save_best="loss")
        >>> _ = model.fit(x, x, epochs=2, verbose=0, callbacks=[recorder])
        >>> run = unetdyn.runs.open(recorder.path)
        >>> run.status, run.summary["best_epoch"], run.model_path.name
        ('finished', 1, 'model.keras')
    """

    def __init__(
        self,
        path: str | Path,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        save_best: str | None = "val_jaccard",
        mode: str = "auto",
        monitors: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__()
        if mode not in ("auto", "max", "min"):
            raise ValueError(unknown_choice("mode", mode, ["auto", "max", "min"]))
        self.monitors = _checked_monitors(monitors)
        self.save_best = save_best
        self.mode = _direction(save_best) if mode == "auto" else mode
        self.best: tuple[int, float] | None = None
        self.writer = RunWriter(path, config, seed, keras.config.backend())
        self.path = self.writer.path
        self._last_epoch = -1
        self._seconds = 0.0
        self._started = False
        self._warned = False
        self._written_messages = {id(monitor): 0 for monitor in self.monitors}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Wait for the first epoch, whose number says whether this `fit` carries on."""
        self._started = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        if not self._started:
            self._start(epoch)
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch."""
        logs = {name: _plain(value) for name, value in (logs or {}).items()}
        seconds = time.perf_counter() - self._began
        self._seconds += seconds
        rates = {} if "learning_rate" in logs else _learning_rate(self.model)
        self.writer.log_epoch(epoch, {**logs, **rates, "seconds": round(seconds, 3)})
        self._last_epoch = epoch
        self._record_monitors()
        if self.save_best is not None:
            self._compare(epoch, self.save_best, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save the model where no best epoch was, and close the record."""
        if self.best is None and self._last_epoch >= 0:
            self._save_model()
        self._record_monitors()
        self.writer.event("train_end", f"Training ended after epoch {self._last_epoch + 1}.", epoch=self._last_epoch)
        self.writer.finish("finished", self._summary())

    def fail(self, error: BaseException) -> None:
        """Record that training stopped with an error: status "failed", or "interrupted" for Ctrl-C.

        The monitors' arrays then have the steps of the unfinished epoch too: those that led to the error.

        Args:
            error: what was raised; its type and text are kept, its traceback is not.
        """
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        text = f"{type(error).__name__}: {error}"
        self._read_unfinished_epoch()
        self.writer.event(status, f"Training stopped after {self._last_epoch + 1} whole epochs. {text}")
        self.writer.finish(status, {**self._summary(), "error": text})

    def _start(self, epoch: int) -> None:
        if epoch <= self._last_epoch:
            raise ValueError(
                f"RunRecorder already recorded epochs up to {self._last_epoch} in {self.path}, and a run directory "
                f"holds one training. Received: a fit that begins at epoch {epoch}. Give it a new RunRecorder, or pass "
                f"initial_epoch={self._last_epoch + 1} to carry on."
            )
        if self._last_epoch >= 0:
            self.writer.resume()
        self._started = True
        self.writer.event("train_begin", f"Training began at epoch {epoch + 1}.", epoch=epoch, **(self.params or {}))

    def _read_unfinished_epoch(self) -> None:
        """The cause of an error can be that nothing can be read from the device any more: then that is told."""
        try:
            for monitor in self.monitors:
                if hasattr(monitor, "read"):
                    monitor.read()
            self._record_monitors()
        except Exception as error:  # whatever the backend raises; the training's own error is the one to report
            self.writer.event("monitor", f"The unfinished epoch could not be read. {type(error).__name__}: {error}")

    def _record_monitors(self) -> None:
        for monitor in self.monitors:
            self.writer.save_arrays(monitor.name, **monitor.record)
            messages = getattr(monitor, "messages", [])
            for epoch, message in messages[self._written_messages[id(monitor)] :]:
                self.writer.event("monitor", message, monitor=monitor.name, epoch=epoch)
            self._written_messages[id(monitor)] = len(messages)

    def _compare(self, epoch: int, name: str, logs: Mapping[str, Any]) -> None:
        if name in logs and np.size(logs[name]) == 1:
            self._keep_if_best(epoch, float(logs[name]))
        elif not self._warned:
            self._warned = True
            self._warn_incomparable(epoch, name, logs)

    def _keep_if_best(self, epoch: int, value: float) -> None:
        better = self.best is None or (value > self.best[1] if self.mode == "max" else value < self.best[1])
        if math.isnan(value) or not better:
            return
        self._save_model()
        self.best = (epoch, value)
        self.writer.event(
            "best", f"Epoch {epoch + 1} is the best so far: {self.save_best} {value:.4g}.", epoch=epoch, value=value
        )

    def _save_model(self) -> None:
        with replacing(self.path / "model.keras") as temporary:
            self.model.save(temporary)

    def _warn_incomparable(self, epoch: int, name: str, logs: Mapping[str, Any]) -> None:
        if name in logs:
            reason = (
                f"has {np.size(logs[name])} values in epoch {epoch + 1}, where one number is needed: let the metric "
                "average them, as F1Score(average='macro') does."
            )
        else:
            reason = f"is not in the logs of epoch {epoch + 1}, which hold {', '.join(logs)}.{nearest(name, logs)}"
        text = (
            f"RunRecorder: save_best={name!r} {reason} Such epochs are not compared; if none can be, model.keras will "
            "be the model at the end of training."
        )
        self.writer.event("warning", text, epoch=epoch)
        warnings.warn(text, UserWarning, stacklevel=3)

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {"epochs": self._last_epoch + 1, "seconds": round(self._seconds, 3)}
        if getattr(self.model, "built", False):
            summary["parameters"] = self.model.count_params()
        if self.best is not None:
            summary |= {"best_epoch": self.best[0], f"best_{self.save_best}": self.best[1]}
        for monitor in self.monitors:
            results = getattr(monitor, "results", {})
            if results:
                summary[monitor.name] = {name: asdict(result) for name, result in results.items()}
        return summary


def _checked_monitors(monitors: Sequence[keras.callbacks.Callback]) -> tuple[Any, ...]:
    for monitor in monitors:
        if not (hasattr(monitor, "name") and hasattr(monitor, "record")):
            raise TypeError(f"`monitors` must have a `name` and a `record`. Received: {type(monitor).__name__}.")
    names = [monitor.name for monitor in monitors]
    if len(set(names)) < len(names):
        raise ValueError(f"`monitors` must have different names, which become file names. Received: {names}.")
    return tuple(monitors)


def _direction(name: str | None) -> str:
    return "min" if name and any(word in name for word in ("loss", "error", "stability")) else "max"


def _plain(value: Any) -> Any:
    """A number as it is; a metric with a value a class is still a tensor in `logs`."""
    return value if isinstance(value, int | float | str) else keras.ops.convert_to_numpy(value)


def _learning_rate(model: keras.Model) -> dict[str, float]:
    """The learning rate of the step to come, whether constant, scheduled or set by a callback."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return {} if rate is None else {"learning_rate": float(rate)}
