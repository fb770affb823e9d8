"""What `BatchSizeSchedule` tells: which size holds from now on, which is no trouble."""

from unetdyn.analysis.diagnosis.finding import Finding

CHANGED = "batch_size.changed"


def batch_size_changed(before: int, size: int, steps: int) -> Finding:
    """Batches of another size from this epoch on.

    Args:
        before: Tiles in a batch so far.
        size: From now on.
        steps: Batches of an epoch from now on.
    """
    seen = f"BatchSizeSchedule: batches of {size} instead of {before} from here on, {steps} an epoch."
    return Finding(CHANGED, "unknown", "batch size", seen)
