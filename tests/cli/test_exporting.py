"""`unetdyn export`, and what `resume` and `show` say of runs that were planted."""

import pytest

from unetdyn import runs
from unetdyn.runs.state_store import StateStore

CONFIG = {"data": {"kind": "synthetic"}, "fit": {"epochs": 5}}


@pytest.fixture
def interrupted(tmp_path):
    writer = runs.RunWriter(tmp_path / "cut", config=CONFIG)
    for epoch in range(3):
        writer.log_epoch(epoch, {"loss": 0.5, "seconds": 100.0})
    writer.finish("interrupted")
    return writer.path


@pytest.mark.parametrize("arguments", [["export", "cut", "last.keras"], ["resume", "cut"]])
def test_run_without_a_state_is_one_sentence_and_two(invoke, interrupted, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "Error: cut has no state to carry on from: it was removed, or never kept. Train anew"
    )
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["export", "nowhere", "last.keras"], ["resume", "nowhere"]])
def test_no_run_is_one_sentence_and_two(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "nowhere, which is not there" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_export_says_where_it_wrote(invoke, monkeypatch):
    import unetdyn.experiment

    monkeypatch.setattr(unetdyn.experiment, "export_state", lambda run, file: file)
    assert invoke("export", "cut", "last.keras").output == "exported  last.keras\n"


def test_show_says_what_carries_on(invoke, interrupted):
    assert "carry on" not in invoke("show", "cut").stdout
    StateStore(interrupted / "state").write({})
    rows = {
        line.partition("  ")[0]: line.partition("  ")[2].strip() for line in invoke("show", "cut").stdout.splitlines()
    }
    assert rows["carry on"] == "unetdyn resume cut"
