"""An experiment from its configuration to its run directory."""

import functools
import io
from datetime import datetime
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from unetdyn import callbacks, runs
from unetdyn.analysis import stability
from unetdyn.callbacks import RunRecorder
from unetdyn.experiment import ConfigError, parse_config, run_experiment
from unetdyn.experiment import run as experiment_run
from unetdyn.experiment.assembled import assemble
from unetdyn.experiment.monitors import offered
from unetdyn.runs.input_recipe import InputRecipe, input_of

pytestmark = pytest.mark.usefixtures("untraced")

SMALL = {
    "name": "small",
    "data": {
        "kind": "synthetic",
        "sections": 6,
        "size": 64,
        "tile": 32,
        "split": {"train": [0, 1], "validation": [3, 3], "test": [5, 5]},
    },
    "model": {"architecture": "UNet", "filters": 2, "depth": 1},
    "fit": {"epochs": 4},
    "callbacks": {"stability": {"window": 3}},
}
UNWATCHED = {declared.name: None for declared, section in offered() if not section.required}
"""Every monitor that can be left out is: half of so short a training is the tracing of what they measure."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("runs") / "small"
    return run_experiment(parse_config({**SMALL, "run_directory": str(path)}), io.StringIO())


def test_run_experiment_leaves_a_whole_run_directory(run):
    assert run.status == "finished"
    assert {path.name for path in run.path.iterdir()} == {
        "run.json",
        "epochs.jsonl",
        "events.jsonl",
        "dynamics",
        "model.keras",
        "history.png",
        "state",
    }
    assert (run.path / "history.png").read_bytes().startswith(b"\x89PNG")
    assert run.config["model"]["norm"] == "batch"  # defaults are recorded too


def test_run_experiment_says_in_the_model_how_its_images_were_made_ready(run):
    assert input_of(run.model_path) == InputRecipe("per_image", 1, (32, 32), "probabilities")


def test_run_experiment_tests_in_the_precision_it_trained_in(tmp_path):
    """Keras would warn of an optimizer that scales the loss, and doesn't expect one in float32."""
    settings = {**SMALL, "run_directory": tmp_path / "run", "fit": {"epochs": 1, "precision": "mixed_float16"}}
    run = run_experiment(parse_config({**settings, "callbacks": UNWATCHED}), io.StringIO())
    assert np.isfinite(run.summary["test_loss"])
    assert keras.config.dtype_policy().name == "float32"


def test_run_experiment_stability_is_that_of_the_recorded_losses(run):
    recorded = run.history["stability"][-1]
    assert recorded == pytest.approx(np.std(run.history["val_loss"][-3:], ddof=1))
    assert recorded == pytest.approx(stability(run.history["val_loss"], window=3).sigma)


def test_run_experiment_saved_model_is_the_best_epoch_and_gave_the_test_figures(run):
    from unetdyn.experiment.prepare import prepare

    model = keras.saving.load_model(run.path / "model.keras")
    prepared = prepare(parse_config(SMALL))
    on_validation = model.evaluate(prepared.validation, verbose=0, return_dict=True)
    assert on_validation["jaccard"] == pytest.approx(np.max(run.history["val_jaccard"]), abs=1e-6)
    on_test = model.evaluate(prepared.test, verbose=0, return_dict=True)
    assert run.summary["test_jaccard"] == pytest.approx(on_test["jaccard"], abs=1e-6)


def test_run_experiment_repeats_itself(run, tmp_path):
    again = run_experiment(parse_config({**SMALL, "run_directory": str(tmp_path / "again")}), io.StringIO())
    np.testing.assert_allclose(again.history["val_loss"], run.history["val_loss"], rtol=1e-4)


def test_run_experiment_keeps_what_the_monitors_measured_at_every_step(run):
    steps = 4 * 1  # epochs of one batch: two sections of four tiles
    assert run.arrays("gradient")["step"].tolist() == list(range(steps))
    assert set(run.arrays("gradient")["block_grad_norm"]) == {"enc1", "bottleneck", "dec1", "head"}
    assert np.isfinite(run.arrays("update")["update_ratio"]["head"]).all()
    assert (run.arrays("noise_scale")["batch_size"] == 8).all()
    assert run.history["grad_norm"] == pytest.approx(run.arrays("gradient")["grad_norm"], rel=1e-5)


def test_run_experiment_watches_only_what_is_asked_for(tmp_path):
    callbacks = {declared.name: None for declared, section in offered() if not section.required}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": callbacks, "fit": {"epochs": 1}}
    run = run_experiment(parse_config(config), io.StringIO())
    assert [path.name for path in (run.path / "dynamics").iterdir()] == ["stability.npz"]


def test_run_experiment_refuses_a_band_upside_down_before_it_trains(tmp_path):
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": {"update": {"low": 0.1}}}
    with pytest.raises(ConfigError, match=r"`low` and `high` must be .* 0 ≤ low < high. Received: low=0.1, high=0.003"):
        run_experiment(parse_config(config), io.StringIO())
    assert not (tmp_path / "run").exists()


def test_run_experiment_interrupted_says_so(tmp_path):
    class Interrupted(io.StringIO):
        def write(self, text):
            if text.startswith("epoch 2"):
                raise KeyboardInterrupt
            return super().write(text)

    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as caught:
        run_experiment(parse_config({**SMALL, "run_directory": str(path), "callbacks": UNWATCHED}), Interrupted())
    assert caught.value.__notes__ == [
        f"What there is of the run is in {path}.",
        f"Carry on: unetdyn resume {path}",
    ]
    assert runs.open(path).status == "interrupted"
    assert (path / "history.png").is_file()  # of the epochs that there are


def test_experiments_that_begin_in_one_second_have_a_directory_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moment = SimpleNamespace(now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    monkeypatch.setattr(experiment_run, "datetime", moment)
    paths = [experiment_run._in_new_directory(RunRecorder, "mine").path for _ in range(3)]
    assert [path.as_posix() for path in paths] == [f"runs/mine-20260102-030405{end}" for end in ("", "-2", "-3")]


def test_picture_that_cannot_be_drawn_hides_nothing(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise OSError(28, "No space left on device")

    writer = runs.RunWriter(tmp_path)
    writer.log_epoch(0, {"loss": 0.5})
    monkeypatch.setattr(experiment_run.HistoryDisplay, "from_run", refuse)
    with pytest.warns(UserWarning, match=r"history\.png could not be drawn\. OSError: .*No space left"):
        experiment_run._draw(tmp_path)


def test_run_without_a_model_has_no_test_figures(tmp_path):
    """A full disk has kept none, which was told when it was to be saved."""
    runs.RunWriter(tmp_path)
    assert experiment_run._test(tmp_path, None, SimpleNamespace(test=[])) == {}


def test_run_experiment_keeps_the_epoch_with_the_smallest_loss(tmp_path):
    callbacks = UNWATCHED | {"save_best": "val_loss"}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": callbacks, "fit": {"epochs": 3}}
    run = run_experiment(parse_config(config), io.StringIO())
    assert run.summary["best_epoch"] == np.argmin(run.history["val_loss"])


def test_run_experiment_early_stopping_stops(tmp_path):
    callbacks = UNWATCHED | {"early_stopping": {"monitor": "val_loss", "mode": "max", "patience": 1}}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": callbacks, "fit": {"epochs": 30}}
    assert len(run_experiment(parse_config(config), io.StringIO()).epochs) < 30


def test_run_experiment_early_stopping_knows_what_is_better_of_a_monitors_key(tmp_path):
    """Keras' `mode="auto"` knows metrics only, and would raise at the end of the first epoch."""
    callbacks = UNWATCHED | {"stability": {"window": 2}, "early_stopping": {"monitor": "stability", "patience": 1}}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": callbacks, "fit": {"epochs": 30}}
    with pytest.warns(UserWarning, match="Early stopping conditioned on metric `stability` which is not available"):
        run = run_experiment(parse_config(config), io.StringIO())
    sigma = run.history["stability"]
    assert sigma[-1] >= sigma[-2] > 0 if len(sigma) < 30 else np.isfinite(sigma[-1])
    assert run.status == "finished"


def test_run_experiment_moves_the_momentum_against_one_cycle(tmp_path):
    optimizer = {"learning_rate": 0.01, "schedule": {"kind": "onecycle", "pct_start": 0.5}}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "optimizer": optimizer}
    config["callbacks"] = UNWATCHED | {"update": {}}
    run = run_experiment(parse_config(config), io.StringIO())
    assert run.arrays("momentum")["momentum"] == pytest.approx([0.95, 0.85, 0.9, 0.95], abs=1e-6)
    assert run.arrays("update")["learning_rate"] == pytest.approx([4e-4, 0.01, 0.005, 0], abs=1e-6)
    assert run.history["momentum"][-1] == pytest.approx(0.95)
    assert run.setup["optimizer"]["schedule"] == "OneCycle"
    assert parse_config(run.config) == parse_config(config)


def test_run_experiment_refuses_a_cycle_without_momentum_before_it_trains(tmp_path):
    optimizer = {"kind": "sgd", "schedule": "onecycle"}
    config = {**SMALL, "run_directory": str(tmp_path / "run"), "optimizer": optimizer}
    with pytest.raises(ConfigError, match=r"Received: SGD without one\. In a configuration: .*cycle_momentum: false"):
        run_experiment(parse_config(config), io.StringIO())
    assert not (tmp_path / "run").exists()


def test_run_experiment_lowers_the_rate_on_a_plateau(tmp_path):
    """No change is large enough to count as better; the rate of an epoch is the one that it was trained with."""
    section = {"min_delta": 10, "patience": 1, "factor": 0.5}
    config = {
        **SMALL,
        "run_directory": str(tmp_path / "run"),
        "optimizer": {"learning_rate": 0.01},
        "callbacks": UNWATCHED | {"reduce_lr_on_plateau": section, "update": {}},
        "fit": {"epochs": 3},
    }
    run = run_experiment(parse_config(config), io.StringIO())
    assert run.history["learning_rate"] == pytest.approx([0.01, 0.01, 0.005])
    assert run.arrays("update")["learning_rate"] == pytest.approx([0.01, 0.01, 0.005])


def test_run_experiment_gives_later_epochs_larger_batches(tmp_path):
    """8 tiles: 4 steps, 4, 1; the noise scale knows which batches it saw."""
    config = {
        **SMALL,
        "run_directory": str(tmp_path / "run"),
        "callbacks": UNWATCHED | {"batch_size": {"sizes": {2: 8}}, "noise_scale": {}},
        "fit": {"epochs": 3, "batch_size": 2},
    }
    run = run_experiment(parse_config(config), io.StringIO())
    assert run.history["batch_size"].tolist() == run.arrays("batch_size")["batch_size"].tolist() == [2, 2, 8]
    assert run.config["callbacks"]["batch_size"] == {"sizes": {"2": 8}}
    assert parse_config(run.config).callbacks.batch_size.sizes == {2: 8}
    changes = [event for event in run.events if event.get("code") == "batch_size.changed"]
    assert [event["epoch"] for event in changes] == [2]
    assert run.arrays("noise_scale")["batch_size"].tolist() == [2, 2, 8]


def test_rollback_comes_before_the_averages_and_the_other_controls_after_the_monitors(tmp_path):
    """It keeps the weights that training goes on from; they look at what the monitors wrote."""
    asked = {"rollback": {}, "stability_control": {}, "convergence": {}, "reduce_lr_on_plateau": {}}
    config = parse_config({**SMALL, "run_directory": str(tmp_path / "run"), "callbacks": UNWATCHED | asked})
    made = assemble(config, io.StringIO(), None, lambda **settings: RunRecorder(config.run_directory, **settings))
    kinds = [type(each).__name__ for each in made.watching]
    assert kinds[:3] == ["DivergenceRollback", "AveragedWeights", "StabilityMonitor"]
    assert kinds[3:6] == ["StabilityControl", "ConvergenceStopping", "ReduceLROnPlateau"]
    assert kinds[-2:] == ["RunRecorder", "ResumableRun"]
    assert {"rollback", "stability_control", "convergence"} <= {each.name for each in made.recorder.monitors}


def test_run_experiment_saves_averaged_weights_and_records_the_scaled_rate(tmp_path, monkeypatch):
    with_state = functools.partial(callbacks.RunRecorder, save_optimizer=True)  # which has the averages, to compare
    monkeypatch.setattr(callbacks, "RunRecorder", with_state)
    optimizer = {"kind": "adamw", "weight_decay_groups": True, "use_ema": True, "scale_from_batch": 1}
    parts = {"fit": {"epochs": 1, "batch_size": 2}, "optimizer": optimizer, "callbacks": UNWATCHED}
    run = run_experiment(parse_config({**SMALL, **parts, "run_directory": str(tmp_path / "x")}), io.StringIO())
    model = keras.saving.load_model(run.path / "model.keras")
    averages = model.optimizer._model_variables_moving_average
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable.numpy(), average.numpy())
    assert run.config["optimizer"]["learning_rate"] == 2e-3
    assert run.setup["optimizer"]["learning_rate"] == pytest.approx(2e-3)
    assert run.setup["optimizer"]["config"]["use_ema"] is True
