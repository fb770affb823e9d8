"""The rules in their order, and the text that explains them."""

from collections.abc import Iterator
from typing import Protocol

from unetdyn.analysis.diagnosis.causes import (
    activation,
    ascent,
    background,
    batch_of_one,
    clipping,
    convergence,
    dead,
    exploding,
    foreground,
    initialisation,
    label_noise,
    labels,
    leakage,
    learning_rate,
    loss_choice,
    metric_suspicious,
    nonfinite,
    order,
    oscillation,
    outputs,
    overfitting,
    regularisation,
    second_descent,
    sets_differ,
    shuffled,
    statistics_lag,
    threshold_flips,
    updates,
    values,
    vanishing,
)
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.diagnosis.symptoms import (
    ended,
    gap,
    impossible,
    losses,
    metric_level,
    stability,
    swings,
    training_short,
)


class Rule(Protocol):
    """What each module of `symptoms/` and `causes/` is.

    One that can't do without a record or the set-up has `NEEDS` too: `unetdyn.analysis.diagnosis.limit.Need`s.
    """

    @property
    def LIMITS(self) -> tuple[Limit, ...]:
        """Its thresholds in words."""
        ...

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        """What it has to say of a run, if anything."""
        ...


SYMPTOMS: tuple[Rule, ...] = (ended, losses, metric_level, impossible, swings, gap, training_short, stability)
"""What is wrong with the outcome, in the order in which a page shows it."""

CAUSES: tuple[Rule, ...] = (
    values,
    labels,
    foreground,
    loss_choice,
    activation,
    regularisation,
    outputs,
    initialisation,
    dead,
    statistics_lag,
    batch_of_one,
    nonfinite,
    ascent,
    sets_differ,
    shuffled,
    clipping,
    vanishing,
    background,
    label_noise,
    order,
    learning_rate,
    exploding,
    metric_suspicious,
    overfitting,
    threshold_flips,
    leakage,
    updates,
    oscillation,
    second_descent,
    convergence,
)
"""What can have caused it: of causes that are as sure, the first is named first, so errors of the data come first."""

RULES = SYMPTOMS + CAUSES


def rules_in_words() -> str:
    """What makes a run ill, made from the limits of the rules."""
    limits: dict[str, list[str]] = {}
    of_ill = [limit for rule in SYMPTOMS for limit in rule.LIMITS if limit.ill]
    for limit in of_ill:
        limits.setdefault(limit.subject, []).append(limit.ill)
    others = dict.fromkeys(f"{limit.subject} ({limit.source})" for limit in of_ill if RULE_OF_THUMB not in limit.source)
    ill = "; ".join(f"{subject} {_listed(texts)}" for subject, texts in limits.items())
    return (
        f"A run is as ill as its outcome. Ill: {ill}. What may have caused it is named beside; where the outcome is "
        "well, it is an observation. How much and how often is too much are rules of thumb, apart from the limits of "
        f"{' and '.join(others)}."
    )


def _listed(texts: list[str]) -> str:
    """With "or" before the last.

    >>> _listed(["fell", "rose", "jumped"])
    'fell, rose, or jumped'
    """
    return ", or ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
