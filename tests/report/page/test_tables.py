"""The tables of a report."""

import numpy as np
import pytest

from unetdyn.analysis import read_history
from unetdyn.analysis.declarations import STABILITY, Declaration
from unetdyn.report.page.tables import (
    MOST_EPOCHS,
    chosen,
    configuration,
    epochs_table,
    measured_on_the_test_set,
    origin,
)
from unetdyn.runs import RunWriter, open


@pytest.mark.parametrize(("count", "best"), [(30, 7), (31, 15), (31, None), (100, 0), (100, 99), (100_000, 54_321)])
def test_chosen_epochs_are_both_ends_the_best_and_some_between(count, best):
    shown = chosen(np.arange(count), best)
    assert len(shown) <= MOST_EPOCHS
    assert len(shown) >= min(count, MOST_EPOCHS - 2)
    assert shown == sorted(set(shown))
    assert shown[:3] == [0, 1, 2]
    assert shown[-7:] == list(range(count - 7, count))
    assert best is None or best in shown
    assert np.diff(shown).max() <= max(2, 2 * count / 18)


def test_epochs_table_leaves_cells_empty_that_were_not_logged(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(3):
        rare = {"val_loss": float("nan"), "val_jaccard": 0.25} if epoch == 1 else {}
        writer.log_epoch(epoch, {"loss": 0.5 / (epoch + 1), "seconds": 2.0, "other": 1.0} | rare)
    run = open(tmp_path / "run")
    table = epochs_table(run, read_history(run), "jaccard", best=1)
    assert table["header"] == ["loss", "val_loss", "val_jaccard", "seconds"]
    assert table["rows"] == [
        (1, False, ["0.5", "", "", "2"]),
        (2, True, ["0.25", "nan", "0.25", "2"]),
        (3, False, ["0.1667", "", "", "2"]),
    ]
    assert table["note"] == ""


def test_long_table_says_how_much_is_left_out(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(40):
        writer.log_epoch(epoch, {"loss": 1.0})
    run = open(tmp_path / "run")
    table = epochs_table(run, read_history(run), None, None)
    left_out = 40 - len(table["rows"])
    assert table["note"] == f"{left_out} of 40 epochs are left out here; {run.path}/epochs.jsonl has them all."


def test_configuration_origin_and_test_figures(tmp_path):
    writer = RunWriter(tmp_path / "run", {"model": {"filters": 8}, "name": "σ"}, seed=3, backend="jax")
    running = open(tmp_path / "run")
    assert dict(origin(running))["ended"] == "not recorded"
    writer.finish("finished", {"test_soft_jaccard": 0.71239, "best_epoch": 3})
    run = open(tmp_path / "run")
    assert configuration(run) == "model:\n  filters: 8\nname: σ\n"
    rows = dict(origin(run))
    assert (rows["seed"], rows["backend"], rows["status"], rows["directory"]) == ("3", "jax", "finished", str(run.path))
    assert rows["begun"] == run.header["created"]
    assert rows["ended"] == run.header["finished"]
    assert run.versions.items() <= rows.items()
    assert measured_on_the_test_set(run) == [("soft jaccard", "0.7124")]
    assert configuration(open(RunWriter(tmp_path / "bare").path)) == ""


def test_epochs_table_has_the_columns_that_monitors_declare(tmp_path):
    writer = RunWriter(tmp_path / "run")
    own = Declaration("sharpness", keys={"sharpness": "none", "rest": "none"}, columns=("sharpness",))
    writer.declare(monitors={"sharpness": own.as_json(), "calm": STABILITY.named("calm").as_json()})
    logs = {"seconds": 1.0, "rest": 0.0, "sharpness": 2.0, "grad_norm": 3.0, "calm": 4.0, "stability": 5.0, "loss": 6.0}
    writer.log_epoch(0, logs)
    run = open(tmp_path / "run")
    table = epochs_table(run, read_history(run), None, None)
    assert table["header"] == ["loss", "stability", "grad_norm", "sharpness", "calm", "seconds"]
