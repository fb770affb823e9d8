"""A training that is killed at random moments, and started again each time, is the training that was left alone.

`make soak` kills it 200 times, in trainings with all that can be on at once; each run of the tests a few times, in a
smaller one. What was counted is printed: `pytest -s tests/faults/test_kills.py`.
"""

import os
import random
import signal
import statistics
from collections import Counter

import keras
import pytest

from damage import FIRST, TRIES
from faults.by_hand import leftovers
from faults.killed_training import EPOCHS, STEPS, WAYS, differences, outcome
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform forks no processes")

SLOW = keras.config.backend() == "jax"
"""Where a process needs seconds for its first step."""

KILLS = TRIES // 50 or (6 if SLOW else 20)
SIGNALS = TRIES // 400 or 1


class Whole:
    """The training that is left alone: what it leaves, and how long it takes."""

    def __init__(self, forks, folder, way):
        folder.mkdir()
        ended = forks.run(job="train", arguments={"folder": str(folder), "way": way})
        assert ended["status"] == 0, (ended, forks.output.read_text()[-3000:])
        times = {mark.split()[0]: float(mark.split()[2]) for mark in reversed(ended["marks"])}
        self.outcome = outcome(folder)
        self.first_step = times["step"] - ended["began"]
        self.rest = ended["seconds"] - self.first_step


@pytest.fixture(scope="module")
def wholes(forks, tmp_path_factory):
    """By way, made when they are asked for."""
    made = {}

    def whole(way):
        if way not in made:
            made[way] = Whole(forks, tmp_path_factory.mktemp("whole") / way, way)
        return made[way]

    return whole


def where(folder):
    """How many steps the state on the disk has behind it; it must be whole."""
    store = StateStore(folder / "run/state")
    if not store.exists():
        return 0
    saved = store.read()
    assert not saved.skipped, saved.skipped
    return saved.tree["epoch"] * STEPS + saved.tree["step"]


def lost(ended, steps):
    """Seconds of training that must be done again after a kill."""
    marks = [mark.split() for mark in ended["marks"]]
    since = [float(time) for name, at, time in marks if name == "epoch" and int(at) == steps]
    return ended["killed"] - since[-1] if since and steps < EPOCHS * STEPS else 0.0


def killed_and_resumed(forks, folder, way, whole, chance, most, number=signal.SIGKILL, check=lambda ended, at: None):
    """Kill a training up to `most` times, until it has ended; seconds lost by each kill."""
    folder.mkdir()
    seconds, at = [], 0
    for _ in range(most):
        early = chance.random() < 0.2
        rest = whole.rest * (1 - at / (EPOCHS * STEPS)) + 0.1
        after = chance.uniform(0, whole.first_step if early else rest)
        moment = {"signal": int(number), "after": after, "mark": None if early else "step"}
        ended = forks.run(job="train", arguments={"folder": str(folder), "way": way}, **moment)
        if ended["status"] == 0:
            return seconds
        assert ended["killed"], (ended, forks.output.read_text()[-3000:])
        at = where(folder)
        check(ended, at)
        seconds.append(lost(ended, at))
    ended = forks.run(job="train", arguments={"folder": str(folder), "way": way})
    assert ended["status"] == 0, (ended, forks.output.read_text()[-3000:])
    return seconds


def ways():
    return WAYS if TRIES else ("cheap",)


def test_killed_training_is_the_training_that_was_left_alone(forks, wholes, tmp_path):
    chance, counts, seconds = random.Random(FIRST), Counter(), []
    while counts["kills"] < KILLS:
        way, folder = ways()[counts["trainings"] % len(ways())], tmp_path / str(counts["trainings"])
        whole = wholes(way)
        lost = killed_and_resumed(forks, folder, way, whole, chance, min(KILLS - counts["kills"], 10))
        seconds += lost
        found = [*differences(outcome(folder), whole.outcome), *leftovers(folder / "run")]
        counts.update(kills=len(lost), trainings=1, equal=not found)
        assert not found, (way, counts, found[:5])
    print(
        f"\n{keras.config.backend()}: {counts['kills']} kills of {counts['trainings']} trainings, 0 states unreadable, "
        f"{counts['equal']} trainings equal to the last bit. Seconds of training lost by a kill: median "
        f"{statistics.median(seconds):.2f}, worst {max(seconds):.2f}, where an epoch takes "
        f"{statistics.median(wholes(way).rest / EPOCHS for way in ways()):.2f}."
    )
    assert counts["equal"] == counts["trainings"]


def test_signalled_training_loses_no_step(forks, wholes, tmp_path):
    """That in which the signal came is done, and no other."""
    chance, count = random.Random(FIRST + 1), 0

    def check(ended, at):
        marks = [mark.split() for mark in ended["marks"]]
        steps = [int(number) for name, number, _ in marks if name == "step"]
        after = [time for name, _, time in marks if name == "step" and float(time) > ended["killed"]]
        assert not steps or at >= max(steps), (at, steps)
        assert len(after) <= 1, (ended["killed"], marks)

    for number in ([signal.SIGTERM, signal.SIGINT, signal.SIGHUP] * SIGNALS)[:SIGNALS]:
        way, folder = ways()[count % len(ways())], tmp_path / str(count)
        killed_and_resumed(forks, folder, way, wholes(way), chance, 1, number, check)
        assert not list(differences(outcome(folder), wholes(way).outcome)), (way, number)
        count += 1
    print(f"\n{keras.config.backend()}: {count} signals, no step lost, all equal to the last bit.")
