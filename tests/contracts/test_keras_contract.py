"""What Keras may expect of every metric, loss, schedule, function and model that tests/serialisable_units.py lists."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from serialisable_units import FUNCTIONS, LOSSES, METRICS, MODELS, SCHEDULES, TARGETS

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.random((4, 32, 32, 1), dtype="float32")
Y = (X > 0.6).astype("float32")

SEVENTH = 7  # a step at which the rates of all schedules differ

compiled_steps = pytest.mark.skipif(BACKEND == "torch", reason="Keras runs steps eagerly on PyTorch")


def small_model() -> keras.Model:
    inputs = keras.Input((32, 32, 1))
    return keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(inputs))


def compile_with(model: keras.Model, loss: object = "binary_crossentropy", metrics: object = (), **options) -> None:
    model.compile(keras.optimizers.SGD(1e-3), loss, metrics=list(metrics), **options)


def targets(name: str) -> np.ndarray:
    """What a loss wants of the masks."""
    return TARGETS.get(name, lambda masks: masks)(Y)


def model_of_all_losses(**options) -> keras.Model:
    """One output for each loss, all alike: a model is traced and compiled once."""
    inputs = keras.Input((32, 32, 1))
    output = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(inputs)
    names = [f"output{number}" for number in range(len(LOSSES))]
    model = keras.Model(inputs, [keras.layers.Identity(name=name)(output) for name in names])
    model.compile(keras.optimizers.SGD(0.0), [build() for build in LOSSES.values()], **options)
    return model


def compiled_models() -> Iterator[tuple[str, keras.Model]]:
    """Every unit in some compiled model."""
    model = small_model()
    compile_with(model, metrics=[build() for build in METRICS.values()] + list(FUNCTIONS.values()))
    yield "metrics", model
    yield "losses", model_of_all_losses()
    for name, build in MODELS.items():
        model = build()
        compile_with(model, next(iter(LOSSES.values()))(), [next(iter(METRICS.values()))()])
        yield name, model
    for name, build in SCHEDULES.items():
        model = small_model()
        model.compile(keras.optimizers.SGD(build()), "mse")
        model.optimizer.iterations.assign(SEVENTH)
        yield name, model


@pytest.fixture
def restore_policy() -> Iterator[None]:
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


# Configuration.


CONFIGURED = METRICS | LOSSES | SCHEDULES


@pytest.mark.parametrize("build", CONFIGURED.values(), ids=CONFIGURED)
def test_config_is_complete_json_able_and_gives_the_same_object(build: Callable) -> None:
    unit = build()
    config = unit.get_config()
    again = type(unit).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert set(inspect.signature(type(unit).__init__).parameters) - {"self"} == set(config)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_model_config_is_json_able_and_gives_the_same_model(build: Callable) -> None:
    config = keras.saving.serialize_keras_object(build())
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert json.dumps(keras.saving.serialize_keras_object(again)) == json.dumps(config)


def test_everything_registered_is_on_the_list() -> None:
    listed = {keras.saving.get_registered_name(function) for function in FUNCTIONS.values()}
    listed |= {keras.saving.get_registered_name(type(build())) for build in CONFIGURED.values()}
    for build in MODELS.values():
        model = build()
        listed |= {keras.saving.get_registered_name(type(layer)) for layer in [model, *model.layers]}
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("unetdyn>")}
    assert registered, "nothing is registered: unetdyn._registered was not imported"
    assert registered - listed == set(), "add these to tests/serialisable_units.py"


# Saving.

LOAD = """
import json, pathlib, sys
{imports}
import numpy as np
folder = pathlib.Path(sys.argv[1])
data = np.load(folder / "data.npz")
values = {{}}
for path in sorted(folder.glob("*.keras")):
    model = keras.saving.load_model(path)
    model.run_eagerly = keras.config.backend() == "tensorflow"  # tracing takes seconds, a few samples none
    y = [data[name] for name in sorted(data) if name.startswith("y" + path.stem)] or data["y"]
    values[path.stem] = model.evaluate(data["x"], y, batch_size=2, verbose=0, return_dict=True)
    values[path.stem]["rate"] = float(model.optimizer.learning_rate)
(folder / "loaded.json").write_text(json.dumps(values))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("saved")
    arrays, values = {"x": X, "y": Y}, {}
    for number, (name, model) in enumerate(compiled_models()):
        y = [targets(each) for each in LOSSES] if name == "losses" else Y
        arrays |= {f"y{number:02}-{place:02}": each for place, each in enumerate(y) if name == "losses"}
        model.run_eagerly = keras.config.backend() == "tensorflow"
        figures = model.evaluate(X, y, batch_size=2, verbose=0, return_dict=True)
        values[f"{number:02}"] = figures | {"name": name, "rate": float(model.optimizer.learning_rate)}
        model.save(folder / f"{number:02}.keras")
    np.savez(folder / "data.npz", **arrays)
    return folder, values


def what_jax_compiled() -> dict[str, str]:
    """The variables by which a process that JAX runs in finds what it compiled in this one."""
    if keras.config.backend() != "jax":
        return {}
    import jax

    names = ("compilation_cache_dir", "persistent_cache_min_compile_time_secs", "persistent_cache_min_entry_size_bytes")
    return {f"JAX_{name.upper()}": str(getattr(jax.config, f"jax_{name}")) for name in names}


@pytest.mark.parametrize("imports", ["import unetdyn, keras", "import keras, unetdyn"])
def test_a_fresh_process_loads_everything_without_custom_objects(saved: tuple[Path, dict], imports: str) -> None:
    folder, expected = saved
    command = [sys.executable, "-c", LOAD.format(imports=imports), str(folder)]
    environment = os.environ | what_jax_compiled()
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert process.returncode == 0, process.stderr[-3000:]
    loaded = json.loads((folder / "loaded.json").read_text())
    assert set(loaded) == set(expected)
    for key, values in loaded.items():
        want = {k: v for k, v in expected[key].items() if k != "name"}
        assert values == pytest.approx(want, rel=1e-4, nan_ok=True), expected[key]["name"]


# Precision.


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("build", METRICS.values(), ids=METRICS)
@pytest.mark.usefixtures("restore_policy")
def test_metric_counts_half_precision_as_it_counts_single(build: Callable, policy: str) -> None:
    half = keras.ops.cast(X, policy.removeprefix("mixed_"))
    single = build()
    single.update_state(Y, keras.ops.cast(half, "float32"))
    keras.config.set_dtype_policy(policy)
    metric = build()
    metric.update_state(Y, half)
    assert float(metric.result()) == float(single.result())
    assert {variable.dtype for variable in metric.variables} == {"float32"}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.usefixtures("restore_policy")
def test_loss_of_half_precision_is_computed_in_single(name: str, policy: str) -> None:
    half = keras.ops.cast(X, policy.removeprefix("mixed_"))
    expected = float(LOSSES[name]()(targets(name), keras.ops.cast(half, "float32")))
    keras.config.set_dtype_policy(policy)
    value = LOSSES[name]()(targets(name), half)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert float(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
@pytest.mark.usefixtures("restore_policy")
def test_model_runs_under_mixed_precision(build: Callable, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    output = build()(X, training=True)
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))).all()


# Compilation: one fit with XLA and two steps an execution; a second fit must not trace anything again.


def count_calls(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, calls: list[None] | None = None
) -> list[None]:
    calls = [] if calls is None else calls
    original = getattr(owner, method)

    def counted(*args, **kwargs):
        calls.append(None)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, method, counted)
    return calls


def traces_once(model: keras.Model, calls: list[None], y: object = Y) -> dict[str, float]:
    """The logs of a second `fit`, which must run what the first one traced."""
    arguments = {"x": X, "y": y, "batch_size": 2, "shuffle": False, "verbose": 0}
    model.fit(**arguments)
    before = len(calls)
    assert before > 0
    history = model.fit(**arguments, epochs=2).history
    assert len(calls) == before, "traced again"
    return {name: values[-1] for name, values in history.items()}


@compiled_steps
@pytest.mark.parametrize("build", METRICS.values(), ids=METRICS)
def test_metric_compiles_and_is_traced_once(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    model, metric = small_model(), build()
    calls = count_calls(monkeypatch, type(metric), "update_state")
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[metric], jit_compile=True, steps_per_execution=2)
    logs = traces_once(model, calls)
    eager = build()
    for i in (0, 2):
        eager.update_state(Y[i : i + 2], model(X[i : i + 2]))
    assert logs[metric.name] == pytest.approx(float(eager.result()), rel=1e-5)


@compiled_steps
def test_losses_compile_and_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of_all_losses(jit_compile=True, steps_per_execution=2)
    calls: list[None] = []
    for kind in {type(loss) for loss in model.loss}:
        count_calls(monkeypatch, kind, "call", calls)
    logs = traces_once(model, calls, [targets(name) for name in LOSSES])
    for number, (name, build) in enumerate(LOSSES.items()):
        y = targets(name)
        eager = np.mean([float(build()(y[i : i + 2], model(X[i : i + 2])[number])) for i in (0, 2)])
        assert logs[f"output{number}_loss"] == pytest.approx(eager, rel=1e-4), name


@compiled_steps
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_model_compiles_and_is_traced_once(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    calls = count_calls(monkeypatch, type(model), "call")
    compile_with(model, jit_compile=True)
    assert np.isfinite(traces_once(model, calls)["loss"])


@compiled_steps
@pytest.mark.parametrize("build", SCHEDULES.values(), ids=SCHEDULES)
def test_schedule_compiles_and_is_traced_once(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    model, schedule = small_model(), build()
    calls = count_calls(monkeypatch, type(schedule), "__call__")
    model.compile(keras.optimizers.SGD(schedule), "mse", jit_compile=True, steps_per_execution=2)
    traces_once(model, calls)
    assert float(model.optimizer.learning_rate) == pytest.approx(float(build()(6)), rel=1e-6)
