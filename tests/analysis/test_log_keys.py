"""What a run directory says of its log keys."""

from unetdyn.analysis import read_history
from unetdyn.analysis.declarations import GRADIENT, STABILITY, Declaration, DeclaredDisplay
from unetdyn.analysis.log_keys import NOTHING, LogKeys, log_keys_of
from unetdyn.runs import RunWriter, open


def test_a_run_tells_metrics_and_monitors(tmp_path):
    writer = RunWriter(tmp_path / "run")
    mine = Declaration("sharpness", keys={"sharpness": "none"}, columns=("sharpness",))
    writer.declare(metrics={"quality": "up", "cost": "down", "mine": None})
    writer.declare(monitors={"sharpness": mine.as_json()})
    writer.log_epoch(0, {"loss": 0.5, "val_quality": 0.1, "val_cost": 0.2, "sharpness": 9.0})
    run = open(tmp_path / "run")
    assert log_keys_of(run) == LogKeys({"quality": "up", "cost": "down", "mine": None}, {"sharpness": mine})
    curves = read_history(run)
    assert (curves.default_metric, curves.direction("val_cost")) == ("quality", "down")


def test_a_run_from_before_is_told_by_names(tmp_path):
    assert log_keys_of(open(RunWriter(tmp_path / "run").path)) == NOTHING


def test_displays_are_those_that_the_monitor_declared():
    picture = DeclaredDisplay("Sharpness", "sharpness", "GradientDisplay")
    keys = LogKeys(monitors={"mine": Declaration("mine", displays=(picture,)), "stability": STABILITY})
    assert keys.displays_of("mine") == (picture,)
    assert keys.displays_of("stability") == ()
    assert {each.array for each in keys.displays_of("undeclared")} >= {each.array for each in GRADIENT.displays}


def test_columns_are_ours_then_those_of_the_runs_own_monitors():
    own = Declaration("sharpness", columns=("{name}",))
    found = LogKeys(monitors={"calm": STABILITY.named("calm"), "sharpness": own}).columns
    assert found == (*NOTHING.columns[:-1], "calm", "calm_cv", "sharpness", "seconds")
    assert NOTHING.columns[:5] == ("stability", "stability_cv", "learning_rate", "grad_norm", "grad_norm_max")
