"""How much of a loss's scatter is no descent."""

from unetdyn.analysis.detrend import around_monotone
from unetdyn.analysis.stability_classes import Stability, stability


def scatter_about_descent(found: Stability) -> Stability:
    """The stability of what is left of a loss's last epochs without their descent, whatever its shape.

    σ mixes noise with trend: that of a loss that falls fast is large, though nothing is wrong. What is left about the
    nearest curve that only falls (`around_monotone`) is scatter alone; its σ is never larger.

    Args:
        found: A determined, finite `stability` of a loss.

    Returns:
        The same of the rest, with its own σ and class.

    Example:
        >>> falling = stability([1.0, 0.8, 0.6, 0.4, 0.2], window=5)
        >>> round(falling.sigma, 3), scatter_about_descent(falling).sigma
        (0.316, 0.0)
    """
    return stability(around_monotone(found.values, rising=False), found.window, found.ddof)
