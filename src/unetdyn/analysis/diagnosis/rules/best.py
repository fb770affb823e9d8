"""Where the metric was best, whether that is more than it began with, and how much of it is left at the end."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES, never_left
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share, times
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import epoch, number

LOST, LOST_MUCH = 0.1, 1 / 3  # how much of its best the metric has lost at the end

NOT_FINITE = Limit("metric.nonfinite", "the metric", ill="is no number at the end")
ZERO = Limit("metric.zero", "the metric", ill="never was above 0")
FLAT = Limit(
    "metric.flat",
    "the metric",
    watch=f"stayed within {share(LITTLE)} and within {times(NOISE_SCALES)} its noise of where it began",
)
END = Limit("metric.end", "the metric", f"lost {share(LOST)} of its best", f"lost {share(LOST_MUCH)} of its best")
LIMITS = (NOT_FINITE, ZERO, FLAT, END)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding on the metric, where there is one."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    words, best = readable(logged), evidence.curves.best(logged)
    if best is None:
        yield NOT_FINITE.finding("ill", words, "never a number", f"its {words} never was a number")
        return
    peak, last = float(curve.values[best]), float(curve.values[-1])
    text = f"best {number(peak)} at epoch {epoch(int(curve.epochs[best]))}, {number(last)} at the end"
    lost = abs(peak - last) / (abs(peak) or 1)
    level = graded(lost if peak else 0.0, LOST, LOST_MUCH)
    if not np.isfinite(last):
        yield NOT_FINITE.finding("ill", words, text, f"its {words} is not finite at the end")
    elif peak == 0 and evidence.curves.direction(logged) != "down":
        yield ZERO.finding("ill", words, text, f"it learned nothing: its {words} never was above 0")
    elif level == "good" and len(curve.values) >= evidence.window and never_left(curve.values, peak):
        yield FLAT.finding("watch", words, text, f"its {words} never got better by more than noise")
    else:
        yield END.finding(level, words, text, f"its {words} ended {lost:.0%} off its best")
