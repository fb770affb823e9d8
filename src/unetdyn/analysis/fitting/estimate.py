"""From finite histories to what `fit_convergence` says of them: the parts put together, many histories at once."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from unetdyn.analysis.ar1 import autocorrelation
from unetdyn.analysis.fitting import bootstrap, models
from unetdyn.analysis.fitting.held_out import HeldOutTail, held_out, last_values
from unetdyn.analysis.fitting.models import EXPONENTIAL, LAST_VALUE, SHAPES, Array, Fit
from unetdyn.analysis.fitting.result import ConvergenceFit
from unetdyn.analysis.result import interval

NAMES = (*(shape.name for shape in SHAPES), LAST_VALUE)
_PARAMETERS = (*(3 for _ in SHAPES), 1)
_CLOCKS = (*SHAPES, EXPONENTIAL)  # a level has arrived by any clock
_NEGLIGIBLE = 1e-3  # a model of a smaller weight hardly moves a tail of 2.5 %
_FARTHEST = 0.2  # of the values' range beyond them: what lies farther is the model's word alone
_ROUNDING = 1e-6  # of a curve's range: smaller residuals are no noise


class Settings(NamedTuple):
    """What is asked of every history.

    Attributes:
        confidence: Of the intervals.
        within: Fraction of |J∞|.
        span: The first and the last epoch, from 0.
    """

    confidence: float
    within: float
    span: tuple[float, float]


def estimated(times: Array, rows: Array, noise: bootstrap.SieveBootstrap, settings: Settings) -> list[ConvergenceFit]:
    """One result for each history.

    Args:
        times: `(n,)`, ascending, n ≥ 10: the epochs.
        rows: `(curves, n)`, finite, no row of one value only.
        noise: For n epochs.
        settings: What is asked.
    """
    fits = [*(models.fit(shape, times, rows) for shape in SHAPES), models.level(rows)]
    correlation = _phi(rows, fits)
    phi = np.clip(correlation, 0, bootstrap.LARGEST_PHI_OF_NOISE)
    weights = models.aicc_weights(rows, fits, _PARAMETERS, phi)
    best = np.argmax(weights, axis=0)
    tails = held_out(times, rows, SHAPES, best)
    counted = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    counted /= counted.sum(axis=0)
    drawn = _drawn(times, rows, fits, counted, noise, settings)
    ends, reach = (
        np.transpose(bootstrap.mixed_interval(part, counted, settings.confidence)).tolist() for part in drawn
    )
    levels = _levels(
        rows, np.array([fits[chosen].fitted[i] for i, chosen in enumerate(best)]), phi, settings.confidence
    )
    results = []
    for i, chosen in enumerate(best):
        reason = _undetermined_because(rows[i], ends[i], float(correlation[i]), tails[i], levels[i])
        results.append(
            ConvergenceFit(
                **_model(int(chosen), Fit(*(part[i : i + 1] for part in fits[chosen])), times, settings),
                asymptote_interval=tuple(ends[i]),
                reason=reason,
                weights=dict(zip(NAMES, weights[:, i].tolist(), strict=True)),
                autocorrelation=float(phi[i]),
                epochs_to_within_interval=tuple(reach[i]),
                held_out=tails[i],
                **settings._asdict(),
            )
        )
    return results


def _phi(rows: Array, fits: list[Fit]) -> Array:
    """φ of the noise, from the residuals of the nearer shape: around a level, the curve itself would count as noise."""
    residuals = np.array([rows - fit.fitted for fit in fits[: len(SHAPES)]])
    nearest = np.argmin(np.sum(residuals**2, axis=2), axis=0)
    nearer = residuals[nearest, np.arange(len(rows))]
    noisy = nearer.std(axis=1) > _ROUNDING * np.ptp(rows, axis=1)
    return np.where(noisy, autocorrelation(nearer, bootstrap.FITTED), 0.0)


def _drawn(
    times: Array, rows: Array, fits: list[Fit], weights: Array, noise: bootstrap.SieveBootstrap, settings: Settings
) -> tuple[Array, Array]:
    """J∞ and the epoch within reach of it, `(models, curves, draws)`; zeros for models of no weight."""
    asymptotes = np.zeros((len(fits), len(rows), noise.normal.size))
    reached = np.zeros_like(asymptotes)
    for number, fit in enumerate(fits):
        some = np.flatnonzero(weights[number])
        if some.size:
            part = Fit(*(array[some] for array in fit))
            if number < len(SHAPES):
                found = bootstrap.refits(models.grid(SHAPES[number], times), part, rows[some], noise)
            else:
                level = bootstrap.relevelled(part, rows[some], noise)
                found = level, np.zeros_like(level), np.zeros_like(level)
            asymptotes[number, some] = found[0]
            reached[number, some] = _reached(number, found, times, settings)
    return asymptotes, reached


def _reached(number: int, found: tuple[Array, Array, Array], times: Array, settings: Settings) -> Array:
    return models.epochs_to_within(_CLOCKS[number], settings.within, found, times[0])


def _model(number: int, fit: Fit, times: Array, settings: Settings) -> dict[str, Any]:
    """The fields of a result that the chosen model alone decides."""
    asymptote, amplitude, rate = (float(part[0]) for part in fit[:3])
    params = {"J_inf": asymptote}
    if NAMES[number] == EXPONENTIAL.name:
        # Of a history that was averaged in groups, the first time is that of the first group.
        params |= {"J_0": asymptote + amplitude * float(np.exp(rate * (times[0] - settings.span[0]))), "lambda": rate}
    elif NAMES[number] != LAST_VALUE:
        params |= {"C": -amplitude, "beta": rate}
    reached = float(_reached(number, fit[:3], times, settings)[0])
    return {"model": NAMES[number], "params": params, "asymptote": asymptote, "epochs_to_within": reached}


def _levels(rows: Array, fitted: Array, phi: Array, confidence: float) -> list[tuple[float, float]]:
    """Each history's level at the end, low and high: the mean of its last values, with its error in this noise."""
    last = last_values(rows)
    error = (rows - fitted).std(axis=1) * np.sqrt((1 + phi) / (1 - phi) / last.shape[1])
    middle, reach = last.mean(axis=1), ndtri((1 + confidence) / 2) * error
    return list(zip((middle - reach).tolist(), (middle + reach).tolist(), strict=True))


def _undetermined_because(
    row: Array, ends: tuple[float, float], correlation: float, tail: HeldOutTail, level: tuple[float, float]
) -> str:
    """Why the history doesn't tell where it is heading to; empty where it does."""
    (low, high), span, seen = ends, np.ptp(row), interval(row.min(), row.max())
    if high - low > span:
        return f"the interval, {interval(low, high)}, is wider than the range of the values, {seen}"
    if low < row.min() - _FARTHEST * span or high > row.max() + _FARTHEST * span:
        return (
            f"the interval, {interval(low, high)}, reaches more than a fifth of their range beyond the values, {seen}"
        )
    if correlation > bootstrap.LARGEST_PHI_OF_NOISE:
        return "the values stray from the fit for many epochs on end, so that none of the models has their shape"
    if tail.worse:
        return "the last value predicts the last fifth of the epochs better than the fit to the earlier ones does"
    if not tail.beaten and (level[1] < low or level[0] > high):
        return (
            f"the interval, {interval(low, high)}, leaves out the level of the last values, {interval(*level)}, though "
            "they predict the last fifth of the epochs no worse than the fit to the earlier ones does"
        )
    return ""
