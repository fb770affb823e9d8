"""Replacing a file leaves the old one or the new one, and nothing else."""

import os
import stat

import pytest

from unetdyn.runs import replacing
from unetdyn.runs.atomic import create, remove_leftovers, remove_leftovers_of


def test_replacing_puts_the_new_content_in_place(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".keras"
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_keeps_the_old_file_after_an_error(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_says_when_nothing_was_written(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "x.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_replacing_gives_the_mode_that_any_new_file_gets(tmp_path):
    (tmp_path / "plain.txt").write_text("")
    with replacing(tmp_path / "replaced.txt") as temporary:
        temporary.write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_replacing_syncs_the_file_before_it_takes_the_name_and_the_folder_after(tmp_path, monkeypatch):
    seen = []
    path = tmp_path / "a.txt"
    real = os.fsync

    def record(descriptor):
        seen.append(("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file", path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with replacing(path) as temporary:
        temporary.write_text("x")
    assert seen == [("file", False), ("folder", True)]


def test_what_a_kill_has_left_is_removed_and_nothing_else(tmp_path):
    """Hidden files of others stay, and so do those that belong to hidden files, which somebody may just be making."""
    for name in (".model-0123abcd.keras", ".run-89abcdef.json"):
        (tmp_path / name).touch()
    kept = (".nfs0123abcd", "model-0123abcd.keras", "..reopened-1-0-0123abcd.json", ".reopened-1-0.json", ".run-x.json")
    for name in kept:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(kept)


def test_leftovers_of_one_file_are_removed_and_those_of_others_stay(tmp_path):
    kept = (".b[1]-0123abcd.json", ".a1-0123abcd.json", ".a[1]-0123abcd.npy", "a[1].json")
    for name in (*kept, ".a[1]-0123abcd.json"):
        (tmp_path / name).touch()
    remove_leftovers_of(tmp_path / "a[1].json")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(kept)


def test_create_succeeds_where_only_the_answer_was_lost(tmp_path, monkeypatch):
    """A client of NFS asks again when it hears nothing, and then the name is there already: its own."""
    link = os.link

    def link_twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    create(tmp_path / "claim", "mine")
    assert [file.name for file in tmp_path.iterdir()] == ["claim"]
    with pytest.raises(FileExistsError):
        create(tmp_path / "claim", "theirs")
    assert (tmp_path / "claim").read_text() == "mine"
