"""A finding's words."""

import pytest

from unetdyn.analysis.diagnosis import Finding
from unetdyn.analysis.diagnosis.finding import LEVELS, SYMBOLS, TITLES, WORDS, graded, spans, worst


def test_every_level_has_its_words_and_a_symbol_of_its_own():
    for words in (SYMBOLS, TITLES, WORDS):
        assert tuple(words) == LEVELS
    assert len(set(SYMBOLS.values())) == len(set(WORDS.values())) == len(LEVELS)
    assert TITLES["info"] == TITLES["good"]  # what did no harm makes nobody ill


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


@pytest.mark.parametrize(("argument", "value"), [("level", "bad"), ("confidence", "sure")])
def test_levels_and_confidences_are_given_ones(argument, value):
    parts = {"level": "good"} | {argument: value}
    with pytest.raises(ValueError, match=rf"`{argument}` must be one of .* Received: .*{value}"):
        Finding("a", name="loss", seen="It rose.", **parts)


def test_parts_are_what_there_is_to_say_in_order():
    assert Finding("a", "info", "loss", "It rose.").parts == (("seen", "It rose."),)
    full = Finding(
        "a",
        "ill",
        "loss",
        "It rose.",
        "its loss rose",
        "ill: it rises",
        "a book",
        "less.",
        matters="It is lost.",
        expected="it falls.",
        refuted="it rises again.",
        normal="never.",
        confidence="high",
        others=("b", "c"),
    )
    assert [text for _, text in full.parts] == [
        "It rose.",
        "It is lost.",
        "less.",
        "it falls.",
        "it rises again.",
        "never.",
        "ill: it rises (a book)",
        "high confidence; it may also be b, c",
    ]
    assert len({heading for heading, _ in full.parts}) == 8


def test_worst_is_the_last_in_the_order_of_levels():
    assert [worst(LEVELS[: count + 1]) for count in range(len(LEVELS))] == list(LEVELS)


@pytest.mark.parametrize(("value", "level"), [(0.1, "good"), (0.2, "watch"), (0.4, "ill"), (float("nan"), "unknown")])
def test_less_is_better_where_a_number_is_graded(value, level):
    assert graded(value, 0.2, 0.4) == level


def test_spans_hold_every_epoch_once():
    assert spans([]) == ()
    assert spans([5, 3, 4, 4, 9]) == ((3, 5), (9, 9))
