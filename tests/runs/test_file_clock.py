"""Files are dated by the file system, and so is now."""

import time

import pytest

from unetdyn.runs.file_clock import now_in


def test_time_is_that_of_the_files_and_not_the_hosts(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = tmp_path / "before"
    before.touch()
    now = now_in(tmp_path)
    after = tmp_path / "after"
    after.touch()
    assert before.stat().st_mtime <= now <= after.stat().st_mtime
    assert sorted(file.name for file in tmp_path.iterdir()) == ["after", "before"]


def test_where_nothing_may_be_written_the_hosts_time_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert now_in(tmp_path / "nowhere") == pytest.approx(5.0)
