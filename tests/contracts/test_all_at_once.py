"""The contract of monitors and controls in trainings that are rarer, or dearer: all of them at once.

What each owes alone is in test_monitor_contract.py.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from monitored_units import CONTROLS, MONITORS
from tap_models import assert_same_weights, optimizer_state, weights_of
from unetdyn.callbacks.step_callbacks import StepReader
from ways_to_train import UNUSUAL, supported

STEPS, EPOCHS, BATCH = 4, 2, 3


def make_model(way):
    keras.utils.set_random_seed(1)
    layers, options = keras.layers, {"dtype": "float64"} if way == "float64" else {}
    first = [keras.Input((4,), **options)]
    if way == "embedding":
        first = [keras.Input((4,), dtype="int32"), layers.Embedding(20, 3), layers.Flatten()]
    last = [layers.Dense(4, "relu", **options), layers.BatchNormalization(**options), layers.Dense(1, **options)]
    model = keras.Sequential([*first, *last])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def data(way):
    x = np.random.default_rng(0).integers(0, 20, (STEPS * BATCH, 4))
    return x if way == "embedding" else x / 20, (x[:, :1] > 10).astype("float64")


def batches(way):
    """Data whose end nobody knows beforehand: on TensorFlow each epoch ends with an iterator that fails."""
    x, y = data(way)

    def one_by_one():
        for start in range(0, len(x), BATCH):
            yield x[start : start + BATCH], y[start : start + BATCH]

    if keras.backend.backend() != "tensorflow":
        return (batch for _ in range(EPOCHS) for batch in one_by_one()), {"steps_per_epoch": STEPS}
    import tensorflow as tf

    specs = (tf.TensorSpec((None, 4), tf.float64), tf.TensorSpec((None, 1), tf.float64))
    return tf.data.Dataset.from_generator(one_by_one, output_signature=specs), {}


def trained(way, callbacks):
    model = make_model(way)
    options = {"epochs": EPOCHS, "verbose": 0, "shuffle": False, "callbacks": callbacks, "validation_data": data(way)}
    if way == "unknown length":
        x, more = batches(way)
        model.fit(x, **options, **more)
    else:
        model.fit(*data(way), batch_size=BATCH, **options)
    return model


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras learns the length then
@pytest.mark.parametrize("way", [supported(way) for way in UNUSUAL])
def test_all_monitors_and_idle_controls_leave_a_training_as_it_is(way, tmp_path):
    units = {name: make(tmp_path / name) for name, make in (MONITORS | CONTROLS).items()}
    watched, plain = trained(way, list(units.values())), trained(way, [])
    assert_same_weights(weights_of(watched), weights_of(plain))
    assert_same_weights(optimizer_state(watched), optimizer_state(plain))
    assert {variable.dtype for variable in plain.trainable_variables} == {"float64" if way == "float64" else "float32"}
    for name, unit in units.items():
        if isinstance(unit, StepReader):
            assert unit._next_step == STEPS * EPOCHS, name
            assert not any(finding.code.startswith("steps.") for _, finding in unit.findings), name
    assert units["AutoClip"].record["grad_norm"].min() > 0


HEAD = """
    import os, pathlib, signal, sys, tempfile
    import keras, numpy as np, tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from monitored_units import CONTROLS, MONITORS
    from unetdyn.callbacks.step_callbacks import StepReader
    x = np.random.default_rng(0).random((16, 4)).astype("float32")
    y = (x[:, :1] > 0.5).astype("float32")
"""

MIRRORED = """
    def trained(strategy, units):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            layers = keras.layers
            model = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu"), layers.BatchNormalization(),
                                      layers.Dense(1, activation="sigmoid")])
            model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        callbacks = [make(pathlib.Path(tempfile.mkdtemp())) for make in units.values()]
        model.fit(x[:12], y[:12], batch_size=4, epochs=2, validation_data=(x[12:], y[12:]), verbose=0, shuffle=False,
                  callbacks=callbacks)
        for each in callbacks:
            codes = [finding.code for _, finding in getattr(each, "findings", [])]
            assert not any(code.startswith("steps.") for code in codes), (each.name, codes)
            assert not isinstance(each, StepReader) or each._next_step == 6, each.name
        recorded = [each for each in callbacks if type(each).__name__ == "RunRecorder"]
        for each in recorded:
            assert [row["learning_rate"] for row in each.epochs] == [np.float32(0.01)] * 2
            assert each.setup["optimizer"]["learning_rate"] == np.float32(0.01)
        return model.get_weights()

    for devices, units in ((["CPU:0"], CONTROLS), (["CPU:0", "CPU:1"], {**MONITORS, **CONTROLS})):
        strategy = tf.distribute.MirroredStrategy(devices)
        plain = trained(strategy, {})
        for a, b in zip(trained(strategy, units), plain, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"{devices} {list(units)}")
"""


MIRRORED_AND_RESUMED = """
    from unetdyn.callbacks import AutoClip, GradientMonitor, NoiseScaleMonitor, ResumableRun, UpdateMonitor

    class EndedAt(keras.callbacks.Callback):
        def __init__(self, step):
            super().__init__()
            self.step = step

        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == self.step:
                os.kill(os.getpid(), signal.SIGINT)

    def trained(devices, folder, ended_at=None):
        keras.utils.set_random_seed(1)
        strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(devices)])
        with strategy.scope():
            layers = keras.layers
            model = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu", name="a"),
                                      layers.BatchNormalization(name="b"), layers.Dropout(0.5, seed=3),
                                      layers.Dense(1, activation="sigmoid", name="c")])
            model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        monitors = [GradientMonitor(), UpdateMonitor(), NoiseScaleMonitor(batch_size=4), AutoClip()]
        run = ResumableRun(folder, verbose=0)
        try:
            model.fit(x, y, batch_size=4, epochs=3, verbose=0, shuffle=False,
                      callbacks=[*monitors, EndedAt(ended_at), run])
        except KeyboardInterrupt:
            assert model.optimizer.iterations.numpy() == ended_at
        return run.resumed_from, model.get_weights(), [monitor.record for monitor in monitors]

    whole = trained(2, tempfile.mkdtemp())
    for ended_at, place in ((6, (1, 2)), (8, (2, 0))):
        folder = tempfile.mkdtemp()
        trained(2, folder, ended_at)
        if ended_at == 6:
            try:
                trained(1, folder)
            except ValueError as error:
                assert "or the number of replicas, are others" in str(error), error
            else:
                raise AssertionError("one device carries on with what two have kept")
        found = trained(2, folder)
        assert found[0] == place, found[0]
        assert keras.tree.flatten(found[1:]), "there is something to compare"
        for a, b in zip(keras.tree.flatten(found[1:]), keras.tree.flatten(whole[1:]), strict=True):
            np.testing.assert_array_equal(a, b)
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's")
@pytest.mark.parametrize("script", [MIRRORED, MIRRORED_AND_RESUMED], ids=["observed", "resumed"])
def test_every_callback_runs_under_a_mirrored_strategy(script):
    """In a process of its own: the number of devices is fixed when the backend starts."""
    tests = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests.parent / "src"), str(tests)])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HEAD + script)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
