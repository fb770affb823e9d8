"""The global random numbers of a process: Python's, NumPy's, Keras' and, where it is in use, PyTorch's."""

import random
import sys
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

_GLOBAL_SEEDS = "global_seed_generator"  # under which Keras keeps the generator of all draws without a seed


def random_state() -> dict[str, Any]:
    """Where they stand, as a tree of numbers and arrays. Nothing is drawn.

    TensorFlow's own operations, those of `tf.random` and of `tf.data`, keep their counters where nobody can read them.

    Example:
        >>> import numpy as np
        >>> before = random_state()
        >>> drawn = np.random.random()
        >>> set_random_state(before)
        >>> np.random.random() == drawn
        True
    """
    version, numbers, gauss = random.getstate()
    state: dict[str, Any] = {"python": (version, np.array(numbers, np.uint64), gauss)}
    state["numpy"] = np.random.get_state()  # noqa: NPY002 - what is global is the legacy generator's
    seeds = global_state.get_global_attribute(_GLOBAL_SEEDS)
    if seeds is not None:
        state["keras"] = np.array(keras.ops.convert_to_numpy(seeds.state.value))
    if (torch := _torch()) is not None:
        state["torch"] = torch.get_rng_state().numpy().copy()
        if torch.cuda.is_initialized():  # asking begins it
            state["cuda"] = [each.cpu().numpy().copy() for each in torch.cuda.get_rng_state_all()]
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Let them stand where they stood.

    Args:
        state: From `random_state`, of this process or of another one with the same backend.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(map(int, numbers)), gauss))
    np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
    if "keras" in state:
        keras.src.random.seed_generator.global_seed_generator().state.assign(state["keras"])
    torch = _torch()
    if torch is not None and "torch" in state:
        torch.set_rng_state(torch.from_numpy(np.array(state["torch"], np.uint8)))
    if torch is not None and "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([torch.from_numpy(np.array(each, np.uint8)) for each in state["cuda"]])


def _torch() -> Any:
    """PyTorch, where it is in use: as the backend, or for the data of another one, such as a `DataLoader`."""
    return sys.modules.get("torch")
