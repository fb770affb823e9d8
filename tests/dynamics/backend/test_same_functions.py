"""Each backend has a file with the same functions, and only the chosen one's framework is imported."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

import unetdyn.dynamics.backend
from unetdyn.dynamics.backend import Backend

FOLDER = Path(unetdyn.dynamics.backend.__file__).parent
BACKENDS = ("tensorflow", "jax", "torch")


def signatures(body, skip=()):
    """Public function names to their argument names, as they stand in the source."""
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    return {node.name: [argument.arg for argument in node.args.args if argument.arg not in skip] for node in functions}


def listed():
    """What the list of all functions, `Backend`, says."""
    (protocol,) = (
        node
        for node in ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == Backend.__name__
    )
    return signatures(protocol.body, skip=("self",))


@pytest.mark.parametrize("name", BACKENDS)
def test_each_backend_has_the_functions_of_the_list_and_no_others(name):
    assert signatures(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")).body) == listed()


def test_only_the_chosen_framework_is_imported():
    code = (
        "import sys, keras; before = set(sys.modules); import unetdyn.callbacks;"
        f"print([name for name in {BACKENDS} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() in ("[]", f"[{keras.backend.backend()!r}]")


def run_on_numpy(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


needs_jax = pytest.mark.skipif(
    find_spec("jax") is None, reason="Keras' NumPy backend needs JAX, which is not installed"
)


@needs_jax
def test_rooms_can_be_imported_on_a_backend_that_cannot_train():
    done = run_on_numpy("import unetdyn.dynamics, unetdyn.callbacks, unetdyn.experiment")
    assert done.returncode == 0, done.stderr


@needs_jax
def test_a_backend_that_cannot_train_is_refused_when_something_is_to_be_measured():
    done = run_on_numpy(
        "import keras; from unetdyn.dynamics import OptimizerTap\n"
        "model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "OptimizerTap(model)"
    )
    assert "set KERAS_BACKEND to one of tensorflow, jax, torch" in done.stderr
    assert "Received: KERAS_BACKEND=numpy" in done.stderr
