"""A walltime as people and schedulers write it."""

import pytest
from click.testing import CliRunner

from unetdyn.cli import main
from unetdyn.runs.walltime import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3:50:00", 3 * 3600 + 50 * 60),
        ("03:50:09", 3 * 3600 + 50 * 60 + 9),
        ("100:00:00", 360_000),
        ("1-12:00:00", 36 * 3600),
        ("1-12:30", 36 * 3600 + 1800),
        ("2-0", 48 * 3600),
        ("90", 90),
        (" 90 ", 90),
        (90, 90),
        (0.5, 0.5),
    ],
)
def test_walltime_in_seconds(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0:00:00", "-5", "1.5", "3h", "3:60:00", "1:2:3", "1-", "١", "3:50:00:00", "nan", 0, float("inf")]
)
def test_walltime_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"`walltime` must be more than nothing, as H:MM:SS.* Received: "):
        seconds_of(text)


def test_walltime_of_two_parts_is_refused_because_schedulers_read_it_as_minutes():
    """`sbatch --time=30:00` is half an hour."""
    with pytest.raises(ValueError, match=r"`walltime` 3:50 may be hours .* Write 3:50:00 or 0:03:50\."):
        seconds_of("3:50")


@pytest.mark.parametrize("command", ["train", "resume"])
def test_walltime_is_refused_before_anything_is_read(command, tmp_path):
    result = CliRunner().invoke(main, [command, str(tmp_path / "nowhere"), "--walltime", "soon"])
    assert result.exit_code == 2
    assert "Received: 'soon'" in result.stderr
    assert "nowhere" not in result.stderr
