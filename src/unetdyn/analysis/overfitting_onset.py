"""Overfitting: how far validation lies behind training, how sure that is, and from which epoch it grew."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count, check_fraction
from unetdyn.analysis.ar1 import AR1, fit_ar1
from unetdyn.analysis.curves import Curves, loss_pairs, read_history
from unetdyn.analysis.detrend import TREND_PARAMETERS, detrend
from unetdyn.analysis.result import Determinable, epoch, interval, number
from unetdyn.analysis.stability_classes import WINDOW

_LEAST = 20  # epochs: the trend takes six, and φ of the noise needs the rest
_MOST = 1000  # points; a longer history is averaged down to it, which a curve's shape does not feel
_DRAWS = 1999
_FALL_ERRORS = 2.0  # standard errors by which the training loss must have fallen: one in forty by chance


@dataclass(frozen=True)
class Overfitting(Determinable):
    """What `overfitting` found.

    Attributes:
        gap: Mean validation loss − mean training loss over the last window: positive where the network does worse on
            what it has not seen. NaN where not defined.
        gap_interval: (low, high) of the gap; NaN where undetermined.
        confidence: How often such an interval holds the true gap.
        onset: Epoch, from 0, from which the validation loss rose while the training loss fell on; None where the
            evidence or the history was not enough.
        evidence: In words, what speaks for an onset or against it; empty where undetermined.
        rise: Mean validation loss of the end − that of its lowest stretch; NaN where undetermined.
        rise_of_noise: What noise alone reaches with the chance `alpha`, where nothing overfits.
        fall: Mean training loss beside the lowest stretch − that of the end; NaN where undetermined.
        autocorrelation: φ of the validation loss's noise, from one epoch to the next.
        window: Epochs that the gap's window has when it is full.
        count: How many epochs it really had.
        reason: In words, why it is undetermined; empty where it is not.
    """

    gap: float
    gap_interval: tuple[float, float]
    confidence: float
    onset: int | None
    evidence: str
    rise: float
    rise_of_noise: float
    fall: float
    autocorrelation: float
    window: int
    count: int
    reason: str = ""

    def _answer(self) -> bool:
        return self.onset is not None

    def _rows(self) -> list[tuple[str, str]]:
        gap, (low, high) = number(self.gap), self.gap_interval
        if self.count:
            gap += f" over the last {self.count} epochs"
        onset = "no onset found" if self.onset is None else f"from epoch {epoch(self.onset)}"
        if not self.determined:
            return [("overfitting", self._if_determined(onset)), ("gap", gap)]
        return [
            ("overfitting", onset),
            ("because", self.evidence),
            ("gap", gap),
            (f"gap, {100 * self.confidence:g} % interval", interval(low, high)),
        ]


class _Rise(NamedTuple):
    onset: int | None
    evidence: str
    rise: float
    rise_of_noise: float
    fall: float
    autocorrelation: float


def overfitting(history: Any, window: int = WINDOW, confidence: float = 0.95, alpha: float = 0.01) -> Overfitting:
    """Whether, from when and by how much a training overfitted.

    **Gap.** Mean of (validation loss − training loss) over the last `window` epochs. Neighbouring epochs err alike, so
    ten epochs tell less than ten independent values. The interval therefore comes from 1,999 simulated means of
    first-order autoregressive noise. Its φ and its scatter are estimated from the whole history without its trend. They
    are uncertain themselves, so each simulated mean draws its own.

    **Onset.** The mean validation loss of the end is compared with that of its lowest stretch of the same length, a
    window or a quarter of the history. Pure noise has a lowest stretch too. So the rise counts only where such noise
    around a flat curve rises as far with a chance below `alpha`; around a curve that falls, noise rises less. The
    training loss must have fallen meanwhile by two standard errors: where both losses rise, something else went wrong.
    The onset is the hinge of the least-squares fit "flat, then a rising line" from the lowest stretch on.

    Twenty epochs say little about autocorrelation: with so few, false alarms are more frequent than promised, and so
    are intervals that miss the gap. Histories of more than 1,000 epochs are first averaged to at most so many points,
    for the onset.

    The end is judged: a rise that came down again (see `double_descent`) is no onset. Asked after every epoch of a
    training, the chance of a false alarm adds up.

    Args:
        history: Anything `read_history` takes.
        window: How many of the last epochs the gap is a mean of, ≥ 2. 10 is what the studies used.
        confidence: Of the gap's interval, between 0 and 1. Default 0.95.
        alpha: The level of the test, the chance of an onset where nothing overfits, between 0 and 0.5. Default 0.01:
            one training in a hundred. The 1,999 simulated ones tell nothing below 0.001.

    Returns:
        An `Overfitting`. Epochs in which either loss is missing or not finite are left out. Below 20 epochs it is
        undetermined, without validation not defined, and says so.

    Raises:
        ValueError: If no loss was logged, or another argument is out of range.

    Example:
        >>> t = np.arange(80)
        >>> noise = 0.01 * np.random.default_rng(0).normal(size=(2, 80))
        >>> loss = 0.1 + 0.8 * np.exp(-t / 20) + noise[0]
        >>> val_loss = 0.3 + 0.6 * np.exp(-t / 10) + 0.003 * np.maximum(t - 40, 0) + noise[1]
        >>> print(overfitting({"loss": loss, "val_loss": val_loss}))
        overfitting         from epoch 45
        because             validation loss 0.0806 above its lowest (noise alone: 0.0164), training loss 0.084 lower
        gap                 0.274 over the last 10 epochs
        gap, 95 % interval  0.262 to 0.286

    Reference:
        Rising validation loss as the sign: Prechelt, Early stopping, but when? (1998). Means of autocorrelated values:
        Bayley & Hammersley, The "effective" number of independent observations in an autocorrelated time series (1946).
    """
    check_count("window", window, least=2)
    check_fraction("confidence", confidence)
    check_fraction("alpha", alpha, most=0.5)
    curves = read_history(history)
    curves.watched("loss")
    epochs, trained, validated = _both(curves)
    last = (validated - trained)[-window:]
    gap = float(np.mean(last)) if len(last) else float("nan")
    if len(epochs) < _LEAST:
        reason = f"{len(epochs)} of the {_LEAST} epochs that it needs" if "val_loss" in curves else "no validation loss"
        nan = float("nan")
        return Overfitting(gap, (nan, nan), confidence, None, "", nan, nan, nan, nan, window, len(last), reason)
    margin = _margin(epochs, validated - trained, len(last), confidence)
    found = _rise(window, alpha, *_thin(-(-len(epochs) // _MOST), epochs, trained, validated))
    return Overfitting(
        gap=gap,
        gap_interval=(gap - margin, gap + margin),
        confidence=confidence,
        onset=found.onset,
        evidence=found.evidence,
        rise=found.rise,
        rise_of_noise=found.rise_of_noise,
        fall=found.fall,
        autocorrelation=found.autocorrelation,
        window=window,
        count=len(last),
    )


def _both(curves: Curves) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Epochs, training and validation losses where both are finite."""
    pairs = loss_pairs(curves)
    whole = np.isfinite(pairs[1]) & np.isfinite(pairs[2])
    epochs, trained, validated = (values[whole] for values in pairs)
    return epochs, trained, validated


def _margin(epochs: NDArray[Any], gaps: NDArray[Any], count: int, confidence: float) -> float:
    block = -(-count // _MOST)
    noise = _noise(*_thin(block, epochs, gaps))
    means = noise.draw_with_uncertainty(count // block, _DRAWS, np.random.default_rng(0)).mean(axis=1)
    return float(np.quantile(np.abs(means), confidence))


def _noise(epochs: NDArray[Any], values: NDArray[Any]) -> AR1:
    return fit_ar1(detrend(epochs, values), TREND_PARAMETERS)


def _thin(block: int, *values: NDArray[Any]) -> list[NDArray[Any]]:
    """The means of `block` neighbours each; the oldest epochs, which fill no block, are left out."""
    return [one[len(one) % block :].reshape(-1, block).mean(axis=1) for one in values]


def _rise(window: int, alpha: float, epochs: NDArray[Any], trained: NDArray[Any], validated: NDArray[Any]) -> _Rise:
    length = min(window, len(epochs) // 4)
    noise = _noise(epochs, validated)
    levels = _levels(validated, length)
    lowest = int(np.argmin(levels))
    rise = float(levels[-1] - levels[lowest])
    of_noise = _rise_of_noise(noise, len(epochs), length, alpha)
    training = _levels(trained, length)
    fall = float(training[lowest] - training[-1])
    fell = fall > _FALL_ERRORS * np.sqrt(2) * _noise(epochs, trained).error_of_mean(length)
    onset = None
    evidence = f"validation loss {number(rise)} above its lowest (noise alone: {number(of_noise)})"
    if rise > of_noise and not fell:
        evidence += ", but the training loss did not fall meanwhile"
    elif rise > of_noise:
        evidence += f", training loss {number(fall)} lower"
        onset = int(epochs[lowest + _hinge(epochs[lowest:], validated[lowest:])])
    return _Rise(onset, evidence, rise, of_noise, fall, noise.phi)


def _levels(values: NDArray[Any], length: int) -> NDArray[np.float64]:
    """Means of all stretches of that length along the last axis."""
    return np.lib.stride_tricks.sliding_window_view(values, length, axis=-1).mean(axis=-1)


def _rise_of_noise(noise: AR1, epochs: int, length: int, alpha: float) -> float:
    """What the last stretch of a flat noisy curve lies above its lowest, with that chance at most."""
    levels = _levels(noise.draw_with_uncertainty(epochs, _DRAWS, np.random.default_rng(0)), length)
    return float(np.quantile(levels[:, -1] - levels.min(axis=1), 1 - alpha))


def _hinge(epochs: NDArray[Any], values: NDArray[Any]) -> int:
    """Index τ for which "flat until τ, then a rising line" fits best."""
    rising = np.maximum(epochs[None, :] - epochs[:-1, None], 0.0)
    rising -= rising.mean(axis=1, keepdims=True)
    along = rising @ (values - values.mean())
    return int(np.argmax(np.where(along > 0, along, 0.0) ** 2 / np.sum(rising**2, axis=1)))
