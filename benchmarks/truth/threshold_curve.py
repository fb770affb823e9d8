"""Planted best thresholds: does the bootstrap interval of `threshold_curve` hold them?

Object pixels have the logit +1, background pixels −1, all with normal noise of σ = 1. The pixels of one image have a
common shift of σ = `spread` besides, as in a section that is brighter or darker than the others. Over all images a
logit is normal with variance 1 + spread², so the Jaccard at every threshold, the best threshold and the share of pixels
near 0.5 are known in closed form.
"""

import math

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from unetdyn.analysis import ThresholdCurve, threshold_curve

GRID = np.arange(1, 100) / 100
SIZE = 48  # an image's height and width
OBJECT = 0.2  # share of object pixels


def tails(thresholds: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the object and of the background pixels above the thresholds."""
    width = math.hypot(1, spread)
    return norm.sf((logit(thresholds) - 1) / width), norm.sf((logit(thresholds) + 1) / width)


def true_jaccard(spread: float) -> np.ndarray:
    """At each threshold of GRID."""
    of_object, of_background = tails(GRID, spread)
    return OBJECT * of_object / (OBJECT + (1 - OBJECT) * of_background)


def true_share_near(spread: float, epsilon: float = 0.05) -> float:
    of_object, of_background = tails(np.array([0.5 - epsilon, 0.5 + epsilon]), spread)
    above = OBJECT * of_object + (1 - OBJECT) * of_background
    return float(above[0] - above[1])


def found(draws: int, seed: int, images: int, spread: float) -> list[ThresholdCurve]:
    """The curves of so many data sets."""
    rng, curves = np.random.default_rng(seed), []
    for _ in range(draws):
        y = rng.random((images, SIZE, SIZE)) < OBJECT
        shift = spread * rng.standard_normal((images, 1, 1))
        z = np.where(y, 1.0, -1.0) + rng.standard_normal(y.shape) + shift
        curves.append(threshold_curve(y, expit(z), GRID))
    return curves


def covered(curves: list[ThresholdCurve], spread: float) -> int:
    """How many intervals hold the planted threshold."""
    best = GRID[true_jaccard(spread).argmax()]
    return sum(low <= best <= high for low, high in (curve.best_threshold_interval for curve in curves))


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    table = []
    for spread in (0.0, 0.5, 1.0):
        for images in (3, 5, 10, 20, 50):
            curves = found(draws, seed, images, spread)
            share = covered(curves, spread) / draws
            error = math.sqrt(share * (1 - share) / draws)
            table.append(
                (
                    f"best threshold {GRID[true_jaccard(spread).argmax()]:g}, {images} images, spread {spread:g}",
                    f"95 % interval holds it in {100 * share:.1f} ± {100 * error:.1f} %",
                    "92 % or more" if images >= 10 else "no figure: too few images, and the result says so",
                )
            )
    for spread in (0.5, 1.0):
        curves = found(draws, seed, 20, spread)
        true, same = true_jaccard(spread), "the same within 3 standard errors"
        for name, planted, wanted in [
            ("share_near", true_share_near(spread), same),
            ("jaccard_at_half", true[GRID == 0.5][0], same),
            ("best_jaccard", true.max(), "more: it is chosen on the same data"),
        ]:
            values = [getattr(curve, name) for curve in curves]
            error = np.std(values, ddof=1) / math.sqrt(draws)
            planted_text = f"{name} {planted:.4f}, 20 images, spread {spread:g}"
            table.append((planted_text, f"mean {np.mean(values):.4f} ± {error:.4f}", wanted))
    return table


if __name__ == "__main__":
    for row in rows(draws=500, seed=0):
        print(" | ".join(row))
