"""A prediction that is killed at random moments, and started again each time, is the one that was left alone.

Of processes that predict into one file, one does.
"""

import os
import random
import shutil
import signal
from importlib.util import find_spec

import pytest

from damage import FIRST, TRIES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform forks no processes")

KILLS = TRIES // 10 or 5


def predicted(forks, out, **kill):
    ended = forks.run(job="predict", arguments={"out": str(out)}, **kill)
    assert ended["killed"] or ended["status"] == 0, (ended, forks.output.read_text()[-3000:])
    return ended


def files(out):
    found = sorted(out.rglob("*")) if out.is_dir() else [out]
    return {str(file.relative_to(out)): file.read_bytes() for file in found if file.is_file()}


def first_tiles(ended):
    return int(ended["marks"][0].split()[1]) if ended["marks"] else None


@pytest.mark.parametrize("ending", ["npy", "tif", "zarr"])
def test_killed_prediction_is_the_one_that_was_left_alone(forks, ending, tmp_path):
    if ending == "zarr" and find_spec("zarr") is None:
        pytest.skip("zarr is not installed")
    whole, chance, killed, carried_on = tmp_path / f"whole.{ending}", random.Random(FIRST), 0, 0
    alone = predicted(forks, whole)
    marks, folder = len(alone["marks"]), tmp_path / "killed"
    planned = iter([("tiles 60", 0.0)])  # so that there is something to carry on from, however slow this machine is
    while killed < KILLS:
        folder.mkdir()
        out = folder / f"a.{ending}"
        for _ in range(3):  # a little further each time
            at_random = chance.choice(["tiles", None]), chance.uniform(0, 0.6 * alone["seconds"])
            mark, after = next(planned, at_random)
            ended = predicted(forks, out, signal=int(signal.SIGKILL), after=after, mark=mark)
            killed += ended["status"] != 0
            carried_on += (first_tiles(ended) or 0) > first_tiles(alone)
            if out.exists():
                break
        else:
            ended = predicted(forks, out)
            carried_on += first_tiles(ended) > first_tiles(alone)
            assert len(ended["marks"]) <= marks
        assert files(out) == files(whole)
        if ended["status"] == 0:  # else it was killed when the result was there already, and its small file too
            assert [entry.name for entry in folder.iterdir()] == [out.name]
        shutil.rmtree(folder)
    assert carried_on


@pytest.mark.parametrize("begun", [False, True])
def test_one_of_several_predicts_and_the_others_are_refused(forks, begun, tmp_path):
    whole, out = tmp_path / "whole.npy", tmp_path / "a.npy"
    predicted(forks, whole)
    if begun:
        predicted(forks, out, signal=int(signal.SIGKILL), after=0.0, mark="tiles 60")
    job = {"job": "predict", "arguments": {"out": str(out)}}
    forks.start(job, job, job)
    ended = forks.ended()
    assert [each["status"] for each in ended].count(0) == 1, ended
    for each in ended:
        if each["status"]:
            assert each["error"].startswith("FileExistsError: "), each
            assert str(tmp_path) in each["error"], each
    assert files(out) == files(whole)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.npy", "whole.npy"]
