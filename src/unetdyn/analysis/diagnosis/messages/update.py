"""What `UpdateMonitor` tells: which blocks' updates are out of the band, and what usually helps."""

from collections.abc import Mapping

from unetdyn.analysis.diagnosis.causes.updates import LARGE, SMALL, TOO_LARGE, TOO_SMALL
from unetdyn.analysis.diagnosis.finding import Finding

WARMUP = 100  # updates of the optimizer, of which Adam's first have the full learning rate in every entry
IN_WARMUP = 10.0  # times the band: Adam's first updates are 2 to 3 times it at a good rate, 80 at 100 times that rate

_NAME = "updates"


def updates_too_large(medians: Mapping[str, float], steps: int, high: float, warmup: int | None) -> Finding:
    """Ratios above the band.

    Args:
        medians: Block → its median ‖Δw‖/‖w‖, of those above.
        steps: Over how many steps.
        high: What they are above.
        warmup: How many updates of warm-up came before these steps; None where they are warm-up themselves.
    """
    seen = f"Updates too large: {_where(steps, warmup)} was above {high:g} in {_blocks(medians)}."
    return Finding(
        LARGE.code, "watch", _NAME, seen, threshold=f"above {high:g}", source="`high` of the monitor", advice=TOO_LARGE
    )


def updates_too_small(medians: Mapping[str, float], steps: int, low: float, warmup: int) -> Finding:
    """Ratios below the band; the arguments are those of `updates_too_large`."""
    seen = f"Updates too small: {_where(steps, warmup)} was below {low:g} in {_blocks(medians)}."
    return Finding(
        SMALL.code, "watch", _NAME, seen, threshold=f"below {low:g}", source="`low` of the monitor", advice=TOO_SMALL
    )


def _where(steps: int, warmup: int | None) -> str:
    which = "of warm-up" if warmup is None else f"(after {warmup} of warm-up)"
    return f"the median over {steps} steps {which} of ‖Δw‖/‖w‖"


def _blocks(medians: Mapping[str, float]) -> str:
    return ", ".join(f"{name} ({median:.2g})" for name, median in medians.items())
