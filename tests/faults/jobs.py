"""What the processes of `forks.py` do. All is imported here, before any of them begins."""

from contextlib import suppress

with suppress(ImportError):
    import tensorflow  # noqa: F401  # Keras asks for it on every backend, in the first `fit`

from faults.by_hand import drive, drive_alone
from faults.killed_prediction import predict
from faults.killed_search import search
from faults.killed_training import train
from faults.stopped_writers import drive_until

__all__ = ["drive", "drive_alone", "drive_until", "predict", "search", "train"]
