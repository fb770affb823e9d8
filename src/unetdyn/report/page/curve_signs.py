"""What the curves of a run say: where it ended, how it jumps and scatters, whether it overfits and has converged."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import Curve, Curves, collapses, convergence, oscillation, overfitting
from unetdyn.analysis.result import epoch, number
from unetdyn.analysis.stability import stability
from unetdyn.report.drawing import readable
from unetdyn.report.history import best_epoch
from unetdyn.report.page.signs import Sign, graded

LOST, LOST_MUCH = 0.1, 0.5  # how much of its best the metric has lost at the end
JUMPS, JUMPS_FAR = 0.05, 0.1  # median change of the metric from one epoch to the next, as a part of its best
LEVEL_OF = {"Excellent": "good", "Good": "good", "Moderate": "watch", "Poor": "ill", "Very poor": "ill"}


def curve_signs(curves: Curves, metric: str | None, window: int, ddof: int) -> Iterator[Sign]:
    """One sign for each thing that can be asked of the curves.

    Args:
        curves: What the run logged.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        window: Over how many values of the end stability and jumps are measured.
        ddof: 1 or 0, see `unetdyn.analysis.stability`.
    """
    if metric is not None:
        logged, curve = curves.watched(metric)
        yield _best(readable(logged), logged, curve)
        yield _jumps(readable(logged), logged, curve, window)
        yield _collapses(readable(logged), curve)
        yield _oscillation(readable(logged), curve)
    if not {"loss", "val_loss"} & set(curves):
        yield Sign("stability", "unknown", "no loss was logged")
        return
    yield _scatter(curves, window, ddof)
    yield _overfitting(curves, window)
    yield _convergence(curves, metric, window)


def _best(words: str, logged: str, curve: Curve) -> Sign:
    """Where the metric was best, and how much of that is left at the end."""
    best = best_epoch(logged, curve.values)
    if best is None:
        return Sign(words, "ill", "never a number", f"its {words} never was a number")
    peak, last = float(curve.values[best]), float(curve.values[-1])
    text = f"best {number(peak)} at epoch {epoch(int(curve.epochs[best]))}, {number(last)} at the end"
    if not np.isfinite(last):
        return Sign(words, "ill", text, f"its {words} is not finite at the end")
    lost = abs(peak - last) / abs(peak) if peak else 0.0
    return Sign(words, graded(lost, LOST, LOST_MUCH), text, f"its {words} ended {lost:.0%} off its best")


def _jumps(words: str, logged: str, curve: Curve, window: int) -> Sign:
    """The median change of the metric between neighbours of the last window, as a part of its best."""
    name = "jumps"
    values = curve.values[-window - 1 :]
    changes = np.abs(np.diff(values[np.isfinite(values)]))
    best = best_epoch(logged, curve.values)
    if best is None or len(changes) < window // 2 or curve.values[best] == 0:
        return Sign(name, "unknown", f"{len(changes)} of the {window} changes that it needs")
    part = float(np.median(changes) / abs(curve.values[best]))
    text = f"by {part:.1%} of the best from one epoch to the next (median of {len(changes)})"
    return Sign(name, graded(part, JUMPS, JUMPS_FAR), text, f"its {words} jumps by {part:.0%} from epoch to epoch")


def _collapses(words: str, curve: Curve) -> Sign:
    """Sudden falls of the metric: one that was made good may be an accident."""
    found = collapses(curve.values, curve.epochs)
    if not found and np.isfinite(curve.values).sum() < 2:
        return Sign("collapses", "unknown", "fewer than the 2 finite values that it needs")
    if not found:
        return Sign("collapses", "good", f"none in {len(curve.values)} values")
    times = "once" if len(found) == 1 else f"{len(found)} times"
    level = "watch" if len(found) == 1 and found.events[0].recovered else "ill"
    deepest = max(found.events, key=lambda event: event.depth if event.finite else 1.0)
    return Sign("collapses", level, f"{times}; the deepest: {deepest}", f"its {words} collapsed {times}")


def _oscillation(words: str, curve: Curve) -> Sign:
    """Whether the metric swings more than noise does."""
    found = oscillation(curve.values, curve.epochs)
    if not found.determined:
        return Sign("oscillation", "unknown", found.reason)
    if found.kind is None:
        return Sign("oscillation", "good", "none beyond noise")
    how = "zigzags from epoch to epoch" if found.kind == "zigzag" else f"swings every {number(found.period)} epochs"
    return Sign("oscillation", "watch", f"{how}, by {number(found.scatter)} around its trend", f"its {words} {how}")


def _scatter(curves: Curves, window: int, ddof: int) -> Sign:
    """The class of the loss's stability."""
    logged, curve = curves.watched("loss")
    found = stability(curve.values, window, ddof)
    if not found.defined:
        return Sign("stability", "unknown", str(found))
    why = f"the stability of its {readable(logged)} is {str(found.label).lower()}"
    if not found.finite:
        return Sign("stability", "ill", str(found), f"its {readable(logged)} is not finite")
    variation = found.coefficient_of_variation
    text = f"{found.label}: σ of the {readable(logged)} {number(found.sigma)}"
    text += f", {variation:.0%} of its mean" if np.isfinite(variation) else ""
    return Sign("stability", LEVEL_OF[str(found.label)], text, why)


def _overfitting(curves: Curves, window: int) -> Sign:
    found = overfitting(curves, window)
    gap = f"; validation − training loss {number(found.gap)}" if np.isfinite(found.gap) else ""
    if found.onset is not None:
        since = f"from epoch {epoch(found.onset)}"
        return Sign("overfitting", "watch", since + gap, f"it overfits {since}")
    return Sign("overfitting", *(("good", "no onset found" + gap) if found.determined else ("unknown", found.reason)))


def _convergence(curves: Curves, metric: str | None, window: int) -> Sign:
    """Not to have converged is no illness: the training may only have been short."""
    found = convergence(curves, metric, window).slope
    return Sign("convergence", "good" if found.converged else "unknown", found.summary)
