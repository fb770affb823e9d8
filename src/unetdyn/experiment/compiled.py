"""Whether the forward pass of an experiment can be compiled, asked before anything is read or trained."""

from typing import Any

import keras

from unetdyn.experiment.config import Config


def check_compile_forward(config: Config) -> None:
    """Refuse `fit.compile_forward` where it would do nothing, and where PyTorch can't compile.

    `torch.compile` needs a compiler only when the first step runs: of C++ for a CPU, Triton for a GPU. So one addition
    is compiled here, on the device on which Keras trains; it takes seconds, on a CPU up to a minute, which
    the training then is spared, and nothing without the key.

    Args:
        config: The experiment.

    Raises:
        ValueError: On another backend than PyTorch, and with PyTorch's own words where the addition did not compile.

    Example:
        >>> from unetdyn.experiment import parse_config
        >>> check_compile_forward(parse_config({"data": {"kind": "synthetic"}}))
    """
    if not config.fit.compile_forward:
        return
    backend = keras.backend.backend()
    if backend != "torch":
        raise ValueError(
            "`fit.compile_forward` is for PyTorch alone: on TensorFlow and JAX `fit.jit_compile` has Keras compile the "
            "whole step. Leave it out, or set KERAS_BACKEND=torch. Received: compile_forward=True, on the backend "
            f"{backend!r}."
        )
    import torch

    try:
        torch.compile(_one_more)(keras.ops.ones(2))
    except Exception as error:  # of many kinds, from Python that is too new to a compiler that is missing
        reason = next(iter(str(error).strip().splitlines()), "")
        raise ValueError(
            "`fit.compile_forward` needs a PyTorch that can compile: a C++ compiler for a CPU, Triton for a GPU. "
            f"Leave it out, or install what is missing. Received: {type(error).__name__}: {reason}"
        ) from error


def _one_more(x: Any) -> Any:
    return x + 1
