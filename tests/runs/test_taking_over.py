"""What is left of locks when a folder is taken over; who gets it is tested with runs and with states."""

import json
import os

import pytest

from unetdyn.runs.claim import TOKEN
from unetdyn.runs.process import identity
from unetdyn.runs.taking_over import HELD_FOR, taking_over

DEAD = json.dumps({**identity(), "pid": 2**22 + 7})
ANOTHER = json.dumps({**identity(), "pid": os.getppid(), "started": None})
ELSEWHERE = json.dumps({**identity(), "host": "elsewhere"})
OLD = "0" * 32


def left_after_taking(folder, name, content, age):
    file = folder / name
    file.write_text(content)
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))
    with taking_over(folder, ".taken-", lambda: {TOKEN: OLD}) as (_, token):
        assert len(token) == 32
        assert token != OLD
    return [each.name for each in folder.iterdir()]


@pytest.mark.parametrize(
    ("content", "age", "stays"),
    [
        (DEAD, 0, False),
        (ANOTHER, HELD_FOR + 9, True),
        *[(content, age, age == 0) for content in (ELSEWHERE, DEAD[:9], "") for age in (0, HELD_FOR + 9)],
    ],
)
def test_half_made_lock_stays_where_its_maker_may_live(tmp_path, content, age, stays):
    """He would not get on without it; that of a killed process would stay for ever."""
    name = f"..taken-{OLD}-0-0123abcd.json"  # what `create` writes before there is a lock
    assert left_after_taking(tmp_path, name, content, age) == [name] * stays


@pytest.mark.parametrize(("token", "age"), [(OLD, 0), ("1" * 32, 0), ("none", HELD_FOR + 9)])
def test_lock_of_a_killed_process_is_removed(tmp_path, token, age):
    assert left_after_taking(tmp_path, f".taken-{token}-0.json", DEAD, age) == []


def test_lock_of_the_next_one_stays(tmp_path):
    """He has read the new token before the sweep."""
    with taking_over(tmp_path, ".taken-", lambda: {TOKEN: OLD}) as (_, token):
        (tmp_path / f".taken-{token}-0.json").write_text(ANOTHER)
    assert [each.name for each in tmp_path.iterdir()] == [f".taken-{token}-0.json"]
