"""Where the step that comes will look for its batch, and how a batch gets there without anybody waiting."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True)
class Destination:
    """A device as the thread sees it that asks for a batch; the thread that makes it must be told.

    Attributes:
        device: The default device there, in the backend's own form; None where nothing was chosen.
        moves: Whether batches are put on it: it is an accelerator, and a loop of Keras asks.
    """

    device: Any
    moves: bool

    @classmethod
    def here(cls, in_loop: bool) -> Destination:
        """The one of this thread.

        TensorFlow's own threads copy a batch from the host's memory, so it stays there. So it does under
        `keras.distribution`, where Keras gives each device its share.

        Args:
            in_loop: Whether `fit`, `evaluate` or `predict` asks; who asks by hand expects NumPy arrays.
        """
        backend = keras.backend.backend()
        if backend == "jax":
            import jax

            accelerator = jax.default_backend() != "cpu" and keras.distribution.distribution() is None
            return cls(jax.config.jax_default_device, in_loop and accelerator)
        if backend == "torch":
            import torch
            from keras.src.backend.torch.core import get_device

            device = str(get_device())
            if device == "cuda" and torch.cuda.is_initialized():  # each thread has chosen its own
                device = f"cuda:{torch.cuda.current_device()}"
            return cls(device, in_loop and device.startswith("cuda"))
        return cls(None, moves=False)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """The same default device in another thread."""
        if self.device is None:
            return contextlib.nullcontext()
        if keras.backend.backend() == "torch":
            return keras.device(self.device)
        import jax

        return jax.default_device(self.device)

    def put(self, batch: Any) -> Any:
        """The batch with its arrays on the way to the device; what is there stays, and so does what is no array."""
        if not self.moves:
            return batch
        return keras.tree.map_structure(self._put_one, batch)

    def _put_one(self, array: Any) -> Any:
        if keras.backend.backend() == "jax":
            import jax

            return jax.device_put(array) if isinstance(array, np.ndarray) else array
        import torch

        if not isinstance(array, np.ndarray) or array.dtype != np.float32:  # Keras knows what becomes of other types
            return array
        pinned = torch.from_numpy(np.require(array, requirements=("C", "W"))).pin_memory()
        return pinned.to(self.device, non_blocking=True)
