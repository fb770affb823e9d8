"""What `NonFiniteGuard` tells: which updates it skipped and where NaN came from, and why it stopped."""

from unetdyn.analysis.diagnosis.finding import Finding

SKIPPED, STOPPED = "guard.skipped", "guard.stopped"

_NAME = "guard"


def updates_skipped(
    skipped: int, total: int, step: int, variable: str, block: str, others: int, everywhere: bool, scaled: bool
) -> Finding:
    """Updates that were skipped in an epoch.

    Args:
        skipped: How many.
        total: Of how many steps.
        step: The first of them.
        variable: Path of the variable nearest to the loss whose gradient was not finite at that step.
        block: Its block.
        others: How many other variables had such a gradient.
        everywhere: Whether these are all there are.
        scaled: Whether there is a loss scale.
    """
    where = f"{variable} (block {block})"
    if others and everywhere:
        where += " and in every other variable: the loss itself, or the batch, was not finite"
    elif others:
        where += f" and in {others} other variable{'s' if others > 1 else ''} nearer to the input"
    harmless = " A loss scale finds its size by such steps; a few are harmless." if scaled else ""
    seen = (
        f"NonFiniteGuard: {skipped} of {total} updates skipped for non-finite gradients, first at step {step} in "
        f"{where}. No NaN has entered weights, optimizer or moving statistics; the epoch's loss and metrics count "
        f"these batches and may be NaN.{harmless}"
    )
    return Finding(SKIPPED, "watch", _NAME, seen)


def training_stopped(updates: int | None, step: int | None, variable: str, block: str) -> Finding:
    """A training that the guard has stopped.

    Args:
        updates: After how many updates skipped in a row.
        step: The last of them.
        variable: Path of the variable nearest to the loss whose gradient was not finite at that step.
        block: Its block.
    """
    seen = (
        f"NonFiniteGuard: training stopped after {updates} updates skipped in a row for non-finite gradients, up to "
        f"step {step}, the last from {variable} (block {block}) to the input. So many are not single bad batches: "
        "these weights overflow on every batch, or the loss or all the data is not finite. Weights and optimizer are "
        "as before the first of them."
    )
    advice = "a lower learning rate, a loss of logits in float32, clipping, a look at the data."
    return Finding(
        STOPPED,
        "ill",
        _NAME,
        seen,
        threshold=f"{updates} in a row",
        source="`max_consecutive` of the guard",
        advice=advice,
    )
