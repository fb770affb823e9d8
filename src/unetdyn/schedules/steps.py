"""Steps, the unit of every schedule: how many a training has."""

import math

from unetdyn._checks import check_count, check_positive


def count_steps(epochs: float, images: int, batch_size: int) -> int:
    """How many steps a number of epochs has: epochs · ⌈images / batch size⌉, to the nearest step, at least 1.

    The last batch of an epoch counts as a step, as in Keras. Under gradient accumulation Keras asks a schedule at every
    micro-batch, so these steps are micro-batches too.

    Args:
        epochs: Above 0; fractions are allowed.
        images: Training images, or tiles, in an epoch.
        batch_size: Images in a step.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> count_steps(2, images=100, batch_size=8), count_steps(0.5, images=100, batch_size=8)
        (26, 6)
    """
    check_positive("epochs", epochs)
    check_count("images", images, 1, "")
    check_count("batch_size", batch_size, 1, "images")
    return max(1, round(epochs * math.ceil(images / batch_size)))
