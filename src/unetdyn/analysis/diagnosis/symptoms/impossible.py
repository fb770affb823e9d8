"""Values that can't be: an overlap above 1, a loss of masks below 0."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.metric_names import overlap_rank, readable
from unetdyn.analysis.result import epoch, number

PER_CENT = 3.0  # a median of so much and no value above 100 is one in per cent
ROUNDING = 1e-5  # a mean of many float32 values may be so far above 1
SCORE = -1.0  # a loss that is a score with a minus, such as −Dice, comes down to it; below, it is none

LOSS = Limit(
    "loss.impossible",
    "a loss",
    ill=f"was below 0 where it is a cross-entropy or a focal loss, or below {SCORE:g} beside an overlap or an accuracy",
    source="the definition of the loss",
    advice="look at the masks first: values other than 0 and 1 (0/255, 1/2) make a cross-entropy fall without end.",
    expected="with masks of 0 and 1 the loss stays above 0 and the metric means what its name says.",
    refuted="the loss is one of your own that has no lower bound.",
)
METRIC = Limit(
    "metric.impossible",
    "an overlap or an accuracy",
    ill="was above 1 or below 0",
    source="the definition of the metric",
    advice="look at the masks and outputs first: an overlap leaves 0 to 1 where they do.",
    expected="with masks of 0 and 1 and outputs in between it stays within 0 and 1.",
    refuted="the metric is one of your own that has another range.",
)
LIMITS = (LOSS, METRIC)

_NEVER_NEGATIVE = ("crossentropy", "cross_entropy", "focal", "squared")
_SCORES = ("dice", "jaccard", "jacard", "iou", "tversky")  # a sum of both may have such a score with a minus


def find(evidence: Evidence) -> Iterator[Finding]:
    """Every loss and overlap that left its range."""
    own, config = (str(evidence.told("loss", key)).lower() for key in ("name", "config"))
    never_negative = any(part in own for part in _NEVER_NEGATIVE) and not any(part in own for part in _SCORES)
    least = -ROUNDING if never_negative else SCORE
    # The likelihood of a density has no bound, nor has the loss of a critic; distances within a mask are below 0.
    scored = any(overlap_rank(name) < 2 or "accuracy" in name for name in evidence.curves)
    bounded = never_negative or (scored and "boundary" not in own + config)
    for name in ("loss", "val_loss"):
        values = evidence.values(name)
        if bounded and (values < least - ROUNDING).any():
            yield _finding(LOSS, evidence, name, values < least - ROUNDING, float(np.nanmin(values)))
    for name in evidence.curves:
        base = name.removeprefix("val_")
        if (overlap_rank(base) > 1 and "accuracy" not in base) or "loss" in base:
            continue
        values = evidence.values(name)
        outside = (values > 1 + ROUNDING) | (values < -ROUNDING)
        if _in_per_cent(values):
            continue
        if outside.any() and base in {evidence.metric, *evidence.curves.log_keys.metrics}:
            extreme = float(np.nanmax(values)) if (values > 1).any() else float(np.nanmin(values))
            yield _finding(METRIC, evidence, name, outside, extreme)


def _in_per_cent(values: NDArray[np.float64]) -> bool:
    """Whether it seems to be written in per cent, as other tools do.

    >>> _in_per_cent(np.array([12.0, 55.0, 71.5])), _in_per_cent(np.array([0.2, 0.7, 1.3]))
    (True, False)
    """
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() >= 0 and np.median(finite) > PER_CENT and finite.max() <= 100)


def _finding(limit: Limit, evidence: Evidence, name: str, outside: np.ndarray, extreme: float) -> Finding:
    epochs = evidence.curves[name].epochs[outside]
    text = f"{readable(name)} {number(extreme)} , first at epoch {epoch(int(epochs[0]))}".replace(" ,", ",")
    why = f"its {readable(name)} reached {number(extreme)}, which it can't"
    return limit.finding("ill", "values", text, why, epochs=spans(epochs.tolist()), curves=[name])
