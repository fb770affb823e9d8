"""What the studies found and what was counted: what `recommend` quotes where a user has no runs of their own."""

from typing import NamedTuple


class Record(NamedTuple):
    """A statement and where it is from.

    Attributes:
        topics: the priorities it bears on.
        statement: what was found.
        origin: who found it, or what was counted.
    """

    topics: tuple[str, ...]
    statement: str
    origin: str


_STUDIES = "the studies this project grew from"
_TUTORIALS = "the tutorial models, variant='bnsreenu', 64 filters, one channel, counted by this project's tests"

ON_RECORD = (
    Record(
        ("stability", "balanced"),
        "a learning rate of 1e-3 in place of 1e-2: the variance of an update is 100 times lower",
        _STUDIES,
    ),
    Record(("stability", "balanced"), "a batch of 16 in place of 8: 2 times lower; both together, 200 times", _STUDIES),
    Record(
        ("performance", "stability", "balanced"),
        "the Jaccard index counted on thresholded predictions, in place of the soft one",
        _STUDIES,
    ),
    Record(("memory",), "UNet has 31.4 million parameters", _TUTORIALS),
    Record(("memory",), "Attention U-Net has 37.3 million parameters", _TUTORIALS),
    Record(("memory",), "Attention ResUNet has 39.1 million parameters", _TUTORIALS),
)
