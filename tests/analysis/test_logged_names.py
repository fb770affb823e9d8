"""Logged names in words."""

import pytest

from unetdyn.analysis.logged_names import readable


@pytest.mark.parametrize(
    ("logged", "words"),
    [
        ("val_soft_jaccard", "validation soft Jaccard"),
        ("learning_rate", "learning rate"),
        ("interval_error", "interval error"),
    ],
)
def test_readable(logged, words):
    assert readable(logged) == words
