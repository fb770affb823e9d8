"""What is said of how far a prediction is."""

import io
import sys

import pytest

from unetdyn.inference.progress import progress_text, teller


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ((0, 10, 0, 0.0), "predicted 0/10 tiles (0 %)"),
        ((5, 10, 5, 5.0), "predicted 5/10 tiles (50 %), 5 s left"),
        ((5, 1000, 5, 5.0), "predicted 5/1000 tiles (0 %), 17 min left"),
        ((60, 100000, 10, 5.0), "predicted 60/100000 tiles (0 %), 14 h left"),
        ((10, 10, 10, 5.0), "predicted 10/10 tiles (100 %)"),
    ],
)
def test_time_left_is_that_of_the_pace_so_far(told, text):
    assert progress_text(*told) == text


def test_line_goes_to_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    tell = teller(True)
    for done in range(4):
        tell(done, 3)
    assert sys.stderr.getvalue().splitlines() == ["predicted 0/3 tiles (0 %)", "predicted 3/3 tiles (100 %)"]


def test_nothing_is_said_unasked(capsys):
    teller(None)(1, 3)
    teller(False)(1, 3)
    assert capsys.readouterr() == ("", "")
