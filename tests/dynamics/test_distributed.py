"""Two devices on one host: one row per global step, of the gradient of the whole batch. Each runs in a process of its
own, because the number of devices is fixed when the backend starts.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import pytest

SHARED = """
    import keras, numpy as np
    from unetdyn.dynamics import Control, OptimizerTap
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    y = np.random.default_rng(1).normal(size=(24, 1)).astype("float32")

    def compiled(**options):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1, **options), "mse")
        return model

    def weights(model):
        return [np.array(keras.ops.convert_to_numpy(v.value)) for v in model.trainable_variables]

    def fitted(model, data=x, probe=None, **kwargs):
        tap = OptimizerTap(model, probe, capacity=4)
        model.fit(data, y, batch_size=8, epochs=2, verbose=0, shuffle=False, **kwargs)
        rows = tap.read()
        tap.detach()
        return rows

    class SkipNonFinite(Control):
        def transform(self, step):
            return None, keras.ops.sum(step.nonfinite) > 0, {}

    class Halve(Control):
        def transform(self, step):
            return [g * 0.5 for g in step.gradients], None, {}
"""

MIRRORED = """
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    for options in ({}, {"global_clipnorm": 0.2}):
        with strategy.scope():
            plain, tapped = compiled(**options), compiled(**options)
        plain.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        rows = fitted(tapped)
        for a, b in zip(weights(plain), weights(tapped)):
            np.testing.assert_array_equal(a, b)
        assert list(rows.step) == list(range(6)), rows.step
        if not options:
            reference = fitted(compiled())
            for name in ("grad_norm_sq", "weight_norm_sq", "update_norm_sq", "applied_grad_norm"):
                np.testing.assert_allclose(getattr(rows, name), getattr(reference, name), rtol=1e-4, err_msg=name)
            first = compiled()
            halves = [rows_of(first, x[:4], y[:4]), rows_of(first, x[4:8], y[4:8])]
            np.testing.assert_allclose(rows.replica_grad_norm_sq[0], np.mean(halves, axis=0), rtol=1e-4)
        else:
            assert (rows.applied_grad_norm < rows.grad_norm + 1e-6).all()

    # Keras 3.15 itself cannot accumulate gradients under a MirroredStrategy: it sums over replicas inside of a branch.
    # When this fails, it can, and the noise scale's sources and the tap must be tried with it.
    with strategy.scope():
        accumulating = compiled(gradient_accumulation_steps=3)
    try:
        accumulating.fit(x, y, batch_size=8, verbose=0)
    except RuntimeError as error:
        assert "merge_call" in str(error), error
    else:
        raise AssertionError("Keras can accumulate under a MirroredStrategy now")

    with strategy.scope():
        halved, broken = compiled(), compiled()
    rows = fitted(halved, probe=Halve())
    np.testing.assert_allclose(np.sqrt(rows.update_norm_sq.sum(1)), 0.05 * rows.grad_norm, rtol=1e-4)
    data = x.copy()
    data[8:12] = np.nan  # of the second batch, one replica's half
    rows = fitted(broken, data, SkipNonFinite())
    assert rows.applied.tolist() == [True, False, True] * 2, rows.applied
    assert all(np.isfinite(w).all() for w in weights(broken))

    class Same(Control):
        def transform(self, step):
            return [g * 1.0 for g in step.gradients], None, {}

    # A control that finds nothing to do changes nothing, whatever Keras clips: each replica gets its own gradient back.
    for options in ({}, {"global_clipnorm": 0.2}, {"clipvalue": 0.01}):
        with strategy.scope():
            plain = compiled(**options)
        plain.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        for control in (SkipNonFinite, Same):
            with strategy.scope():
                controlled = compiled(**options)
            rows = fitted(controlled, probe=control())
            assert rows.applied.all()
            for a, b in zip(weights(plain), weights(controlled)):
                np.testing.assert_array_equal(a, b, err_msg=f"{options} {control}")

    # The momentum of a step is the same in each replica.
    from unetdyn.callbacks import MomentumCycle
    from unetdyn.schedules import OneCycle
    with strategy.scope():
        shared = compiled(momentum=0.9, nesterov=True)
    alone = compiled(momentum=0.9, nesterov=True)
    for model in (shared, alone):
        cycle = MomentumCycle(0.2, 0.9, cycle=OneCycle(0.1, 3))
        model.fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=[cycle])
    for a, b in zip(weights(shared), weights(alone)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert "_backend_update_step" not in vars(shared.optimizer)
"""

ROWS_OF = """
    def rows_of(model, x, y):
        import tensorflow as tf
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) - y))
        return [float(tf.reduce_sum(g * g)) for g in tape.gradient(loss, [v.value for v in model.trainable_variables])]
"""

DATA_PARALLEL = """
    reference = fitted(compiled())
    import jax
    assert len(jax.devices()) == 2
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]))
    plain, tapped = compiled(), compiled()
    plain.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    rows = fitted(tapped)
    for a, b in zip(weights(plain), weights(tapped)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert list(rows.step) == list(range(6))
    for name in ("grad_norm_sq", "weight_norm_sq", "update_norm_sq", "applied_grad_norm"):
        np.testing.assert_allclose(getattr(rows, name), getattr(reference, name), rtol=1e-4, err_msg=name)
    fitted(tapped, probe=SkipNonFinite())
"""


COLLECTIVES = r"""
    # Each device has all of every weight: what is measured moves nothing from device to device.
    import math, re
    from collections import Counter
    from unetdyn.callbacks import GradientMonitor, NoiseScaleMonitor, NonFiniteGuard, UpdateMonitor
    from unetdyn.dynamics.backend.xla_sums import joined, joint_sums

    KINDS = "all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"

    def moved(function, *arguments, **options):
        # How many numbers the compiled function takes from device to device, by the way they go.
        found, text = Counter(), jax.jit(function, **options).lower(*arguments).compile().as_text()
        for shapes, kind in re.findall(rf"= ([^=]*?) ({KINDS})(?:-start)?\(", text):
            sizes = [each.split(",") for each in re.findall(r"\[([\d,]*)\]", shapes)]
            found[kind] += sum(math.prod(map(int, filter(None, each))) for each in sizes)
        return found

    def spread(array):
        layout = keras.distribution.distribution().get_data_layout(array.shape)
        return jax.device_put(array, layout.backend_layout)

    def moved_in_a_step(callbacks):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(700, "tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(), "mse")
        model.fit(x[:8], y[:8], verbose=0)  # builds all
        watching = keras.callbacks.CallbackList(callbacks, model=model, epochs=1, steps=1, verbose=0)
        watching.on_train_begin()
        kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
        state = model._get_jax_state(**dict.fromkeys(kinds, True))
        where = jax.tree.map(lambda value: value.sharding, state)
        batch = (spread(x[:8]), spread(y[:8]))
        found = moved(model.train_step, state, batch, out_shardings=(None, where))
        watching.on_train_end()
        return found, len(state[2])

    plain, fewer = moved_in_a_step([])
    watched, more = moved_in_a_step([GradientMonitor(), UpdateMonitor(), NoiseScaleMonitor(), NonFiniteGuard()])
    assert more > fewer  # the ring is among the variables
    assert plain.keys() == {"all-reduce"} and plain["all-reduce"] > 3 * 700, plain  # the gradients
    assert watched == plain, (watched, plain)

    # Of what is laid out over devices something has to move: it would be seen above.
    apart = spread(np.ones((3000, 4), "float32"))
    assert sum(moved(lambda tensor: joint_sums(lambda t: [t], joined([tensor])), apart).values()) > 0
"""


def run(*parts: str, **environment: str) -> None:
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", "".join(map(textwrap.dedent, parts))],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_mirrored_strategy_gives_one_row_a_step_of_the_whole_gradient():
    run(SHARED, ROWS_OF, MIRRORED)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution.DataParallel is tried on JAX")
def test_data_parallel_gives_one_row_a_step_of_the_whole_gradient_and_moves_nothing_more():
    run(SHARED, DATA_PARALLEL, COLLECTIVES, XLA_FLAGS="--xla_force_host_platform_device_count=2")
