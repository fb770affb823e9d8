"""Augmentation: images and masks changed together, by draws of the seed, the epoch and the batch alone.

What is random is drawn on the host, by NumPy, and small (`draws.py`). What is large is pure functions on `keras.ops`
(`transform.py`), compiled for the backend that trains (`backend/`).
"""

from unetdyn.data.augmentation.augmentation import Augmentation

__all__ = ["Augmentation"]
