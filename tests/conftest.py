"""What every test shares: quiet backends, reproducible seeds, and the way to the real data."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import errno
import gc
import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure(config) -> None:
    """On JAX, what was compiled is kept for the next test, room and run: they train the same small models all the time.

    Each process has a folder of its own, and what tests start has none: JAX writes there without a lock. `make clean`
    removes them.
    """
    if os.environ.get("KERAS_BACKEND") != "jax" or not hasattr(config, "cache"):  # as with -p no:cacheprovider
        return
    import jax

    compiled = config.cache.mkdir("compiled-by-jax") / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    jax.config.update("jax_compilation_cache_dir", str(compiled))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def pytest_collection_finish() -> None:
    """What was imported stays for good: the garbage collector need not go through it again with each model."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test starts from the same random state, in whatever order and process it runs."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def untraced():
    """On TensorFlow, functions run as they stand: tracing a training takes seconds, and the few steps of a test none.

    For tests of what happens around the steps. That steps come out the same when they are traced is for the contracts
    and for tests/dynamics; JAX compiles them here too.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def hangups():
    """A closed terminal is heard: what runs under nohup, as the tests may, hears none, and what it starts likewise."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def full(monkeypatch):
    """Turns the disk full, and back."""
    real = os.fsync

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda yes: monkeypatch.setattr(os, "fsync", refuse if yes else real)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout: where configs/ and examples/ are."""
    return REPOSITORY


@pytest.fixture(scope="session")
def vnc_mito() -> Path:
    """The real electron-microscopy sections. `UNETDYN_DATA` names their parent where it is not ../shared/data."""
    folder = Path(os.environ.get("UNETDYN_DATA", REPOSITORY.parent / "shared" / "data")) / "vnc_mito"
    if not folder.is_dir():
        message = f"the VNC sections are not at {folder}; set UNETDYN_DATA to the folder that holds vnc_mito/"
        if os.environ.get("UNETDYN_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def shared_runs() -> Path:
    """Two real run directories. `UNETDYN_RUNS` names their parent where it is not ../shared/runs."""
    folder = Path(os.environ.get("UNETDYN_RUNS", REPOSITORY.parent / "shared" / "runs"))
    if not folder.is_dir():
        pytest.skip(f"the real runs are not at {folder}; set UNETDYN_RUNS to the folder that holds broken-UNet/")
    return folder
