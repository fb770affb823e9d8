"""A limit of a rule: from where on a run is to be watched, or ill, in words that are made from the rule's numbers."""

from dataclasses import dataclass

from unetdyn.analysis.diagnosis.finding import Finding

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
    """One kind of finding of a rule, and its thresholds in words.

    Attributes:
        code: The code of its findings.
        subject: Who or what: the beginning of both sentences.
        watch: The rest of the sentence that says when a run is to be watched; empty where it never is.
        ill: When it is ill.
        source: Where the thresholds come from.
    """

    code: str
    subject: str = ""
    watch: str = ""
    ill: str = ""
    source: str = RULE_OF_THUMB

    @property
    def threshold(self) -> str:
        """Both sentences.

        >>> Limit("metric.jumps", "the metric", "jumps by a twentieth", "jumps by a tenth").threshold
        'watch: the metric jumps by a twentieth; ill: the metric jumps by a tenth'
        """
        levels = (("watch", self.watch), ("ill", self.ill))
        return "; ".join(f"{level}: {self.subject} {text}" for level, text in levels if text)

    def finding(self, level: str, name: str, seen: str, why: str = "", advice: str = "") -> Finding:
        """A finding of this kind."""
        source = self.source if self.threshold else ""
        return Finding(self.code, level, name, seen, why, self.threshold, source, advice)


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
