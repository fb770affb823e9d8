"""`unetdyn sweep search`, as a shell would call it; what trains is planted."""

import click
import pytest
from click.testing import CliRunner

from planted_search import SEARCH, Planted, write

pytest.importorskip("optuna")

from unetdyn.callbacks.resumable_run import WalltimeReached
from unetdyn.cli.sweep_searching import search
from unetdyn.runs.signals import Signalled
from unetdyn.sweeps import search as searching

SMALL = SEARCH.replace("12", "2")


@pytest.fixture
def called(tmp_path, monkeypatch):
    """The command on a small search; given what trains in it."""

    def call(train=None, *arguments, text=SMALL):
        path = write(tmp_path, text)
        monkeypatch.setattr(searching, "trained", lambda walltime: train or Planted())
        return CliRunner().invoke(click.Group("sweep", commands=[search]), ["search", str(path), *arguments])

    return call


def test_search_ends_with_its_best_trial_and_its_runs(called, tmp_path):
    result = called()
    assert result.exit_code == 0, result.output
    assert "trials  2 complete, 0 pruned, 0 fail" in result.output
    assert str(tmp_path / "searches/search/runs/000") in result.output.splitlines()[-1]
    more = called(None, "--trials", "3")
    assert "trials  3 complete" in more.output


def test_wrong_key_is_one_sentence(called):
    result = called(text=SEARCH.replace("trials", "trails"))
    assert result.exit_code == 2
    assert "unknown key 'trails'. Did you mean 'trials'?" in result.output
    assert "Traceback" not in result.output


def test_missing_optuna_is_one_sentence(called, monkeypatch):
    import sys

    for name in [each for each in sys.modules if each.startswith("unetdyn.sweeps.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = CliRunner().invoke(search, ["search.yaml"])
    assert result.exit_code == 2
    assert 'pip install "unetdyn[optuna]"' in result.output


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (Signalled(15), 143, "Stopped by SIGTERM; the next worker carries on."),
        (KeyboardInterrupt(), 130, "Stopped by SIGINT"),
        (WalltimeReached(), 75, "Stopped before the walltime; the next worker carries on."),
    ],
)
def test_what_ends_a_worker_is_its_exit_code_and_the_next_one_carries_on(called, error, code, sentence):
    def interrupt(trained, epoch):
        if epoch == 3:
            raise error

    result = called(Planted(interrupt=interrupt))
    assert result.exit_code == code
    assert sentence in result.output
    planted = Planted()
    assert called(planted).exit_code == 0
    assert planted.resumed == ["0001"]


def test_storage_may_come_from_the_environment(called, tmp_path, monkeypatch):
    monkeypatch.setenv("UNETDYN_STORAGE", f"sqlite:///{tmp_path}/study.db")
    assert called().exit_code == 0
    assert (tmp_path / "study.db").exists()
    assert not (tmp_path / "searches/search/study.journal").exists()
