"""Whether and how a run is carried on, as a person is told."""

import pytest

from unetdyn.runs.resume_command import what_carries_on
from unetdyn.runs.state_store import StateStore

OURS = {"data": {}, "fit": {}}


@pytest.mark.parametrize(
    ("state", "config", "command"),
    [
        (True, OURS, "unetdyn resume {path}"),
        (True, {"filters": 3}, "start its script again"),
        (False, OURS, None),
    ],
)
def test_what_carries_on_with_a_run(tmp_path, state, config, command):
    if state:
        StateStore(tmp_path / "state").write({})
    expected = None if command is None else command.format(path=tmp_path)
    assert what_carries_on(tmp_path, config) == expected
