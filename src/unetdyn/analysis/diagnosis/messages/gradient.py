"""What `GradientMonitor` tells: what, where, by which threshold, and what usually helps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.causes import exploding, nonfinite, vanishing
from unetdyn.analysis.diagnosis.causes._gradient import OFTEN
from unetdyn.analysis.diagnosis.finding import Finding, graded

Blocks = Mapping[str, NDArray[np.float64]]

SPIKES = "gradient.spikes"

_NAME = "gradients"


@dataclass(frozen=True)
class NonFinite:
    """Where NaN or infinity first appeared in the gradients.

    Back-propagation carries NaN from the loss towards the input: of several variables, the one nearest to the loss had
    it first.

    Attributes:
        step: The step's number, as in `record["step"]`.
        epoch: From 0.
        variable: Path of the variable nearest to the loss whose gradient was not finite.
        block: Its block.
        entries: How many entries of that gradient were not finite.
        variables: Paths of all variables with such gradients, in the order of the network.
        everywhere: Whether these are all that the loss reaches: the loss itself was not finite, or the input.
        applied: Whether it was used: at this step or, under gradient accumulation, as a part of a mean to come. False
            where a loss scale or a control skipped the step.
    """

    step: int
    epoch: int
    variable: str
    block: str
    entries: int
    variables: tuple[str, ...]
    everywhere: bool
    applied: bool


def nonfinite_gradients(found: NonFinite, steps: int, total: int, all_skipped: bool, scaled: bool) -> Finding:
    """NaN or infinite gradients in an epoch.

    Args:
        found: Where they were first.
        steps: At how many steps.
        total: Of how many steps.
        all_skipped: Whether none of these updates was used.
        scaled: Whether there is a loss scale.
    """
    more = len(found.variables) - 1
    where = f"{found.entries} entries of {found.variable} (block {found.block})"
    if found.everywhere and more:
        where = f"every gradient, {where} among them: the loss itself, or the batch, was not finite"
    elif more:
        where += f" and in {more} other variable{'s' if more > 1 else ''} nearer to the input"
    seen = f"Non-finite gradients at {steps} of {total} steps, first at step {found.step} in {where}."
    if not all_skipped:
        advice = f"{nonfinite.ADVICE} `NonFiniteGuard` skips such updates, `TerminateOnNaN` stops."
        level = graded(steps / total, 0.0, OFTEN)
        return Finding(nonfinite.LIMIT.code, level, _NAME, seen, advice=advice)
    if scaled:
        seen += " All these updates were skipped; a loss scale finds its size so, and it is harmless where rare."
        return Finding(nonfinite.SKIPPED.code, "watch", _NAME, seen)
    seen += " All these updates were skipped, and have not reached the weights."
    return Finding(nonfinite.SKIPPED.code, "watch", _NAME, seen, advice=nonfinite.ADVICE)


def exploding_gradients(
    steps: NDArray[np.int64], norms: NDArray[np.float64], by_block: Blocks, threshold: float
) -> Finding:
    """Norms above the threshold; NaN at steps whose gradient is not finite.

    Args:
        steps: `(n,)`, their numbers.
        norms: `(n,)`, of the whole gradient, one at least above the threshold.
        by_block: Block → `(n,)` norms.
        threshold: What a norm must not exceed.
    """
    above = np.flatnonzero(norms > threshold)
    first, top = above[0], above[np.argmax(norms[above])]
    own = [name for name, values in by_block.items() if (values > threshold).any()]
    blocks = f" Blocks above it by themselves: {_listed(own)}." if own else ""
    seen = (
        f"Exploding gradients: the norm was above {threshold:g} at {len(above)} of {len(norms)} steps, first at step "
        f"{steps[first]} ({norms[first]:.3g}), at most {norms[top]:.3g} at step {steps[top]}, most of it in block "
        f"{_largest(by_block, int(top))}.{blocks}"
    )
    return _by(f"a norm above {threshold:g}", "explode", exploding.LIMIT.code, seen, exploding.ADVICE)


def vanishing_gradients(below: Mapping[str, float], blocks: int, threshold: float, total: int) -> Finding:
    """Medians below the threshold.

    Args:
        below: Place → its median norm.
        blocks: How many the model has.
        threshold: What a median norm must not fall below.
        total: Over how many steps the medians are.
    """
    places = [
        f"{where} ({f'{median:.2g}' if median else '0, or below about 1e-19'})" for where, median in below.items()
    ]
    seen = (
        f"Vanishing gradients: the median norm over {total} steps was below {threshold:g} in {_listed(places)}; the "
        f"model has {blocks} blocks."
    )
    return _by(f"a median norm below {threshold:g}", "vanish", vanishing.LIMIT.code, seen, vanishing.ADVICE)


def gradient_spikes(
    steps: NDArray[np.int64],
    norms: NDArray[np.float64],
    by_block: Blocks,
    found: NDArray[np.bool_],
    factor: float | None,
    window: int,
) -> Finding:
    """Norms far above the running median.

    Args:
        steps: `(n,)`, their numbers.
        norms: `(n,)`, of the whole gradient.
        by_block: Block → `(n,)` norms.
        found: `(n,)`, which are spikes; one at least.
        factor: By how many robust standard deviations.
        window: Of how many steps before.
    """
    first = np.flatnonzero(found)[0]
    seen = (
        f"Gradient spikes: at {found.sum()} of {len(norms)} steps the norm was more than {factor:g} robust standard "
        f"deviations above the median of the {window} steps before, first at step {steps[first]} ({norms[first]:.3g}), "
        f"most of it in block {_largest(by_block, int(first))}."
    )
    advice = "clipping (`AutoClip`), a lower learning rate, a look at that batch."
    return _by(f"{factor:g} robust standard deviations", "spike", SPIKES, seen, advice)


def _by(threshold: str, argument: str, code: str, seen: str, advice: str) -> Finding:
    source = f"`{argument}` of the monitor"
    return Finding(code, "watch", _NAME, seen, threshold=threshold, source=source, advice=advice)


def _largest(by_block: Blocks, row: int) -> str:
    return max(by_block, key=lambda name: np.nan_to_num(by_block[name][row], nan=-1.0))


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
