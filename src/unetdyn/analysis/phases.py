"""The phases of a training: rapid descent, slow descent, overfitting; each with its epochs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from unetdyn._checks import check_fraction
from unetdyn.analysis.curves import read_history
from unetdyn.analysis.grouping import group_starts, grouped
from unetdyn.analysis.overfitting_onset import Overfitting, overfitting
from unetdyn.analysis.result import Determinable, KeyedResult, epoch, number, undetermined
from unetdyn.analysis.series import Curve
from unetdyn.analysis.slowing import LEAST_EPOCHS, Slowing, slowing

SLOW = 0.25

_MOST = 500  # longer trainings are averaged into so many groups of epochs

Span = tuple[int, int]


@dataclass(frozen=True)
class TrainingPhases(Determinable, KeyedResult):
    """What `training_phases` found. Each attribute is a key too: `phases["slow"]`, `phases.as_dict()`.

    Attributes:
        rapid: First and last epoch, from 0, of the rapid descent; None where there is none, or it is not known.
        slow: The same of the slow descent.
        overfitting: The same of overfitting: from its onset to the end.
        rapid_slope: Change of the loss an epoch in the rapid descent, below 0; NaN where not known.
        slow_slope: The same of the line after it; NaN where there is none.
        watched: Name of the loss whose descent was looked at.
        onset: What `overfitting` said.
        reason: In words, why rapid and slow are undetermined; empty where they are not. Of overfitting
            `onset.determined` tells.
    """

    rapid: Span | None
    slow: Span | None
    overfitting: Span | None
    rapid_slope: float
    slow_slope: float
    watched: str
    onset: Overfitting
    reason: str = ""

    def phase(self, epoch: int) -> str | None:
        """The name of the phase of an epoch that counts from 0; None where it is in none, or not known.

        Example:
            >>> t = np.arange(60)
            >>> phases = training_phases({"loss": np.maximum(1 - 0.1 * t, 0.1 - 0.001 * (t - 9))})
            >>> phases.phase(3), phases.phase(40)
            ('rapid', 'slow')
        """
        spans = {"overfitting": self.overfitting, "rapid": self.rapid, "slow": self.slow}
        return next((name for name, span in spans.items() if span and span[0] <= epoch <= span[1]), None)

    def _rows(self) -> list[tuple[str, str]]:
        rapid = _told(self.rapid, f"{self.watched} changes by {number(self.rapid_slope)} an epoch")
        slow = "none: it never slows"
        if self.slow:
            slow = _told(self.slow, f"by {number(self.slow_slope)} an epoch")
        elif self.overfitting and self.rapid:
            slow = "none: it overfits before it slows"
        overfits = "no onset found"
        if self.overfitting:
            overfits = _told(self.overfitting, f"validation loss {number(self.onset.rise)} above its lowest")
        elif not self.onset.determined:
            overfits = undetermined(self.onset.reason)
        if not self.determined:
            rapid = slow = undetermined(self.reason)
        return [("rapid descent", rapid), ("slow descent", slow), ("overfitting", overfits)]


def _told(span: Span | None, what: str) -> str:
    if span is None:
        return "none"
    return f"epochs {epoch(span[0])} to {epoch(span[1])}: {what}"


def training_phases(history: Any, slow: float = SLOW) -> TrainingPhases:
    """The phases of a training, with their epochs: rapid descent, slow descent, overfitting.

    The studies (docs/studies.md) describe three: a rapid decrease of the loss; then slow convergence; then the risk of
    overfitting, where the training loss goes on to fall and the validation loss may rise. They give no thresholds.
    Here:

    - *rapid → slow*: the training loss is fitted by two lines that meet, by least squares. Where the second is at most
      a quarter as steep as the first, the descent has slowed, and slow begins at the epoch where they meet. For an
      exponential that is 1.4 to 2 of its times 1 / λ after the beginning, for trainings of 5 to 50 of them.
    - *overfitting*: from the onset of `overfitting` to the end; where it comes before the slow phase, there is none.
      Where it comes, the two lines are fitted all the same to the whole training loss.

    Rapid and slow are *undetermined*

    - with fewer than 20 finite epochs;
    - where the training loss does not fall by more than its noise, or rises again;
    - where noise hides whether it slowed: neither is the bend shown, two lines that fit better than one by more than
      they do in 99 % of simulated noise; nor that the second half of the training is steeper than a quarter of the
      first. Where that is shown, all is one rapid descent: the training never slowed.

    Args:
        history: What `read_history` takes. Without a training loss, the validation loss is looked at.
        slow: The slope of the slow descent as part of the rapid one's, at most, between 0 and 1. Default a quarter: a
            rule of thumb.

    Returns:
        A `TrainingPhases`. More than 500 epochs are averaged in 500 groups first, of whose first epoch is told.

    Raises:
        ValueError: If no loss was logged, or `slow` is out of range.

    Example:
        >>> t = np.arange(80)
        >>> noise = 0.01 * np.random.default_rng(0).normal(size=(2, 80))
        >>> loss = 0.1 + 0.8 * np.exp(-t / 8) - 0.001 * t + noise[0]
        >>> val_loss = 0.2 + 0.7 * np.exp(-t / 8) + 0.004 * np.maximum(t - 45, 0) + noise[1]
        >>> print(training_phases({"loss": loss, "val_loss": val_loss}))
        rapid descent  epochs 1 to 14: loss changes by -0.0478 an epoch
        slow descent   epochs 15 to 45: by -0.00208 an epoch
        overfitting    epochs 46 to 80: validation loss 0.108 above its lowest

    Reference:
        The phases: the studies. Two lines that meet: Hinkley, Inference in two-phase regression (1971).
    """
    check_fraction("slow", slow)
    curves = read_history(history)
    name, curve = ("loss", curves["loss"]) if "loss" in curves else curves.watched("loss")
    found = overfitting(curves)
    whole = np.isfinite(curve.values)
    descent = Curve(curve.epochs[whole], curve.values[whole])
    slowed = _slowing(descent, slow)
    overfits = None if found.onset is None else (found.onset, int(curve.epochs[-1]))
    rapid = slow_span = None
    if not slowed.reason:
        first, last = int(descent.epochs[0]), int(descent.epochs[-1]) if overfits is None else overfits[0] - 1
        starts = descent.epochs[group_starts(len(descent.epochs), _MOST)]
        turn = last + 1 if slowed.place is None else int(starts[slowed.place])
        rapid = (first, min(turn - 1, last)) if first <= last else None
        slow_span = (turn, last) if turn <= last else None
    return TrainingPhases(
        rapid=rapid,
        slow=slow_span,
        overfitting=overfits,
        rapid_slope=slowed.first_slope,
        slow_slope=slowed.second_slope,
        watched=name,
        onset=found,
        reason=slowed.reason,
    )


def _slowing(curve: Curve, slow: float) -> Slowing:
    nan, count = float("nan"), len(curve.values)
    if count < LEAST_EPOCHS:
        return Slowing(None, nan, nan, f"{count} of the {LEAST_EPOCHS} epochs that it needs")
    if np.ptp(curve.values) == 0:
        return Slowing(None, nan, nan, "the loss never changed")
    return slowing(grouped(curve.epochs.astype(np.float64), _MOST), grouped(curve.values, _MOST), slow)
