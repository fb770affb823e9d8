"""The rules in their order, what they say of a run together, and the text that explains them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import LEVELS, SYMBOLS, TITLES, TROUBLE, Finding, worst
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.diagnosis.rules import (
    best,
    collapses,
    convergence,
    ended,
    exploding,
    gradients,
    jumps,
    losses,
    nonfinite,
    oscillation,
    overfitting,
    skipped,
    stability,
    updates,
    vanishing,
)


class Rule(Protocol):
    """What each module of `rules/` is."""

    @property
    def LIMITS(self) -> tuple[Limit, ...]:
        """Its thresholds in words."""
        ...

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        """What it has to say of a run, if anything."""
        ...


RULES: tuple[Rule, ...] = (
    ended,
    best,
    jumps,
    collapses,
    oscillation,
    losses,
    stability,
    overfitting,
    convergence,
    nonfinite,
    skipped,
    exploding,
    vanishing,
    gradients,
    updates,
)
"""In the order in which a page shows what they found."""

_BETWEEN_REASONS = {"gradient": " and "}  # by the first part of the code; "; " elsewhere


@dataclass(frozen=True)
class Diagnosis:
    """What to think of a run.

    Attributes:
        level: The worst of the findings': `"good"`, `"watch"` or `"ill"`; `"unknown"` where nothing speaks against a
            run whose stability can't be told: few epochs, a loss that still falls, or none that was logged.
        sentence: Why, in plain words.
        findings: What the rules found, in their order.
    """

    level: str
    sentence: str
    findings: tuple[Finding, ...]

    @property
    def word(self) -> str:
        """The level as a heading."""
        return TITLES[self.level]

    @property
    def symbol(self) -> str:
        """The level as a symbol, so that it is seen without colours too."""
        return SYMBOLS[self.level]

    @property
    def rows(self) -> tuple[Finding, ...]:
        """One finding for each thing that was looked at: several on one thing are told together, by the worst."""
        return _rows(self.findings)


def diagnose(evidence: Evidence) -> Diagnosis:
    """Everything that speaks for and against a training.

    Args:
        evidence: From `Evidence.read`, with an epoch or more.

    Example:
        >>> found = diagnose(Evidence.read({"loss": [0.5, 0.4, float("nan")]}))
        >>> found.word, found.sentence
        ('Ill', 'Its training loss is not finite at the end.')
    """
    findings = tuple(finding for rule in RULES for finding in rule.find(evidence))
    level = worst(finding.level for finding in findings)
    stable = next(finding for finding in findings if finding.code == stability.LIMIT.code)
    if level == "good" and stable.level == "unknown":
        return Diagnosis("unknown", f"Nothing speaks against it yet; {stable.seen}.", findings)
    return Diagnosis(level, _sentence(_rows(findings)), findings)


def rules_in_words() -> str:
    """What makes a run ill, made from the limits of the rules."""
    limits: dict[str, list[str]] = {}
    for limit in (limit for rule in RULES for limit in rule.LIMITS if limit.ill):
        limits.setdefault(limit.subject, []).append(limit.ill)
    of_ill = (limit for rule in RULES for limit in rule.LIMITS if limit.ill)
    others = dict.fromkeys(f"{limit.subject} ({limit.source})" for limit in of_ill if RULE_OF_THUMB not in limit.source)
    ill = "; ".join(f"{subject} {_listed(texts)}" for subject, texts in limits.items())
    return (
        f"A run is as ill as its worst finding. Ill: {ill}. How much and how often is too much are rules of thumb, "
        f"apart from the limits of {' and '.join(others)}."
    )


def _rows(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    same: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        same.setdefault((_kind(finding), finding.name), []).append(finding)
    return tuple(found[0] if len(found) == 1 else _together(found) for found in same.values())


def _together(findings: Sequence[Finding]) -> Finding:
    reasons = [finding.why for finding in findings if finding.level in TROUBLE]
    return replace(
        max(findings, key=lambda finding: LEVELS.index(finding.level)),
        seen="; ".join(finding.seen for finding in findings),
        why=_BETWEEN_REASONS.get(_kind(findings[0]), "; ").join(reasons),
    )


def _kind(finding: Finding) -> str:
    return finding.code.split(".")[0]


def _sentence(findings: Sequence[Finding]) -> str:
    """What speaks against the run, the worst first."""
    reasons = {level: "; ".join(each.why for each in findings if each.level == level) for level in TROUBLE}
    if not any(reasons.values()):
        return "Nothing that was looked at speaks against this training."
    text = reasons["ill"] or reasons["watch"]
    more = f" Beside that, {reasons['watch']}." if reasons["ill"] and reasons["watch"] else ""
    return f"{text[0].upper()}{text[1:]}.{more}"


def _listed(texts: Sequence[str]) -> str:
    """With "or" before the last.

    >>> _listed(["fell", "rose", "jumped"])
    'fell, rose, or jumped'
    """
    return ", or ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
