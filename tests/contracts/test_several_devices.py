"""Two devices share each batch by `keras.distribution.DataParallel`: everything says what it says on one.

In a process of its own, because the number of devices is fixed when JAX starts; the devices are two of the CPU's.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import pytest

TRAINING = """
    import contextlib, pathlib, tempfile
    import keras, numpy as np
    from monitored_units import CONTROLS, MONITORS
    from unetdyn import callbacks, runs
    from unetdyn.data import TileDataset
    from unetdyn.inference import predict_tiled
    from unetdyn.losses import BinaryFocalLoss
    from unetdyn.metrics import ThresholdedJaccard
    from unetdyn.models import UNet

    TWO = keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"])
    ONE = contextlib.nullcontext()
    CLOSE = {"rtol": 1e-4, "atol": 1e-6}
    x = np.random.default_rng(0).random((16, 8, 8, 1)).astype("float32")
    y = (x > 0.5).astype("float32")

    def made(optimizer):
        keras.utils.set_random_seed(1)
        model = UNet((8, 8, 1), filters=2, depth=1)
        model.compile(optimizer, BinaryFocalLoss(gamma=2.0), metrics=[ThresholdedJaccard()])
        return model

    def same(found, expected, where):
        if isinstance(expected, dict):
            assert found.keys() == expected.keys(), where
            for key in expected:
                if key != "seconds":
                    same(found[key], expected[key], f"{where}.{key}")
        elif isinstance(expected, np.ndarray) and expected.dtype.kind in "SUO":
            assert found.tolist() == expected.tolist(), where
        else:
            np.testing.assert_allclose(found, expected, **CLOSE, err_msg=where)
"""

ALL_AT_ONCE = """
    units = {**MONITORS, **CONTROLS}

    class Noted(keras.callbacks.Callback):
        '''How much of a batch and of a weight each device has.'''
        def on_train_batch_end(self, batch, logs=None):
            self.devices = len(self.model._jax_state["trainable_variables"][0].sharding.device_set)

    def trained(shared):
        with TWO.scope() if shared else ONE:
            folder, model = pathlib.Path(tempfile.mkdtemp()), made(keras.optimizers.SGD(0.05, momentum=0.9))
            each = {name: make(folder / name) for name, make in units.items()}
            noted = Noted()
            history = model.fit(TileDataset(x[:12], y[:12], batch_size=4, seed=1), shuffle=False, epochs=2, verbose=0,
                                validation_data=(x[12:], y[12:]), callbacks=[*each.values(), noted]).history
        assert noted.devices == 1 + shared
        return model, history, each, folder

    alone, of_one, one, first = trained(False)
    pair, of_two, two, second = trained(True)
    for a, b in zip(alone.get_weights(), pair.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, **CLOSE)
    same(of_two, of_one, "logs")
    for name in units:
        same(getattr(two[name], "record", {}), getattr(one[name], "record", {}), name)
        codes = [[(epoch, finding.code) for epoch, finding in getattr(each, "findings", [])]
                 for each in (one[name], two[name])]
        assert codes[0] == codes[1], (name, codes)
    noise, expected = two["NoiseScaleMonitor"].record, one["NoiseScaleMonitor"].record
    assert len(noise["raw_step"]) == 4 and (noise["batch_size"] == 4).all()  # pairs of steps, of whole batches
    rows = runs.open(second / "RunRecorder/run").epochs
    same({key: [row[key] for row in rows] for key in ("loss", "val_loss")},
         {key: of_one[key] for key in ("loss", "val_loss")}, "run")

    # The best model of two devices opens on one, and the devices share what is predicted.
    best, model = (keras.saving.load_model(folder / "RunRecorder/run/model.keras") for folder in (first, second))
    for a, b in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, **CLOSE)
    image = np.random.default_rng(1).random((24, 24)).astype("float32")
    options = {"tile": 8, "overlap": 0.25, "normalise": "none", "reduce": "logits"}
    whole = predict_tiled(alone, image, batch_size=4, **options)
    with TWO.scope():
        for each in (pair, alone):
            for size in (4, 3):
                np.testing.assert_allclose(predict_tiled(each, image, batch_size=size, **options), whole, **CLOSE)
        from unetdyn.inference.started import starter
        for size, share in ((4, 2), (3, 3)):
            parts = starter(pair)(x[:size]).addressable_shards
            assert [len(part.data) for part in parts] == [share, share]
"""

CARRIED_ON = """
    layers = keras.layers

    def started(shared, folder, epochs):
        with TWO.scope() if shared else ONE:
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((8, 8, 1)), layers.BatchNormalization(), layers.Dropout(0.2, seed=2),
                                      layers.Dense(1, activation="sigmoid")])
            model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
            run = callbacks.ResumableRun(folder, verbose=0)
            monitor = callbacks.GradientMonitor()
            model.fit(x, y, batch_size=4, shuffle=False, epochs=epochs, verbose=0, callbacks=[monitor, run])
        return run.resumed_from, model.get_weights(), monitor.record["grad_norm"]

    _, expected, norms = started(False, tempfile.mkdtemp(), 3)
    _, of_two, _ = started(True, tempfile.mkdtemp(), 3)
    for begun, ended in ((True, True), (True, False), (False, True)):
        folder = tempfile.mkdtemp()
        started(begun, folder, 2)
        resumed_from, weights, seen = started(ended, folder, 3)
        assert resumed_from == (2, 0)
        np.testing.assert_allclose(seen, norms, **CLOSE)
        for a, b, c in zip(weights, expected, of_two, strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)
            if begun and ended:
                np.testing.assert_array_equal(a, c)
"""

UNEVEN = """
    # What Keras does with a batch that two can't share. When this fails, `check_shares` may go.
    with TWO.scope():
        model = made("sgd")
        try:
            model.fit(x[:15], y[:15], batch_size=4, verbose=0)
        except ValueError as error:
            assert "divi" in str(error), error
        else:
            raise AssertionError("Keras can share uneven batches now")
        for drop_last in (True, False):
            try:
                tiles = TileDataset(x[:15], y[:15], batch_size=4, drop_last=drop_last)
                model.fit(tiles, shuffle=False, verbose=0)
            except ValueError as error:
                assert not drop_last and "Pass `drop_last=True`" in str(error), error
            else:
                assert drop_last
"""


def run(*parts: str) -> None:
    tests = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests.parent / "src"), str(tests)])
    options = {
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
        "PYTHONPATH": path,
    }
    done = subprocess.run(
        [sys.executable, "-c", "".join(map(textwrap.dedent, parts))],
        env={**os.environ, **options},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]


needs_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution shares batches on JAX")


@needs_jax
def test_all_monitors_and_controls_say_the_same_on_two_devices_and_predictions_are_shared():
    run(TRAINING, ALL_AT_ONCE)


@needs_jax
def test_a_state_of_two_devices_carries_on_on_one_and_back_and_uneven_batches_are_refused():
    run(TRAINING, CARRIED_ON, UNEVEN)
