"""Copies on the host: the same bytes as Keras gives, whichever way they went, and nobody else's."""

import functools
import gc
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend

BACKEND = keras.backend.backend()
DTYPES = ("bool", "uint8", "int8", "int32", "uint32", "float16", "bfloat16", "float32", "float8_e4m3fn")
SHAPES = ((), (0, 3), (7,), (3, 2, 5), (70, 33))

only_jax = pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
only_torch = pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")


def of_backend(name):
    """It imports the framework."""
    return importlib.import_module(f"unetdyn.dynamics.backend.{name}")


@pytest.fixture
def on_device(monkeypatch):
    """What lies in the host's memory counts as a device's, and its page-locked memory, which takes a GPU, is plain.

    JAX has page-locked memory beside a CPU too: there nothing else is different from a GPU.
    """
    if BACKEND == "jax":
        import jax

        monkeypatch.setattr(of_backend("jax"), "_on_device", lambda tensor: isinstance(tensor, jax.Array))
    elif BACKEND == "torch":
        import torch

        monkeypatch.setattr(torch.Tensor, "is_cuda", True)
        monkeypatch.setattr(
            of_backend("torch"), "pinned_copies", functools.partial(of_backend("pinned_torch").pinned_copies, pin=False)
        )
    else:
        pytest.skip("there is one way")


@pytest.fixture(params=["host", "device"])
def way(request):
    if request.param == "device":
        request.getfixturevalue("on_device")


def taken(monkeypatch, name):
    """How many of the arrays of each call of `to_host` went by page-locked memory."""
    module, counts = of_backend(name), []
    original = module.pinned_copies

    def counted(*given, **named):
        found = original(*given, **named)
        counts.append(len(found))
        return found

    monkeypatch.setattr(module, "pinned_copies", counted)
    return counts


def all_kinds():
    """Tensors and variables of many types and shapes, with entries of all sorts."""
    rng = np.random.default_rng(0)
    found = []
    for dtype in DTYPES:
        for shape in SHAPES:
            array = np.asarray(rng.integers(0, 2 if dtype == "bool" else 100, shape))
            found.append(keras.ops.convert_to_tensor(array.astype("float32"), dtype))
    floats = np.array([np.nan, -np.inf, -0.0, 1e-45, 3.4e38], "float32")
    found += [keras.ops.convert_to_tensor(floats), keras.Variable(floats)]
    found += [keras.Variable(floats[1:], dtype="bfloat16")]  # which NaN it is Keras doesn't keep on PyTorch
    if BACKEND == "tensorflow":  # whose scalars of bfloat16 and float8 NumPy can not make arrays of
        found = [value for value in found if len(value.shape) or "float" not in str(value.dtype)]
    return [*found, keras.Variable(7, dtype="uint32", trainable=False)]


def expected_of(value):
    """What Keras gives, in C's order; PyTorch itself has no way to NumPy for the types of eight bits."""
    value = value.value if isinstance(value, keras.Variable) else value
    if BACKEND == "torch" and "float8" in str(value.dtype):
        import ml_dtypes

        return keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")).astype(ml_dtypes.float8_e4m3fn)
    return keras.ops.convert_to_numpy(value)


def test_copies_are_those_of_keras_to_the_last_bit(way):
    values = all_kinds()
    if BACKEND == "torch" and "host" in os.environ["PYTEST_CURRENT_TEST"]:
        values = [value for value in values if "float8" not in str(value.dtype)]
    copies = backend.to_host(values)
    assert len(copies) == len(values)
    for copy, value in zip(copies, values, strict=True):
        expected = expected_of(value)
        assert type(copy) is np.ndarray
        assert (copy.dtype, copy.shape) == (expected.dtype, expected.shape)
        assert copy.tobytes() == expected.tobytes()


def test_nothing_is_copied_of_nothing(way):
    assert backend.to_host([]) == []


def test_arrays_of_numpy_are_copied_too(way):
    given = [np.arange(3.0), keras.Variable(np.ones(2)), np.array(5), np.float32(2.5)]
    copies = backend.to_host(given)
    given[0][:] = 0
    assert [copy.tolist() for copy in copies] == [[0, 1, 2], [1, 1], 5, 2.5]


def test_copies_neither_change_nor_end_with_the_variables(way):
    arrays = [np.random.default_rng(0).random(shape).astype("float32") for shape in SHAPES]
    variables = [keras.Variable(array) for array in arrays]
    copies = backend.to_host(variables)
    for variable in variables:
        variable.assign(variable + 1)
    for copy, array in zip(copies, arrays, strict=True):
        np.testing.assert_array_equal(copy, array)
    del variables, variable
    gc.collect()
    others = backend.to_host([keras.Variable(np.full((500, 10), 7.0))] * 5)  # in memory that may be free now
    for copy, array in zip(copies, arrays, strict=True):
        np.testing.assert_array_equal(copy, array)
    assert all((other == 7).all() for other in others)


def test_what_can_be_pinned_is(on_device, monkeypatch):
    counts = taken(monkeypatch, BACKEND)
    backend.to_host([keras.Variable(np.ones(3)), np.ones(3), keras.ops.ones((2, 2), dtype="bfloat16")])
    assert counts == [2]


@pytest.mark.skipif(BACKEND == "tensorflow", reason="there is one way")
def test_what_is_on_the_host_stays_as_it_was(monkeypatch):
    counts = taken(monkeypatch, BACKEND)
    backend.to_host([keras.Variable(np.ones(3)), np.ones(3)])
    assert counts == [0]


def test_where_no_such_memory_can_be_had_the_copies_are_the_same(on_device, monkeypatch):
    counts = taken(monkeypatch, BACKEND)

    def refuse(*given, **named):
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    module, name = {"jax": ("jax", "device_put"), "torch": ("torch", "empty")}[BACKEND]
    values = [value for value in all_kinds() if "float8" not in str(value.dtype)]
    with monkeypatch.context() as broken:
        broken.setattr(importlib.import_module(module), name, refuse)
        copies = backend.to_host(values)
    assert counts == [0]
    for copy, value in zip(copies, values, strict=True):
        assert copy.tobytes() == expected_of(value).tobytes()


@only_jax
def test_a_copy_is_the_memory_that_the_device_wrote_into_and_stays_when_the_array_is_donated(on_device, monkeypatch):
    import jax

    put = []
    original = jax.device_put
    monkeypatch.setattr(jax, "device_put", lambda *given: put.extend(original(*given)) or put)
    array = jax.numpy.arange(1000.0)
    expected, pointer = np.arange(1000.0), array.unsafe_buffer_pointer()
    (copy,) = backend.to_host([array])
    assert put[0].sharding.memory_kind == "pinned_host"
    assert copy.ctypes.data == put[0].unsafe_buffer_pointer() != pointer
    del put[:]
    step = jax.jit(lambda x: x * 2, donate_argnums=0)
    for _ in range(3):
        array = step(array)
        array.block_until_ready()
    np.testing.assert_array_equal(copy, expected)
    assert not copy.flags.writeable


@only_jax
def test_an_array_in_the_hosts_memory_is_no_array_of_a_device():
    import jax

    array = jax.numpy.ones(3)
    held = jax.device_put(array, array.sharding.with_memory_kind("pinned_host"))
    assert not of_backend("jax")._on_device(array)
    assert not of_backend("jax")._on_device(held)
    (copy,) = backend.to_host([held])
    assert copy.ctypes.data != held.unsafe_buffer_pointer()


@only_torch
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "bool"])
def test_tensors_that_lie_otherwise_in_memory_are_copied_by_their_axes(on_device, dtype):
    import torch

    base = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6).remainder(7).to(getattr(torch, dtype))
    tensors = [
        base.contiguous(memory_format=torch.channels_last),
        base.permute(3, 1, 0, 2),
        base[:, 1:, ::2, 3:],
        base[1, 2, 3, 4],
        base[:, :1].expand(2, 5, 4, 6),
        base.unsqueeze(0).transpose(0, 3),
    ]
    if dtype == "float32":
        tensors.append(torch.nn.Parameter(base.permute(1, 0, 2, 3)))
        tensors.append(torch.complex(base, -base).conj())
    for copy, tensor in zip(backend.to_host(tensors), tensors, strict=True):
        expected = expected_of(tensor.resolve_conj())
        assert (copy.dtype, copy.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(copy, expected)
        assert copy.flags.c_contiguous
        assert copy.flags.aligned


@only_torch
def test_small_tensors_share_a_block_and_do_not_touch(on_device, monkeypatch):
    import torch

    asked = []
    original = torch.empty
    monkeypatch.setattr(torch, "empty", lambda size, **named: asked.append((size, named)) or original(size, **named))
    copies = backend.to_host([torch.full((30,), float(number)) for number in range(5)])
    assert asked == [(1024, {"dtype": torch.uint8, "device": "cpu", "pin_memory": False})]
    copies[2][:] = -1
    assert [set(copy.tolist()) for copy in copies] == [{0.0}, {1.0}, {-1.0}, {3.0}, {4.0}]


@only_torch
def test_what_is_no_dense_tensor_of_a_type_of_numpy_is_not_pinned(on_device):
    import torch

    can_be_pinned = of_backend("pinned_torch").can_be_pinned

    class Spread(torch.Tensor):
        """As a tensor over several devices is."""

    assert can_be_pinned(torch.ones(3))
    assert can_be_pinned(torch.nn.Parameter(torch.ones(3)))
    assert not can_be_pinned(np.ones(3))
    assert not can_be_pinned(torch.ones(3).to_sparse())
    assert not can_be_pinned(torch.ones(3).as_subclass(Spread))
    assert of_backend("pinned_torch").numpy_dtype(torch.qint8) is None
    assert of_backend("pinned_torch").numpy_dtype(torch.bfloat16).name == "bfloat16"


ON_TWO_DEVICES = """
    import jax, keras, numpy as np
    from jax.sharding import NamedSharding, PartitionSpec
    from unetdyn.dynamics.backend import backend, jax as ours, pinned_jax

    ours._on_device = lambda tensor: isinstance(tensor, jax.Array)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    variables = [keras.Variable(np.arange(6.0).reshape(2, 3)), keras.Variable(3, dtype="uint32")]
    assert all(len(variable.value.devices()) == 2 for variable in variables)
    mesh = variables[0].value.sharding.mesh
    shared = jax.device_put(np.arange(8.0), NamedSharding(mesh, PartitionSpec(mesh.axis_names[0])))
    alone = jax.device_put(np.ones(2), jax.devices()[1])
    put, original = [], jax.device_put
    jax.device_put = lambda *given: put.extend(original(*given)) or put
    found = backend.to_host([*variables, shared, alone])
    assert [each.tolist() for each in found] == [[[0, 1, 2], [3, 4, 5]], 3, list(range(8)), [1, 1]]
    assert [each.dtype for each in found] == ["float32", "uint32", "float32", "float32"]
    first, second = jax.devices()
    assert [each.devices() for each in put] == [{first}, {first}, {second}]
    assert [found[place].ctypes.data for place in (0, 1, 3)] == [each.unsafe_buffer_pointer() for each in put]
    assert not pinned_jax.can_be_pinned(shared)
"""


@only_jax
def test_of_what_two_devices_have_one_gives_it_and_what_they_share_goes_the_other_way():
    source = Path(__file__).resolve().parents[3] / "src"
    options = {"PYTHONPATH": str(source), "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ON_TWO_DEVICES)],
        env={**os.environ, **options},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
