"""A history in arrays of NumPy: `np.savez("history.npz", **history.history)`."""

from pathlib import Path

import numpy as np

from unetdyn.analysis.history_logs import Frequency, read_logs
from unetdyn.analysis.log_names import with_keras_names
from unetdyn.analysis.log_table import Columns
from unetdyn.runs.records import arrays_in

_EXPECTED = "one array of numbers for each logged value, as `np.savez(path, **history.history)` writes"


def read_arrays(path: Path, validation_freq: Frequency | None = None) -> Columns:
    """Name → (epochs, values) of the last training in an `.npz` file, or in an `.npy` file of a structured array.

    Args:
        path: Of the file.
        validation_freq: See `read_history`.

    Raises:
        ValueError: If it is damaged, holds pickled objects, or no arrays of numbers by name.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "history.npz"
        >>> np.savez(path, loss=[0.9, 0.5], val_loss=[0.8, 0.6])
        >>> read_arrays(path)["val_loss"]
        (array([0, 1]), array([0.8, 0.6]))
    """
    with path.open("rb") as opened:
        try:
            if opened.read(2) == b"PK":
                arrays = arrays_in(opened)
            else:
                opened.seek(0)
                table = np.load(opened, allow_pickle=False)
                arrays = {name: table[name] for name in table.dtype.names or ()}
        except Exception as error:  # what archives and headers that are damaged raise is almost anything
            pickled = "pickle" in str(error) or "Object arrays" in str(error)
            received = "pickled objects, which can run any code" if pickled else f"a damaged file ({error})"
            raise ValueError(f"{path} must hold {_EXPECTED}. Received: {received}.") from error
    logs = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not logs:
        raise ValueError(f"{path} must hold {_EXPECTED}. Received: {', '.join(arrays)[:80] or 'no names'}.")
    return read_logs(with_keras_names(logs), None, validation_freq)
