"""The last state of a run, as Keras opens it, and as Orbax does."""

import io
import sys
import types

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.dynamics.training_state import variables_of
from unetdyn.experiment import ConfigError, export_state, parse_config, run_experiment
from unetdyn.experiment.monitors import offered
from unetdyn.experiment.prepare import prepare
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.usefixtures("untraced")

SMALL = {
    "data": {
        "kind": "synthetic",
        "sections": 6,
        "size": 64,
        "tile": 32,
        "split": {"train": [0, 1], "validation": [3, 3]},
    },
    "model": {"architecture": "UNet", "filters": 2, "depth": 1},
    "fit": {"epochs": 3, "batch_size": 4},
    "callbacks": {declared.name: None for declared, section in offered() if not section.required},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def run(folder):
    config = {**SMALL, "run_directory": folder / "run"}
    return run_experiment(parse_config(config), io.StringIO())


@pytest.fixture(scope="module")
def two_stages(folder):
    """A frozen encoder; and at an epoch's end the model has averages, where training goes on from other weights."""
    optimizer = {"kind": "adamw", "use_ema": True, "ema_momentum": 0.5}
    stages = [{"epochs": 1}, {"epochs": 1, "frozen": ["enc1"], "optimizer": optimizer}]
    config = {**SMALL, "run_directory": folder / "stages", "fit": {"batch_size": 4}, "stages": stages}
    return run_experiment(parse_config(config), io.StringIO())


def state(run):
    return StateStore(run.path / "state").read().tree


def assert_has(model, values):
    for place, variable in variables_of(model, metrics=False).items():
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable.value), values[place], err_msg=place)


def test_exported_model_has_the_last_state_and_trains_on_like_the_run(run, folder):
    path = export_state(run, folder / "last.keras")
    model = keras.saving.load_model(path)
    assert_has(model, state(run)["variables"])

    longer = run_experiment(
        parse_config({**SMALL, "run_directory": folder / "longer", "fit": {"epochs": 4, "batch_size": 4}}),
        io.StringIO(),
    )
    tiles = prepare(parse_config(SMALL)).train
    tiles.epoch = 3
    model.fit(tiles, initial_epoch=3, epochs=4, shuffle=False, verbose=0)
    assert_has(model, state(longer)["variables"])


def test_exported_model_of_a_stage_is_that_stages(two_stages, folder):
    model = keras.saving.load_model(export_state(two_stages.path, folder / "stage.keras"))
    assert model.optimizer.name == "adamw"
    assert not model.get_layer("enc1_conv1").trainable
    values = state(two_stages)
    (trained,) = [each["state"]["trained"] for each in values["callbacks"] if each["class"] == "AveragedWeights"]
    for variable, value in zip(model.trainable_variables, trained, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    of_optimizer = {place: value for place, value in values["variables"].items() if place.startswith("optimizer/")}
    for place, variable in variables_of(model, metrics=False).items():
        if place in of_optimizer:
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(variable.value), of_optimizer[place], err_msg=place
            )


def test_export_to_orbax_writes_one_step_as_the_callback_of_keras_does(run, folder, monkeypatch):
    calls = []

    class Stub:
        def __init__(self, directory, **options):
            calls.append((directory, options))

        def set_model(self, model):
            assert_has(model, state(run)["variables"])

        def on_epoch_end(self, epoch):
            calls.append(epoch)

        def on_train_end(self):
            calls.append("closed")

    monkeypatch.setitem(sys.modules, "orbax", types.ModuleType("orbax"))
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", types.ModuleType("orbax.checkpoint"))
    monkeypatch.setattr(keras.callbacks, "OrbaxCheckpoint", Stub)
    monkeypatch.chdir(folder)
    assert str(export_state(run, "steps")) == "steps"
    (directory, options), *rest = calls
    assert directory == folder / "steps"  # Orbax takes no other
    assert options["save_on_background"] is False
    assert rest == [3, "closed"]


@pytest.mark.filterwarnings("ignore")  # Orbax's own
def test_export_to_orbax_is_what_keras_loads(run, folder):
    pytest.importorskip("orbax.checkpoint")
    model = keras.saving.load_model(export_state(run, folder / "orbax"))
    assert_has(model, state(run)["variables"])


def test_export_without_orbax_says_what_to_install(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax", None)
    with pytest.raises(ImportError, match=r"folder for Orbax, which is not installed: pip install orbax-checkpoint"):
        export_state(run, folder / "nothing")


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("absent/last.keras", FileNotFoundError, r"`path` must lie in a folder\. Received: .*; make .*absent first"),
        ("last.h5", ValueError, r"`path` must end in \.keras, or be a new folder for Orbax, .*\. Received: .*last\.h5"),
        (
            "taken",
            ValueError,
            r"`path` must be a new folder; nothing is overwritten\. Received: .*taken, which is there",
        ),
        ("folder.keras", ValueError, r"`path` must be a file\. Received: .*, which is a folder"),
    ],
)
def test_export_refuses_places_before_it_reads(run, tmp_path, name, error, text):
    (tmp_path / "taken").mkdir()
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(error, match=text):
        export_state(run, tmp_path / name)


def test_export_of_a_run_without_a_state_says_so(tmp_path):
    config = parse_config({**SMALL, "fit": {"keep_state": False}}).model_dump(mode="json")
    writer = runs.RunWriter(tmp_path / "run", config=config)
    with pytest.raises(ConfigError, match=r"has no state to carry on from: `fit\.keep_state` is false"):
        export_state(writer.path, tmp_path / "last.keras")


def test_export_of_another_models_state_names_the_variable(run, tmp_path):
    config = {**run.config, "model": {**run.config["model"], "filters": 3}}
    writer = runs.RunWriter(tmp_path / "run", config=config)
    StateStore(writer.path / "state").write(state(run))
    with pytest.raises(ConfigError, match=r"not that of the model in `config`: shape .* for enc1_conv1/kernel"):
        export_state(writer.path, tmp_path / "last.keras")
