"""Limits in words, and what a rule needs."""

import dataclasses

import pytest

from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need, share, times
from unetdyn.analysis.diagnosis.registry import CAUSES, RULES, SYMPTOMS


@pytest.mark.parametrize(
    ("part", "words"), [(0.5, "half"), (1 / 3, "a third"), (0.05, "a twentieth"), (0.125, "12.5%")]
)
def test_shares(part, words):
    assert share(part) == words


@pytest.mark.parametrize(("factor", "words"), [(3, "three times"), (10.0, "ten times"), (7.5, "7.5 times")])
def test_factors(factor, words):
    assert times(factor) == words


def test_findings_carry_all_that_their_limit_says():
    limit = Limit(
        "a.b", "the loss", watch="rose", ill="rose far", source="Smith (2020)", advice="less.", expected="it falls.",
        refuted="it falls anyway.", normal="at first.", explains=("metric.", "stability"), alone=True,
    )  # fmt: skip
    found = limit.finding(
        "ill", "loss", "from 1 to 2", "its loss rose", confidence="high", epochs=[(0, 1)], curves=["loss"]
    )
    assert dataclasses.asdict(found) == {
        "code": "a.b",
        "level": "ill",
        "name": "loss",
        "seen": "from 1 to 2",
        "why": "its loss rose",
        "threshold": "watch: the loss rose; ill: the loss rose far",
        "source": "Smith (2020)",
        "advice": "less.",
        "matters": "",
        "expected": "it falls.",
        "refuted": "it falls anyway.",
        "normal": "at first.",
        "confidence": "high",
        "epochs": ((0, 1),),
        "curves": ("loss",),
        "explains": ("metric.", "stability"),
        "others": (),
    }


def test_advice_of_a_finding_goes_before_its_limits():
    assert Limit("a", advice="less.").finding("watch", "loss", "rose", advice="more.").advice == "more."


def test_what_compares_nothing_has_no_threshold():
    found = Limit("a.b").finding("good", "loss", "calm")
    assert (found.threshold, found.source) == ("", "")
    assert Limit("a.b", "the loss", ill="rose").source == RULE_OF_THUMB


def test_need_is_of_arrays_or_of_a_part_of_the_set_up():
    for rule in RULES:
        for need in getattr(rule, "NEEDS", ()):
            assert isinstance(need, Need)
            assert bool(need.arrays) != bool(need.setup)
            assert (need.supplier == "RunRecorder") == bool(need.setup)


def codes(rules):
    return {limit.code for rule in rules for limit in rule.LIMITS}


@pytest.mark.parametrize("rule", CAUSES, ids=lambda rule: rule.__name__.rsplit(".", 1)[-1])
def test_what_a_cause_explains_is_there(rule):
    """Each code is one of a symptom or of another cause, or the beginning of some."""
    for limit in rule.LIMITS:
        for code in limit.explains:
            assert any(known == code or (code.endswith(".") and known.startswith(code)) for known in codes(RULES))


def test_symptoms_explain_nothing():
    assert not any(limit.explains or limit.alone for rule in SYMPTOMS for limit in rule.LIMITS)
