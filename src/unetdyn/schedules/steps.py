"""Steps, the unit of every schedule: how many a training has."""

import math

from unetdyn._checks import check_count, check_positive

MOST_STEPS = 2**31 - 1
"""What int32 holds, in which steps are counted."""


def count_steps(epochs: float, images: int, batch_size: int) -> int:
    """How many steps a number of epochs has: epochs · ⌈images / batch size⌉, to the nearest step, at least 1.

    The last batch of an epoch counts as a step, as in Keras. Under gradient accumulation Keras asks a schedule at every
    micro-batch, so these steps are micro-batches too.

    Args:
        epochs: Above 0; fractions are allowed.
        images: Training images, or tiles, in an epoch.
        batch_size: Images in a step.

    Raises:
        ValueError: If an argument is out of its range, or the steps are more than int32 holds.

    Example:
        >>> count_steps(2, images=100, batch_size=8), count_steps(0.5, images=100, batch_size=8)
        (26, 6)
    """
    check_positive("epochs", epochs)
    check_count("images", images, 1, "")
    check_count("batch_size", batch_size, 1, "images")
    steps = epochs * math.ceil(images / batch_size)
    if steps > MOST_STEPS:
        raise ValueError(
            f"`epochs` must come to at most {MOST_STEPS} steps, what int32 holds. "
            f"Received: epochs={epochs!r}, of {math.ceil(images / batch_size)} steps each."
        )
    return max(1, round(steps))


def check_steps(argument: str, value: object, least: int = 1) -> None:
    """Refuse what is no number of steps that can be counted.

    >>> check_steps("drop_steps", 2**31)
    Traceback (most recent call last):
    ValueError: `drop_steps` must be a whole number of steps, from 1 to 2147483647. Received: drop_steps=2147483648.
    """
    check_count(argument, value, least, "steps", most=MOST_STEPS)
