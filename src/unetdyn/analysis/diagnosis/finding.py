"""A finding: one thing that was looked at, and what it says."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from unetdyn._checks import check_choice

LEVELS = ("unknown", "good", "info", "watch", "ill")
"""From what says nothing to what is worst; `"info"` is an observation that did no harm."""

CONFIDENCES = ("", "low", "medium", "high")
"""How sure it is that a cause is the cause; empty of what is no cause."""

WORDS = {"unknown": "open", "good": "good", "info": "info", "watch": "watch", "ill": "ill"}
SYMBOLS = {"unknown": "?", "good": "✓", "info": "i", "watch": "!", "ill": "✕"}
TITLES = {"unknown": "Too little to tell", "good": "Healthy", "info": "Healthy", "watch": "Watch", "ill": "Ill"}
"""The level of a whole run, as a heading."""

TROUBLE = ("watch", "ill")

Span = tuple[int, int]
"""The first and the last epoch of some, from 0."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what it says.

    Attributes:
        code: What kind of finding it is, such as `"learning_rate.high"`: the same at every epoch and in every run.
        level: One of `LEVELS`.
        name: What was looked at, as a person reads it.
        seen: What was seen, with its numbers.
        why: For `"watch"` and `"ill"` of a whole run: the rest of a sentence that begins with the run.
        threshold: From where on it is to be watched, and ill; empty where nothing is compared.
        source: Where the threshold comes from.
        advice: What usually helps, one change first; empty where nothing does, or needs to.
        matters: Why it matters: what it did to the outcome.
        expected: What the advised change should do.
        refuted: What would show that it is not so.
        normal: When it is normal.
        confidence: One of `CONFIDENCES`.
        epochs: (first, last) pairs of epochs, from 0, in which it shows.
        curves: The log keys that it shows in.
        explains: Codes of the symptoms that it explains in this run.
        others: Codes of other causes that could explain them, the likelier first.

    Raises:
        ValueError: If `level` is none of `LEVELS`, or `confidence` none of `CONFIDENCES`.

    Example:
        >>> Finding("learning_rate.high", "watch", "updates", "The ratio was 0.01.", advice="a lower rate.").sentence
        'The ratio was 0.01. What usually helps: a lower rate.'
    """

    code: str
    level: str
    name: str
    seen: str
    why: str = ""
    threshold: str = ""
    source: str = ""
    advice: str = ""
    matters: str = ""
    expected: str = ""
    refuted: str = ""
    normal: str = ""
    confidence: str = ""
    epochs: tuple[Span, ...] = ()
    curves: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("level", self.level, LEVELS)
        check_choice("confidence", self.confidence, CONFIDENCES)

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

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Heading and text of all that there is to say of it."""
        sure = f"{self.confidence} confidence" if self.confidence else ""
        others = ", ".join(self.others)
        texts = (
            ("seen", self.seen),
            ("why it matters", self.matters),
            ("change", self.advice),
            ("which should", self.expected),
            ("not so, if", self.refuted),
            ("normal", self.normal),
            ("limit", " ".join(filter(None, [self.threshold, f"({self.source})" if self.source else ""]))),
            ("how sure", sure + (f"; it may also be {others}" if others else "")),
        )
        return tuple((heading, text.removeprefix("; ")) for heading, text in texts if text)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)

    def get_state(self) -> dict[str, Any]:
        """What `Finding(**state)` is made of anew, without what is empty.

        >>> Finding("loss.nonfinite", "ill", "loss", "NaN.", epochs=((3, 4),)).get_state()
        {'code': 'loss.nonfinite', 'level': 'ill', 'name': 'loss', 'seen': 'NaN.', 'epochs': ((3, 4),)}
        """
        return {name: value for name, value in vars(self).items() if value not in ("", ())}


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


def spans(epochs: Iterable[int]) -> tuple[Span, ...]:
    """Epochs as (first, last) pairs of those that follow each other.

    >>> spans([3, 4, 5, 9])
    ((3, 5), (9, 9))
    """
    found: list[Span] = []
    for epoch in sorted({int(epoch) for epoch in epochs}):
        if found and epoch == found[-1][1] + 1:
            found[-1] = (found[-1][0], epoch)
        else:
            found.append((epoch, epoch))
    return tuple(found)
