"""Writes docs/findings.md from the rules of diagnosis, and the figures of docs/diagnosis.md from the benchmark's.

python docs/findings_page.py
"""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.diagnosis.registry import CAUSES, SYMPTOMS, Rule

DOCS = Path(__file__).parent
FINDINGS, DIAGNOSIS = DOCS / "findings.md", DOCS / "diagnosis.md"
MEASURED = DOCS.parent / "benchmarks" / "truth" / "diagnosis.json"
"""What `benchmarks/diagnosis.py score --json` wrote, without the tables of single groups and runs."""

PICTURES = {
    "statistics.lag": "a momentum of 0.995 at 12 steps an epoch",
    "learning_rate.high": "a learning rate of 0.2",
    "learning_rate.low": "a learning rate of 1e-6",
    "labels.shuffled": "every mask dealt to another image",
    "sets.differ": "validation images with an offset",
    "overfitting": "40 epochs on two tiles",
}
"""What was planted in the run of the benchmark that the picture of a code shows; see docs/images/README.md."""

UNDECLARED = {
    "leakage": "`test_…` in the run's summary",
    "loss.constant": "`BatchMonitor`",
    "gradient.ascent": "curves; more with `BatchMonitor`",
    "background": "curves; more with `BatchMonitor`",
    "learning_rate.high": "curves; more with `UpdateMonitor`",
    "learning_rate.low": "curves; more with `UpdateMonitor`",
    "statistics.lag": "curves; more with `TrainInferenceGapMonitor`",
    "metric.nothing": "curves; more with `BatchMonitor`",
    "metric.low": "curves; more with `BatchMonitor`",
    "run.failed": "a run directory",
}
"""What a code rests on, where `NEEDS` of its rule does not say it."""

_BEGIN, _END = "<!-- measured: written by findings_page.py -->", "<!-- end of measured -->"
_WIDTH = 120


def findings_page(measured: Mapping[str, Any]) -> str:
    """The page of all findings that can be watch or ill."""
    parts = [
        "# What a diagnosis can find",
        _paragraph(
            "Made from the rules by `make docs-findings`, so that it says what they do: a change goes into the rule. "
            "[How a verdict comes about, and how often it is right](diagnosis.md). A symptom is what is wrong with the "
            "outcome, a cause what may have brought it about. A cause is watch or ill where the run has a "
            "symptom that it explains, as that symptom is; one marked *alone* is an error whatever came "
            "of it. In Python, `unetdyn.analysis.diagnose(run)`; in a shell, `unetdyn diagnose RUN`."
        ),
        _paragraph(_how_measured(measured)),
        _paragraph(
            "*Precision*: of the healthy and harmful trainings in which the code was watch or ill, in how many the "
            "planted fault accepts it as a cause; what was named beside the right cause counts as wrong. *Recall*: of "
            "the harmful trainings whose planted fault it is by name, in how many it was watch or ill, first or not; "
            "another code that says the same in its place (masks inverted in one set make the sets differ) does not "
            "count. Most rest on few trainings: mind the 95 % intervals. A dash: never planted, or never said. "
            "*Curves* under *needs*: nothing but what `fit` logs."
        ),
        "## In short",
        "\n".join(_overview(measured)),
        "## Causes",
        *_sections(CAUSES, measured, cause=True),
        "## Symptoms",
        _paragraph(
            "A symptom names no cause, so it has neither precision nor recall: told is how often it was there, and how "
            "often in a training that is healthy."
        ),
        *_sections(SYMPTOMS, measured, cause=False),
    ]
    return "\n\n".join(parts) + "\n"


def with_figures(page: str, measured: Mapping[str, Any]) -> str:
    """A page with what stands between its marks written anew."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{_figures(measured)}\n{_END}{after}"


def codes(rules: Sequence[Rule]) -> dict[str, tuple[Rule, list[Limit]]]:
    """What can be watch or ill: its rule and its limits, by code."""
    found: dict[str, tuple[Rule, list[Limit]]] = {}
    for rule in rules:
        for limit in rule.LIMITS:
            if limit.threshold:
                found.setdefault(limit.code, (rule, []))[1].append(limit)
    return found


def _overview(measured: Mapping[str, Any]) -> Iterator[str]:
    yield "| cause | needs | precision | recall |"
    yield "| --- | --- | --- | --- |"
    for code, (rule, limits) in codes(CAUSES).items():
        alone = ", *alone*" if any(limit.alone for limit in limits) else ""
        table = measured["rules"].get(code, {})
        precision, recall = (_count(table.get(name)) for name in ("precision", "recall"))
        yield f"| [`{code}`](#{_anchor(code)}){alone} | {_needs(code, rule)} | {precision} | {recall} |"


def _sections(rules: Sequence[Rule], measured: Mapping[str, Any], cause: bool) -> Iterator[str]:
    for code, (rule, limits) in codes(rules).items():
        yield f"### `{code}`"
        yield _paragraph(str(getattr(rule, "__doc__", "")).split("\n\n")[0].replace("\n", " "))
        if code in PICTURES:
            yield f"![{code} in a training of the benchmark with {PICTURES[code]}]({picture(code)})"
        yield "\n".join(_points(code, rule, limits, measured["rules"].get(code), cause))


def picture(code: str) -> str:
    """The path of a code's picture, from `docs/`."""
    return f"images/finding_{code.replace('.', '_')}.png"


def _points(
    code: str, rule: Rule, limits: Sequence[Limit], table: Mapping[str, Any] | None, cause: bool
) -> Iterator[str]:
    # A cause is as ill as the symptom that it explains, so only one with two limits has them told apart.
    graded = not cause or any(limit.watch and limit.ill for limit in limits)
    watch, ill = ("watch", "ill") if graded else ("found where", "found where")
    yield from _all(watch, limits, lambda limit: limit.watch and f"{limit.subject} {limit.watch}.")
    yield from _all(ill, limits, lambda limit: limit.ill and f"{limit.subject} {limit.ill}.")
    yield from _all("where that comes from", limits, lambda limit: f"{limit.source}.")
    yield from _all("explains", limits, lambda limit: _explained(limit))
    yield from _all("change", limits, lambda limit: limit.advice)
    yield from _all("which should", limits, lambda limit: limit.expected)
    yield from _all("not so, if", limits, lambda limit: limit.refuted)
    yield from _all("normal", limits, lambda limit: limit.normal)
    yield _point("needs", f"{_needs(code, rule)}.")
    if table is not None:
        yield _point("measured", _measured(table, cause))


def _all(heading: str, limits: Sequence[Limit], text: Callable[[Limit], str]) -> Iterator[str]:
    """One point for each text that differs."""
    for each in dict.fromkeys(filter(None, map(text, limits))):
        yield _point(heading, each)


def _explained(limit: Limit) -> str:
    listed = ", ".join(f"`{code}…`" if code.endswith(".") else f"`{code}`" for code in limit.explains)
    alone = "it stands without a symptom too" if limit.alone else ""
    return f"{'; '.join(filter(None, [listed, alone]))}." if listed or alone else ""


def _needs(code: str, rule: Rule) -> str:
    if code in UNDECLARED:
        return UNDECLARED[code]
    found = {
        f"`{need.supplier}`" + (f" (the set-up's {need.setup.replace('_', ' ')})" if need.setup else "")
        for need in getattr(rule, "NEEDS", ())
    }
    return " and ".join(sorted(found)) or "curves"


def _measured(table: Mapping[str, Any], cause: bool) -> str:
    false = table["false alarms"]
    healthy = f"{false['hits']} of {false['of']} healthy trainings"
    if not cause:
        return f"watch or ill in {table['precision']['of']} of all healthy and harmful trainings, and in {healthy}."
    told = [f"{name} {_interval(table[name])}" for name in ("precision", "recall") if table[name]["of"]]
    return f"{'; '.join([*told, f'watch or ill in {healthy}'])}."


def _interval(share: Mapping[str, Any]) -> str:
    return f"{_count(share)} ({share['low']:.2f} to {share['high']:.2f})"


def _count(share: Mapping[str, Any] | None) -> str:
    return f"{share['hits']} of {share['of']}" if share and share["of"] else "–"


def _how_measured(measured: Mapping[str, Any]) -> str:
    made, runs = measured["made"], measured["runs"]
    badly = made["trained"] - sum(runs[name] for name in ("healthy", "harmful", "harmless"))
    return (
        f"The figures come from `benchmarks/diagnosis.py` on {made['trained']} trainings: {runs['healthy']} healthy "
        f"ones that came out well ({badly} that did not are left out), {runs['harmful']} with a planted fault that did "
        f"harm, {runs['harmless']} with one whose harm is not proven. They are {made['trained']} of {made['planned']}, "
        "each fault and severity with three seeds and each net on one of the data sets, and more: tiny nets (`UNet`, "
        "`AttentionResUNet`), 192 tiles of 64×64, 24 epochs, invented and real electron microscopy, seeds "
        f"{made['seeds']}, on {made['machine']}. The rules were tuned while looking at faults of the same kinds, the "
        "held-out ones included; only the *unseen* and the *replanted* families were made afterwards, by somebody who "
        "had not read them."
    )


def _figures(measured: Mapping[str, Any]) -> str:
    """All of diagnosis.md that is a figure of the benchmark."""
    parts = [_paragraph(_how_measured(measured)), "\n".join(_judges(measured)), _paragraph(_unproven(measured))]
    parts += [_paragraph(_weak(measured["rules"])), _paragraph(_unseen(measured)), _paragraph(_advice(measured))]
    parts += ["\n".join(_halves(measured)), "\n".join(_families(measured))]
    return "\n\n".join(parts)


def _unproven(measured: Mapping[str, Any]) -> str:
    groups, lost = (measured["made"][name] for name in ("unproven_groups", "unproven_groups_that_lost_a_fifth"))
    return (
        "**Where harm is not proven, half of the trainings are still called watch or ill.** Part of that is the test: "
        "with two or three seeds, even a large loss can stay unproven (Welch's one-sided p < 0.05 and Cohen's d ≥ 0.5 "
        f"are asked for). Of the {groups} such groups of one fault, severity, net and data set, {lost} lost more than "
        "a fifth of what the healthy ones reached, in the mean. How many of the others are false alarms is not known."
    )


def _unseen(measured: Mapping[str, Any]) -> str:
    unseen, replanted = (measured["made"][f"{name}_at_first"] for name in ("unseen", "replanted"))
    return (
        "**What nobody had tuned for** is the fair test, and there are two, both made by somebody who had not read the "
        f"rules. The *replanted* families are the known kinds of faults made in 34 other ways: of {replanted['of']} "
        f"harmful trainings, on the net that was not tuned on, {replanted['noticed']} were watch or ill, and "
        f"{replanted['named']} had an accepted cause first. The *unseen* families are sixteen kinds that no rule knew: "
        f"of {unseen['of']}, {unseen['noticed']} and {unseen['named']}. Afterwards a rule was added for a rate that "
        "is over in most epochs, one for losses of distributions on one channel and one for outputs that never "
        "get below one half; the tables have them with these. So expect an alarm nine times of ten; the right name for "
        "it three times of four where the kind of fault is known, and about as often as not where it is another."
    )


def _advice(measured: Mapping[str, Any]) -> str:
    advice = measured["advice"]
    trained, twin = (advice[name] for name in ("where it was trained", "where it is the twin"))
    return (
        "**Does the advised change help?** With it, at least half of what was lost came back (median over the seeds) "
        f"in {_interval(trained)} of the groups of fault, severity, net and data set in which it was trained. In "
        f"{twin['of']} more it takes back what was planted, which makes it the healthy training itself: "
        f"{_count(twin)}, and no proof. What is measured is the advice at the planted cause, not at what was named in "
        "its place."
    )


def _weak(rules: Mapping[str, Any]) -> str:
    """The causes that were mostly wrong, and those that were mostly missed, where five trainings or more tell."""
    causes = codes(CAUSES)
    low = {
        name: [code for code in causes if code in rules and rules[code][name]["of"] >= 5 and _half(rules[code][name])]
        for name in ("precision", "recall")
    }
    wrong, missed = (", ".join(f"`{code}`" for code in low[name]) for name in ("precision", "recall"))
    return (
        f"Right in less than half of the trainings in which they were watch or ill (of five or more): {wrong}. Seen in "
        f"less than half of those whose planted fault they are: {missed}."
    )


def _half(share: Mapping[str, Any]) -> bool:
    """Less than half."""
    return bool(share["hits"] < share["of"] / 2)


_ASKED = {
    "healthy ill": "healthy, called ill",
    "healthy watch": "healthy, called watch",
    "harmless alarmed": "harm not proven, watch or ill",
    "harmful alarmed": "harmful fault, watch or ill",
    "accepted cause first": "an accepted cause first",
    "true cause first": "the planted cause first",
}


def _judges(measured: Mapping[str, Any]) -> Iterator[str]:
    yield f"| of the trainings | {' | '.join(_ASKED.values())} | balanced accuracy |"
    yield f"| --- {'| --- ' * (len(_ASKED) + 1)}|"
    for name, parts in measured["judges"].items():
        table = parts["all"]
        shown = " | ".join(_count(table[key]) for key in _ASKED)
        yield f"| {name} | {shown} | {table['balanced accuracy']:.2f} |"


def _halves(measured: Mapping[str, Any]) -> Iterator[str]:
    yield "| unetdyn, every monitor | harmful fault, watch or ill | an accepted cause first | healthy, watch or ill |"
    yield "| --- | --- | --- | --- |"
    for part, table in measured["judges"]["unetdyn, every monitor"].items():
        healthy = table["healthy ill"]["hits"] + table["healthy watch"]["hits"]
        alarmed, named = (_interval(table[key]) for key in ("harmful alarmed", "accepted cause first"))
        yield f"| {part} | {alarmed} | {named} | {healthy} of {table['healthy ill']['of']} |"


def _families(measured: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "| planted fault | harmful trainings, watch or ill | an accepted cause first | epochs until then "
        "| what was said first |"
    )
    yield "| --- | --- | --- | --- | --- |"
    for family, table in measured["families"].items():
        said = ", ".join(
            f"{'nothing' if code == '-' else f'`{code}`'} {count}" for code, count in table["said first"].items()
        )
        alarmed, named = _count(table["alarmed"]), _count(table["accepted first"])
        median = measured["epochs_to_right"].get(family, {"median": None})["median"]  # none did harm
        epochs = "–" if median is None else f"{median:g}"
        yield f"| {family.replace('_', ' ')} | {alarmed} | {named} | {epochs} | {said} |"


def _point(heading: str, text: str) -> str:
    return _filled(f"- **{heading}:** {text}", "  ")


def _paragraph(text: str) -> str:
    return _filled(text, "")


def _filled(text: str, further: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def _anchor(code: str) -> str:
    """What GitHub makes of a heading.

    >>> _anchor("learning_rate.high")
    'learning_ratehigh'
    """
    return code.replace(".", "")


def main() -> None:
    """Write both."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    FINDINGS.write_text(findings_page(measured), encoding="utf-8")
    DIAGNOSIS.write_text(with_figures(DIAGNOSIS.read_text(encoding="utf-8"), measured), encoding="utf-8")


if __name__ == "__main__":
    main()
