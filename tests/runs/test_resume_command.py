"""Whether and how a run is carried on, as a person is told."""

import pytest

from unetdyn import runs
from unetdyn.runs.resume_command import what_carries_on
from unetdyn.runs.state_store import StateStore

OURS = {"data": {}, "fit": {}}


@pytest.mark.parametrize(
    ("status", "state", "config", "command"),
    [
        ("interrupted", True, OURS, "unetdyn resume {path}"),
        ("failed", True, OURS, "unetdyn resume {path}"),
        ("interrupted", True, {"filters": 3}, "start its script again"),
        ("interrupted", False, OURS, None),
        ("finished", True, OURS, None),
        ("running", True, OURS, None),
    ],
)
def test_what_carries_on_with_a_run(tmp_path, status, state, config, command):
    writer = runs.RunWriter(tmp_path / "run", config=config)
    if state:
        StateStore(writer.path / "state").write({})
    if status != "running":
        writer.finish(status)
    expected = None if command is None else command.format(path=writer.path)
    assert what_carries_on(runs.open(writer.path)) == expected
