from dataclasses import dataclass

import pytest

from unetdyn.analysis.result import Determinable, Result, epoch, interval, number


@dataclass(frozen=True)
class Found(Result):
    name: str

    def _rows(self):
        return [("name", self.name), ("a longer label", "1")]


def test_result_shows_itself_as_aligned_text():
    assert str(Found("x")) == "name            x\na longer label  1"


@dataclass(frozen=True)
class Peak(Determinable):
    peak: float
    reason: str = ""

    def _rows(self):
        return [("peak", self._if_determined(number(self.peak)))]


def test_what_is_undetermined_says_why_and_nothing_else_does():
    assert (str(Peak(0.5)), Peak(0.5).determined) == ("peak  0.5", True)
    lacking = Peak(float("nan"), "no epoch was logged")
    assert (str(lacking), lacking.determined) == ("peak  undetermined: no epoch was logged", False)


def test_result_escapes_what_it_shows_in_a_notebook():
    assert "&lt;script&gt;" in Found("<script>")._repr_html_()
    assert "<script>" not in Found("<script>")._repr_html_()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.02884, "0.0288"),
        (131.072, "131"),
        (999.7, "1000"),
        (-999.7, "-1000"),
        (65536, "65536"),
        (9_999_999.9, "10000000"),
        (3.2e9, "3.2e+09"),
        (float("inf"), "inf"),
        (1.0, "1"),
        (1.0004, "1"),
        (0.9994, "0.999"),
        (0.9996, "0.9996"),
        (-0.99996, "-0.99996"),
        (1 - 1e-9, "1"),
        (None, "not defined"),
    ],
)
def test_number_is_written_as_a_person_does(value, text):
    assert number(value) == text


def test_epochs_are_counted_from_one():
    assert (epoch(9), epoch(float("nan")), interval(1.0, 2.5)) == ("10", "never", "1 to 2.5")
