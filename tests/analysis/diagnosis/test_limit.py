"""Limits in words."""

import pytest

from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, share, times


@pytest.mark.parametrize(
    ("part", "words"), [(0.5, "half"), (1 / 3, "a third"), (0.05, "a twentieth"), (0.125, "12.5%")]
)
def test_shares(part, words):
    assert share(part) == words


@pytest.mark.parametrize(("factor", "words"), [(3, "three times"), (10.0, "ten times"), (7.5, "7.5 times")])
def test_factors(factor, words):
    assert times(factor) == words


def test_findings_carry_the_threshold_and_its_source():
    limit = Limit("a.b", "the loss", watch="rose", ill="rose far")
    found = limit.finding("ill", "loss", "from 1 to 2", "its loss rose", "less")
    assert (found.code, found.threshold, found.source) == (
        "a.b",
        "watch: the loss rose; ill: the loss rose far",
        RULE_OF_THUMB,
    )
    assert (found.level, found.name, found.seen, found.why, found.advice) == (
        "ill",
        "loss",
        "from 1 to 2",
        "its loss rose",
        "less",
    )


def test_what_compares_nothing_has_no_threshold():
    found = Limit("a.b").finding("good", "loss", "calm")
    assert (found.threshold, found.source) == ("", "")
