"""Whether the metric is calm: falls below half of what it had reached, and jumps from epoch to epoch at the end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.detrend import around_monotone
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded, spans
from unetdyn.analysis.diagnosis.limit import Limit, share
from unetdyn.analysis.diagnosis.symptoms._few_images import for_few_images
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import epoch, number
from unetdyn.analysis.series import Curve

HALF = 0.5  # a value below half of what was reached before is a fall
OFTEN, LEAST = 0.1, 4  # share of the epochs, and number of them, from which falls are no accident
AGAIN = 3  # falls from which it is to be watched: a single one from which it comes back is common
JUMPS, JUMPS_FAR = 0.2, 0.3  # median change of the metric from one epoch to the next, as a part of its best

FALLS = Limit(
    "metric.falls",
    "the metric",
    watch=f"fell below {share(HALF)} of what it had reached in {AGAIN} epochs",
    ill=f"fell below {share(HALF)} of what it had reached in {share(OFTEN)} of the epochs since, and {LEAST} or more",
    advice="compare the two modes of the network on the same images (`TrainInferenceGapMonitor`), then lower the rate.",
    expected="the metric keeps above half of what it had reached.",
    normal="a single fall from which it comes back at once; with a validation set of few images.",
)
SWINGS = Limit(
    "metric.jumps",
    "the metric",
    watch=f"jumps by {share(JUMPS)} of its best from epoch to epoch at the end",
    ill=f"jumps by {share(JUMPS_FAR)} of its best from epoch to epoch at the end",
    advice="a lower learning rate or one that decays; a threshold chosen on the validation set.",
    expected="the metric changes by less than a tenth of its best from epoch to epoch.",
    normal="with a validation set of few images.",
)
LIMITS = (FALLS, SWINGS)


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on the falls, and one on the jumps."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    if evidence.metric_rises and (curve.values[np.isfinite(curve.values)] >= 0).all():
        yield for_few_images(evidence, _falls(logged, curve))
    yield for_few_images(evidence, _jumps(evidence, logged, curve))


def fallen(curve: Curve) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which epochs lie below half of what was reached before, and which count: those since half of the best was.

    >>> down, counts = fallen(Curve(np.arange(6), np.array([0.1, 0.5, 0.8, 0.2, 0.0, 0.8])))
    >>> down.tolist(), counts.tolist()
    ([False, False, False, True, True, False], [False, True, True, True, True, True])
    """
    values = np.where(np.isfinite(curve.values), curve.values, 0.0)
    reached = np.maximum.accumulate(values)
    counts = reached >= HALF * reached[-1]
    return counts & (values < HALF * reached), counts


def _falls(logged: str, curve: Curve) -> Finding:
    down, counts = fallen(curve)
    count, of = int(down.sum()), int(counts.sum())
    if not count:
        return FALLS.finding("good", "falls", f"none below half of what it had reached, in {of} epochs")
    places = spans(curve.epochs[down].tolist())
    level = "ill" if count >= LEAST and count >= OFTEN * of else "watch" if count >= AGAIN else "info"
    text = f"below half of what it had reached in {count} of {of} epochs: {_listed(places)}"
    why = f"its {readable(logged)} fell below half of what it had reached in {count} of {of} epochs"
    return FALLS.finding(level, "falls", text, why, epochs=places, curves=[logged])


def _jumps(evidence: Evidence, logged: str, curve: Curve) -> Finding:
    window = evidence.window
    values = curve.values[-window - 1 :]
    changes = np.abs(np.diff(around_monotone(values[np.isfinite(values)], rising=evidence.metric_rises)))
    best = evidence.curves.best(logged)
    if best is None or len(changes) < window // 2:
        return SWINGS.finding("unknown", "jumps", f"{len(changes)} of the {window} changes that it needs")
    if curve.values[best] == 0:
        return SWINGS.finding("unknown", "jumps", "its best is 0, of which nothing is a part")
    part = float(np.median(changes) / abs(curve.values[best]))
    text = f"by {part:.1%} of the best about its rise from one epoch to the next (median of {len(changes)})"
    why = f"its {readable(logged)} jumps by {part:.0%} ({number(float(np.median(changes)))}) from epoch to epoch"
    last = [(int(curve.epochs[-len(changes) - 1]), int(curve.epochs[-1]))]
    return SWINGS.finding(graded(part, JUMPS, JUMPS_FAR), "jumps", text, why, epochs=last, curves=[logged])


def _listed(places: tuple[tuple[int, int], ...]) -> str:
    texts = [epoch(first) if first == last else f"{epoch(first)} to {epoch(last)}" for first, last in places]
    return ", ".join(texts[:6]) + (f", … ({len(texts)} times)" if len(texts) > 6 else "")
