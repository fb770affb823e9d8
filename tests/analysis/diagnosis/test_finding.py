"""A finding's words."""

import pytest

from unetdyn.analysis.diagnosis import Finding
from unetdyn.analysis.diagnosis.finding import LEVELS, SYMBOLS, TITLES, WORDS


def test_every_level_has_its_words_and_a_symbol_of_its_own():
    for words in (SYMBOLS, TITLES, WORDS):
        assert tuple(words) == LEVELS
        assert len(set(words.values())) == len(LEVELS)


@pytest.mark.parametrize(
    ("seen", "advice", "sentence"),
    [
        ("It rose.", "", "It rose."),
        ("it rose", "", "it rose"),
        ("It rose.", "less.", "It rose. What usually helps: less."),
        ("it rose", "less.", "it rose. What usually helps: less."),
    ],
)
def test_sentence_ends_with_what_helps(seen, advice, sentence):
    assert Finding("a", "watch", "loss", seen, advice=advice).sentence == sentence
