"""What MONAI, MedPy and DeepMind's surface-distance say of the surfaces that `evaluation.surface_scores` measures.

    pip install monai medpy surface-distance
    python benchmarks/surface_libraries.py

None of the three is needed by anything else; the ones that are installed are asked. A table in Markdown, one case a
block of rows, ASSD and distances in the unit of the case's spacing. docs/evaluation.md has it.
"""

import importlib.util
import warnings

import numpy as np

from unetdyn.evaluation import surface_scores

FIGURES = ("Hausdorff", "HD95", "ASSD", "NSD")
Case = tuple[np.ndarray, np.ndarray, tuple[float, ...], float]


def square(side: int, first: int, size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[first : first + side, first : first + side] = True
    return mask


def ellipsoid(shape: tuple[int, ...], radii: tuple[float, ...], spacing: tuple[float, ...]) -> np.ndarray:
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    inside = sum(((a - n // 2) * s / r) ** 2 for a, n, s, r in zip(axes, shape, spacing, radii, strict=True))
    return np.asarray(inside <= 1)


def cases() -> dict[str, Case]:
    nothing = np.zeros((64, 64), dtype=bool)
    pixel, neighbour = nothing.copy(), nothing.copy()
    pixel[32, 32] = neighbour[32, 35] = True
    spiked = square(20, 20)
    spiked[40:60, 30] = True
    stack, voxel = (21, 61, 61), (50.0, 8.0, 8.0)
    return {
        "square of 20, shifted by 3": (np.roll(square(20, 20), 3, 0), square(20, 20), (1, 1), 1),
        "square of 20 in one of 30": (square(20, 20), square(30, 15), (4, 4), 20),
        "square with a spike of 20": (spiked, square(20, 20), (1, 1), 1),
        "disc of 20 in one of 22": (
            ellipsoid((64, 64), (20, 20), (1, 1)),
            ellipsoid((64, 64), (22, 22), (1, 1)),
            (1, 1),
            1.5,
        ),
        "ellipsoids, voxels of 50 × 8 × 8": (
            ellipsoid(stack, (300, 150, 150), voxel),
            ellipsoid(stack, (350, 180, 180), voxel),
            voxel,
            35,
        ),
        "one pixel, 3 off": (neighbour, pixel, (1, 1), 1),
        "cut by the border": (square(20, 0), square(24, 0), (1, 1), 1),
        "missed": (nothing, pixel, (1, 1), 1),
        "invented": (pixel, nothing, (1, 1), 1),
        "empty in both": (nothing, nothing, (1, 1), 1),
    }


def of_unetdyn(p: np.ndarray, y: np.ndarray, spacing: tuple[float, ...], tolerance: float) -> list[float]:
    found = surface_scores(p, y, spacing=spacing, tolerance=tolerance)
    return [found.hausdorff, found.hd95, found.assd, found.nsd or 0.0]


def of_monai(p: np.ndarray, y: np.ndarray, spacing: tuple[float, ...], tolerance: float) -> list[float]:
    import torch
    from monai import metrics

    pair = {"y_pred": torch.tensor(p)[None, None], "y": torch.tensor(y)[None, None], "include_background": True}
    pair |= {"spacing": list(spacing)}
    found = [
        metrics.compute_hausdorff_distance(**pair),
        metrics.compute_hausdorff_distance(**pair, percentile=95),
        metrics.compute_average_surface_distance(**pair, symmetric=True),
        metrics.compute_surface_dice(**pair, class_thresholds=[tolerance]),
    ]
    return [float(value) for value in found]


def of_medpy(p: np.ndarray, y: np.ndarray, spacing: tuple[float, ...], _: float) -> list[float | None]:
    from medpy.metric import binary

    return [f(p, y, voxelspacing=spacing) for f in (binary.hd, binary.hd95, binary.assd)] + [None]


def of_deepmind(p: np.ndarray, y: np.ndarray, spacing: tuple[float, ...], tolerance: float) -> list[float]:
    import surface_distance as sd

    vars(np)["Inf"] = np.inf  # its version 0.1 asks for a name that NumPy 2 dropped
    found = sd.compute_surface_distances(y, p, spacing)
    ways = ["distances_gt_to_pred", "distances_pred_to_gt"], ["surfel_areas_gt", "surfel_areas_pred"]
    distances, areas = (np.concatenate([found[name] for name in names]) for names in ways)
    return [
        float(sd.compute_robust_hausdorff(found, 100)),
        float(sd.compute_robust_hausdorff(found, 95)),
        float((distances * areas).sum() / areas.sum()) if len(areas) else np.nan,
        float(sd.compute_surface_dice_at_tolerance(found, tolerance)),
    ]


LIBRARIES = {
    "unetdyn": ("unetdyn", of_unetdyn),
    "MONAI": ("monai", of_monai),
    "MedPy": ("medpy", of_medpy),
    "surface-distance": ("surface_distance", of_deepmind),
}


def main() -> None:
    there = {name: ask for name, (module, ask) in LIBRARIES.items() if importlib.util.find_spec(module)}
    print(f"| case | library | {' | '.join(FIGURES)} |\n| --- | --- |{' --- |' * len(FIGURES)}")
    for case, (p, y, spacing, tolerance) in cases().items():
        for name, ask in there.items():
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    found = ["–" if value is None else f"{value:.4g}" for value in ask(p, y, spacing, tolerance)]
                except Exception as error:  # MedPy raises where a mask is empty
                    found = [f"{type(error).__name__}"] * 3 + ["–"]
            print(f"| {case if name == 'unetdyn' else ''} | {name} | {' | '.join(found)} |")


if __name__ == "__main__":
    main()
