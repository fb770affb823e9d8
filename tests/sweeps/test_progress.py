"""One line for all rows, and how long the rest takes."""

import io

import pytest

from noop_sweeps import begun, claimed, frozen, train
from unetdyn.runs.process import identity
from unetdyn.sweeps.progress import IN_A_FILE, SweepProgress, fraction_done, line_of, seconds_left
from unetdyn.sweeps.status import status


@pytest.fixture
def sweep(tmp_path):
    sweep = frozen(tmp_path / "sweep", rows=5)
    train(sweep, 1)
    begun(sweep, 2, process=identity())
    claimed(sweep, 2, process=identity())
    claimed(sweep, 3, "failed")
    return sweep


def test_line_has_the_rows_and_where_they_are(sweep):
    assert line_of(status(sweep)) == "1 of 5 done, 1 running, 1 failed | row 2: epoch 2/4 val_jaccard 0.25"
    assert line_of(status(sweep), 5000).endswith(" | 1 h 23 min left")


def test_what_is_done_counts_epochs(sweep):
    assert fraction_done(status(sweep)) == 1.5
    assert seconds_left(5, done=1.5, since=0.5, seconds=10.0) == 70.0
    assert seconds_left(5, done=1.5, since=0.0, seconds=10.0) is None


def test_log_gets_a_line_a_minute(sweep):
    clock, stream = [0.0], io.StringIO()
    progress = SweepProgress(sweep, stream, now=lambda: clock[0])
    for clock[0] in (0.0, 1.0, IN_A_FILE - 1, IN_A_FILE + 1):
        progress.show()
    train(sweep, 4)
    clock[0] = 2 * IN_A_FILE + 2
    progress.show()
    progress.say("Row 3 has failed.")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "left" not in lines[1]
    assert lines[2].endswith(f" | {round((5 - 2.5) / 1 * (2 * IN_A_FILE + 2) / 60)} min left")
    assert lines[3] == "Row 3 has failed."


def test_terminal_gets_one_line_that_moves(sweep, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    SweepProgress(sweep, stream).show()
    assert stream.getvalue() == "\r\x1b[K1 of 5 done, 1 running, 1 failed | row…"


def test_closed_stream_ends_nothing(sweep):
    stream = io.StringIO()
    progress = SweepProgress(sweep, stream)
    stream.close()
    progress.say("x")
    progress.show()
