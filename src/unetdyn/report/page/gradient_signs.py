"""What the monitors' numbers say of a run: gradients that explode or vanish, updates of a wrong size."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis import Curves
from unetdyn.report.page.signs import Sign, worst

OFTEN = 0.1  # share of the epochs from which trouble that comes back is more than an accident
LARGE, TOO_LARGE, SMALL = 3e-3, 3e-2, 1e-4  # update-to-weight ratios: UpdateMonitor's band, and ten times its end

# Key in the logs → what it counts, as the rest of "in 3 of 30 epochs ...".
_TROUBLES = {
    "grad_nonfinite": "the gradient was not finite",
    "grad_exploding": "the gradient exploded",
    "grad_vanishing_blocks": "the gradient vanished in a block",
}


def gradient_signs(curves: Curves) -> Iterator[Sign]:
    """Of gradients and of updates, where a `GradientMonitor` or an `UpdateMonitor` was there.

    Gradients are ill where one kind of trouble came in a tenth of the epochs or more, to be watched where it came at
    all. Updates are to be watched where the median block's update-to-weight ratio, in the median epoch, is outside
    `UpdateMonitor`'s band of 1e-4 to 3e-3, and ill where it is above ten times its end.
    """
    counted = {key: _epochs_with(curves, key) for key in _TROUBLES if key in curves}
    if counted:
        yield _of_gradients(counted, len(curves[next(iter(counted))].values))
    if "update_ratio_log10" in curves:
        yield _of_updates(curves["update_ratio_log10"].values)


def _epochs_with(curves: Curves, key: str) -> int:
    return int((curves[key].values > 0).sum())


def _of_gradients(counted: dict[str, int], epochs: int) -> Sign:
    found = {key: count for key, count in counted.items() if count}
    if not found:
        return Sign("gradients", "good", f"finite, none exploded or vanished in {epochs} epochs")
    texts = [f"{_TROUBLES[key]} in {count} of {epochs} epochs" for key, count in found.items()]
    level = worst("ill" if count >= OFTEN * epochs else "watch" for count in found.values())
    return Sign("gradients", level, "; ".join(texts), " and ".join(texts))


def _of_updates(logarithms: NDArray[np.float64]) -> Sign:
    usual = logarithms[np.isfinite(logarithms)]
    if not usual.size:
        return Sign("updates", "unknown", "no epoch updated the weights")
    ratio = 10 ** float(np.median(usual))
    text = f"median update-to-weight ratio {ratio:.2g}"
    if ratio > LARGE:
        level = "ill" if ratio > TOO_LARGE else "watch"
        return Sign("updates", level, f"{text}, above {LARGE:g}", f"its updates are large ({ratio:.2g})")
    if ratio < SMALL:
        return Sign("updates", "watch", f"{text}, below {SMALL:g}", f"its updates are tiny ({ratio:.2g})")
    return Sign("updates", "good", f"{text}, within {SMALL:g} to {LARGE:g}")
