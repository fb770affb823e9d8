"""Of processes that start with one training at once, one trains, and the others are refused by name."""

import os
from collections import Counter

import keras
import pytest

from damage import tries
from faults.by_hand import drive, drive_alone
from faults.killed_training import differences
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform forks no processes")


@pytest.mark.parametrize("job", [drive, drive_alone], ids=["with a recorder", "without one"])
def test_one_of_several_trains_and_the_others_are_refused(forks, tmp_path, job):
    whole, _ = job(tmp_path / "whole")
    counts = Counter()
    for number in range(tries(0.002, cheap=2)):
        folder = tmp_path / str(number)
        start = {"job": job.__name__, "arguments": {"folder": str(folder)}}
        if number % 2:  # half a training, that another process has begun and was killed in
            killed = forks.run(**start, signal=9, after=0, mark="epoch 2")
            assert killed["status"] == -9, killed
        held = {**start, "arguments": {"folder": str(folder), "hold": 2.0}}  # in its first epoch
        forks.start(held, held, held)
        ended = forks.ended()
        assert [each["status"] for each in ended].count(0) == 1, ended
        for each in ended:
            if each["status"]:
                assert each["error"].startswith("FileExistsError: "), each
                assert str(folder) in each["error"], each
                counts["refused"] += 1
        assert StateStore(folder / "state").read().tree["epoch"] == 4
        found, resumed_from = job(folder)
        assert resumed_from == (4, 0)
        assert not list(differences(found, whole))
    print(f"\n{keras.config.backend()}, {job.__name__}: {counts['refused']} processes refused.")
