"""A training that still gets better when it ends."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, share
from unetdyn.analysis.diagnosis.symptoms.metric_level import FEW, learned
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number
from unetdyn.analysis.stability_classes import WINDOW

FALL = 0.1  # part of itself by which the training loss of a short training fell in its last third of the epochs
FOLLOWS = 0.85  # of the training's metric: validation that keeps up with it says that there is more to learn
STRONG = 0.2  # part of its best by which the metric rises over the last third of the epochs
LEAST = 4

LIMIT = Limit(
    "training.short",
    "the metric",
    watch=f"still rises by {STRONG:.0%} of its best over the last third of the epochs; or, in fewer than {WINDOW} "
    f"epochs, the training loss still falls by {FALL:.0%} in the last third of them while the metric is little better "
    f"than a constant answer's, or validation keeps up with {share(FOLLOWS)} of training",
    source=f"{RULE_OF_THUMB}; the slope of Theil (1950) and Sen (1968), with its interval of 95 %",
    advice="more epochs, until the metric stands still for a third of them.",
    expected="the metric rises further.",
    normal="where the training was meant to be short.",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the metric still rises for certain, or where a short training was cut off."""
    if evidence.watched_metric is None or not evidence.metric_rises or evidence.status == "running":
        return
    logged, curve = evidence.watched_metric
    text, why = _rises(logged, curve.values) or _cut_off(evidence, logged, curve.values)
    if text:
        yield LIMIT.finding("watch", "length", text, why, curves=[logged])


def _rises(logged: str, values: NDArray[np.float64]) -> tuple[str, str] | None:
    """What is to be said of a metric that rises to the end."""
    last = values[-max(LEAST, len(values) // 3) :]
    last = last[np.isfinite(last)]
    best = float(np.max(last, initial=0.0))
    if len(last) < LEAST or best <= 0:
        return None
    slope, _, low, _ = theilslopes(last)
    rise = slope * (len(last) - 1)
    if not ((low > 0 or (np.diff(last) > 0).all()) and rise > STRONG * best):
        return None
    text = f"{readable(logged)} rose by {number(float(rise))} over the last {len(last)} epochs, to {number(best)}"
    return text, f"it ended while its {readable(logged)} still rose"


def _cut_off(evidence: Evidence, logged: str, values: NDArray[np.float64]) -> tuple[str, str]:
    """The same of a training of a few epochs whose loss had not come to rest; empty where there is nothing to say."""
    finite, loss = values[np.isfinite(values)], evidence.values("loss")
    fell = _fell(loss)
    if not len(finite) or len(loss) >= evidence.window or not fell > FALL or evidence.status not in (None, "finished"):
        return "", ""
    best, trained = float(finite.max()), evidence.values(str(evidence.metric))
    far = learned(evidence, best)
    little = far is not None and far[0] < FEW
    follows = logged.startswith("val_") and ending(values) > FOLLOWS * ending(trained)
    if not (little or follows):
        return "", ""
    text = f"the training loss fell by {fell:.0%} in the last third of {len(loss)} epochs; best {readable(logged)} "
    text += f"{number(best)}; {far[1]}" if far is not None and little else number(best)
    return text, f"it ended after {len(loss)} epochs, while its training loss still fell"


def _fell(loss: NDArray[np.float64]) -> float:
    """The part of itself by which a loss fell in the last third of its epochs; NaN where that can't be said.

    >>> round(_fell(np.array([0.39, 0.22, 0.15, 0.12, 0.11, 0.10])), 2), _fell(np.array([0.5]))
    (0.17, nan)
    """
    third = max(1, len(loss) // 3)
    if len(loss) <= third or not np.isfinite(loss).all() or loss[-third - 1] <= 0:
        return float("nan")
    return float(1 - loss[-1] / loss[-third - 1])
