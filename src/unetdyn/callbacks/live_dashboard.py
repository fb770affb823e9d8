"""One picture that is drawn anew while a training runs, or one line an epoch where there is no notebook."""

import io
import sys
import time
from collections.abc import Container, Mapping
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

# The public keras.utils does not export it; it prints as Keras itself does, and respects disable_interactive_logging.
from keras.src.utils import io_utils

from unetdyn._checks import check_choice, check_range, nearest, plain
from unetdyn._warnings import warn
from unetdyn.analysis.curves import Curves
from unetdyn.analysis.stability_classes import WINDOW, Stability, check_window, stability
from unetdyn.callbacks.aside import Aside
from unetdyn.callbacks.epoch_count import EpochCount
from unetdyn.callbacks.gradient import GradientMonitor
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.prediction_recorder import PredictionRecorder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVERY_SECONDS = 2.0


class LiveDashboard(keras.callbacks.Callback):
    """Shows a training while it runs: loss, Jaccard and stability.

    With a `GradientMonitor` also the gradient by block, and with a `PredictionRecorder` what is predicted of its worst
    tiles.

    In a notebook it is one picture under the cell, drawn anew after an epoch, but not more often than every
    `every_seconds`, and once more at the end. Elsewhere it is one line an epoch. Training is never changed: only `logs`
    and the monitors' records are read.

    Put it last in the list of callbacks, so that it sees what those before it write into `logs`, and pass `verbose=0`
    to `fit`, whose progress bar would fill the same place.

    What is no single number in `logs`, such as a text or a value for each class, is left out. Where a curve is NaN or
    infinite, there are crosses at the top of its panel.

    A `fit` that goes on with the same model carries on, whether it passes `initial_epoch` or counts from 0 again;
    another training starts anew. What can't be drawn or printed ends no training: a warning says why, once.

    Args:
        gradient: A `GradientMonitor` in the same `fit`, before this one; None (default) for no gradients.
        metric: The metric to show, without `val_`; None (default) takes `jaccard` where it is logged, else the first
            metric.
        window: Over how many epochs stability is measured, ≥ 2; 10 is what the studies used.
        every_seconds: Least time between two pictures, ≥ 0. Default 2: a picture takes some tenths of a second, so all
            of them together take about a tenth of the training's time at most.
        where: `"notebook"`, `"terminal"`, or `"auto"` (default): the notebook, if that is where Python runs.
        predictions: A `PredictionRecorder` in the same `fit`, before this one; None (default) for no predictions.

    Attributes:
        curves: `unetdyn.analysis.Curves` of what was logged so far.
        pictures: How many pictures were shown.

    Raises:
        TypeError: If `gradient` isn't a `GradientMonitor`, or `predictions` no `PredictionRecorder`.
        ValueError: If `window`, `every_seconds` or `where` is out of range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(loss="mse", optimizer="sgd")
        >>> dashboard = LiveDashboard(where="terminal")
        >>> x = np.ones((4, 1))
        >>> _ = model.fit(x, x, epochs=2, verbose=0, callbacks=[dashboard])  # doctest: +ELLIPSIS
        epoch 1/2  loss ...
        epoch 2/2  loss ...
        >>> [ax.get_ylabel() for ax in dashboard.draw().axes]
        ['loss', 'σ of the loss']
    """

    def __init__(
        self,
        gradient: GradientMonitor | None = None,
        metric: str | None = None,
        window: int = WINDOW,
        every_seconds: float = EVERY_SECONDS,
        where: str = "auto",
        predictions: PredictionRecorder | None = None,
    ) -> None:
        super().__init__()
        check_window(window, 1)
        if gradient is not None and not isinstance(gradient, GradientMonitor):
            raise TypeError(f"`gradient` must be a GradientMonitor, or None. Received: {type(gradient).__name__}.")
        if predictions is not None and not isinstance(predictions, PredictionRecorder):
            received = type(predictions).__name__
            raise TypeError(f"`predictions` must be a PredictionRecorder, or None. Received: {received}.")
        check_range("every_seconds", every_seconds, 0)
        check_choice("where", where, ["auto", "notebook", "terminal"])
        self.gradient, self.predictions = gradient, predictions
        self.metric = None if metric is None else metric.removeprefix("val_")
        self.window = plain(window)
        self.every_seconds = plain(every_seconds)
        self.where = ("notebook" if _in_notebook() else "terminal") if where == "auto" else where
        self.pictures = 0
        self._logged: dict[str, list[tuple[int, float]]] = {}
        self._epoch_count = EpochCount()
        self._aside = Aside(self._tell)
        self._last_epoch = -1
        self._shown: Any = None
        self._drawn_at = -float("inf")
        self._drawn_epochs = 0
        self._warned = False

    @property
    def curves(self) -> Curves:
        """What was logged so far."""
        return self._curves()

    def _curves(self, last: int = 0) -> Curves:
        """The last rows of each curve (0: all): a line an epoch must not cost more as the training gets longer."""
        columns = {name: np.array(rows[-last:], dtype=np.float64).T for name, rows in self._logged.items()}
        return Curves({name: (epochs.astype(np.int64), values) for name, (epochs, values) in columns.items()})

    def get_state(self) -> dict[str, Any]:
        """What a resumed training needs of it: what was logged. The picture is a new one."""
        return {
            "logged": {name: list(rows) for name, rows in self._logged.items()},
            "epoch_count": self._epoch_count.get_state(),
            "last_epoch": self._last_epoch,
            "warned": self._warned,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, after `on_train_begin`.

        Args:
            state: From `get_state`.
        """
        self._logged = {name: list(rows) for name, rows in state["logged"].items()}
        self._epoch_count.set_state(state["epoch_count"], self._model, self.params)
        self._last_epoch, self._warned = state["last_epoch"], state["warned"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """A picture of its own for each `fit`."""
        self._shown = None
        self._drawn_at = -float("inf")
        self._drawn_epochs = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Forget what a `fit` before this one logged of this epoch and later ones."""
        self._epoch_count.begin(epoch, self._model, self.params)
        epoch = self._epoch_count.epoch
        if epoch <= self._last_epoch:
            kept = {name: [row for row in rows if row[0] < epoch] for name, rows in self._logged.items()}
            self._logged = {name: rows for name, rows in kept.items() if rows}
        self._last_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the numbers, and show them."""
        epoch = self._epoch_count.epoch
        found = {name: logged_number(value) for name, value in (logs or {}).items()}
        numbers = {name: value for name, value in found.items() if value is not None}
        for name, value in numbers.items():
            self._logged.setdefault(name, []).append((epoch, value))
        self._warn_once(epoch)
        with self._aside("the epoch"):
            if self.where == "terminal":
                io_utils.print_msg(self._line(epoch, numbers))
            elif time.monotonic() - self._drawn_at >= self.every_seconds:
                self._show()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """The last picture, which stays."""
        with self._aside("the training"):
            if self.where == "notebook" and self.curves.epochs > self._drawn_epochs:
                self._show()

    def draw(self) -> "Figure":
        """The picture of what was logged so far, as a matplotlib figure that no pyplot window owns."""
        # Here, not above: a training without pictures does without matplotlib.
        from matplotlib.figure import Figure

        from unetdyn.callbacks.dashboard_panels import draw_curves, draw_predictions, draw_profile, draw_stability

        curves = self.curves
        drawers = [partial(draw_curves, curves=curves, name=name) for name in self._names(curves)]
        if _logged(curves, "loss"):
            drawers.append(partial(draw_stability, curves=curves, window=self.window))
        norms = self._block_norms()
        if norms:
            drawers.append(partial(draw_profile, norms=norms))
        if self.predictions is not None and (found := self.predictions.predictions) is not None:
            drawers.append(partial(draw_predictions, found=found))
        rows = max(1, -(-len(drawers) // 2))
        figure = Figure(figsize=(10.0, 2.8 * rows), layout="constrained")
        axes = figure.subplots(rows, 2, squeeze=False).ravel()
        for draw, ax in zip_longest(drawers, axes):
            if draw is None:
                ax.remove()
            else:
                draw(ax)
        return figure

    def _block_norms(self) -> dict[str, float]:
        """Median gradient norm of each block over the last epoch."""
        if self.gradient is None:
            return {}
        epochs = self.gradient.record["epoch"]
        return self.gradient.profile(int((epochs == epochs[-1]).sum())).norms if len(epochs) else {}

    def _names(self, curves: Curves) -> list[str]:
        """The loss and the metric, as far as they were logged."""
        names = dict.fromkeys(("loss", self.metric or curves.default_panel))
        return [name for name in names if name and _logged(curves, name)]

    def _warn_once(self, epoch: int) -> None:
        if self._warned or self.metric is None or _logged(self._logged, self.metric):
            return
        self._warned = True
        text = (
            f"LiveDashboard: {self.metric!r} is not in the logs of epoch {epoch + 1}, which hold "
            f"{', '.join(self._logged)}.{nearest(self.metric, self._logged)} It is shown as soon as it is there."
        )
        warn("dashboard.not_logged", text, stacklevel=2)

    def _tell(self, what: str, error: Exception) -> None:
        text = f"LiveDashboard: {what} could not be shown, and the training goes on. {type(error).__name__}: {error}"
        warn("dashboard.failed", text, stacklevel=4)

    def _line(self, epoch: int, numbers: dict[str, float]) -> str:
        """The numbers of this epoch, as far as there are."""
        curves = self._curves(last=self.window)
        names = [prefix + name for name in self._names(curves) for prefix in ("", "val_")]
        shown = [f"{name} {numbers[name]:.4g}" for name in names if name in numbers]
        if _logged(curves, "loss"):
            name, curve = curves.watched("loss")
            found = stability(curve.values, self.window)
            shown += [_scatter(found)] if found.determined and name in numbers else []
        if "grad_norm" in numbers and "grad_norm" not in names:
            shown.append(f"grad_norm {numbers['grad_norm']:.3g}")
        epochs = self._epoch_count.planned(self.params)
        return "  ".join([f"epoch {epoch + 1}" + (f"/{epochs}" if epochs else ""), *shown])

    def _show(self) -> None:
        """Replace the picture under the cell."""
        from IPython.display import Image, display

        buffer = io.BytesIO()
        self.draw().savefig(buffer, format="png", dpi=96)
        picture = Image(data=buffer.getvalue())
        if self._shown is None:
            self._shown = display(picture, display_id=True)
        else:
            self._shown.update(picture)
        self.pictures += 1
        self._drawn_at, self._drawn_epochs = time.monotonic(), self.curves.epochs


def _logged(curves: Container[str], name: str) -> bool:
    return name in curves or f"val_{name}" in curves


def _in_notebook() -> bool:
    """Whether an IPython kernel runs this, which shows pictures; IPython in a terminal does not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def _scatter(found: Stability) -> str:
    """σ and its class, and the same of σ over the mean, where there is one."""
    relative = f", {found.coefficient_of_variation:.0%} {found.relative_label}" if found.relative_label else ""
    return f"σ {found.sigma:.3g} {found.label}" + (relative if found.finite else "")
