"""Collapses: a metric that falls away within an epoch or two, how deep, and whether it came back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_fraction
from unetdyn.analysis.gradient_norms import SPIKE_FACTOR
from unetdyn.analysis.result import Determinable, Result, epoch, number
from unetdyn.analysis.robust import scaled_mad
from unetdyn.analysis.series import Curve, series

_LEVEL = 5  # values whose median is the level before: a single peak doesn't make a collapse of what follows
_PAST = 20  # differences from which noise is estimated
_LEAST_PAST = 8  # with fewer, noise is not known
_DEPTH_UNKNOWN = 0.8  # so that only a fall that noise hardly makes counts: four σ where σ is a fifth of the value
_LEAST_SHARE = 0.05  # of the highest value before: falls among what is nearly nothing are none


@dataclass(frozen=True)
class Collapse(Result):
    """One collapse.

    Attributes:
        epoch: The epoch, from 0, of the fall.
        before: The level before: the median of the five values before, or the last of them where it is higher.
        lowest: The lowest value until the level was back; NaN where a value that is not finite was among them.
        lowest_epoch: The epoch of the lowest value, or of the first that is not finite.
        depth: (before − lowest) / before, a fraction; NaN where a value was not finite.
        recovery: Epochs from the fall until the level was back; None where it never was.
        finite: Whether all values until then were finite.
    """

    epoch: int
    before: float
    lowest: float
    lowest_epoch: int
    depth: float
    recovery: int | None
    finite: bool

    @property
    def recovered(self) -> bool:
        """Whether the level was back before the training ended."""
        return self.recovery is not None

    def _rows(self) -> list[tuple[str, str]]:
        lowest = f"{number(self.lowest)} at epoch {epoch(self.lowest_epoch)}, {100 * self.depth:.0f} % below"
        if not self.finite:
            lowest = f"not a finite number at epoch {epoch(self.lowest_epoch)}"
        back = f"after {self.recovery} epoch{'s' if self.recovery != 1 else ''}" if self.recovered else "never"
        return [
            ("fell at epoch", epoch(self.epoch)),
            ("level before", number(self.before)),
            ("lowest", lowest),
            ("back", back),
        ]

    def __str__(self) -> str:
        rows = dict(self._rows())
        return f"epoch {rows['fell at epoch']}: from {rows['level before']} to {rows['lowest']}; back {rows['back']}"


@dataclass(frozen=True)
class Collapses(Determinable):
    """What `collapses` found.

    Attributes:
        events: The collapses, in order.
        epochs: How many epochs were looked at.
        depth: The least depth that was asked for.
    """

    events: tuple[Collapse, ...]
    epochs: int
    depth: float

    @property
    def reason(self) -> str:
        """In words, why it is undetermined; empty where it is not."""
        return f"{self.epochs} of the 2 epochs that it needs" if self.epochs < 2 else ""

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Collapse]:
        return iter(self.events)

    def _answer(self) -> bool:
        return bool(self.events)

    def _rows(self) -> list[tuple[str, str]]:
        if not self.events:
            return [("collapses", self._if_determined(f"none in {self.epochs} epochs"))]
        return [(f"collapse {index + 1}", str(event)) for index, event in enumerate(self.events)]


def collapses(
    values: ArrayLike | Curve, epochs: ArrayLike | None = None, depth: float = 0.5, recovery: float = 0.9
) -> Collapses:
    """The sudden falls of a metric that should rise, such as 0.0288 → 0.0020 → 0.0797.

    A value is a collapse where all of these hold:

    - it lies at least `depth` below the level before, the median of the last five values;
    - it lies six σ of noise below it; σ is 1.4826 / sqrt(2) times the median absolute deviation of the last 20
      differences. Where there are fewer than eight, noise is not known, and the fall must be 80 % at least;
    - it fell by a twentieth of the highest value so far.

    A value is also a collapse where it is NaN or infinite and an earlier one was not.

    A collapse lasts until a value is back at `recovery` times the level before; falls until then belong to it. A slow
    decline, of less than about a fifth an epoch, is none. Within the first nine epochs noise is not known yet, and
    falls of less than 80 % are passed over.

    Args:
        values: Shape `(epochs,)`, oldest first, of a metric of which more is better and which is ≥ 0; or its `Curve` of
            `read_history`. NaN is a collapse.
        epochs: Shape `(epochs,)`, ascending whole numbers from 0, where values are missing from some epochs. Default
            the curve's, or else 0, 1, 2 …
        depth: Least relative depth, between 0 and 1. Default 0.5: half of what was reached is lost.
        recovery: Share of the level before that counts as back, above 0 and up to 1. Default 0.9, because noise keeps a
            value from being back to the last digit.

    Returns:
        `Collapses`; its `events` are empty where there is none.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range or the shapes do not fit.

    Example:
        >>> print(collapses([0.0288, 0.0020, 0.0797]))
        collapse 1  epoch 2: from 0.0288 to 0.002 at epoch 2, 93 % below; back after 1 epoch

    Reference:
        Median absolute deviation as a scale: Hampel, The influence curve and its role in robust estimation (1974).
    """
    check_fraction("depth", depth)
    check_fraction("recovery", recovery, one=True)
    curve = series(values, epochs)
    events: list[Collapse] = []
    end = 0
    for start in np.flatnonzero(_fallen(curve.values, depth)):
        if start >= end:
            event, end = _event(curve, int(start), recovery)
            events.append(event)
    return Collapses(tuple(events), len(curve.values), depth)


def _fallen(values: NDArray[np.float64], depth: float) -> NDArray[np.bool_]:
    """`(epochs,)`: where a value lies too low, or is no number after one that was."""
    finite = np.isfinite(values)
    known = values[finite]
    fallen = ~finite & (np.cumsum(finite) > 0)
    if len(known) < 2:
        return fallen
    middle = np.concatenate([[np.nan], np.nanmedian(_past(known, _LEVEL)[1:], axis=1)])
    noise = _noise(known)
    highest = np.concatenate([[np.nan], np.maximum.accumulate(known)[:-1]])
    least = np.where(np.isnan(noise), max(depth, _DEPTH_UNKNOWN), depth)
    drop = middle - known
    low = (middle > 0) & (drop >= least * middle) & (drop >= _LEAST_SHARE * highest)
    fallen[finite] = low & ~(drop < SPIKE_FACTOR * noise)
    return fallen


def _noise(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(epochs,)`: the scale of noise before each value, NaN where too little came before.

    Differences deviate from their median here, which leaves out a steady rise. `diagnosis.change.noise` takes them
    whole: it is compared with a change, and a steady rise is one.
    """
    steps = _past(np.concatenate([[np.nan], np.diff(known)]), _PAST)
    enough = np.sum(~np.isnan(steps), axis=1) >= _LEAST_PAST
    scale = np.full(len(known), np.nan)
    if enough.any():
        scale[enough] = scaled_mad(steps[enough])[:, 0] / np.sqrt(2)  # of differences → of the values
    return scale


def _past(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`(epochs, count)`: the values before each, NaN where there were none."""
    padded = np.concatenate([np.full(count, np.nan), values[:-1]])
    return np.lib.stride_tricks.sliding_window_view(padded, count)


def _event(curve: Curve, start: int, recovery: float) -> tuple[Collapse, int]:
    """The collapse that begins there, and the index at which it is over."""
    epochs, values = curve
    known = values[:start][np.isfinite(values[:start])]
    before = float(max(np.median(known[-_LEVEL:]), known[-1]))
    back = np.flatnonzero(np.isfinite(values[start:]) & (values[start:] >= recovery * before))
    end = start + int(back[0]) if len(back) else len(values)
    stretch = values[start:end]
    finite = bool(np.isfinite(stretch).all())
    at = start + int(np.argmin(stretch) if finite else np.argmin(np.isfinite(stretch)))
    lowest = float(values[at]) if finite else float("nan")
    lost = (before - lowest) / before if finite else float("nan")
    after = int(epochs[end] - epochs[start]) if len(back) else None
    return Collapse(int(epochs[start]), before, lowest, int(epochs[at]), lost, after, finite), end
