"""Two generations of a state: whatever happens to a writer or to a file, the last whole one is read, or none."""

import errno
import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from damage import Bearing, damaged, seeds
from unetdyn.runs import RunError, RunWriter
from unetdyn.runs.state_store import StateStore


def tree(number):
    return {"epoch": number, "rate": float("nan"), "weights": [np.full((3, 4), number, "f4"), np.arange(number)]}


def number_of(saved):
    """Which tree it is; all of it must be of that."""
    number = saved.tree["epoch"]
    assert str(saved.tree) == str(tree(number))
    assert all(array.flags.writeable for array in saved.tree["weights"])
    return number


@pytest.fixture
def store(tmp_path):
    """With three states written, of which two are kept."""
    made = StateStore(tmp_path / "state")
    assert [made.write(tree(number)) for number in (1, 2, 3)] == [1, 2, 3]
    return made


def names(store):
    return sorted(file.name for file in store.folder.iterdir())


PAIRS = ["000002.json", "000002.npz", "000003.json", "000003.npz"]


def test_last_state_is_read_and_two_are_kept(store):
    saved = store.read()
    assert (number_of(saved), saved.generation, saved.skipped) == (3, 3, [])
    assert names(store) == PAIRS
    assert store.exists()


def test_file_says_what_it_and_its_arrays_are(store):
    content = json.loads((store.folder / "000003.json").read_text())
    arrays = (store.folder / "000003.npz").read_bytes()
    assert content["arrays"] == {"size": len(arrays), "sha256": hashlib.sha256(arrays).hexdigest()}
    said = content.pop("sha256")
    assert said == hashlib.sha256(json.dumps(content).encode()).hexdigest()
    assert (content["format"], content["generation"]) == (1, 3)


def test_what_never_was_is_not_found(tmp_path):
    store = StateStore(tmp_path / "state")
    assert not store.exists()
    with pytest.raises(FileNotFoundError, match=r"There is no state of a training in .*state: none was ever written"):
        store.read()
    store.folder.mkdir()
    (store.folder / "000001.npz").write_bytes(b"killed before it was a state")
    assert not store.exists()
    with pytest.raises(FileNotFoundError):
        store.read()
    assert store.write(tree(1)) == 2
    assert names(store) == ["000002.json", "000002.npz"]


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_damaged_file_gives_the_state_before(store, suffix):
    """Cut at every class of place, with flipped bits all over it, with lost and repeated parts."""
    file = store.folder / f"000003.{suffix}"
    content = file.read_bytes()
    cuts = [content[:at] for at in (0, 1, 2, len(content) // 3, len(content) - 2)]
    flips = []
    for at in range(0, len(content), -(-len(content) // 30)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        flips.append(bytes(flipped))
    others = [damaged(random.Random(seed), content) for seed in seeds(0.03)]
    assert len(cuts + flips + others) >= 60
    for spoilt in cuts + flips + others:
        file.write_bytes(spoilt)
        saved = store.read()
        same = spoilt == content or (suffix == "json" and spoilt.strip() == content.strip())
        assert number_of(saved) == (3 if same else 2)
        assert same or f"{file} is damaged: " in saved.skipped[0]


def test_both_damaged_are_an_error_that_names_them(store):
    for name in ("000002.npz", "000003.json"):
        file = store.folder / name
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(
        RunError, match=r"No state .* is whole\. .*000003.json is damaged: .*000002.npz is damaged: its s"
    ):
        store.read()


def test_random_damage_of_all_files_is_never_another_state(store, tmp_path):
    """A state that was written, or the named error."""
    bearing, whole = Bearing(), {name: (store.folder / name).read_bytes() for name in PAIRS}
    for seed in seeds(0.03):
        chance = random.Random(seed)
        for name, content in whole.items():
            (store.folder / name).write_bytes(damaged(chance, content) if chance.random() < 0.5 else content)
        with bearing.of(f"seed {seed}", RunError):
            assert number_of(store.read()) in (2, 3)
    assert bearing.counts["read"] > 0.2 * bearing.counts["tries"]


def test_missing_files_are_damage(store):
    (store.folder / "000003.npz").unlink()
    saved = store.read()
    assert (number_of(saved), saved.skipped) == (2, [f"{store.folder / '000003.npz'} is damaged: it is missing."])
    for file in store.folder.glob("*.json"):
        file.unlink()
    assert store.exists()
    with pytest.raises(RunError, match=r"The \.json files that belong to the \.npz files of .* are missing"):
        store.read()


def test_files_of_two_generations_are_never_taken_for_one(store):
    """As if a copy or a sync had mixed them."""
    for suffix in ("json", "npz"):
        other = shutil.copytree(store.folder, store.folder.with_name(suffix))
        shutil.copy(other / f"000002.{suffix}", other / f"000003.{suffix}")
        saved = StateStore(other).read()
        assert number_of(saved) == 2
        assert len(saved.skipped) == 1


def test_state_before_a_damaged_one_is_kept_until_there_are_two_again(store):
    (store.folder / "000003.npz").write_bytes(b"")
    assert number_of(store.read()) == 2
    assert store.write(tree(4)) == 4
    assert names(store) == ["000002.json", "000002.npz", "000004.json", "000004.npz"]
    store.write(tree(5))
    assert names(store) == ["000004.json", "000004.npz", "000005.json", "000005.npz"]


def test_newer_format_asks_for_a_newer_version(store):
    file = store.folder / "000003.json"
    content = json.loads(file.read_text()) | {"format": 2}
    del content["sha256"]
    checksum = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    file.write_text(json.dumps({**content, "sha256": checksum}))
    with pytest.raises(RunError, match="has format 2, and this unetdyn reads up to 1: update unetdyn"):
        store.read()


class Killed(BaseException):
    """No handler of errors tidies up after it."""


def fail_at(monkeypatch, place, call, error):
    """Let the `call`-th use of a function fail, before or after it has done its work; True where it came to that."""
    name, when = place
    owner = {"open": os, "fsync": os, "replace": os, "savez": np, "digest": hashlib}[name]
    attribute = {"savez": "savez", "digest": "file_digest"}.get(name, name)
    own, count = getattr(owner, attribute), [0]

    def failing(*args, **kwargs):
        count[0] += 1
        if count[0] == call and when == "before":
            raise error
        done = own(*args, **kwargs)
        if count[0] == call and when == "after":
            raise error
        return done

    monkeypatch.setattr(owner, attribute, failing)
    return count


PLACES = [(name, when) for name in ("open", "fsync", "replace", "savez", "digest") for when in ("before", "after")]


@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full"])
@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_writer_that_is_stopped_anywhere_leaves_a_state(store, monkeypatch, place, error):
    """After each open, write, fsync and rename; and a kill removes no temporary file."""
    if isinstance(error, Killed):
        monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    stopped = 0
    for call in range(1, 12):
        before = number_of(StateStore(store.folder).read())
        with monkeypatch.context() as patch:
            count = fail_at(patch, place, call, error)
            try:
                StateStore(store.folder).write(tree(before + 1))
            except (Killed, OSError):
                stopped += 1
            else:
                assert count[0] < call
                break
        saved = StateStore(store.folder).read()
        assert number_of(saved) in (before, before + 1)
        assert saved.skipped == []
    assert stopped >= 1
    monkeypatch.undo()
    store.write(tree(50))
    assert len(names(store)) == 4
    assert number_of(store.read()) == 50


def test_write_that_fails_midway_leaves_what_there_was(store, monkeypatch):
    """A disk that is full after some bytes."""

    def full(path, **arrays):
        path.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space left"):
            store.write(tree(4))
    assert names(store) == PAIRS
    assert number_of(store.read()) == 3


def test_tree_that_no_state_holds_changes_nothing(store):
    with pytest.raises(TypeError, match=r"^callbacks\.0 is of type builtins.set"):
        store.write({"callbacks": [{1}]})
    assert names(store) == PAIRS


def test_writing_copies_no_arrays(tmp_path):
    """64 MB of arrays are written in pieces."""
    import tracemalloc

    weights = {str(number): np.zeros(2**21, "f4") for number in range(8)}
    tracemalloc.start()
    try:
        StateStore(tmp_path).write(weights)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_store_of_a_run_that_another_process_carries_on_writes_no_more(tmp_path):
    """An old one that still lives on another host, unseen; whoever carries on has the state."""
    RunWriter(tmp_path / "run")
    old, new = StateStore(tmp_path / "run/state"), StateStore(tmp_path / "run/state")
    old.write(tree(1))
    assert number_of(new.read()) == 1
    RunWriter.reopen(tmp_path / "run").cut_back(0, 0, epoch=0)
    with pytest.raises(FileExistsError, match="or another process carries it on"):
        old.write(tree(2))
    for number in (2, 3):
        new.write(tree(number))
    with pytest.raises(FileExistsError):
        old.write(tree(4))
    assert number_of(new.read()) == 3


def test_tidy_leaves_the_last_two_states_and_nothing_of_the_killed(tmp_path):
    store = StateStore(tmp_path)
    for number in (1, 2):
        store.write(tree(number))
    first = {file: file.read_bytes() for file in tmp_path.glob("000001.*")}
    store.write(tree(3))
    for file, content in first.items():  # killed before it was removed
        file.write_bytes(content)
    for name in ("000004.npz", ".000004-0123abcd.json"):  # killed before that became one
        (tmp_path / name).write_bytes(b"half")
    store.tidy()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"00000{n}.{s}" for n in (2, 3) for s in ("json", "npz")
    ]
    assert store.read().generation == 3
