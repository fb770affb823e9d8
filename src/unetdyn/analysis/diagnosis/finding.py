"""A finding: one thing that was looked at, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass

from unetdyn._checks import check_choice

LEVELS = ("unknown", "good", "watch", "ill")
"""From what says nothing to what is worst."""

WORDS = {"unknown": "open", "good": "good", "watch": "watch", "ill": "ill"}
SYMBOLS = {"unknown": "?", "good": "✓", "watch": "!", "ill": "✕"}
TITLES = {"unknown": "Too little to tell", "good": "Healthy", "watch": "Watch", "ill": "Ill"}
"""The level of a whole run, as a heading."""

TROUBLE = ("watch", "ill")


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what it says.

    Attributes:
        code: What kind of finding it is, such as `"update.large"`: the same at every epoch and in every run.
        level: One of `LEVELS`.
        name: What was looked at, as a person reads it.
        seen: What was seen, with its numbers.
        why: For `"watch"` and `"ill"` of a whole run: the rest of a sentence that begins with the run.
        threshold: From where on it is to be watched, and ill; empty where nothing is compared.
        source: Where the threshold comes from.
        advice: What usually helps, in sentences; empty where nothing does, or needs to.

    Raises:
        ValueError: If `level` is none of `LEVELS`.

    Example:
        >>> Finding("update.large", "watch", "updates", "The ratio was 0.01.", advice="a lower learning rate.").sentence
        'The ratio was 0.01. What usually helps: a lower learning rate.'
    """

    code: str
    level: str
    name: str
    seen: str
    why: str = ""
    threshold: str = ""
    source: str = ""
    advice: str = ""

    def __post_init__(self) -> None:
        check_choice("level", self.level, LEVELS)

    @property
    def sentence(self) -> str:
        """What a person is told: what was seen, and what usually helps."""
        return f"{self.seen.removesuffix('.')}. What usually helps: {self.advice}" if self.advice else self.seen

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
