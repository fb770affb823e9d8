"""One thing that was looked at in a run, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass

LEVELS = ("unknown", "good", "watch", "ill")
"""From what says nothing to what is worst."""

WORDS = {"unknown": "open", "good": "good", "watch": "watch", "ill": "ill"}
SYMBOLS = {"unknown": "?", "good": "✓", "watch": "!", "ill": "✕"}


@dataclass(frozen=True)
class Sign:
    """What was looked at, and what it says.

    Attributes:
        name: What was looked at.
        level: One of `LEVELS`.
        text: The numbers, as a person reads them.
        why: For `"watch"` and `"ill"`: the rest of a sentence that begins with the run.
    """

    name: str
    level: str
    text: str
    why: str = ""

    @property
    def word(self) -> str:
        """The level as a word."""
        return WORDS[self.level]

    @property
    def symbol(self) -> str:
        """The level as a symbol, so that it is seen without colours too."""
        return SYMBOLS[self.level]


def worst(levels: Iterable[str]) -> str:
    """The worst of some levels.

    >>> worst(["good", "ill", "watch"]), worst([])
    ('ill', 'unknown')
    """
    return max(levels, key=LEVELS.index, default="unknown")


def graded(value: float, watch: float, ill: float) -> str:
    """The level of a number of which less is better.

    >>> graded(0.1, 0.2, 0.4), graded(0.2, 0.2, 0.4), graded(0.4, 0.2, 0.4), graded(float("nan"), 0.2, 0.4)
    ('good', 'watch', 'ill', 'unknown')
    """
    if value != value:
        return "unknown"
    return "ill" if value >= ill else "watch" if value >= watch else "good"
