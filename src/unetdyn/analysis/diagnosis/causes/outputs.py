"""What comes out of the network: one answer for every pixel, or numbers that are no probabilities."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

ALIKE = 1e-3  # standard deviation of the outputs within an image, as a part of 0 to 1, below which they are one answer
OFTEN = 0.5  # share of the epochs from which that is no beginning
HALF = 0.5  # what a sigmoid makes of 0, the least that another sigmoid, a ReLU or a softmax before it gives

CONSTANT = Limit(
    "outputs.constant",
    "the outputs",
    ill=f"differ by less than {ALIKE:g} within an image in {OFTEN:.0%} of the epochs",
    source=RULE_OF_THUMB,
    advice="look for the layer that passes nothing on: weights that are 0, dead ReLU, an activation that saturates; "
    "then a lower learning rate.",
    expected="the outputs differ from pixel to pixel after the first steps.",
    refuted="all pixels of an image belong to one class.",
    explains=("metric.", "loss.", "stability"),
)
RANGE = Limit(
    "outputs.range",
    "outputs",
    watch="leave 0 to 1, or never leave ½ to 1, where the metric and the loss take them for probabilities",
    source="the definition of a probability; a sigmoid of what is never below 0 is never below ½",
    advice="end the network with one sigmoid, of a layer without activation; or give loss and metric "
    "`from_logits=True`.",
    expected="loss and metric measure the answer, not its clipping.",
    normal="for a metric of your own that takes logits.",
    explains=("metric.", "loss.", "stability"),
    alone=True,
)
LIMITS = (CONSTANT, RANGE)
NEEDS = (Need(("output_min", "output_max", "output_spread"), "BatchMonitor"),)

_MARGIN = 1e-3


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on the outputs of the validation, or where there was none, of the training."""
    prefix = "val_" if evidence.recorded("val_output_spread") is not None else ""
    found = evidence.recorded(*(f"{prefix}{key}" for key in ("output_min", "output_max", "output_spread")), "epoch")
    if found is None or not np.isfinite(found[2]).any():
        return
    low, high, spread, epochs = found
    known = np.isfinite(spread)
    alike = known & (spread < ALIKE)
    if alike.sum() >= OFTEN * known.sum() and alike[known][-1] and not _one_value_an_image(evidence):
        text = f"outputs within an image differ by {number(finite_median(spread))} (standard deviation)"
        why = "it gives one answer for every pixel"
        yield CONSTANT.finding("ill", "outputs", text, why, confidence="low", epochs=spans(epochs[alike].tolist()))
    if evidence.told("loss", "config", "from_logits") or not evidence.is_overlap:
        return
    least, most = float(np.nanmin(low, initial=0.0)), float(np.nanmax(high, initial=0.0))
    if least < -_MARGIN or most > 1 + _MARGIN:
        text = f"outputs from {number(least)} to {number(most)}"
        why = f"its outputs ({number(least)} to {number(most)}) are no probabilities"
        yield RANGE.finding("watch", "outputs", text, why, confidence="high")
    elif np.isfinite(low[1:]).any() and np.nanmin(low[1:]) > HALF - _MARGIN and not alike[known].all():
        text = f"outputs from {number(float(np.nanmin(low)))} to {number(most)}, never below {HALF:g}"
        why = f"its outputs never get below {HALF:g}: something before the sigmoid leaves nothing below 0"
        yield RANGE.finding("watch", "outputs", text, why, confidence="high")


def _one_value_an_image(evidence: Evidence) -> bool:
    """Whether the network says what an image is, and has no pixels that could differ."""
    shape = evidence.told("output_shape")
    return isinstance(shape, list) and len(shape) == 2
