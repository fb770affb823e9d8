"""How long a job may run, as people and schedulers write it."""

import math
import re

_FORMS = [
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<seconds>\d+)",
        r"(?P<hours>\d+):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)",
        r"(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?)?",
    )
]
_SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
_TWO = re.compile(r"\d+:[0-5]\d", re.ASCII)


def seconds_of(walltime: float | str) -> float:
    """A walltime in seconds.

    Args:
        walltime: Seconds; or a text: `3:50:00`, or `1-12:00:00`, `1-12:00` and `1-12` with days as SLURM writes them,
            or a number of seconds. `3:50` is refused: it looks like hours and minutes, and SLURM and PBS take it for
            minutes and seconds.

    Raises:
        ValueError: If it is anything else, or nothing.

    Example:
        >>> seconds_of("3:50:00"), seconds_of("1-12:00:00"), seconds_of("90")
        (13800.0, 129600.0, 90.0)
    """
    text = walltime.strip() if isinstance(walltime, str) else ""
    if not isinstance(walltime, str) and 0 < walltime < math.inf:
        return float(walltime)
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            total = sum(_SECONDS[unit] * int(number or 0) for unit, number in found.groupdict().items())
            if total > 0:
                return float(total)
    if _TWO.fullmatch(text):
        raise ValueError(
            f"`walltime` {text} may be hours and minutes, and schedulers take it for minutes and seconds. "
            f"Write {text}:00 or 0:{text.rjust(5, '0')}."
        )
    raise ValueError(
        "`walltime` must be more than nothing, as H:MM:SS, as D-HH:MM:SS with days, or as a number of seconds. "
        f"Received: {walltime!r}."
    )
