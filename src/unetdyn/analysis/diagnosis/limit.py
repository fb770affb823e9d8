"""A limit of a rule: from where on a run is to be watched, or ill, in words that are made from the rule's numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from unetdyn.analysis.diagnosis.finding import Finding, Span

RULE_OF_THUMB = "rule of thumb"
STUDIES = "the studies"
"""See docs/studies.md."""

_SHARES = {
    1 / 2: "half",
    1 / 3: "a third",
    1 / 4: "a quarter",
    1 / 5: "a fifth",
    1 / 10: "a tenth",
    1 / 20: "a twentieth",
}
_FACTORS: dict[float, str] = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 10: "ten", 100: "a hundred"}


@dataclass(frozen=True)
class Limit:
    """One kind of finding of a rule: its thresholds in words, and all that is said of each finding of its kind.

    Attributes:
        code: The code of its findings.
        subject: Who or what: the beginning of both sentences.
        watch: The rest of the sentence that says when a run is to be watched; empty where it never is.
        ill: When it is ill.
        source: Where the thresholds come from.
        advice: What usually helps, one change first.
        expected: What that change should do.
        refuted: What would show that it is not so.
        normal: When it is normal.
        explains: Codes of the symptoms that a cause can explain, `"metric."` for all that begin so. A cause that finds
            none of them in a run is an observation.
        slight: Whether a symptom counts only where a cause that explains it is certain: else it is common.
        alone: Whether a cause stands without a symptom too: an error, whatever came of it.
    """

    code: str
    subject: str = ""
    watch: str = ""
    ill: str = ""
    source: str = RULE_OF_THUMB
    advice: str = ""
    expected: str = ""
    refuted: str = ""
    normal: str = ""
    explains: tuple[str, ...] = ()
    slight: bool = False
    alone: bool = False

    @property
    def threshold(self) -> str:
        """Both sentences.

        >>> Limit("metric.jumps", "the metric", "jumps by a twentieth", "jumps by a tenth").threshold
        'watch: the metric jumps by a twentieth; ill: the metric jumps by a tenth'
        """
        levels = (("watch", self.watch), ("ill", self.ill))
        return "; ".join(f"{level}: {self.subject} {text}" for level, text in levels if text)

    def finding(
        self,
        level: str,
        name: str,
        seen: str,
        why: str = "",
        advice: str = "",
        *,
        confidence: str = "",
        epochs: Iterable[Span] = (),
        curves: Iterable[str] = (),
    ) -> Finding:
        """A finding of this kind."""
        return Finding(
            self.code,
            level,
            name,
            seen,
            why,
            self.threshold,
            self.source if self.threshold else "",
            advice or self.advice,
            expected=self.expected,
            refuted=self.refuted,
            normal=self.normal,
            confidence=confidence,
            epochs=tuple(epochs),
            curves=tuple(curves),
            explains=self.explains,
        )


@dataclass(frozen=True)
class Need:
    """What a rule can't do without.

    Attributes:
        arrays: Arrays of one record, or none.
        supplier: Which callback records them.
        setup: A part of the set-up that `RunRecorder` keeps, or none.
    """

    arrays: tuple[str, ...] = ()
    supplier: str = "RunRecorder"
    setup: str = ""


def share(part: float) -> str:
    """A part of something, in words.

    >>> share(1 / 3), share(0.1), share(0.15)
    ('a third', 'a tenth', '15%')
    """
    return _SHARES.get(part, f"{100 * part:g}%")


def times(factor: float) -> str:
    """A factor, in words.

    >>> times(10.0), times(2.5)
    ('ten times', '2.5 times')
    """
    return f"{_FACTORS.get(factor, f'{factor:g}')} times"
