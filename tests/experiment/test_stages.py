"""A training in stages: one run, one history, and in each stage what it asks for."""

import io

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import BatchMonitor, GradientMonitor, RunRecorder, StabilityMonitor, UpdateMonitor
from unetdyn.experiment import ConfigError, parse_config, run_experiment
from unetdyn.experiment.build import build_model
from unetdyn.experiment.prepare import prepare
from unetdyn.experiment.progress import Progress
from unetdyn.experiment.stages import check_stages, freeze, momentum_cycles, train
from unetdyn.models import AttentionUNet

pytestmark = pytest.mark.usefixtures("untraced")

SMALL = {
    "data": {
        "kind": "synthetic",
        "sections": 6,
        "size": 64,
        "tile": 32,
        "split": {"train": [0, 1], "validation": [3, 3], "test": [5, 5]},
    },
    "model": {"architecture": "UNet", "filters": 2, "depth": 1},
    "fit": {"batch_size": 4},
    "callbacks": {"save_best": "val_loss", "stability": {"window": 3}},
}
UNWATCHED = dict.fromkeys(("update", "noise_scale", "batch", "mode_gap", "flips", "predictions"))
STEPS = 2  # an epoch: two sections of four tiles
ENCODER = {"name": "decoder", "epochs": 2, "frozen": ["enc1", "bottleneck"]}
ONE_CYCLE = {"kind": "onecycle", "pct_start": 0.5}


class Look(keras.callbacks.Callback):
    """Keeps what there is at each epoch's end."""

    def __init__(self, path, data):
        super().__init__()
        self.path, self.data = path, data
        self.weights, self.status, self.order = [], [], []

    def on_train_begin(self, logs=None):
        self.weights = self.weights or [self._weights()]

    def on_epoch_begin(self, epoch, logs=None):
        self.order.append((epoch, self.data.epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self._weights())
        self.status.append(runs.open(self.path).status)

    def _weights(self):
        """By path; copies, because those of PyTorch share their memory."""
        values = (value.copy() for value in self.model.get_weights())
        return {variable.path: value for variable, value in zip(self.model.weights, values, strict=True)}


def trained(path, stages, monitors=(), **parts):
    """What `run_experiment` does, with a look at each epoch."""
    keras.utils.set_random_seed(0)
    config = parse_config({**SMALL, **parts, "stages": stages})
    prepared = prepare(config)
    model = build_model(config, prepared.channels, STEPS)
    cycles = momentum_cycles(config)
    check_stages(model, config, STEPS, cycles)
    recorder = RunRecorder(path, save_best="val_loss", monitors=[*monitors, *cycles.values()])
    look, stream = Look(path, prepared.train), io.StringIO()
    train(model, config, prepared, recorder, [*monitors, Progress(stream, ("loss",)), recorder, look], cycles)
    return runs.open(path), look, stream.getvalue()


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory):
    second = {
        "name": "whole",
        "epochs": 3,
        "optimizer": {"kind": "adamw", "learning_rate": 0.01, "schedule": ONE_CYCLE},
    }
    optimizer = {"kind": "sgd", "learning_rate": 0.02}
    second["loss"] = {"kind": "binary_crossentropy"}
    monitors = [StabilityMonitor(window=3), GradientMonitor(), UpdateMonitor(), BatchMonitor()]
    return trained(tmp_path_factory.mktemp("runs") / "run", [ENCODER, second], monitors, optimizer=optimizer)


def test_train_has_one_history_whose_epochs_count_on(two_stages):
    run, look, shown = two_stages
    assert run.history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert look.order == [(epoch, epoch) for epoch in range(5)]  # the tiles' order goes on, too
    assert look.status == ["running"] * 5
    assert (run.status, run.summary["epochs"]) == ("finished", 5)
    assert [line.split("  ")[0] for line in shown.splitlines()] == [
        *("Stage decoder", "epoch 1/5", "epoch 2/5"),
        *("Stage whole", "epoch 3/5", "epoch 4/5", "epoch 5/5"),
    ]


def test_train_leaves_frozen_blocks_as_they_are_until_they_learn(two_stages):
    _, look, _ = two_stages
    before, after_first, after_all = look.weights[0], look.weights[2], look.weights[5]
    still = {path for path in before if np.array_equal(before[path], after_first[path])}
    frozen = {path for path in before if path.startswith(("enc1_", "bottleneck_"))}
    assert any("moving_mean" in path for path in frozen)
    assert still == frozen
    assert not any(np.array_equal(after_first[path], after_all[path]) for path in before)


def test_train_keeps_the_records_of_all_stages(two_stages):
    run, _, _ = two_stages
    first, every = np.arange(2 * STEPS), list(range(5 * STEPS))
    gradient, update = run.arrays("gradient"), run.arrays("update")
    assert gradient["step"].tolist() == update["step"].tolist() == every
    assert np.isnan(gradient["block_grad_norm"]["enc1"][first]).all()
    assert np.isfinite(gradient["block_grad_norm"]["enc1"][len(first) :]).all()
    assert np.isfinite(gradient["block_grad_norm"]["head"]).all()
    assert run.arrays("stability")["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert run.history["stability"][-1] == pytest.approx(np.std(run.history["val_loss"][-3:], ddof=1))
    assert len(run.arrays("batch")["images"]) == 5
    # One cycle over the second stage alone, in six steps: up to the third.
    rates = [0.02] * 4 + [4e-4, 4e-4 + (0.01 - 4e-4) / 2, 0.01]
    assert update["learning_rate"][:7] == pytest.approx(rates, rel=1e-5)
    assert update["learning_rate"][-1] == pytest.approx(4e-8, rel=1e-2)
    momentum = run.arrays("momentum")
    assert momentum["step"].tolist() == every[4:]
    assert momentum["momentum"][[0, 2, 5]] == pytest.approx([0.95, 0.85, 0.95], abs=1e-6)


def test_train_says_what_each_stage_was_made_with(two_stages):
    run, _, _ = two_stages
    decoder, whole = run.stages
    assert [(stage["name"], stage["epoch"]) for stage in run.stages] == [("decoder", 0), ("whole", 2)]
    assert decoder["setup"]["optimizer"]["name"] == "SGD"
    assert decoder["setup"]["optimizer"]["learning_rate"] == pytest.approx(0.02)
    assert decoder["setup"]["loss"]["name"] == "binary_focal_loss"
    assert {layer.split("_")[0] for layer in decoder["setup"]["frozen_layers"]} == {"enc1", "bottleneck"}
    assert (whole["setup"]["optimizer"]["name"], whole["setup"]["optimizer"]["schedule"]) == ("AdamW", "OneCycle")
    assert (whole["setup"]["loss"]["name"], whole["setup"]["frozen_layers"]) == ("binary_crossentropy", [])
    assert run.setup == whole["setup"]
    begun = [(event["epoch"], event["stage"]) for event in run.events if event["kind"] == "stage"]
    assert begun == [(0, "decoder"), (2, "whole")]
    assert [event["epoch"] for event in run.events if event["kind"] == "train_end"] == [4]


@pytest.mark.parametrize(("rates", "stage"), [((0.05, 1e4), 0), ((1e-6, 0.05), 1)])
def test_train_keeps_the_model_of_the_best_epoch_of_all_stages(tmp_path, rates, stage):
    stages = [{"epochs": 2, "optimizer": {"learning_rate": rate}} for rate in rates]
    run, look, _ = trained(tmp_path / "run", stages, optimizer={"kind": "sgd"}, model={**SMALL["model"], "norm": None})
    best = int(np.argmin(run.history["val_loss"]))
    assert (run.summary["best_epoch"], best // 2) == (best, stage)
    saved = keras.saving.load_model(run.model_path)
    for value, kept in zip(saved.get_weights(), look.weights[best + 1].values(), strict=True):
        np.testing.assert_array_equal(value, kept)


def test_run_experiment_early_stopping_ends_a_stage_and_not_the_training(tmp_path):
    early = {"monitor": "val_loss", "mode": "max", "min_delta": 10.0, "patience": 1, "start_from_epoch": 1}
    callbacks = {"stability": {"window": 3}, "early_stopping": early, "gradient": None, **UNWATCHED}
    stages = [{"epochs": 9}, {"epochs": 8}]
    config = parse_config({**SMALL, "run_directory": tmp_path / "run", "stages": stages, "callbacks": callbacks})
    shown = io.StringIO()
    run = run_experiment(config, shown)
    # The first epoch of each stage does not count, and nothing is better than the second: each ends after its third.
    assert [(stage["name"], stage["epoch"]) for stage in run.stages] == [("stage1", 0), ("stage2", 3)]
    assert run.history["epoch"].tolist() == [0, 1, 2, 3, 4, 5]
    assert "epoch  1/17" in shown.getvalue()
    assert "epoch  4/11" in shown.getvalue()
    assert run.status == "finished"
    assert parse_config(run.config) == config
    assert "test_jaccard" in run.summary


def test_run_experiment_interrupted_in_a_later_stage_says_so(tmp_path):
    class Interrupted(io.StringIO):
        def write(self, text):
            if text.startswith("epoch 3"):
                raise KeyboardInterrupt
            return super().write(text)

    config = {**SMALL, "run_directory": tmp_path / "run", "stages": [ENCODER, {"epochs": 3}], "callbacks": UNWATCHED}
    with pytest.raises(KeyboardInterrupt):
        run_experiment(parse_config(config), Interrupted())
    run = runs.open(tmp_path / "run")
    assert (run.status, run.history["epoch"].tolist()) == ("interrupted", [0, 1])
    assert [stage["setup"]["frozen_layers"] == [] for stage in run.stages] == [False, True]
    assert len(run.arrays("gradient")["step"]) == 3 * STEPS  # those of the unfinished epoch as well
    assert (run.path / "history.png").is_file()


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (
            {"frozen": ["enc2"]},
            r"`stages\.1\.frozen` must be one of 'enc1', 'bottleneck', 'dec1', 'head'\. .* Did you mean 'enc1'\?",
        ),
        (
            {"frozen": ["enc1", "bottleneck", "dec1", "head"]},
            r"`stages\.1\.frozen` must leave a block to learn\.",
        ),
        ({"optimizer": {"kind": "sgd", "schedule": "onecycle"}}, r"Received: SGD without one\. In a configuration: "),
    ],
)
def test_run_experiment_refuses_what_a_later_stage_cannot_do_before_it_trains(tmp_path, stage, text):
    config = {**SMALL, "run_directory": tmp_path / "run", "stages": [{"epochs": 1}, {"epochs": 1, **stage}]}
    with pytest.raises(ConfigError, match=text):
        run_experiment(parse_config(config), io.StringIO())
    assert not (tmp_path / "run").exists()


def test_freeze_lets_others_learn_again():
    model = AttentionUNet((16, 16, 1), filters=2, depth=2)
    every = {variable.path for variable in model.trainable_variables}
    freeze(model, ["enc2", "gate1"])
    left = every - {variable.path for variable in model.trainable_variables}
    assert {path.split("_")[0] for path in left} == {"enc2", "gate1"}
    freeze(model, [])
    assert {variable.path for variable in model.trainable_variables} == every
