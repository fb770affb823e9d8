"""The ways to train that the contracts of tests/contracts go through, and what a backend has not."""

import os

import keras
import pytest

WAYS_TO_TRAIN = {
    "plain": {},
    "float16": {"dtype": "mixed_float16"},
    "bfloat16": {"dtype": "mixed_bfloat16"},
    "eager": {"run_eagerly": True},
    "jit": {"jit_compile": True},
    "several steps an execution": {"steps_per_execution": 2},
    "gradient accumulation": {"gradient_accumulation_steps": 2},
}
UNUSUAL = ("unknown length", "embedding", "float64")
"""What all monitors and controls go through at once: data that ends when it ends, sliced gradients, 64 bits."""

NOT_SUPPORTED = {
    ("torch", "jit"): "torch.compile takes minutes and a C++ compiler",
    ("torch", "several steps an execution"): "Keras refuses steps_per_execution > 1 on PyTorch",
    ("jax", "float64"): "JAX has 64 bits only where they are asked for before it starts",
}


WHOLE_GRID = bool(os.environ.get("UNETDYN_GRID"))
"""`make test-grid`, and PyTorch in `make check`: all units meet all ways. Else each meets the plain one and another."""


def met_by(units):
    """Parameters of a test: each unit with the ways that it meets."""
    backend = keras.config.backend()
    others = [way for way in WAYS_TO_TRAIN if way != "plain" and (backend, way) not in NOT_SUPPORTED]
    first = ("tensorflow", "jax", "torch").index(backend)
    for place, unit in enumerate(units):
        for way in ("plain", *others) if WHOLE_GRID else ("plain", others[(place + first) % len(others)]):
            yield pytest.param((unit, way), id=f"{unit}-{way}")


def ways_of_all():
    """Parameters of a test of all units at once. XLA compiles all of them on TensorFlow for a minute."""
    few = keras.config.backend() == "tensorflow" and not WHOLE_GRID
    return [supported(way) for way in WAYS_TO_TRAIN if not (few and way == "jit")]


def supported(way):
    """The way as a parameter of a test, skipped with the reason where the backend hasn't got it."""
    reason = NOT_SUPPORTED.get((keras.config.backend(), way))
    return pytest.param(way, marks=pytest.mark.skip(reason=reason)) if reason else way
