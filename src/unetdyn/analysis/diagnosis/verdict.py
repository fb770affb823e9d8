"""What is to be thought of a run: its symptoms, and the causes that explain them."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import (
    CONFIDENCES,
    LEVELS,
    SYMBOLS,
    TITLES,
    TROUBLE,
    Finding,
    worst,
)
from unetdyn.analysis.diagnosis.limit import Need
from unetdyn.analysis.diagnosis.registry import CAUSES, RULES, SYMPTOMS, Rule
from unetdyn.analysis.diagnosis.symptoms import stability
from unetdyn.analysis.result import Judgement
from unetdyn.analysis.stability_classes import DDOF, WINDOW

WIDTH = 110  # characters of a line of text
_LIMITS = {limit.code: limit for rule in RULES for limit in rule.LIMITS}
_AND = "; "  # between what a cause has done
_BETWEEN_REASONS = {"gradient": " and "}  # by the first part of the code; "; " elsewhere


@dataclass(frozen=True)
class NotApplied:
    """A rule that could not be applied.

    Attributes:
        codes: The codes of what it would have found.
        lacks: What it lacks, in words.
        supplied_by: Which callback records that.
    """

    codes: tuple[str, ...]
    lacks: str
    supplied_by: str


@dataclass(frozen=True)
class Diagnosis(Judgement):
    """What to think of a run. Shows itself as text, in a notebook as a table.

    Attributes:
        level: `"ill"`, `"watch"` or `"good"`, by `headline` and what that explains; `"unknown"` where nothing speaks
            against a run whose stability can't be told: few epochs, a loss that still falls, or none that was logged.
        sentence: Why, in plain words.
        headline: What the level rests on: causes with a consequence in the outcome, the likeliest first, then symptoms
            that none of them explains.
        findings: Everything that was looked at, in the order of the rules, the headline's included.
        not_applied: The rules that could not be applied, with what they lack.
    """

    level: str
    sentence: str
    headline: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    not_applied: tuple[NotApplied, ...] = ()

    @property
    def word(self) -> str:
        """The level as a heading."""
        return TITLES[self.level]

    @property
    def symbol(self) -> str:
        """The level as a symbol, so that it is seen without colours too."""
        return SYMBOLS[self.level]

    @property
    def observations(self) -> tuple[Finding, ...]:
        """What was seen and did no harm."""
        return tuple(finding for finding in self.findings if finding.level == "info")

    @property
    def lacking(self) -> dict[str, tuple[str, ...]]:
        """What was not looked at: the callback that would supply what is missing → the codes of what it would find."""
        suppliers = dict.fromkeys(each.supplied_by for each in self.not_applied)
        return {
            supplier: tuple(
                dict.fromkeys(code for each in self.not_applied if each.supplied_by == supplier for code in each.codes)
            )
            for supplier in suppliers
        }

    @property
    def rows(self) -> tuple[Finding, ...]:
        """One finding for each thing that was looked at: several on one thing are told together, by the worst."""
        return _rows(self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "level": self.level,
            "sentence": self.sentence,
            "headline": [finding.to_dict() for finding in self.headline],
            "observations": [finding.to_dict() for finding in self.observations],
            "not_applied": [
                {"codes": list(each.codes), "lacks": each.lacks, "supplied_by": each.supplied_by}
                for each in self.not_applied
            ],
        }

    def __str__(self) -> str:
        lines = [_wrapped(f"{self.symbol} {self.word}. {self.sentence}", 0)]
        for finding in self.headline:
            lines += ["", f"{finding.symbol} {finding.name} ({finding.code})"]
            lines += [_wrapped(f"    {heading + ':':<16}{text}", 20) for heading, text in finding.parts]
        if self.observations:
            lines += ["", "Seen, and did no harm:"]
            lines += [_wrapped(f"    {one.name}: {one.seen} ({one.code})", 8) for one in self.observations]
        if self.lacking:
            lines += ["", "Not looked at, for want of the record of"]
            lines += [_wrapped(f"    {supplier}: {', '.join(codes)}", 8) for supplier, codes in self.lacking.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        blocks = [f"<p><b>{self.symbol} {self.word}.</b> {escape(self.sentence)}</p>"]
        for finding in self.headline:
            rows = "".join(f"<tr><th>{heading}</th><td>{escape(text)}</td></tr>" for heading, text in finding.parts)
            name = f"{finding.symbol} {escape(finding.name)} ({escape(finding.code)})"
            blocks.append(f"<p><b>{name}</b></p><table>{rows}</table>")
        seen = [f"{finding.name}: {finding.seen} ({finding.code})" for finding in self.observations]
        missing = [f"{supplier} would supply {', '.join(codes)}" for supplier, codes in self.lacking.items()]
        return "".join([*blocks, _folded("Seen, and did no harm", seen), _folded("Not looked at", missing)])


def diagnose(source: Any, metric: str | None = None, window: int = WINDOW, ddof: int = DDOF) -> Diagnosis:
    """What is wrong with a training, what has caused it, and the one change that helps.

    First the outcome is judged: whether the metric got further than a constant answer, fell, lies far behind the
    training's. Then each rule looks for causes. A cause with none of the symptoms that it can explain is an
    observation; one that explains a symptom takes its place in the headline. Of several that explain the same, those
    that are as sure as the surest stay, and the others are named with it.

    Args:
        source: What `Evidence.read` takes: a run directory or open run, a History, a dictionary of lists, the path of
            a CSVLogger file; or `Evidence`.
        metric: The metric that performance is read from, with or without `val_`; default `Curves.default_metric`.
        window: Over how many of the last epochs the end is judged. 10 is what the studies used.
        ddof: 1 (default) or 0, see `unetdyn.analysis.stability`.

    Returns:
        A `Diagnosis`.

    Raises:
        ValueError: If `metric` was not logged, or the source can't be read.

    Example:
        >>> found = diagnose({"loss": [0.5, 0.4, float("nan")]})
        >>> found.word, found.sentence
        ('Ill', 'Its training loss is not finite at the end.')
    """
    return judge(Evidence.read(source, metric, window, ddof))


def judge(evidence: Evidence) -> Diagnosis:
    """The diagnosis of what was read already."""
    symptoms = [finding for rule in SYMPTOMS for finding in rule.find(evidence)]
    causes = [finding for rule in CAUSES for finding in rule.find(evidence)]
    sick = [finding for finding in symptoms if finding.level in TROUBLE]
    slight = [finding for finding in symptoms if _LIMITS[finding.code].slight]
    gated = _ranked([_gated(cause, sick, slight) for cause in causes])
    explained = {code for cause in gated if cause.level in TROUBLE for code in cause.explains}
    headline = [cause for cause in gated if cause.level in TROUBLE]
    headline.sort(key=lambda cause: (-LEVELS.index(cause.level), -CONFIDENCES.index(cause.confidence)))
    headline += sorted(
        (finding for finding in sick if finding.code not in explained), key=lambda one: -LEVELS.index(one.level)
    )
    findings = (*symptoms, *gated)
    level = worst(finding.level for finding in (*headline, *sick)) if headline else "good"
    missing = tuple(_missing(evidence, {finding.code for finding in findings}))
    stable = next(finding for finding in symptoms if finding.code == stability.LIMIT.code)
    if not headline and stable.level == "unknown":
        return Diagnosis("unknown", f"Nothing speaks against it yet; {stable.seen}.", (), findings, missing)
    return Diagnosis(
        level, _sentence(headline, {cause.code: cause.why for cause in gated}), tuple(headline), findings, missing
    )


def _gated(cause: Finding, sick: Sequence[Finding], slight: Sequence[Finding]) -> Finding:
    """A cause with what it explains in this run: an observation, where that is nothing and it can't stand alone.

    A symptom that is too slight to be called one by itself counts where the cause is certain; no more than "watch"
    comes of it.
    """
    if cause.level not in TROUBLE:
        return cause
    alone = _LIMITS[cause.code].alone
    found = _explained(cause, sick)
    if not found and not alone and cause.confidence == CONFIDENCES[-1]:
        found = [replace(symptom, level="watch") for symptom in _explained(cause, slight)]
    if not found:
        return replace(cause, explains=(), level=cause.level if alone else "info")
    level = worst(symptom.level for symptom in found)
    if alone:
        level = worst([level, cause.level])
    elif LEVELS.index(cause.level) < LEVELS.index(level):
        level = cause.level
    reasons = dict.fromkeys(symptom.why for symptom in found)
    return replace(
        cause,
        level=level,
        explains=tuple(dict.fromkeys(symptom.code for symptom in found)),
        matters=f"{_upper(_AND.join(reasons))}.",
    )


def _explained(cause: Finding, symptoms: Sequence[Finding]) -> list[Finding]:
    return [symptom for symptom in symptoms if any(_fits(code, symptom.code) for code in cause.explains)]


def _ranked(causes: Sequence[Finding]) -> list[Finding]:
    """Of causes that explain the same, the surest stay; the others become observations, and are named with these."""
    sure: dict[str, int] = {}
    for cause in causes:
        if cause.level in TROUBLE:
            for code in cause.explains:
                sure[code] = max(sure.get(code, 0), CONFIDENCES.index(cause.confidence))
    kept, beside = [], []
    for cause in causes:
        rank = CONFIDENCES.index(cause.confidence)
        outdone = cause.level in TROUBLE and cause.explains and all(sure[code] > rank for code in cause.explains)
        if outdone and not _LIMITS[cause.code].alone:
            beside.append(cause)
        kept.append(replace(cause, level="info") if outdone and not _LIMITS[cause.code].alone else cause)
    return [
        replace(cause, others=_others(cause, beside)) if cause.level in TROUBLE and cause.explains else cause
        for cause in kept
    ]


def _others(cause: Finding, beside: Sequence[Finding]) -> tuple[str, ...]:
    also = [other for other in beside if set(other.explains) & set(cause.explains)]
    also.sort(key=lambda other: -CONFIDENCES.index(other.confidence))
    return tuple(dict.fromkeys(other.code for other in also))


def _fits(pattern: str, code: str) -> bool:
    return code.startswith(pattern) if pattern.endswith(".") else code == pattern


def _missing(evidence: Evidence, found: set[str]) -> list[NotApplied]:
    """The rules that found nothing since they lack something; some find less without it."""
    return [
        NotApplied(tuple(dict.fromkeys(limit.code for limit in rule.LIMITS)), _words(need), need.supplier)
        for rule in RULES
        for need in _needs(rule)
        if not _has(evidence, need) and not found & {limit.code for limit in rule.LIMITS}
    ]


def _needs(rule: Rule) -> tuple[Need, ...]:
    return getattr(rule, "NEEDS", ())


def _has(evidence: Evidence, need: Need) -> bool:
    return bool(evidence.record(*need.arrays)) if need.arrays else evidence.setup.get(need.setup) is not None


def _words(need: Need) -> str:
    return f"the record of {', '.join(need.arrays)}" if need.arrays else f"the set-up's {need.setup}"


def _wrapped(line: str, indent: int) -> str:
    """Lines of a terminal's width; what goes on is indented."""
    further = " " * indent
    return textwrap.fill(line, WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def _folded(title: str, texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<details><summary>{title} ({len(texts)})</summary><ul>{items}</ul></details>" if texts else ""


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


def _sentence(headline: Sequence[Finding], reasons: Mapping[str, str]) -> str:
    """The causes and what they did, what else may be one, then what has no known cause."""
    if not headline:
        return "Nothing that was looked at speaks against this training."
    causes = [finding for finding in headline if finding.confidence]
    symptoms = [finding.why for finding in headline if not finding.confidence]
    if not causes:
        return f"{_upper('; '.join(symptoms))}."
    did = dict.fromkeys(
        f"{reason[:1].lower()}{reason[1:]}"
        for finding in causes
        if finding.matters
        for reason in finding.matters.removesuffix(".").split(_AND)
    )
    first, *beside = [finding.why for finding in causes]
    text = f"{_upper(first)}." + (f" Beside that, {'; '.join(beside)}." if beside else "")
    text += f" {_upper(_AND.join(did))}." if did else ""
    others = dict.fromkeys(reasons[other] for cause in causes for other in cause.others[:2])
    text += f" It may also be that {' or '.join(others)}." if others else ""
    return text + (f" {_upper('; '.join(symptoms))}." if symptoms else "")


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
