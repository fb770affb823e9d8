"""`fit.compile_forward`: what it does on PyTorch, and that it is refused elsewhere before anything is read."""

import functools
import io

import keras
import numpy as np
import pytest

from unetdyn.experiment import ConfigError, parse_config, run_experiment
from unetdyn.experiment.build import build_model
from unetdyn.experiment.compiled import check_compile_forward

BACKEND = keras.backend.backend()
SMALL = {
    "data": {
        "kind": "synthetic",
        "sections": 4,
        "size": 64,
        "tile": 16,
        "split": {"train": [0, 1], "validation": [3, 3]},
    },
    "model": {"architecture": "UNet", "filters": 1, "depth": 1},
}
only_torch = pytest.mark.skipif(BACKEND != "torch", reason="elsewhere Keras compiles the step")


def config(compile_forward, **fit):
    return parse_config({**SMALL, "fit": {"epochs": 1, "compile_forward": compile_forward, **fit}})


def test_nothing_is_compiled_unless_asked_for():
    chosen = parse_config(SMALL)
    check_compile_forward(chosen)
    assert not chosen.fit.compile_forward
    assert "call" not in vars(build_model(chosen, channels=1, steps_per_epoch=2))


def test_what_is_compiled_is_not_compiled_again():
    with pytest.raises(ConfigError, match=r"`compile_forward` compiles the model.*choose one.*jit_compile=True"):
        config(True, jit_compile=True)
    config(False, jit_compile=True)


@pytest.mark.skipif(BACKEND == "torch", reason="compiled there")
def test_another_backend_refuses_before_it_reads_anything(tmp_path):
    values = {**SMALL, "data": {"kind": "folder", "path": str(tmp_path / "missing")}, "fit": {"compile_forward": True}}
    with pytest.raises(ConfigError, match=rf"is for PyTorch alone.*Leave it out.*on the backend '{BACKEND}'"):
        run_experiment(parse_config(values | {"run_directory": str(tmp_path / "run")}), io.StringIO())
    assert list(tmp_path.iterdir()) == []


@only_torch
def test_a_pytorch_that_cannot_compile_is_refused_in_its_own_words(monkeypatch):
    import torch

    def without_compiler(function):
        def compiled(_x):
            raise RuntimeError(f"No working C++ compiler found for {function.__name__}\nSet CXX.")

        return compiled

    monkeypatch.setattr(torch, "compile", without_compiler)
    with pytest.raises(ValueError, match=r"needs a PyTorch that can compile.*Received: RuntimeError: No working C\+\+"):
        check_compile_forward(config(True))
    check_compile_forward(config(False))


@only_torch
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_a_compiled_experiment_says_so_and_trains_as_a_plain_one(monkeypatch, tmp_path):
    import torch

    pieces = []

    def graph_only(graph, _inputs):
        pieces.append(graph.code)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=graph_only))
    found, convolved = [], []
    for compiled in (True, False):
        chosen = config(compiled).model_copy(update={"run_directory": tmp_path / str(compiled)})
        run = run_experiment(chosen, io.StringIO())
        assert run.config["fit"]["compile_forward"] is compiled
        found.append([run.epochs[-1][name] for name in ("loss", "val_loss")])
        convolved.append(sum("conv2d" in code for code in pieces))
    assert convolved[0] > 0
    assert convolved[1] == convolved[0]  # the second, plain one added none
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
