"""Where a training has gradients of two batch sizes: replicas, accumulated micro-batches, or the step before."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.gradient_noise import Array, consecutive_estimates, two_batch_estimates
from unetdyn.dynamics import Probe, Rows
from unetdyn.dynamics.noise_scale_probe import ConsecutiveProbe
from unetdyn.dynamics.optimizers import inner, replicas


@dataclass(frozen=True)
class Observations:
    """Unbiased estimates, one for each step, pair of steps or accumulation cycle, in order.

    Attributes:
        step: `(n,)` int64, the step at which each was complete.
        gradient_sq: `(n,)` estimates of |G|², finite.
        trace_covariance: `(n,)` estimates of trΣ, finite.
        spoilt: Last step whose estimate was left out because a control changed it; -1 if none.
    """

    step: NDArray[np.int64]
    gradient_sq: Array
    trace_covariance: Array
    spoilt: int = -1

    def __len__(self) -> int:
        return len(self.step)


class Source(Protocol):
    """One way to see gradient noise."""

    @property
    def unit(self) -> str:
        """What an observation is, in the plural."""

    @property
    def batches(self) -> int:
        """How many of `fit`'s batches go into one update."""

    def probe(self) -> Probe | None:
        """What the tap must measure besides its own columns."""

    def observe(self, rows: Rows, sizes: Array) -> Observations:
        """Estimates from the steps of one epoch.

        Args:
            rows: Consecutive steps.
            sizes: `(steps,)`, samples in each step's batch, over all replicas; NaN where unknown, then it is left out.
        """


@dataclass(frozen=True)
class Replicas:
    """The gradients of the shares that replicas have of a batch, against the whole batch's. Shares of equal size."""

    replicas: int
    unit: str = "steps"
    batches: int = 1

    def probe(self) -> None:
        """The tap has it all."""

    def observe(self, rows: Rows, sizes: Array) -> Observations:
        """One estimate a step; the weights are the same for all replicas, so nothing is assumed about their motion."""
        assert rows.replica_grad_norm_sq is not None
        small, big = _totals(rows.replica_grad_norm_sq), _totals(rows.grad_norm_sq)
        return _finite(rows.step, *two_batch_estimates(small, big, sizes / self.replicas, sizes))


@dataclass(frozen=True)
class Accumulation:
    """The gradients of micro-batches, against their accumulated mean.

    The weights do not move within a cycle, so nothing is assumed about that. A control that changes a micro-batch's
    gradient, such as `AutoClip`, changes the accumulated mean too: its cycle is left out and reported, since those that
    remain are the ones with small gradients.
    """

    batches: int
    unit: str = "accumulation cycles"

    def probe(self) -> None:
        """The tap has it all."""

    def observe(self, rows: Rows, sizes: Array) -> Observations:
        """One estimate a cycle that lies wholly within the epoch.

        A skipped step leaves the optimizer's iteration where it was, and its micro-batch out: of several rows of one
        iteration the last counts.
        """
        assert rows.accumulated_grad_norm_sq is not None
        counted = np.append(np.diff(rows.iteration) != 0, True)
        iteration, small, inverse = rows.iteration[counted], _totals(rows.grad_norm_sq)[counted], 1 / sizes[counted]
        big, step = _totals(rows.accumulated_grad_norm_sq)[counted], rows.step[counted]
        ends = np.flatnonzero((iteration + 1) % self.batches == 0)
        ends = ends[(ends >= self.batches - 1)]
        ends = ends[iteration[ends] - iteration[ends - self.batches + 1] == self.batches - 1]
        members = ends[:, None] - np.arange(self.batches)
        harmonic = 1 / inverse[members].mean(axis=1)
        gradient_sq, trace = two_batch_estimates(
            small[members].mean(axis=1), big[ends], harmonic, self.batches * harmonic
        )
        changed = rows.controlled[counted][members].any(axis=1)
        found = _finite(step[ends][~changed], gradient_sq[~changed], trace[~changed])
        return replace(found, spoilt=int(step[ends][changed].max(initial=-1)))


@dataclass(frozen=True)
class Consecutive:
    """The gradients of a step and of the one before; assumes that the weights hardly moved between them.

    See `consecutive_estimates` for the bias where they did: the noise scale comes out too large.
    """

    unit: str = "pairs of consecutive steps"
    batches: int = 1

    def probe(self) -> Probe:
        """The scalar product with the step before, at the price of one copy of the gradient."""
        return ConsecutiveProbe()

    def observe(self, rows: Rows, sizes: Array) -> Observations:
        """One estimate for each pair within the epoch."""
        dot = rows.extra["dot"][:, 0]
        gradient_sq, trace = consecutive_estimates(_totals(rows.grad_norm_sq), dot, sizes)
        follows = np.diff(rows.step) == 1
        return _finite(rows.step[1:][follows], gradient_sq[follows], trace[follows])


def source_of(optimizer: keras.Optimizer | None) -> Source:
    """The best source that a training with this optimizer has, and the cheapest: the tap's own columns come first.

    Args:
        optimizer: The model's optimizer, as compiled.

    Example:
        >>> source_of(keras.optimizers.SGD(gradient_accumulation_steps=4))
        Accumulation(batches=4, unit='accumulation cycles')
        >>> source_of(keras.optimizers.SGD()).unit
        'pairs of consecutive steps'
    """
    steps = getattr(inner(optimizer), "gradient_accumulation_steps", None)
    shares = replicas(optimizer)
    if shares > 1:
        return Replicas(shares, batches=steps or 1)
    return Accumulation(steps) if steps else Consecutive()


def _totals(norm_sq: NDArray[Any]) -> Array:
    return norm_sq.sum(axis=1, dtype=np.float64)


def _finite(step: NDArray[np.int64], gradient_sq: Array, trace: Array) -> Observations:
    good = np.isfinite(gradient_sq) & np.isfinite(trace)
    return Observations(step[good], gradient_sq[good], trace[good])
