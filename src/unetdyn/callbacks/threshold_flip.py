"""Watch which pixels cross the threshold from epoch to epoch, and what that does to the Jaccard index."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages import threshold_flip as messages
from unetdyn.analysis.thresholds.every_threshold import threshold_curve
from unetdyn.analysis.thresholds.flips import (
    boundary_of,
    chronic_share,
    explained_change,
    jaccard_of,
    soft_jaccard_of,
)
from unetdyn.callbacks.probe_monitor import BUDGET, Maps, ProbeMonitor, maps_of
from unetdyn.callbacks.probe_set import BATCH_SIZE, IMAGES, Probe
from unetdyn.dynamics.loss_kinds import expects_logits

STATE = ("jaccard", "soft_jaccard", "best_jaccard", "best_threshold", "near")
CHANGE = (
    *("on", "off", "on_boundary", "off_boundary", "jaccard_change"),
    *("explained_on", "explained_off", "explained_boundary", "explained_inside", "chronic"),
)
_RESAMPLES = 100  # of an interval that is not recorded: as few as `threshold_curve` allows


class ThresholdFlipMonitor(ProbeMonitor):
    """Counts on a few fixed images the pixels that cross the threshold, and what that does to the Jaccard.

    Where probabilities crowd around ½, a small step of the weights flips many pixels at once: the thresholded Jaccard
    jumps while loss and soft Jaccard are calm. After each epoch that the budget allows, the monitor records how many
    pixels went on and off, at boundaries of the masks and elsewhere; the Jaccard at 0.5 (`>`, all images pooled, as in
    `ThresholdedJaccard`), the soft one, and the one at the best threshold; and how much of the Jaccard's change the
    flips each way explain: the two add up to it exactly. Into `logs` go `flips_rate`, the share of pixels that flipped,
    and `flips_best_jaccard`.

    A change is one since the last epoch that was measured. Logits of one channel, where the compiled loss has
    `from_logits`, are read as probabilities. Of a list of outputs it is the first. Of several classes, of outputs with
    names, and of outputs outside [0, 1], nothing is recorded but NaN, which is said once. Training is never changed.

    Args:
        probe: As in `TrainInferenceGapMonitor`: images and masks that stay the same; None (default) for images of the
            validation data.
        images: At most so many of them. Default 16.
        batch_size: How many go through the model at once. Default 8.
        budget: Share of the training's time that it may take, as in `TrainInferenceGapMonitor`. Default 0.02.
        window: Over how many of the last changes a pixel is judged a chronic flipper, ≥ 4. Default 10, as for σ.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record.
        verbose: 1 prints what is found, and at the end what it cost; 0 is silent.

    Attributes:
        record: `(epochs,)` arrays, NaN where not measured: `epoch`; `on`, `off` (shares of pixels that went above and
            below the threshold), `on_boundary`, `off_boundary` (those of them within one pixel of a boundary of the
            masks); `jaccard`, `soft_jaccard`, `best_jaccard`, `best_threshold`, `near` (share within ±0.05 of the
            threshold); `jaccard_change`, `explained_on`, `explained_off`, and the same change by place,
            `explained_boundary`, `explained_inside`; `chronic` (share of pixels that flipped at more than half of the
            last changes, from four of them on); `seconds`. `(images, height, width)` arrays: `flip_count`, how often
            each pixel flipped, and `target`, the masks.
        results: `cost`, a `ProbeCost`.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs: `threshold.flips` where the Jaccard moved by
            more than 0.1 from one epoch to the next with more than a fifth of the pixels near the threshold, and the
            Jaccard at the best threshold by less than half of that.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile(loss="binary_crossentropy", optimizer="sgd")
        >>> x = np.random.default_rng(0).random((8, 8, 8, 1))
        >>> monitor = ThresholdFlipMonitor(budget=None)
        >>> _ = model.fit(x, x > 0.5, validation_data=(x, x > 0.5), epochs=3, verbose=0, callbacks=[monitor])
        >>> record = monitor.record
        >>> np.allclose(record["explained_on"] + record["explained_off"], np.diff(record["jaccard"], prepend=np.nan),
        ...             equal_nan=True)
        True

    Reference:
        The exact split is a Shapley value; see `unetdyn.analysis.thresholds.flips.explained_change`.
    """

    declaration = declarations.FLIPS
    _before: NDArray[np.bool_] | None
    _target: NDArray[np.bool_] | None
    _flip_count: NDArray[np.uint16] | None

    def __init__(
        self,
        probe: Any = None,
        images: int = IMAGES,
        batch_size: int = BATCH_SIZE,
        budget: float | None = BUDGET,
        window: int = 10,
        name: str = "flips",
        verbose: int = 0,
    ) -> None:
        check_count("window", window, least=4, unit="changes")
        self.window = window
        super().__init__(probe, images, batch_size, budget, name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """What was seen: arrays with one element an epoch, and maps."""
        nothing = np.zeros((0, 0, 0))
        count = nothing.astype(np.uint16) if self._flip_count is None else self._flip_count.copy()
        target = nothing.astype(bool) if self._target is None else self._target
        return super().record | {"flip_count": count, "target": target}

    def _columns(self) -> tuple[str, ...]:
        return (*CHANGE, *STATE)

    def _measure(self, probe: Probe) -> dict[str, Any]:
        batches = [each[False]["outputs"] for each in self._forward(probe)]
        outputs = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
        try:
            maps = maps_of(outputs, probe.y, expects_logits(self.model))
        except ValueError as reason:
            self._say_once("flips", str(reason))
            return {"jaccard": float("nan")}
        row = state_of(maps)
        if self._before is None:
            self._flip_count = np.zeros(maps.target.shape, dtype=np.uint16)
        else:
            row |= self._change(self._before, maps)
            self._judge(row)
        self._before, self._target, self._best = maps.above, maps.target, row["best_jaccard"]
        return row

    def _change(self, before: NDArray[np.bool_], maps: Maps) -> dict[str, float]:
        flipped = maps.above != before
        self._flips.append(flipped)
        self._flip_count = np.add(self._flip_count, flipped, dtype=np.uint16)  # type: ignore[arg-type]
        return change_between(maps.target, before, maps.above) | {"chronic": chronic_share(np.stack(self._flips))}

    def _judge(self, row: dict[str, float]) -> None:
        change, neighbours = row["jaccard_change"], bool(self._rows[-1]) and self._epochs[-1] == self._epoch - 1
        if neighbours and messages.jumps(change, row["near"], row["best_jaccard"] - self._best):
            calm = f"At the best threshold it went from {self._best:.3f} to {row['best_jaccard']:.3f}."
            parts = row["explained_boundary"], row["explained_inside"]
            self.report(messages.threshold_flips(row["jaccard"] - change, row["jaccard"], row["near"], *parts, calm))

    def _logged(self, row: dict[str, Any]) -> dict[str, float]:
        unknown = float("nan")
        return {
            f"{self.name}_rate": row.get("on", unknown) + row.get("off", unknown),
            f"{self.name}_best_jaccard": row.get("best_jaccard", unknown),
        }

    def _restart(self) -> None:
        super()._restart()
        self._before = self._target = self._flip_count = None
        self._flips: deque[NDArray[np.bool_]] = deque(maxlen=self.window)
        self._best = float("nan")

    def get_state(self) -> dict[str, Any]:
        """With the last prediction, and the flips that led to it."""
        kept = {name: getattr(self, f"_{name}") for name in ("before", "target", "flip_count", "best")}
        return super().get_state() | kept | {"flips": list(self._flips)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._before, self._target, self._flip_count = state["before"], state["target"], state["flip_count"]
        self._best, self._flips = state["best"], deque(state["flips"], maxlen=self.window)


def state_of(maps: Maps) -> dict[str, float]:
    """What one epoch's predictions say by themselves: `STATE`."""
    curve = threshold_curve(maps.target[..., None], maps.probabilities[..., None], resamples=_RESAMPLES)
    return {
        "jaccard": jaccard_of(maps.target, maps.above),
        "soft_jaccard": soft_jaccard_of(maps.target, maps.probabilities),
        "best_jaccard": curve.best_jaccard,
        "best_threshold": curve.best_threshold,
        "near": curve.share_near,
    }


def change_between(target: NDArray[np.bool_], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> dict[str, float]:
    """What happened from one prediction to the next: `CHANGE`, but for the chronic flippers."""
    on, off, edge = after & ~before, before & ~after, boundary_of(target)
    explained_on, explained_off = explained_change(target, before, after, after)
    at_boundary, inside = explained_change(target, before, after, edge)
    return {
        "on": float(on.mean()),
        "off": float(off.mean()),
        "on_boundary": float((on & edge).mean()),
        "off_boundary": float((off & edge).mean()),
        "jaccard_change": jaccard_of(target, after) - jaccard_of(target, before),
        "explained_on": explained_on,
        "explained_off": explained_off,
        "explained_boundary": at_boundary,
        "explained_inside": inside,
    }
