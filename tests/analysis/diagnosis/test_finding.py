"""A finding's words."""

import json
import math

import pytest

from unetdyn.analysis.diagnosis import Finding
from unetdyn.analysis.diagnosis.finding import LEVELS, SYMBOLS, TITLES, WORDS, graded, spans, worst


def test_every_level_has_its_words_and_a_symbol_of_its_own():
    for words in (SYMBOLS, TITLES, WORDS):
        assert tuple(words) == LEVELS
    for words in (SYMBOLS, WORDS):
        assert len(set(words.values())) == len(LEVELS)
    assert TITLES["info"] == TITLES["good"]
    for level in LEVELS:
        found = Finding("a", level, "loss", "It rose.")
        assert (found.word, found.symbol) == (WORDS[level], SYMBOLS[level])


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


@pytest.mark.parametrize(
    ("argument", "expected"),
    [({"level": "bad"}, "`level` must be"), ({"level": "ill", "confidence": "sure"}, "`confidence` must be")],
)
def test_level_and_confidence_are_checked(argument, expected):
    with pytest.raises(ValueError, match=f"{expected}.*Received: .*='(bad|sure)'"):
        Finding("a", **{"name": "loss", "seen": "It rose."} | argument)


WHOLE = Finding(
    "learning_rate.high", "ill", "learning rate", "Updates 0.01.", "its rate is high", "above 0.003", "Karpathy",
    "a third.", "It fell.", "A calm loss.", "It falls as well with a tenth.", "in the first steps.", "medium",
    ((0, 3), (5, 5)), ("loss",), ("metric.falls",), ("batch.one", "order.sorted"),
)  # fmt: skip


def test_parts_are_all_that_there_is_to_say_in_order():
    assert WHOLE.parts == (
        ("seen", "Updates 0.01."),
        ("why it matters", "It fell."),
        ("change", "a third."),
        ("which should", "A calm loss."),
        ("not so, if", "It falls as well with a tenth."),
        ("normal", "in the first steps."),
        ("limit", "above 0.003 (Karpathy)"),
        ("how sure", "medium confidence; it may also be batch.one, order.sorted"),
    )


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        ({}, ()),
        ({"confidence": "low"}, (("how sure", "low confidence"),)),
        ({"others": ("batch.one",)}, (("how sure", "it may also be batch.one"),)),
        ({"threshold": "above 1"}, (("limit", "above 1"),)),
        ({"source": "Karpathy"}, (("limit", "(Karpathy)"),)),
    ],
)
def test_empty_parts_are_left_out(more, parts):
    assert Finding("a", "good", "loss", "It fell.", **more).parts == (("seen", "It fell."), *parts)


def test_dictionary_goes_into_json_and_back():
    told = json.loads(json.dumps(WHOLE.to_dict()))
    assert told["epochs"] == [[0, 3], [5, 5]]
    tuples = {name: tuple(told[name]) for name in ("curves", "explains", "others")}
    assert Finding(**told | tuples | {"epochs": tuple(map(tuple, told["epochs"]))}) == WHOLE


def test_worst_of_all_pairs_is_the_later():
    for place, level in enumerate(LEVELS):
        for other in LEVELS[: place + 1]:
            assert worst([level, other]) == worst([other, level]) == level


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (-1.0, "good"),
        (0.0999, "good"),
        (0.1, "watch"),
        (0.1999, "watch"),
        (0.2, "ill"),
        (math.inf, "ill"),
        (math.nan, "unknown"),
    ],
)
def test_number_is_graded_from_its_limit_on(value, level):
    assert graded(value, 0.1, 0.2) == level


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ([], ()),
        ([4], ((4, 4),)),
        ([2, 1, 0], ((0, 2),)),
        ([1, 1, 3, 3, 4], ((1, 1), (3, 4))),
        ([0.0, 1.0, 7.0], ((0, 1), (7, 7))),
    ],
)
def test_spans_of_epochs(epochs, expected):
    assert spans(epochs) == expected
    assert [epoch for first, last in spans(epochs) for epoch in range(first, last + 1)] == sorted({*map(int, epochs)})
