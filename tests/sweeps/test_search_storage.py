"""Where a search may keep its trials; what several machines would damage is refused before it is made."""

import pytest

optuna = pytest.importorskip("optuna")

from unetdyn.sweeps import search_storage  # noqa: E402
from unetdyn.sweeps.search_storage import SHARED, file_system, local_file, open_storage  # noqa: E402
from unetdyn.sweeps.table import SweepError  # noqa: E402


def mounted(tmp_path, monkeypatch, kind):
    (tmp_path / "mounts").write_text(f"/dev/sda / ext4 rw 0 0\nserver:/export {tmp_path.resolve()} {kind} rw 0 0\n")
    monkeypatch.setattr(search_storage, "MOUNTS", tmp_path / "mounts")


@pytest.mark.parametrize("kind", sorted(SHARED))
def test_files_on_file_systems_of_several_machines_are_refused(tmp_path, monkeypatch, kind):
    mounted(tmp_path, monkeypatch, kind)
    for storage in (None, f"journal://{tmp_path}/x.journal", f"sqlite:///{tmp_path}/x.db"):
        with pytest.raises(SweepError, match=f"for workers of one machine.*of kind {kind}.*postgresql://"):
            open_storage(storage, tmp_path / "search")
    assert [each.name for each in tmp_path.iterdir()] == ["mounts"]


def test_files_of_this_machine_are_opened(tmp_path, monkeypatch):
    mounted(tmp_path, monkeypatch, "ext4")
    for storage in (None, f"journal://{tmp_path}/x.journal", f"sqlite:///{tmp_path}/x.db"):
        opened = open_storage(storage, tmp_path / "search")
        study = optuna.create_study(storage=opened, study_name="a")
        assert optuna.load_study(storage=open_storage(storage, tmp_path / "search"), study_name="a").trials == []
        assert study.study_name == "a"
    assert (tmp_path / "search/study.journal").exists()


@pytest.mark.parametrize("storage", ["journal://x.journal", "sqlite:///x.db", "sqlite:///:memory:"])
def test_relative_paths_are_refused(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SweepError, match=r"must have an absolute path.*symlink"):
        open_storage(storage, tmp_path)
    assert not list(tmp_path.iterdir())


def test_relative_symlink_of_optuna_leads_nowhere_which_is_why(tmp_path, monkeypatch):
    """A lock that was left by a kill is never seen to be old: `stat` follows it to nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    lock = optuna.storages.journal.JournalFileSymlinkLock("deep/x.journal")
    (tmp_path / "deep/x.journal").touch()
    assert lock.acquire()
    with pytest.raises(FileNotFoundError):
        (tmp_path / "deep/x.journal.lock").stat()
    lock.release()


@pytest.mark.parametrize(
    ("storage", "match"),
    [
        ("trials.db", r"`storage` must be a URL.*Received: storage='trials\.db'"),
        ("grpc://host", r"must be grpc://HOST:PORT\. Received: grpc://host"),
        ("grpc://:1", r"must be grpc://HOST:PORT"),
        ("nosuch://host/name", "The storage nosuch://… can't be opened"),
        ("mysql+pymysql://me:secret@127.0.0.1:1/x", "The storage mysql.pymysql://… can't be opened"),
    ],
)
def test_storage_that_can_not_be_is_one_sentence_without_its_password(tmp_path, storage, match):
    with pytest.raises(SweepError, match=match) as caught:
        open_storage(storage, tmp_path)
    assert "secret" not in str(caught.value)


def test_file_system_of_this_machine_is_known():
    assert file_system(search_storage.MOUNTS) in ("proc", None)


def test_links_are_followed_to_the_file_system_that_they_lead_to(tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shared")
    (tmp_path / "mounts").write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/ {(tmp_path / 'shared').resolve()} nfs4 rw 0 0\n"
    )
    monkeypatch.setattr(search_storage, "MOUNTS", tmp_path / "mounts")
    with pytest.raises(SweepError, match="nfs4"):
        local_file(tmp_path / "link/study.db", "SQLite")


def test_search_works_through_the_grpc_proxy(tmp_path):
    """Two workers in turn, on Optuna's own server in a process of its own."""
    pytest.importorskip("grpc")
    pytest.importorskip("google.protobuf")
    import io
    import socket
    import subprocess
    import sys

    from planted_search import SEARCH, Planted, write
    from unetdyn.sweeps.search import search

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = (
        "import optuna; storage = optuna.storages.InMemoryStorage(); "
        f"optuna.storages.run_grpc_proxy_server(storage, host='localhost', port={port})"
    )
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.DEVNULL) as server:
        try:
            path = write(tmp_path, SEARCH)
            for trials in (2, 4):
                study = search(path, trials, f"grpc://localhost:{port}", stream=io.StringIO(), train=Planted())
            assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
            assert not (tmp_path / "searches/search/study.journal").exists()
        finally:
            server.kill()


def test_proxy_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr(search_storage, "ANSWERS_WITHIN", 0.01)
    with pytest.raises(SweepError, match=r"grpc://localhost:1 does not answer within 0\.01 seconds"):
        open_storage("grpc://localhost:1", tmp_path)


@pytest.mark.parametrize("fails", [2, 99])
def test_database_whose_tables_another_worker_is_making_is_opened_again(monkeypatch, tmp_path, fails):
    """As PostgreSQL and MariaDB say it of two workers that begin at once on an empty database."""

    class IntegrityError(Exception):
        pass

    said = [IntegrityError("duplicate key"), Exception('relation "studies" already exists')]
    opened = []

    def database(url):
        opened.append(url)
        if len(opened) <= fails:
            raise said[len(opened) % 2]
        return "storage"

    monkeypatch.setattr("unetdyn.sweeps.search_storage.optuna.storages.RDBStorage", database)
    monkeypatch.setattr("unetdyn.sweeps.search_storage._PAUSE", 0.0)
    if fails == 2:
        assert open_storage("postgresql://host/x", tmp_path) == "storage"
        assert len(opened) == 3
    else:
        with pytest.raises(SweepError, match="can't be opened: IntegrityError: duplicate key"):
            open_storage("postgresql://host/x", tmp_path)
        assert len(opened) == 10


def test_driver_that_is_missing_is_named(tmp_path):
    with pytest.raises(SweepError, match=r"can't be opened: ModuleNotFoundError: No module named 'pg8000'"):
        open_storage("postgresql+pg8000://host/x", tmp_path)
