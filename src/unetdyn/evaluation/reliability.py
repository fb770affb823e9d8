"""Whether a probability of 0.8 means that 80 % of such pixels are object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, check_count
from unetdyn.analysis.result import Result, interval, number
from unetdyn.evaluation.resampling import RESAMPLES, Estimate, bootstrap_over_sections, check_bootstrap
from unetdyn.evaluation.section_pairs import sections_of

BINS = 15
"""As in Guo et al., 2017."""

_CHUNK = 2**16
"""Pixels looked at together, as in `analysis.thresholds`."""


class BinSums(NamedTuple):
    """What one section adds: `(bins,)` each, and a number.

    Attributes:
        pixels: How many.
        p: Sum of the probabilities.
        objects: Object pixels.
        squares: Sum of (p − y)² over all pixels.
    """

    pixels: NDArray[np.float64]
    p: NDArray[np.float64]
    objects: NDArray[np.float64]
    squares: float


@dataclass(frozen=True)
class Calibration(Result):
    """What `calibration` found. A bin without a pixel has NaN for both means.

    Attributes:
        edges: `(bins + 1,)`, ascending; a bin holds (lower, upper], the first its lower end too.
        pixels: `(bins,)`.
        mean_p: `(bins,)`, mean probability in the bin.
        share: `(bins,)`, share of object pixels in it: the reliability curve is `share` over `mean_p`.
        ece: Expected calibration error, Σ pixels/all · |share − mean_p|, with its interval over sections.
        brier: Brier score, the mean of (p − y)², with its interval.
        reliability: Σ pixels/all · (mean_p − share)², of Murphy's decomposition; 0 is best.
        resolution: Σ pixels/all · (share − base_rate)²; more is better.
        uncertainty: base_rate · (1 − base_rate), which the model can't change.
        within_bins: What is left of Brier − (reliability − resolution + uncertainty): 0 where all probabilities in a
            bin are equal (Stephenson et al., 2008).
        base_rate: Share of object pixels.
        binning: "width" or "mass".
    """

    edges: tuple[float, ...]
    pixels: tuple[int, ...]
    mean_p: tuple[float, ...]
    share: tuple[float, ...]
    ece: Estimate
    brier: Estimate
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float
    base_rate: float
    binning: Literal["width", "mass"] = "width"

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("ECE", _with_interval(self.ece)),
            ("Brier score", _with_interval(self.brier)),
            (
                "its parts",
                f"reliability {number(self.reliability)}, resolution {number(self.resolution)}, "
                f"uncertainty {number(self.uncertainty)}",
            ),
            ("object", f"{number(100 * self.base_rate)} % of {sum(self.pixels)} pixels"),
            ("sections", str(self.ece.n)),
        ]


def _with_interval(estimate: Estimate) -> str:
    ends = interval(estimate.low, estimate.high) if estimate.determined else f"none: {estimate.reason}"
    return f"{number(estimate.value)} ({100 * estimate.confidence:g} % interval {ends})"


def calibration(
    probabilities: Any,
    masks: Any = None,
    *,
    bins: int = BINS,
    binning: Literal["width", "mass"] = "width",
    ignore_label: float | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Calibration:
    """Reliability curve, expected calibration error and Brier score of the object's probability.

    ECE compares, in each bin, the mean probability with the share of object pixels. This is the binary form, of the
    object's probability; Guo et al. bin the confidence of the class predicted, and so see p and 1 − p as one. ECE is
    never negative, so with few pixels in a bin it is too large; it also depends on the bins, which are stated.

    Args:
        probabilities: In [0, 1], an array or iterable whose first axis counts sections: `(sections, height, width)`, a
            last axis of 1 may follow; or `(probabilities, mask)` pairs, one a section.
        masks: 0 and 1, likewise; None (default) with pairs.
        bins: How many, ≥ 1; default 15, as in Guo et al.
        binning: "width" (default): equal width, one pass, one section in memory. "mass": equal number of pixels, as
            far as equal probabilities, which stay together, allow; it needs all probabilities in memory at once.
        ignore_label: Value of the masks where nothing is counted; None (default): none.
        confidence: Of the intervals. Default 0.95.
        resamples: Of the bootstrap over sections, ≥ 100. Default 2000.
        seed: Of the bootstrap.

    Returns:
        A `Calibration`.

    Raises:
        ValueError: If probabilities are NaN or outside [0, 1], such as logits; if masks hold anything but 0 and 1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.random((20, 32, 32))
        >>> print(calibration(p, rng.random(p.shape) < p))
        ECE          0.00798 (95 % interval 0.00626 to 0.00824)
        Brier score  0.167 (95 % interval 0.165 to 0.171)
        its parts    reliability 9.62e-05, resolution 0.0824, uncertainty 0.25
        object       50.3 % of 20480 pixels
        sections     20

    Reference:
        ECE: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015;
        Guo et al., "On calibration of modern neural networks", ICML 2017. Brier, "Verification of forecasts expressed
        in terms of probability", Monthly Weather Review 78, 1950; its parts: Murphy, "A new vector partition of the
        probability score", Journal of Applied Meteorology 12, 1973; within bins: Stephenson, Coelho and Jolliffe, "Two
        extra components in the Brier score decomposition", Weather and Forecasting 23, 2008.
    """
    check_count("bins", bins, least=1, unit="bins")
    check_choice("binning", binning, ("width", "mass"))
    check_bootstrap(confidence, resamples, seed)
    sections = _counted(probabilities, masks, ignore_label)
    if binning == "mass":
        held = list(sections)
        edges = _equal_mass(np.concatenate([p for p, _ in held]), bins)
        sums = [bin_sums(p, y, edges) for p, y in held]
    else:
        edges = np.linspace(0, 1, bins + 1)
        sums = [bin_sums(p, y, edges) for p, y in sections]
    return calibration_of(sums, edges, binning, confidence=confidence, resamples=resamples, seed=seed)


def _counted(probabilities: Any, masks: Any, ignore_label: float | None) -> Iterable[tuple[NDArray, NDArray]]:
    for section in sections_of(probabilities, masks, ignore_label):
        if section.pixels:
            yield section.counted_p, section.counted_y


def _equal_mass(p: NDArray, bins: int) -> NDArray[np.float64]:
    """Inner edges at quantiles that are among the probabilities, each once; 0 and 1 outside."""
    inner = np.unique(np.quantile(p.astype(np.float64), np.arange(1, bins) / bins, method="inverted_cdf"))
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def bin_sums(p: NDArray, y: NDArray[np.bool_], edges: NDArray[np.float64]) -> BinSums:
    """The sums of one section: probabilities and labels in one axis."""
    size = len(edges) - 1
    total, squares = np.zeros((3, size)), 0.0
    for start in range(0, len(p), _CHUNK):  # the copies in float64 stay small, however large the section
        part, labels = p[start : start + _CHUNK].astype(np.float64), y[start : start + _CHUNK]
        place = np.searchsorted(edges[1:-1], part, side="left")
        total += [np.bincount(place, weights=weights, minlength=size) for weights in (None, part, labels)]
        squares += float(np.sum((part - labels) ** 2))
    return BinSums(total[0], total[1], total[2], squares)


def calibration_of(
    sums: list[BinSums],
    edges: NDArray[np.float64],
    binning: Literal["width", "mass"] = "width",
    **options: Any,
) -> Calibration:
    """The calibration of sections whose sums are known; `options` are those of `bootstrap_over_sections`."""
    size = len(edges) - 1
    table = np.array([np.concatenate([s.pixels, s.p, s.objects, [s.squares]]) for s in sums])
    pixels, p, objects, squares = np.split(table.sum(axis=0), [size, 2 * size, 3 * size])
    total = pixels.sum()
    filled = pixels > 0
    mean_p, share = (np.divide(part, pixels, out=np.full(size, np.nan), where=filled) for part in (p, objects))
    weight, base = pixels[filled] / total, objects.sum() / total
    reliability = float(weight @ (mean_p - share)[filled] ** 2)
    resolution = float(weight @ (share[filled] - base) ** 2)
    uncertainty = float(base * (1 - base))

    def ece(*columns: NDArray, axis: int) -> NDArray:
        n, off = (np.stack([c.sum(axis=axis) for c in part]) for part in (columns[:size], columns[size:]))
        return np.abs(off).sum(axis=0) / n.sum(axis=0)

    def brier(n: NDArray, square: NDArray, *, axis: int) -> NDArray:
        return square.sum(axis=axis) / n.sum(axis=axis)

    off = np.array([s.p - s.objects for s in sums])
    return Calibration(
        edges=tuple(edges.tolist()),
        pixels=tuple(int(n) for n in pixels),
        mean_p=tuple(mean_p.tolist()),
        share=tuple(share.tolist()),
        ece=bootstrap_over_sections(np.hstack([table[:, :size], off]), ece, **options),
        brier=bootstrap_over_sections(np.column_stack([table[:, :size].sum(axis=1), table[:, -1]]), brier, **options),
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within_bins=float(squares[0] / total) - (reliability - resolution + uncertainty),
        base_rate=float(base),
        binning=binning,
    )
