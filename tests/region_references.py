"""The papers' formulas of losses of regions, in NumPy and float64, and difference quotients of them."""

from collections.abc import Callable

import numpy as np

Loss = Callable[[np.ndarray, np.ndarray], float]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def dice(y: np.ndarray, p: np.ndarray, s: float = 1.0, squared: bool = False) -> float:
    """Milletari et al. (2016), section 3, with squares; Sudre et al. (2017), without."""
    power = 2 if squared else 1
    return 1 - (2 * (y * p).sum() + s) / ((y**power).sum() + (p**power).sum() + s)


def tversky(y: np.ndarray, p: np.ndarray, alpha: float = 0.3, beta: float = 0.7, s: float = 1.0) -> float:
    """Salehi et al. (2017), equation 4: p0 = p, p1 = 1 − p, g0 = y, g1 = 1 − y."""
    both = (p * y).sum() + s
    return 1 - both / (both + alpha * (p * (1 - y)).sum() + beta * ((1 - p) * y).sum())


def focal_tversky(y: np.ndarray, p: np.ndarray, gamma: float = 4 / 3, **options: float) -> float:
    """Abraham & Khan (2019), equation 4."""
    return tversky(y, p, **options) ** (1 / gamma)


def lovasz(foreground: np.ndarray, errors: np.ndarray) -> float:
    """Berman et al. (2018), algorithm 1 and equation 8, line by line."""
    order = np.argsort(-errors.ravel(), kind="stable")
    gt = foreground.ravel()[order]
    intersection = gt.sum() - gt.cumsum()
    union = gt.sum() + (1 - gt).cumsum()
    jaccard = 1 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1]
    return float(errors.ravel()[order] @ jaccard)


def lovasz_hinge(y: np.ndarray, x: np.ndarray) -> float:
    """Equation 11."""
    return lovasz(y, np.maximum(0, 1 - x * (2 * y - 1)))


def lovasz_sigmoid(y: np.ndarray, p: np.ndarray) -> float:
    """Equations 8 and 9 of the one class that there is."""
    return lovasz(y, np.abs(y - p))


def cross_entropy(y: np.ndarray, p: np.ndarray) -> float:
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def quotients(loss: Loss, y: np.ndarray, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of a loss by each element of x."""
    x = x.astype("float64")
    found = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        found[place] = (loss(y, up) - loss(y, down)) / (2 * step)
    return found
