"""What the curves of a run say: where it ended, how it jumps and collapses, whether it overfits and has converged."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import Collapse, Curve, Curves, collapses, convergence, oscillation, overfitting
from unetdyn.analysis.best import best_epoch
from unetdyn.analysis.metric_names import less_is_better
from unetdyn.analysis.monotone import around_monotone
from unetdyn.analysis.result import epoch, number
from unetdyn.report.drawing import readable
from unetdyn.report.page.loss_signs import loss_signs, never_left
from unetdyn.report.page.signs import Sign, graded

LOST, LOST_MUCH = 0.1, 1 / 3  # how much of its best the metric has lost at the end
JUMPS, JUMPS_FAR = 0.05, 0.1  # median change of the metric from one epoch to the next, as a part of its best
BEGINNING = 0.1  # part of its best below which the metric has hardly begun: a fall that was made good counts little


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
        yield _best(readable(logged), logged, curve, window)
        yield _jumps(readable(logged), logged, curve, window)
        yield _collapses(readable(logged), curve)
        yield _oscillation(readable(logged), curve)
    if not {"loss", "val_loss"} & set(curves):
        yield Sign("stability", "unknown", "no loss was logged")
        return
    yield from loss_signs(curves, window, ddof)
    yield _overfitting(curves, window)
    yield _convergence(curves, metric, window)


def _best(words: str, logged: str, curve: Curve, window: int) -> Sign:
    """Where the metric was best, whether that is more than it began with, and how much of it is left at the end."""
    best = best_epoch(logged, curve.values)
    if best is None:
        return Sign(words, "ill", "never a number", f"its {words} never was a number")
    peak, last = float(curve.values[best]), float(curve.values[-1])
    text = f"best {number(peak)} at epoch {epoch(int(curve.epochs[best]))}, {number(last)} at the end"
    if not np.isfinite(last):
        return Sign(words, "ill", text, f"its {words} is not finite at the end")
    if peak == 0 and not less_is_better(logged):
        return Sign(words, "ill", text, f"it learned nothing: its {words} never was above 0")
    lost = graded(abs(peak - last) / abs(peak) if peak else 0.0, LOST, LOST_MUCH)
    if lost == "good" and len(curve.values) >= window and never_left(curve.values, peak):
        return Sign(words, "watch", text, f"its {words} never got better by more than noise")
    return Sign(words, lost, text, f"its {words} ended {abs(peak - last) / (abs(peak) or 1):.0%} off its best")


def _jumps(words: str, logged: str, curve: Curve, window: int) -> Sign:
    """The median change about its rise between neighbours of the last window, as a part of its best."""
    name = "jumps"
    values = curve.values[-window - 1 :]
    around = around_monotone(values[np.isfinite(values)], rising=not less_is_better(logged))
    changes = np.abs(np.diff(around))
    best = best_epoch(logged, curve.values)
    if best is None or len(changes) < window // 2:
        return Sign(name, "unknown", f"{len(changes)} of the {window} changes that it needs")
    if curve.values[best] == 0:
        return Sign(name, "unknown", "its best is 0, of which nothing is a part")
    part = float(np.median(changes) / abs(curve.values[best]))
    text = f"by {part:.1%} of the best about its rise from one epoch to the next (median of {len(changes)})"
    return Sign(name, graded(part, JUMPS, JUMPS_FAR), text, f"its {words} jumps by {part:.0%} from epoch to epoch")


def _collapses(words: str, curve: Curve) -> Sign:
    """Sudden falls of the metric: one that was made good may be an accident, and in the beginning says nothing."""
    found = collapses(curve.values, curve.epochs)
    if not found and np.isfinite(curve.values).sum() < 2:
        return Sign("collapses", "unknown", "fewer than the 2 finite values that it needs")
    if not found:
        return Sign("collapses", "good", f"none in {len(curve.values)} values")
    begun = BEGINNING * float(np.nanmax(np.where(np.isfinite(curve.values), curve.values, np.nan)))
    told = [event for event in found.events if not (event.finite and event.recovered and event.before < begun)]
    if not told:
        return Sign("collapses", "good", f"none but {_times(len(found))} in the beginning, below {number(begun)}")
    level = "watch" if len(told) == 1 and told[0].recovered else "ill"
    deepest = max(told, key=_depth)
    times = _times(len(told))
    return Sign("collapses", level, f"{times}; the deepest: {deepest}", f"its {words} collapsed {times}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _depth(event: Collapse) -> float:
    return event.depth if event.finite else 1.0


def _oscillation(words: str, curve: Curve) -> Sign:
    """Whether the metric swings more than noise does."""
    found = oscillation(curve.values, curve.epochs)
    if not found.determined:
        return Sign("oscillation", "unknown", found.reason)
    if found.kind is None:
        return Sign("oscillation", "good", "none beyond noise")
    how = "zigzags from epoch to epoch" if found.kind == "zigzag" else f"swings every {number(found.period)} epochs"
    return Sign("oscillation", "watch", f"{how}, by {number(found.scatter)} around its trend", f"its {words} {how}")


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
