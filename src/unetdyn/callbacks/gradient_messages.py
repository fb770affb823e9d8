"""What a person is told about gradients: what, where, by which threshold, and what usually helps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unetdyn.callbacks.gradient import NonFinite

Blocks = Mapping[str, NDArray[np.float64]]


def nonfinite(found: "NonFinite", steps: int, total: int, skipped: bool, scaled: bool) -> str:
    """NaN or infinite gradients in an epoch, `found` being the first; `scaled`: there is a loss scale."""
    more = len(found.variables) - 1
    where = f"{found.entries} entries of {found.variable} (block {found.block})"
    if found.everywhere and more:
        where = f"every gradient, {where} among them: the loss itself, or the batch, was not finite"
    elif more:
        where += f" and in {more} other variable{'s' if more > 1 else ''} nearer to the input"
    text = f"Non-finite gradients at {steps} of {total} steps, first at step {found.step} in {where}."
    if skipped and scaled:
        return f"{text} All these updates were skipped; a loss scale finds its size so, and it is harmless where rare."
    text += " All these updates were skipped, and have not reached the weights." if skipped else ""
    advice = (
        f"{text} What usually helps: look for NaN and empty masks in that batch; a lower learning rate; a loss of "
        "logits in float32."
    )
    return advice if skipped else f"{advice} `NonFiniteGuard` skips such updates, `TerminateOnNaN` stops."


def exploding(steps: NDArray[np.int64], norms: NDArray[np.float64], by_block: Blocks, threshold: float) -> str:
    """Norms above the threshold; NaN at steps whose gradient is not finite."""
    above = np.flatnonzero(norms > threshold)
    first, top = above[0], above[np.argmax(norms[above])]
    own = [name for name, values in by_block.items() if (values > threshold).any()]
    blocks = f" Blocks above it by themselves: {_listed(own)}." if own else ""
    return (
        f"Exploding gradients: the norm was above {threshold:g} at {len(above)} of {len(norms)} steps, first at step "
        f"{steps[first]} ({norms[first]:.3g}), at most {norms[top]:.3g} at step {steps[top]}, most of it in block "
        f"{_largest(by_block, int(top))}.{blocks} What usually helps: a lower learning rate or a warm-up, clipping "
        "(`global_clipnorm` of the optimizer), a norm in each block."
    )


def vanishing(below: Mapping[str, float], blocks: int, threshold: float, total: int) -> str:
    """Medians below the threshold, by place."""
    places = [
        f"{where} ({f'{median:.2g}' if median else '0, or below about 1e-19'})" for where, median in below.items()
    ]
    return (
        f"Vanishing gradients: the median norm over {total} steps was below {threshold:g} in {_listed(places)}; the "
        f"model has {blocks} blocks. What usually helps: a norm in each block, residual blocks, He initialisation, no "
        "saturated sigmoid before the loss; where it is 0, see whether the loss depends on these layers at all. "
        "Smaller gradients than 1e-19 show as 0, since float32 has no room for their squares."
    )


def spiking(
    steps: NDArray[np.int64],
    norms: NDArray[np.float64],
    by_block: Blocks,
    found: NDArray[np.bool_],
    factor: float | None,
    window: int,
) -> str:
    """Norms far above the running median."""
    first = np.flatnonzero(found)[0]
    return (
        f"Gradient spikes: at {found.sum()} of {len(norms)} steps the norm was more than {factor:g} robust standard "
        f"deviations above the median of the {window} steps before, first at step {steps[first]} ({norms[first]:.3g}), "
        f"most of it in block {_largest(by_block, int(first))}. What usually helps: clipping (`AutoClip`), a lower "
        "learning rate, a look at that batch."
    )


def _largest(by_block: Blocks, row: int) -> str:
    return max(by_block, key=lambda name: np.nan_to_num(by_block[name][row], nan=-1.0))


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
