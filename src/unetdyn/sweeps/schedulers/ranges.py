"""Numbers of rows, as schedulers and people write them: `1-7,9`."""

import re
from collections.abc import Iterable, Iterator

_PART = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)


def runs_of(rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of numbers without a gap, ascending.

    >>> list(runs_of([9, 1, 2, 3]))
    [(1, 3), (9, 9)]
    """
    first = last = None
    for row in sorted(set(rows)):
        if first is None or last is None:
            first = last = row
        elif row == last + 1:
            last = row
        else:
            yield first, last
            first = last = row
    if first is not None and last is not None:
        yield first, last


def text_of(rows: Iterable[int]) -> str:
    """The numbers of rows as a text.

    >>> text_of([1, 2, 3, 4, 5, 6, 7, 9])
    '1-7,9'
    """
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs_of(rows))


def rows_of(text: str, last: int) -> tuple[int, ...]:
    """The numbers that such a text names.

    Args:
        text: Numbers and ranges, with commas between them.
        last: The last row that there is.

    Returns:
        Each once, ascending.

    Raises:
        ValueError: If it is no such text, or names a row that there isn't.

    Example:
        >>> rows_of("9,1-3,2", last=9)
        (1, 2, 3, 9)
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first, end = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not 1 <= first <= end <= last:
            raise ValueError(
                f"`rows` must be numbers and ranges from 1 to {last}, like 1-7,9. Received: {text!r}, of which "
                f"{part.strip()!r} is none."
            )
        found.update(range(first, end + 1))
    return tuple(sorted(found))
