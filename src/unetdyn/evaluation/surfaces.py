"""How far the surface of a prediction lies from that of the truth, in physical units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from unetdyn._checks import check_choice, check_range
from unetdyn.analysis.result import Result, number
from unetdyn.evaluation.inputs import binary, checked_spacing, counted_pixels, fitting

PERCENTILE = 95
"""Of HD95: a twentieth of each surface may lie anywhere."""

ROUNDING = 1e-9
"""Part of the tolerance by which a distance may exceed it: three steps of 0.1 are 0.30000000000000004."""


@dataclass(frozen=True)
class SurfaceScores(Result):
    """What `surface_scores` found, in the unit of its `spacing`; NaN where both are empty and `empty="skip"`.

    Attributes:
        hausdorff: The largest distance from either surface to the other.
        hd95: The larger of the two directed 95th percentiles.
        assd: Average symmetric surface distance: the mean over the voxels of both surfaces.
        nsd: Normalised surface Dice: the share of both surfaces within `tolerance` of the other; None without one.
        tolerance: The one of `nsd`.
        state: "found" where both hold an object; "missed" where only the mask does, "invented" where only the
            prediction does, "empty" where neither does.
    """

    hausdorff: float
    hd95: float
    assd: float
    nsd: float | None
    tolerance: float | None
    state: Literal["found", "missed", "invented", "empty"]

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("Hausdorff", number(self.hausdorff)), ("HD95", number(self.hd95)), ("ASSD", number(self.assd))]
        if self.nsd is not None:
            rows.append((f"NSD within {self.tolerance:g}", number(self.nsd)))
        return [*rows, ("object", self.state)]


def surface_scores(
    prediction: ArrayLike,
    mask: ArrayLike,
    *,
    spacing: float | Sequence[float] | None = None,
    tolerance: float | None = None,
    empty: Literal["perfect", "skip"] = "perfect",
    missed: Literal["inf", "diagonal"] = "inf",
    ignore_label: float | None = None,
) -> SurfaceScores:
    """Hausdorff distance, HD95, ASSD and NSD of one object class, in 2D or 3D.

    The surface is the set of object pixels (voxels) with a neighbour across a face that is background; what lies
    outside the array counts as background, so that an object cut by the border has surface there (as in MedPy and
    MONAI). Let d_P be the distances from each surface pixel of the prediction to the nearest one of the mask, between
    centres, and d_M those the other way round. Then

    - Hausdorff = max(max d_P, max d_M);
    - HD95 = max(percentile(d_P, 95), percentile(d_M, 95)), each interpolated linearly between order statistics, as
      `numpy.percentile` does (MONAI's; MedPy takes one percentile of both together, which is smaller where one surface
      is long and right);
    - ASSD = (Σ d_P + Σ d_M) / (|d_P| + |d_M|), as in MONAI and MedPy, and not the mean of the two directed means;
    - NSD = (|d_P ≤ τ| + |d_M ≤ τ|) / (|d_P| + |d_M|). Surface pixels are counted (MONAI's default); DeepMind's
      `surface-distance` weighs surface elements between pixels by their area. docs/evaluation.md has both side by side.

    An object that is missed, or invented, has no distance. It must not improve a mean by being left out: its three
    distances are infinite, or the diagonal of the image, which is more than any distance in it; NSD is 0.

    Args:
        prediction: 0 and 1, or booleans, in two or three axes (or any number).
        mask: The truth, same shape; a last axis of 1 may be left out on either side.
        spacing: Distance of neighbours, one number or one an axis in the arrays' order, such as (50, 4, 4) nm for z, y
            and x. None (default): 1, distances in pixels.
        tolerance: τ of NSD, ≥ 0, in the unit of `spacing`. None (default): no NSD, as no tolerance suits all data;
            how far two annotators differ is one.
        empty: Where both are empty: "perfect" (default), as nothing is wrong: distances 0 and NSD 1; or "skip", NaN.
        missed: Where one of them is empty: "inf" (default), which no mean hides, or "diagonal",
            √Σ(size · spacing)² over the axes, which keeps a mean finite.
        ignore_label: Value of the mask whose pixels are background in both; None (default): none.

    Returns:
        `SurfaceScores`. Memory: some 100 bytes for each surface pixel, and 5 for each pixel of the box around both.

    Raises:
        ValueError: If shapes differ, values are not those of masks, or an argument is out of range.

    Example:
        >>> mask, prediction = np.zeros((2, 32, 32), dtype=bool)
        >>> mask[8:20, 8:20] = prediction[8:20, 10:22] = True
        >>> print(surface_scores(prediction, mask, spacing=4.0, tolerance=4.0))
        Hausdorff     8
        HD95          8
        ASSD          4
        NSD within 4  0.545
        object        found

    Reference:
        Hausdorff distance and its percentile: Huttenlocher, Klanderman and Rucklidge, "Comparing images using the
        Hausdorff distance", IEEE PAMI 15, 1993. ASSD: Heimann et al., "Comparison and evaluation of methods for liver
        segmentation from CT datasets", IEEE TMI 28, 2009. NSD: Nikolov et al., "Clinically applicable segmentation of
        head and neck anatomy for radiotherapy", JMIR 23, 2021. What they are good for: Maier-Hein, Reinke et al.,
        "Metrics reloaded", Nature Methods 21, 2024.
    """
    check_choice("empty", empty, ("perfect", "skip"))
    check_choice("missed", missed, ("inf", "diagonal"))
    if tolerance is not None:
        check_range("tolerance", tolerance, 0)
        tolerance = float(tolerance)
    predicted, true = fitting("prediction", prediction, "mask", mask)
    counted = counted_pixels(true, ignore_label)
    p, y = binary("prediction", predicted), binary("mask", true, counted)
    p = p if counted is None else p & counted
    distances = checked_spacing(spacing, p.ndim)
    return surface_scores_of(p, y, distances, tolerance, empty, missed)


def surface_scores_of(
    p: NDArray[np.bool_],
    y: NDArray[np.bool_],
    spacing: tuple[float, ...],
    tolerance: float | None,
    empty: Literal["perfect", "skip"],
    missed: Literal["inf", "diagonal"],
) -> SurfaceScores:
    """As `surface_scores`, of what is checked already."""
    any_p, any_y = bool(p.any()), bool(y.any())
    if any_p and any_y:
        from_p, from_y = _directed(p, y, spacing)
        both = np.concatenate([from_p, from_y])
        return SurfaceScores(
            hausdorff=float(both.max()),
            hd95=float(max(np.percentile(from_p, PERCENTILE), np.percentile(from_y, PERCENTILE))),
            assd=float(both.mean()),
            nsd=None if tolerance is None else float(np.mean(both <= tolerance * (1 + ROUNDING))),
            tolerance=tolerance,
            state="found",
        )
    if any_p or any_y:
        far = np.inf if missed == "inf" else float(np.linalg.norm(np.multiply(p.shape, spacing)))
        nsd = None if tolerance is None else 0.0
        return SurfaceScores(far, far, far, nsd, tolerance, "missed" if any_y else "invented")
    near, most = (0.0, 1.0) if empty == "perfect" else (np.nan, np.nan)
    return SurfaceScores(near, near, near, None if tolerance is None else most, tolerance, "empty")


def _directed(
    p: NDArray[np.bool_], y: NDArray[np.bool_], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances from each surface pixel of one to the nearest of the other, both ways."""
    (box,) = ndimage.find_objects((p | y).astype(np.uint8))  # what lies outside it is background in both
    surface_p, surface_y = _surface(p[box]), _surface(y[box])
    return _nearest(surface_p, surface_y, spacing), _nearest(surface_y, surface_p, spacing)


def _surface(shape: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where an object pixel has a face neighbour that is none, `(pixels, axes)`; outside the array there is none."""
    return np.argwhere(shape & ~ndimage.binary_erosion(shape))


def _nearest(of: NDArray[np.intp], to: NDArray[np.intp], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance of each place to the nearest other one.

    By a tree of the surface alone: a fraction of the time of a distance transform of the image where objects are few.
    """
    _, found = KDTree(to * spacing).query(of * spacing)
    return np.linalg.norm((of - to[found]) * spacing, axis=1)  # from whole steps, which loses no digit
