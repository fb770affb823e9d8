"""What speaks for ending a training of a search early: three signals, none of which ends one that may still win."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from unetdyn._checks import check_count, check_fraction
from unetdyn.analysis.divergence import DEVIATIONS, LEAST_DEVIATION, divergence_limits
from unetdyn.analysis.fitting.asymptote import fit_convergence
from unetdyn.analysis.fitting.result import ConvergenceFit
from unetdyn.analysis.scatter import scatter_about_descent
from unetdyn.analysis.stability_classes import STABILITY_CLASSES, WINDOW, Stability, stability

Array = NDArray[np.float64]

RATE = 0.05
WARMUP, EVERY, FINISHED = 15, 5, 5
DIVERGED_FOR = 5
"""Epochs in a row: from few wild ones a training comes back."""
NOT_RISEN, WAITED_FOR = 0.1, 0.5
"""Of the way to the best finished trial, and of the epochs: a net may answer "background" everywhere, and take off."""
_NEVER_DIVERGED = 1 + DEVIATIONS * LEAST_DEVIATION
"""Times the least loss: no level is lower than that, and no limit nearer to its level."""
_CONFIDENCE, _DRAWS = 0.95, 100
_LABELS = [each.label for each in STABILITY_CLASSES]


@dataclass(frozen=True)
class TrialRecord:
    """What was logged of a trial's training, one element an epoch, of which more is better in `values`.

    Attributes:
        values: Shape `(epochs,)`: the objective.
        losses: Shape `(epochs,)`: the training's loss; empty where unknown: then nothing diverges but what is not
            finite.
        scattering: Shape `(epochs,)`: whose σ is looked at, as the validation loss; empty where unknown: then `values`.
    """

    values: Array
    losses: Array
    scattering: Array

    @classmethod
    def of(cls, values: ArrayLike, losses: ArrayLike = (), scattering: ArrayLike = ()) -> "TrialRecord":
        """Of anything that makes arrays."""
        return cls(*(np.asarray(each, dtype=np.float64).reshape(-1) for each in (values, losses, scattering)))

    @property
    def epochs(self) -> int:
        """How many there are."""
        return len(self.values)

    def until(self, epochs: int) -> "TrialRecord":
        """Its first so many epochs."""
        return TrialRecord(self.values[:epochs], self.losses[:epochs], self.scattering[:epochs])

    @property
    def best(self) -> float:
        """The highest finite value; −∞ where there is none."""
        finite = self.values[np.isfinite(self.values)]
        return float(finite.max()) if len(finite) else -np.inf

    @property
    def scatter(self) -> Stability | None:
        """σ of the last epochs without their descent; None where they are too few, or not finite."""
        series = self.scattering if len(self.scattering) else -self.values
        found = stability(series, WINDOW)
        return scatter_about_descent(found) if found.determined and found.finite else None


@dataclass(frozen=True)
class Signal:
    """Why a training is ended early.

    Attributes:
        kind: `"divergence"`, `"instability"` or `"convergence"`.
        message: In words, with its numbers.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class PruningRule:
    """When a training is looked at, and how sure one must be.

    Args:
        rate: The most often that an eventual winner may be ended, between 0 and 1. Default 0.05.
        warmup: Epochs that each trial has, ≥ 10. Default 15: fewer tell nothing of where a curve is heading to.
        every: Epochs from one look to the next, ≥ 1. Default 5. A divergence is looked for after each.
        finished: Trials that must have been finished before any is ended, ≥ 1. Default 5, as Optuna's `MedianPruner`.

    Raises:
        ValueError: If one is out of its range.
    """

    rate: float = RATE
    warmup: int = WARMUP
    every: int = EVERY
    finished: int = FINISHED

    def __post_init__(self) -> None:
        check_fraction("rate", self.rate)
        check_count("warmup", self.warmup, 10)
        check_count("every", self.every, 1)
        check_count("finished", self.finished, 1, unit="trials")

    def looks(self, epochs: int) -> int:
        """How many times a training of so many epochs is looked at; its last epoch ends by itself.

        >>> PruningRule(warmup=15, every=5).looks(60)
        9
        """
        return max(0, -((epochs - self.warmup) // -self.every))


def reason_to_prune(
    trial: TrialRecord, finished: Sequence[TrialRecord], rule: PruningRule | None = None, front: bool = False
) -> Signal | None:
    """Why a training should be ended now; None where it should go on.

    A trial that is the best so far is never ended. Of the others:

    - *divergence*: the loss has diverged by `unetdyn.analysis.divergence` for five epochs in a row, or value or loss
      is not finite.
    - *instability*: the class of the validation loss's σ over the last ten epochs, without its descent, is worse than
      that of each of the better half of the finished trials at the same epoch; and the value is out of reach.
    - *convergence*: the curve is heading to an asymptote (`fit_convergence`) whose upper bound, with the largest
      deviation from the curve so far on top, lies below the best finished trial; and that is out of reach. A curve that
      has not yet left its beginning is waited for until half of the epochs are over.

    *Out of reach*: with the largest gain that is to be expected by what the finished trials gained from this epoch on
    (`largest_gain`), the best value so far would stay below the best finished trial's. So a drop of the learning rate,
    which lifts all trials at one epoch, is waited for; the asymptote is what slower curves than any before are waited
    for by.

    Each bound is one-sided at level `rate` / looks (Bonferroni); that of the asymptote is made of the half width of its
    95 % interval by the normal quantile. How often all of it ends an eventual winner is measured:
    `benchmarks/pruning_truth.py`.

    Args:
        trial: As far as it has come.
        finished: Those that went to their end.
        rule: When and how sure. Default `PruningRule()`.
        front: Whether trials are wanted that nothing beats in several objectives at once. Then only a divergence ends
            one: what is less good in one of them may be better in another. Default False.

    Returns:
        A `Signal`, or None.

    Example:
        >>> epochs = np.arange(40)
        >>> curve = lambda end: TrialRecord.of(end * (1 - np.exp(-epochs / 5)) + 0.003 * np.sin(2.3 * epochs))
        >>> done = [curve(end) for end in (0.6, 0.7, 0.75, 0.78, 0.8)]
        >>> reason_to_prune(curve(0.5).until(25), done).kind, reason_to_prune(curve(0.81).until(25), done)
        ('convergence', None)
    """
    rule = PruningRule() if rule is None else rule
    if len(finished) < rule.finished:
        return None
    incumbent = max(each.best for each in finished)
    if trial.best >= incumbent:
        return None
    if diverged := _diverged(trial):
        return Signal(
            "divergence",
            f"{diverged}; the best value is {_number(trial.best)}, that of another trial {_number(incumbent)}.",
        )
    epochs = trial.epochs
    if front or epochs < rule.warmup or (epochs - rule.warmup) % rule.every:
        return None
    longest = max(each.epochs for each in finished)
    level = rule.rate / max(1, rule.looks(longest))
    gain = largest_gain([each.best - each.until(epochs).best for each in finished if each.epochs > epochs], level)
    if trial.best + gain >= incumbent:
        return None
    reach = (
        f"the best value is {_number(trial.best)}, that of another trial {_number(incumbent)}, and hardly any "
        f"gains more than {_number(gain)} from this epoch on, by those that are finished."
    )
    if (unstable := _unstable(trial, finished)) and _highest_to_come(trial, longest, level) < incumbent:
        return Signal("instability", f"{unstable}; {reach}")
    first = float(np.nanmax(trial.values[:3]))
    if epochs < WAITED_FOR * longest and trial.best - first < NOT_RISEN * (incumbent - first):
        return None
    bound = upper_bound(trial.values, level)
    if bound is not None and bound < incumbent:
        return Signal("convergence", f"the curve is heading to at most {_number(bound)} (level {level:.2g}); {reach}")
    return None


def largest_gain(gains: Sequence[float], level: float) -> float:
    """What one more trial will hardly gain, by the gains of others: the upper limit of a prediction interval.

    Mean + t · s · sqrt(1 + 1/n), with the quantile of Student's t of n − 1 degrees of freedom, and at least the largest
    gain that was seen.

    Args:
        gains: Of n trials, from one epoch on.
        level: One-sided, between 0 and 0.5.

    Returns:
        The limit; infinite for fewer than two gains.

    Example:
        >>> round(largest_gain([0.1, 0.2, 0.3], 0.05), 3)
        0.537
    """
    n = len(gains)
    if n < 2:
        return np.inf
    limit = np.mean(gains) + t.isf(level, n - 1) * np.std(gains, ddof=1) * np.sqrt(1 + 1 / n)
    return float(max(limit, *gains))


def upper_bound(values: ArrayLike, level: float) -> float | None:
    """What a rising value will not exceed, with a one-sided error of `level`; None where its curve does not tell.

    Args:
        values: Shape `(epochs,)`.
        level: Between 0 and 0.5.

    Returns:
        The upper end of the asymptote, or of the value so far where the curve falls, and on top of it the largest
        deviation of a value from the fitted curve.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 0.01, 40)
        >>> values = 0.8 - 0.7 * np.exp(-0.1 * np.arange(40)) + noise
        >>> 0.8 < upper_bound(values, 0.05) < upper_bound(values, 0.001) < 0.9
        True
    """
    values = np.asarray(values, dtype=np.float64)
    found = fit_convergence(values, confidence=_CONFIDENCE, draws=_DRAWS)
    assert isinstance(found, ConvergenceFit), "of one history"
    if not found.determined:
        return None
    epochs = np.arange(len(values))
    fitted = found.predict(epochs)
    half = max(found.asymptote_interval[1] - found.asymptote, 0.0)
    end = found.asymptote + half * float(norm.isf(level) / norm.isf((1 - _CONFIDENCE) / 2))
    return float(max(end, fitted.max()) + max(0.0, float((values - fitted).max())))


def _highest_to_come(trial: TrialRecord, epochs: int, level: float) -> float:
    """What normal scatter about the last values will not exceed in any of the epochs that are left."""
    last = trial.values[-WINDOW:]
    left = max(1, epochs - trial.epochs)
    return float(np.mean(last) + np.std(last, ddof=1) * norm.isf(level / left))


def _diverged(trial: TrialRecord) -> str:
    """In words; empty where it has not."""
    for name, series in (("the objective", trial.values), ("the loss", trial.losses)):
        if len(series) and not np.isfinite(series[-1]):
            return f"{name} is {series[-1]:g}"
    if not len(trial.losses) or 0 < trial.losses[-1] <= _NEVER_DIVERGED * np.min(trial.losses):
        return ""
    past: list[float] = []
    wild = 0
    for loss in trial.losses:
        verdict = divergence_limits(past).judge(float(loss))
        wild = wild + 1 if verdict == "diverged" else 0
        past += [float(loss)] if verdict == "good" else []
    if wild < DIVERGED_FOR:
        return ""
    limits = divergence_limits(past)
    return f"the loss {trial.losses[-1]:.4g} has been above {limits.diverged:.4g} for {wild} epochs"


def _unstable(trial: TrialRecord, finished: Sequence[TrialRecord]) -> str:
    """In words; empty where it is not."""
    own = trial.scatter
    better = sorted(finished, key=lambda each: -each.best)[: (len(finished) + 1) // 2]
    theirs = [found for each in better if (found := each.until(trial.epochs).scatter) is not None]
    if own is None or not theirs or not own.poor:
        return ""
    worst = max(theirs, key=lambda found: found.sigma)
    if _LABELS.index(str(own.label)) <= _LABELS.index(str(worst.label)):
        return ""
    return (
        f"σ {own.sigma:.3g} over the last {WINDOW} epochs is {own.label}, and {worst.label} at the worst "
        f"({worst.sigma:.3g}) in the better half of the finished trials"
    )


def _number(value: float) -> str:
    return f"{value:.4g}"
