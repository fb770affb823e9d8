"""What the monitors' numbers say of a run: gradients that explode or vanish, updates of a wrong size."""

import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis import Curves
from unetdyn.report.page.signs import Sign, graded, worst
from unetdyn.runs import Run

OFTEN = 0.1  # share of the epochs, or steps, from which trouble that comes back is more than an accident
HALF = 0.5  # share of the steps from which skipped updates are more than a loss scale that looks for its size
LARGE, SMALL = 3e-3, 1e-4  # update-to-weight ratios: UpdateMonitor's default band
FAR = 10.0  # times the band's upper end

# Key in the logs → what it counts, as the rest of "... in 3 of 30 epochs".
_TROUBLES = {"grad_exploding": "the gradient exploded", "grad_vanishing_blocks": "the gradient vanished in a block"}


def gradient_signs(run: Run, curves: Curves, window: int) -> Iterator[Sign]:
    """Of gradients and of updates, where a `GradientMonitor` or an `UpdateMonitor` was there.

    Gradients are ill where they exploded or vanished in a tenth of the epochs or more, or were not finite in a tenth of
    the steps; to be watched where that came at all. Steps whose update was skipped, by a `LossScaleOptimizer` or a
    `NonFiniteGuard`, did no harm: they are to be watched from a tenth of the steps on, and ill from half of them on.
    Updates are to be watched where the median block's update-to-weight ratio, in the median of the last epochs, is
    outside the monitor's band, and ill where it is above ten times its end.

    Args:
        run: Whose records say what happened at each step, and which band was asked for.
        curves: What it logged.
        window: How many of the last epochs the updates are judged by.
    """
    found = list(_of_gradients(_record(run, "nonfinite", "applied", "epoch", "grad_norm", "explode"), curves))
    if found:
        level = worst(sign.level for sign in found)
        why = " and ".join(sign.why for sign in found if sign.level in ("watch", "ill"))
        yield Sign("gradients", level, "; ".join(sign.text for sign in found), why)
    if "update_ratio_log10" in curves:
        band = _record(run, "update_ratio", "low", "high")
        low, high = float(band.get("low", SMALL)), float(band.get("high", LARGE))
        yield _of_updates(curves["update_ratio_log10"].values[-window:], low, high)


def _record(run: Run, *keys: str) -> dict[str, Any]:
    """The first record that has these arrays; empty where there is none that can be read."""
    for name in run.array_names:
        try:
            record = run.arrays(name)
        except (OSError, ValueError, zipfile.BadZipFile):
            continue
        if set(keys) <= set(record):
            return record
    return {}


def _of_gradients(record: dict[str, Any], curves: Curves) -> Iterator[Sign]:
    """A sign for each kind of trouble, or a good one where there was none."""
    counted = {key: int((curves[key].values > 0).sum()) for key in _TROUBLES if key in curves}
    if "grad_nonfinite" not in curves and not counted:
        return
    epochs = max(len(curve.values) for key, curve in curves.items() if key == "grad_nonfinite" or key in _TROUBLES)
    troubles = [] if "grad_nonfinite" not in curves else list(_nonfinite(record, curves["grad_nonfinite"].values))
    if "grad_exploding" in counted and record:
        # An infinite norm of a gradient that is not finite is no explosion.
        above = (record["grad_norm"] > record["explode"]) & (record["nonfinite"] == 0)
        counted["grad_exploding"] = len(np.unique(record["epoch"][above]))
    for key, count in counted.items():
        if count:
            text = f"{_TROUBLES[key]} in {count} of {epochs} epochs"
            troubles.append(Sign(key, graded(count / epochs, 0.0, OFTEN), text, text))
    yield from troubles or [Sign("gradients", "good", f"finite, none exploded or vanished in {epochs} epochs")]


def _nonfinite(record: dict[str, Any], by_epoch: NDArray[np.float64]) -> Iterator[Sign]:
    """Gradients that were not finite: by steps where a record has them, else by epochs."""
    what = "the gradient was not finite"
    if not record:
        epochs = int((by_epoch > 0).sum())
        if epochs:
            text = f"{what} in {epochs} of {len(by_epoch)} epochs"
            yield Sign("nonfinite", graded(epochs / len(by_epoch), 0.0, OFTEN), text, text)
        return
    broken, steps = record["nonfinite"] > 0, len(record["nonfinite"])
    skipped = int((broken & ~record["applied"]).sum())
    applied = int(broken.sum()) - skipped
    if applied:
        text = f"{what} at {applied} of {steps} steps"
        yield Sign("nonfinite", graded(applied / steps, 0.0, OFTEN), text, text)
    if skipped:
        text = f"{skipped} of {steps} updates were skipped, since {what}"
        yield Sign("skipped", graded(skipped / steps, OFTEN, HALF), text, text)


def _of_updates(logarithms: NDArray[np.float64], low: float, high: float) -> Sign:
    usual = logarithms[np.isfinite(logarithms)]
    if not usual.size:
        return Sign("updates", "unknown", f"none of the last {len(logarithms)} epochs updated the weights")
    ratio = 10 ** float(np.median(usual))
    text = f"median update-to-weight ratio of the last {len(usual)} epochs {ratio:.2g}"
    if ratio > high:
        level = "ill" if ratio > FAR * high else "watch"
        return Sign("updates", level, f"{text}, above {high:g}", f"its updates are large ({ratio:.2g})")
    if ratio < low:
        return Sign("updates", "watch", f"{text}, below {low:g}", f"its updates are tiny ({ratio:.2g})")
    return Sign("updates", "good", f"{text}, within {low:g} to {high:g}")
