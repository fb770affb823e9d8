"""Any file of a run and its state, damaged in any way: an error that names it, or the state before; never a new start.

What the store owes alone is in tests/runs/test_state_store.py, and reading damaged runs in tests/soak.
"""

import json
import random
import shutil
import warnings
from collections import Counter

import keras
import pytest

from damage import damaged, reshaped, reshaped_lines, seeds
from faults.by_hand import EPOCHS, disturbed, drive, drive_alone, recorded
from faults.killed_training import differences
from unetdyn import runs
from unetdyn.runs.records import RunError

NAMED = (OSError, ValueError)
"""`RunError` among them."""

UNCHECKED = ("epochs.jsonl", "events.jsonl", "run.json", "model.keras", "stability.npz", "process.json")
"""Files whose content no checksum covers: another number in them is not seen, and no training goes on from it."""


def files_of(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    found, _ = drive(folder)
    return found, files_of(folder)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """As a kill in the third of four epochs leaves it."""
    folder = tmp_path_factory.mktemp("cut")
    disturbed(folder / "run", epoch2=lambda: shutil.copytree(folder / "run", folder / "copy"))
    return files_of(folder / "copy")


def spoil(chance, files, folder):
    """Write the files into the folder, one of them damaged; its name is returned."""
    shutil.rmtree(folder, ignore_errors=True)
    name = chance.choice(list(files))
    content, kind = files[name], chance.random()
    if kind < 0.1:
        content = None
    elif name.suffix == ".json" and kind < 0.4:
        content = json.dumps(reshaped(chance, json.loads(content))).encode()
    elif name.suffix == ".jsonl" and kind < 0.4:
        content = reshaped_lines(chance, content)
    else:
        content = damaged(chance, content)
    for each, sound in files.items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        if each != name:
            (folder / each).write_bytes(sound)
        elif content is not None:
            (folder / each).write_bytes(content)
    return name


def resumed(job, folder):
    """What came of a start: an error's text, or what there is in the end; and from where it went on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return job(folder)
        except NAMED as error:
            named = str(error)
    assert str(folder) in named, named
    return named, None


@pytest.mark.parametrize("state", ["finished", "cut off"])
def test_damaged_run_goes_on_from_a_whole_state_or_is_refused(whole, cut_off, tmp_path, state):
    found, files = whole[0], whole[1] if state == "finished" else cut_off
    counts, last = Counter(), (EPOCHS if state == "finished" else 2, 0)
    for seed in seeds(0.1, cheap=20):
        name = spoil(random.Random(seed), files, tmp_path / "run")
        outcome, resumed_from = resumed(drive, tmp_path / "run")
        counts.update(tries=1, refused=isinstance(outcome, str))
        if isinstance(outcome, str):
            continue
        counts["state before"] += resumed_from != last
        assert resumed_from == last or ((0, 0) < resumed_from < last and name.parent.name == "state"), (seed, name)
        own = ("history", "variables", "random", "stability") if name.name in UNCHECKED else tuple(found)
        assert not list(differences({key: outcome[key] for key in own}, {key: found[key] for key in own})), (seed, name)
        assert len(outcome["epochs"]) == EPOCHS, (seed, name)
    print(f"\n{keras.config.backend()}, {state}: {dict(counts)}")


def test_damaged_state_without_a_recorder_goes_on_or_is_refused(tmp_path):
    whole, _ = drive_alone(tmp_path / "whole")
    files, counts = files_of(tmp_path / "whole"), Counter()
    for seed in seeds(0.1, cheap=20):
        name = spoil(random.Random(seed), files, tmp_path / "run")
        outcome, resumed_from = resumed(drive_alone, tmp_path / "run")
        counts.update(tries=1, refused=isinstance(outcome, str))
        if not isinstance(outcome, str):
            assert resumed_from is not None, (seed, name)
            assert not list(differences(outcome, whole)), (seed, name)
    assert not counts["refused"], "there are two generations, and one file is damaged"


def test_reopened_run_is_reopened_or_refused(whole, tmp_path):
    """The writer alone, many times."""
    files = {name: content for name, content in whole[1].items() if name.parent.name == "" and name.suffix != ".keras"}
    counts = Counter()
    for seed in seeds(0.3, cheap=60):
        name = spoil(random.Random(seed), files, tmp_path / "run")
        counts["tries"] += 1
        try:
            writer = runs.RunWriter.reopen(tmp_path / "run")
            writer.cut_back(epochs=3, events=4, epoch=3)
        except (RunError, FileNotFoundError) as error:
            counts.update(refused=1, named=str(tmp_path / "run") in str(error))
            continue
        run = runs.open(tmp_path / "run")
        assert (len(run.epochs), len(run.events)) == (3, 4), (seed, name)
        assert run.status == "running"
    assert 0 < counts["refused"] < counts["tries"]
    assert counts["named"] == counts["refused"]


def test_both_generations_damaged_start_no_training(whole, tmp_path):
    for job, files in ((drive, whole[1]), (drive_alone, whole[1])):
        for name, content in files.items():
            if job is drive_alone and name.parent.name != "state":
                continue
            spoiled = content[:-9] if name.parent.name == "state" else content
            (tmp_path / job.__name__ / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / job.__name__ / name).write_bytes(spoiled)
        before = files_of(tmp_path / job.__name__)
        with pytest.raises(RunError, match=r"No state of the training in .* is whole"):
            job(tmp_path / job.__name__)
        after = {name: text for name, text in files_of(tmp_path / job.__name__).items() if name.name != "process.json"}
        assert after == before, "nothing was touched"
        if job is drive:
            recorded(tmp_path / job.__name__)
