"""Workers of one search, killed at random moments: each trial is told once, and no run is lost or shared.

The trials are in a journal; with UNETDYN_STORAGE, a URL of Optuna's, where that says, such as in PostgreSQL.
"""

import os
import random
import signal
from collections import Counter

import pytest

from planted_search import SEARCH, write
from unetdyn import runs

pytest.importorskip("optuna")

ROUNDS = max(2, int(os.environ.get("UNETDYN_SOAK", 0)) // 200)
WORKERS, TRIALS = 3, 12 * ROUNDS
STORAGE = os.environ.get("UNETDYN_STORAGE")


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow", reason="no backend has a part in it")
def test_search_survives_kills_of_its_workers(forks, tmp_path):
    from unetdyn.sweeps.search_space import read_search
    from unetdyn.sweeps.search_study import open_study

    path = write(tmp_path, SEARCH.replace("trials: 12", f"trials: {TRIALS}"))
    draw = random.Random(int(os.environ.get("UNETDYN_SOAK_FROM", 1)))
    worker = {"job": "search", "arguments": {"path": str(path), "storage": STORAGE}}
    kill = {"signal": signal.SIGKILL, "mark": "epoch"}
    killed = 0
    for _ in range(ROUNDS):
        forks.start(*({**worker, **kill, "after": draw.uniform(0, 0.6)} for _ in range(WORKERS)))
        ended = forks.ended()
        assert {each["status"] for each in ended} <= {0, -signal.SIGKILL}, ended
        killed += sum(each["status"] != 0 for each in ended)
    last = forks.run(job="search", arguments={"path": str(path), "silent": 0.0, "storage": STORAGE})
    assert last["status"] == 0, last

    study = open_study(read_search(path), tmp_path / "searches/search", STORAGE)
    states = Counter(trial.state.name for trial in study.trials)
    assert states.keys() <= {"COMPLETE", "PRUNED", "FAIL"}
    assert not [trial for trial in study.trials if "error" in trial.user_attrs]
    put_back = {trial.user_attrs["retry_of"] for trial in study.trials if "retry_of" in trial.user_attrs}
    failed = {trial.number for trial in study.trials if trial.state.name == "FAIL"}
    surplus = {trial.number for trial in study.trials if "surplus" in trial.user_attrs}
    given_up = failed - put_back - surplus
    assert put_back <= failed
    assert states["COMPLETE"] + states["PRUNED"] + len(given_up) == TRIALS
    told = [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
    numbers = [number for trial in told for number in trial.user_attrs["runs"]]
    assert len(set(numbers)) == len(numbers)
    for trial in told:
        run = runs.open(tmp_path / f"searches/search/runs/{trial.user_attrs['runs'][0]:04d}")
        assert run.status == "finished"
        assert [each["epoch"] for each in run.epochs] == list(range(len(run.epochs)))
        assert run.config["optimizer"]["learning_rate"] == trial.params["optimizer.learning_rate"]
        assert len(run.epochs) == 30 if trial.state.name == "COMPLETE" else trial.last_step + 1
    print(f"{killed} workers killed, {len(put_back)} trials put back, {len(given_up)} given up; {dict(states)}")
