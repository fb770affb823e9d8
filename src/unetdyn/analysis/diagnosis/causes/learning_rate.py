"""A learning rate too high, or too low, by how far the weights move and what the training loss does."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.causes.statistics_lag import lags
from unetdyn.analysis.diagnosis.causes.updates import HIGH, LOW
from unetdyn.analysis.diagnosis.change import still_falls
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, Span, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

OFTEN = 0.2  # share of the epochs, after the first tenth, whose updates are above the band
FAR = 10.0  # times the band in the median, where it is beyond doubt
LEAP = 0.5  # of the weights in one of the first three steps, where it is as well
BURST = 0.1  # of the weights a step in the first epoch, where it is too
SOME = 0.1  # share of the epochs, three at least, in which the training loss rises, beside updates above the band
RISES = 0.1  # part of itself by which the training loss rises from one epoch to the next
SMALL = 1e-3  # updates below it are small where the loss still falls
STILL = 0.8  # share of the fall of the loss's first half that the second half still has
NOTHING, LONG = 0.01, 0.6  # of its largest value, below which a rate is over; and so for this share of the epochs

_SOURCE = f"the band of updates: Karpathy, CS231n (2015); how often: {RULE_OF_THUMB}"
_SCHEDULE = "at the end of a schedule that lowers it, and in a warm-up."
TOO_HIGH = Limit(
    "learning_rate.high",
    "updates",
    ill=f"move the median block by more than {HIGH:g} of its weights a step in {OFTEN:.0%} of the epochs, or by "
    f"{BURST:g} in the first one, or by {LEAP:g} in one of the first three steps; or the training loss rises by "
    f"{RISES:.0%} in {OFTEN:.0%} of the epochs, beside updates above {HIGH / 3:g}",
    source=_SOURCE,
    advice="a learning rate of a third to a tenth, or a warm-up; then one that decays.",
    expected="updates near 1e-3 of the weights, a training loss that falls evenly, a calmer validation.",
    refuted="the training loss falls as evenly with the same rate as with a tenth of it.",
    normal="in the first steps of Adam.",
    explains=(
        "metric.nothing",
        "metric.low",
        "metric.flat",
        "metric.falls",
        "metric.jumps",
        "metric.end",
        "metric.nonfinite",
        "loss.nonfinite",
        "loss.rose",
        "loss.flat",
        "loss.constant",
        "stability",
        "run.failed",
    ),
)
TOO_LOW = Limit(
    "learning_rate.low",
    "updates",
    ill=f"move the median block by less than {LOW:g} of its weights a step all along, or by less than {SMALL:g} while "
    f"the training loss still falls, or it falls as fast at the end ({STILL:.0%}) as in the beginning; or the rate is "
    f"below {NOTHING:g} of its largest value in {LONG:.0%} of the epochs",
    source=_SOURCE,
    advice="a learning rate three to ten times as high; where a schedule ended early, its length in steps, which are "
    "epochs times steps an epoch.",
    expected="the training loss falls in a few epochs as far as it now does in all.",
    refuted="ten times the rate does not make the loss fall faster.",
    normal=_SCHEDULE,
    explains=(
        "metric.nothing",
        "metric.low",
        "metric.flat",
        "metric.gap",
        "loss.flat",
        "loss.constant",
        "training.short",
    ),
)
LIMITS = (TOO_HIGH, TOO_LOW)

_NAME = "learning rate"


def find(evidence: Evidence) -> Iterator[Finding]:
    """Too high, too low, or nothing."""
    updates = evidence.values("update_ratio_log10")
    updates = np.where(np.isfinite(updates), updates, np.nan)
    begun = len(updates) // 10 + 1
    large = np.zeros(len(updates), bool)
    large[begun:] = updates[begun:] > np.log10(HIGH)
    rises = _rises(evidence.values("loss"))
    first = max(_first_steps(evidence), 10 ** updates[0] if len(updates) and np.isfinite(updates[0]) else 0.0)
    high = list(_high(evidence, first, updates[begun:], large, rises))
    yield from high or _low(evidence, updates, rises)


def _high(
    evidence: Evidence, first: float, updates: NDArray[np.float64], large: NDArray[np.bool_], rises: NDArray[np.bool_]
) -> Iterator[Finding]:
    often = len(updates) > 0 and large.sum() >= max(1, OFTEN * len(updates))
    swings = len(rises) > 0 and rises.mean() >= OFTEN
    moves = len(updates) == 0 or finite_median(updates) > np.log10(HIGH / 3)
    burst = first > BURST
    if not often and not burst and not (swings and moves):
        return
    texts = []
    if len(updates):
        texts.append(
            f"updates move {number(10 ** finite_median(updates))} of the weights a step (median), above {HIGH:g} "
            f"in {large.sum()} of {len(large)} epochs"
        )
    if rises.any():
        texts.append(f"the training loss rose by more than {RISES:.0%} in {rises.sum()} epochs")
    if rate := _rate(evidence):
        texts.append(f"learning rate {rate:g}")
    if burst:
        texts.insert(0, f"updates moved {number(first)} of the weights a step in the beginning")
    far = burst or finite_median(updates) > np.log10(FAR * HIGH)
    some = rises.sum() >= max(3, SOME * len(rises))
    confidence = "high" if far or (often and swings) else "medium" if (often and some) or swings else "low"
    why = "its learning rate is high" + (f" ({rate:g})" if rate else "")
    where = _epochs(evidence, "update_ratio_log10", large) or _epochs(evidence, "loss", rises)
    curves = [name for name in ("update_ratio_log10", "loss") if name in evidence.curves]
    found = TOO_HIGH.finding("ill", _NAME, "; ".join(texts), why, confidence=confidence, epochs=where, curves=curves)
    yield replace(found, explains=(*found.explains, "metric.gap")) if often and lags(evidence) else found


def _first_steps(evidence: Evidence) -> float:
    """How far the median block moved in the largest of the first three steps, where that is beyond Adam's own."""
    blocks = evidence.record("update_ratio").get("update_ratio", {})
    steps = np.array([np.asarray(values, np.float64)[:3] for values in blocks.values() if len(values) >= 3])
    largest = float(np.median(steps, axis=0).max()) if len(steps) and np.isfinite(steps).all() else 0.0
    return largest if largest > LEAP else 0.0


def _epochs(evidence: Evidence, name: str, there: NDArray[np.bool_]) -> tuple[Span, ...]:
    return spans(evidence.curves[name].epochs[there].tolist()) if there.any() else ()


def _low(evidence: Evidence, updates: NDArray[np.float64], rises: NDArray[np.bool_]) -> Iterator[Finding]:
    loss = evidence.values("loss")
    loss = loss[np.isfinite(loss)]
    finite = updates[np.isfinite(updates)]
    tiny = len(finite) > 0 and float(np.quantile(finite, 0.9)) < np.log10(LOW)
    straight = len(loss) >= 6 and _straight(loss)
    falling = len(loss) >= 6 and rises.mean() < OFTEN and still_falls(loss)
    small = len(finite) > 0 and float(np.quantile(finite, 0.9)) < np.log10(SMALL) and falling
    over = _over(evidence)
    if not (tiny or small or over or (straight and not len(finite))):
        return
    texts = (
        [f"updates move {number(10 ** float(np.median(finite)))} of the weights a step (median)"]
        if tiny or small
        else []
    )
    if straight:
        texts.append("the training loss falls as fast at the end as in the beginning")
    if rate := _rate(evidence):
        texts.append(f"learning rate {rate:g}")
    if over:
        texts.append(f"below a hundredth of its largest in {over} of {evidence.epochs} epochs")
    why = "its learning rate is low" + (f" ({rate:g})" if rate else "")
    why = f"its learning rate was over in {over} of its epochs" if over else why
    curves = [name for name in ("update_ratio_log10", "loss") if name in evidence.curves]
    confidence = "high" if over or (tiny and (straight or falling)) else "medium" if tiny or small else "low"
    yield TOO_LOW.finding("ill", _NAME, "; ".join(texts), why, confidence=confidence, curves=curves)


def _over(evidence: Evidence) -> int:
    """In how many epochs the rate was next to nothing, where these are most: a schedule that was too short.

    Next to the largest of its stage: that a later stage has a lower rate is meant to be so.
    """
    if "learning_rate" not in evidence.curves:
        return 0
    epochs, rates = evidence.curves["learning_rate"]
    stage = np.searchsorted([first for first, _ in evidence.curves.stages], epochs, side="right")
    over = sum(int((own < NOTHING * np.max(own)).sum()) for own in (rates[stage == each] for each in np.unique(stage)))
    return over if over > LONG * len(rates) else 0


def _rises(loss: NDArray[np.float64]) -> NDArray[np.bool_]:
    """At which epochs the training loss was higher than the one before, by a part of itself.

    A loss that is above 0 in some epochs and below in others has no parts of itself: that of a critic, a likelihood.
    """
    after, before = loss[1:], loss[:-1]
    crosses = bool((loss > 0).any() and (loss < 0).any())
    known = np.isfinite(before) & (not crosses)
    rises = np.zeros(len(loss), bool)
    rises[1:][known] = after[known] > before[known] + RISES * np.abs(before[known])
    return rises


def _straight(loss: NDArray[np.float64]) -> bool:
    """Whether the second half of the training fell about as far as the first."""
    middle = len(loss) // 2
    first, second = loss[0] - loss[middle], loss[middle] - loss[-1]
    return bool(first > 0 and second > STILL * first)


def _rate(evidence: Evidence) -> float | None:
    """The learning rate that the run began with, where it is known."""
    logged = evidence.values("learning_rate")
    return float(logged[0]) if len(logged) else evidence.told_number("optimizer", "learning_rate")
