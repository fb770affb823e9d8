"""Convergence by the gradient: whether its norm has fallen below a bound, from the record of a `GradientMonitor`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._checks import check_count, check_positive
from unetdyn.analysis.criteria import Criterion, cannot_tell, judged
from unetdyn.analysis.result import number

IN_A_ROW = 3

_NEEDED = ("epoch", "grad_norm")


@dataclass(frozen=True)
class GradientCriterion(Criterion):
    """What `converged_by_gradient` found.

    Attributes:
        norm: Root mean square over the steps of the last epoch of ‖∇L‖; NaN where there is none.
        epsilon: The bound.
        lowest: The smallest of the epochs' norms: no `epsilon` below it has ever held; NaN where there is none.
    """

    norm: float
    epsilon: float
    lowest: float

    def _rows(self) -> list[tuple[str, str]]:
        return [*super()._rows(), ("lowest of all epochs", number(self.lowest))]


def converged_by_gradient(
    record: "Mapping[str, ArrayLike] | unetdyn.runs.Run | str | os.PathLike[str]",
    epsilon: float,
    in_a_row: int = IN_A_ROW,
) -> GradientCriterion:
    """Converged when the gradient is small: ‖∇L‖ < ε, first-order stationarity.

    An epoch's ‖∇L‖ is the root mean square of its steps' norms. A step's gradient is that of a batch: its expected
    square is ‖∇L‖² + tr Σ / B, so that the norm does not fall to 0 but to the noise of a batch, √(tr Σ / B). An ε below
    that never holds; `callbacks.NoiseScaleMonitor` logs both parts. And a small gradient is necessary for a minimum but
    does not show one: at a saddle, on a plateau and in a network whose units have died it is small, too.

    Args:
        record: The `record` of a `GradientMonitor` (`epoch` and `grad_norm`, a value a step); or a run directory's
            path, or an open `unetdyn.runs.Run`, that has one.
        epsilon: ε, > 0, in the unit of the loss over that of the weights. It has no default, because any factor before
            the loss is one before the gradient: take a part of the norm of the first epochs, such as a hundredth.
        in_a_row: How many epochs in a row must be below, ≥ 1. Default 3: one alone may be an accident.

    Returns:
        A `GradientCriterion`. Steps whose norm is not finite are left out; an epoch of nothing else is NaN, and among
        the last `in_a_row` it makes the result undetermined, as too few epochs do.

    Raises:
        ValueError: If an argument is out of range, or the record is none of a `GradientMonitor`.
        KeyError: If the run has no record of a `GradientMonitor`.

    Example:
        >>> record = {"epoch": [0, 0, 1, 1, 2, 2, 3, 3], "grad_norm": [3.0, 4.0, 0.3, 0.4, 0.03, 0.04, 0.03, 0.03]}
        >>> print(converged_by_gradient(record, epsilon=0.05, in_a_row=2))
        watched                     grad_norm
        verdict                     converged: below 0.05 for the last 2 epochs, of 2 that it takes
        held first after epoch      4
        held to the end from epoch  4
        lowest of all epochs        0.03

    Reference:
        The studies (docs/studies.md); Nocedal and Wright, Numerical optimization (2006), theorem 2.2, for stationarity;
        McCandlish et al., An empirical model of large-batch training (2018), appendix A.1, for the gradient of a batch.
    """
    check_positive("epsilon", epsilon)
    check_count("in_a_row", in_a_row, least=1)
    epochs, norms = _by_epoch(*_steps(record))
    small = norms < epsilon
    row = np.convolve(small, np.ones(in_a_row, dtype=int))[: len(small)] if len(small) else small
    count = int(np.sum(np.cumprod(small[::-1])))
    evidence = f"below {epsilon:g} for the last {count} epochs, of {in_a_row} that it takes"
    fields = judged(epochs, row == in_a_row, evidence, cannot_tell(norms, in_a_row))
    finite = norms[np.isfinite(norms)]
    nan = float("nan")
    last, lowest = float(norms[-1]) if len(norms) else nan, float(finite.min()) if len(finite) else nan
    return GradientCriterion("grad_norm", *fields, last, epsilon, lowest)


def _steps(record: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if isinstance(record, str | os.PathLike):
        record = unetdyn.runs.open(os.fspath(record))
    if isinstance(record, unetdyn.runs.Run):
        record = record.arrays("gradient")
    if not isinstance(record, Mapping) or any(name not in record for name in _NEEDED):
        held = ", ".join(map(str, record)) or "nothing" if isinstance(record, Mapping) else type(record).__name__
        raise ValueError(
            "`record` must be that of a `GradientMonitor`, with `epoch` and `grad_norm`, or a run that has one. "
            f"Received: {held}."
        )
    epochs, norms = np.asarray(record["epoch"], np.int64), np.asarray(record["grad_norm"], np.float64)
    if epochs.shape != norms.shape or norms.ndim != 1:
        raise ValueError(
            "`epoch` and `grad_norm` of the record must have one value a step each. "
            f"Received: shapes {epochs.shape} and {norms.shape}."
        )
    return epochs, norms


def _by_epoch(epochs: NDArray[np.int64], norms: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The epochs, ascending, and the root mean square of the finite norms in each; NaN without one."""
    unique, at = np.unique(epochs, return_inverse=True)
    finite = np.isfinite(norms)
    count = np.bincount(at[finite], minlength=len(unique))
    squares = np.bincount(at[finite], norms[finite] ** 2, minlength=len(unique))
    return unique, np.sqrt(np.divide(squares, count, out=np.full(len(unique), np.nan), where=count > 0))
