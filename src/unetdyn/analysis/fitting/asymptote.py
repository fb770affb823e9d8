"""Where a training is heading to: the asymptote of a logged value, and whether the history tells it at all."""

import numpy as np
from numpy.typing import ArrayLike

from unetdyn._checks import check_count, check_fraction
from unetdyn.analysis.fitting.bootstrap import SieveBootstrap
from unetdyn.analysis.fitting.estimate import Settings, estimated
from unetdyn.analysis.fitting.models import Array
from unetdyn.analysis.fitting.result import ConvergenceFit
from unetdyn.analysis.grouping import grouped
from unetdyn.analysis.series import Curve, parts

LEAST_EPOCHS = 10
LEAST_DRAWS = 100
_GROUPS = 500  # longer histories are averaged into so many groups of epochs
_COMPUTABLE = (1e-70, 1e70)  # their fourth powers, and sums of these, are numbers
_AT_ONCE = 4_000_000  # values of curves made anew that are held in memory: 32 MB


def fit_convergence(
    values: ArrayLike | Curve,
    epochs: ArrayLike | None = None,
    confidence: float = 0.95,
    within: float = 0.01,
    draws: int = 1000,
    seed: int = 0,
) -> ConvergenceFit | tuple[ConvergenceFit, ...]:
    """Where a logged value is heading to: its asymptote J∞ with an interval, or "undetermined" and why.

    Three models, of which the AICc chooses (see `weights`):

    - exponential: J(t) = J∞ − (J∞ − J₀) exp(−λ (t − t₀)), t₀ the first epoch;
    - power law: J(t) = J∞ − C (t + 1)^(−β), so that the first epoch counts 1;
    - last value: the value stays where it is. Over the whole history its level is the mean; as a prediction of epochs
      to come, the mean of the last ones.

    *Fit.* For a given λ or β the rest is linear and follows in closed form. 64 rates, evenly spaced in their logarithm,
    are the starts, and the best of them is refined. The starts matter: far from the best rate the sum of squares is
    flat, so that `scipy.optimize.curve_fit`, started at a rate that is a hundred times off, mostly stays there. Bounds:
    with the smallest λ a curve has gone a tenth of its way at the end, with the largest it goes 95 % of it in one
    epoch; β is from 0.05 to 5.

    *Interval.* Curves are made anew from each model's fit and noise like its residuals (a sieve bootstrap of first
    order, because neighbouring epochs err alike), and the model is fitted to them. The interval is that of the
    percentiles, where each model's draws count by its weight. It is too narrow for a curve of yet another shape, such
    as a stretched exponential, for fewer than 30 epochs of strongly correlated noise, and for noise that grows with the
    epochs. A training that changes its course after the last epoch isn't foreseen.

    A history is *determined* unless

    - it has fewer than 10 epochs, NaN or infinite values, or one value only;
    - the interval is wider than the range of the values, or reaches beyond them by more than a fifth of it;
    - the residuals are correlated by more than 0.9 from one epoch to the next: the curve has none of the shapes;
    - the model, fitted to the first four fifths, predicts the rest worse than the last value does, by more than a
      quarter (`HeldOutTail`);
    - the model predicts the rest no better than the last value does, and the interval of J∞ does not overlap that of
      the last values' level: then nothing but the model says that the value will go on to J∞.

    A history that only scatters about one level is mostly undetermined: a slow rise may hide in its noise.

    Args:
        values: `(epochs,)`, or `(curves, epochs)` for many histories of the same epochs at once; or a `Curve` of
            `read_history`. Rising or falling.
        epochs: `(epochs,)`, from 0, ascending; default 0, 1, 2 ... A validation only now and then leaves gaps.
        confidence: Of the intervals, between 0 and 1.
        within: Fraction of |J∞| for `epochs_to_within`, between 0 and 1.
        draws: Curves made anew for an interval, 100 or more. 1000, because with 200 the ends of an interval of 95 %
            would scatter by a tenth of its half width from seed to seed.
        seed: Of the draws. A curve's result is the same alone and in company.

    Returns:
        A `ConvergenceFit`, or a tuple of them for a table. More than 500 epochs are averaged in 500 groups first.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If a shape, the order of the epochs or a setting is wrong.

    Example:
        >>> import numpy as np
        >>> jaccard = 0.8 - 0.7 * np.exp(-0.1 * np.arange(40)) + np.random.default_rng(0).normal(0, 0.01, 40)
        >>> print(fit_convergence(jaccard))
        asymptote             0.804 (95 % interval 0.794 to 0.814)
        within 1 % of it      from epoch 48 on, after the last, 40 (95 % interval 45 to 50)
        model                 exponential (weights: exponential 1.00, power law 0.00, last value 0.00)
        parameters            J_inf 0.804, J_0 0.105, lambda 0.097
        last fifth predicted  better by the model: RMS error 0.00711 by the model, 0.0227 by the last value
        >>> print(fit_convergence([0.2, 0.3, 0.4]))
        asymptote  undetermined: it has 3 of the 10 epochs that a fit needs

    Reference:
        Golub and Pereyra (1973) for the fit; Bühlmann (1997) for the bootstrap; Turek and Fletcher (2012) for intervals
        over several models.
    """
    table, times = _checked(*parts(values, epochs))
    check_fraction("confidence", confidence)
    check_fraction("within", within)
    check_count("draws", draws, LEAST_DRAWS, unit="draws")
    rows = np.atleast_2d(table)
    results = [ConvergenceFit(reason=_not_fitted_because(row), confidence=confidence, within=within) for row in rows]
    possible = np.flatnonzero([not result.reason for result in results])
    if len(possible):
        settings = Settings(confidence, within, (float(times[0]), float(times[-1])))
        noise = SieveBootstrap(min(len(times), _GROUPS), draws, seed)
        at_once = max(1, _AT_ONCE // noise.chosen.size)
        for chosen in np.split(possible, range(at_once, len(possible), at_once)):
            found = estimated(grouped(times, _GROUPS), grouped(rows[chosen], _GROUPS), noise, settings)
            for row, result in zip(chosen, found, strict=True):
                results[row] = result
    return results[0] if table.ndim == 1 else tuple(results)


def _checked(values: ArrayLike, epochs: ArrayLike | None) -> tuple[Array, Array]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim not in (1, 2):
        raise ValueError(
            "`values` must be one value an epoch, of shape (epochs,), or many histories, of shape (curves, epochs). "
            f"Received: shape {table.shape}."
        )
    times = np.arange(table.shape[-1], dtype=np.float64) if epochs is None else np.asarray(epochs, dtype=np.float64)
    if times.shape != table.shape[-1:]:
        raise ValueError(
            f"`epochs` must have a number for each of the {table.shape[-1]} values. Received: shape {times.shape}."
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any() or (times < 0).any():
        raise ValueError(f"`epochs` must ascend from 0 or later, without repetition. Received: epochs={epochs!r:.80}.")
    return table, times


def _not_fitted_because(row: Array) -> str:
    """Why nothing can be fitted to a history; empty where it can."""
    broken = int(np.sum(~np.isfinite(row)))
    if broken:
        return f"{broken} of its {len(row)} values are NaN or infinite; leave them out, and give `epochs` for the rest"
    if len(row) < LEAST_EPOCHS:
        return f"it has {len(row)} of the {LEAST_EPOCHS} epochs that a fit needs"
    half = row.max() / 2 - row.min() / 2  # the range itself may overflow
    if half == 0:
        return f"all of its {len(row)} values are the same"
    if not _COMPUTABLE[0] < half < _COMPUTABLE[1]:
        return f"its values differ by {half:.0e} and more, too little or too much to compute with: give another unit"
    return ""
